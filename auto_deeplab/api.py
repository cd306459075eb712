# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The Python way in: what `import auto_deeplab as adl` gives.

docs/api.md has a program for each. The rooms of the package do not know this
file; it is for users alone, and holds nothing that a room could hold.
"""

from collections.abc import Mapping
import os
import sys

from auto_deeplab import configs
from auto_deeplab.architecture import decode as decode_lib
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.model import segmenter as segmenter_lib
from auto_deeplab.model import supernet as supernet_lib
from auto_deeplab.planning import chain as chain_lib
from auto_deeplab.planning import execution, progress
from auto_deeplab.runs import run_folder, trained_network

_SIZES = genotype_lib.PUBLISHED_FILTER_MULTIPLIERS


def segmenter(
  network: str | os.PathLike[str] | genotype_lib.Genotype,
  num_classes: int = 19,
  *,
  synchronized_batch_norm: bool = False,
  seed: int = 0,
  drop_path_steps: int = 1,
  **settings,
) -> segmenter_lib.Segmenter:
  """Makes a network to train: a published one, or that of a genotype.

  A Keras model, called on images `[n, h, w, 3]`, uint8 or float in [-1, 1], for
  float32 logits `[n, h, w, num_classes]`. Its variables follow with the first
  call, or with `build([None, None, None, 3])`; they are drawn at random.

  Args:
    network: 's', 'm' or 'l' of the paper, a genotype, or the path of a
      `genotype.json`.
    num_classes: channels of the logits; 19 on Cityscapes.
    synchronized_batch_norm: whether statistics are taken over all replicas.
    seed: of drop path and dropout where the model is called with a `step`.
    drop_path_steps: the `step` at which drop path is at full strength.
    **settings: fields of `configs.SegmenterConfig`. Of a published network
      `filter_multiplier` is that of its size. `batch_norm_momentum` is the
      paper's 0.9997, for trainings of 15,000 steps and more: take 0.9 or 0.99
      for shorter ones.

  Raises:
    ValueError: if a value is out of range, or the file holds no genotype.
    FileNotFoundError: if there is no such file.
    TypeError: if a setting is unknown, or `network` is something else.
  """
  if isinstance(network, str) and network in _SIZES:
    settings = {'filter_multiplier': _SIZES[network]} | settings
    network = genotype_lib.PUBLISHED
  elif not isinstance(network, genotype_lib.Genotype):
    network = _load_genotype(network)
  return segmenter_lib.Segmenter(
    network,
    configs.SegmenterConfig(**settings),
    num_classes,
    synchronized_batch_norm=synchronized_batch_norm,
    seed=seed,
    drop_path_steps=drop_path_steps,
  )


def _load_genotype(path: str | os.PathLike[str]) -> genotype_lib.Genotype:
  if not isinstance(path, (str, os.PathLike)):
    raise TypeError(
      f'`network` ({path!r}) must be one of {tuple(_SIZES)}, a genotype, or a '
      'path.'
    )
  if os.path.isdir(path):
    raise ValueError(
      f'`network` ({os.fspath(path)!r}) is a folder; of the run folder of a '
      'search take `adl.decode`, of that of a training `adl.load`.'
    )
  if not os.path.exists(path):
    raise FileNotFoundError(
      f'`network` ({os.fspath(path)!r}) must be one of {tuple(_SIZES)}, a '
      'genotype, or the path of a genotype.json; there is no such file.'
    )
  return genotype_lib.Genotype.load(path)


def supernet(
  num_classes: int = 19,
  *,
  synchronized_batch_norm: bool = False,
  seed: int = 0,
  **settings,
) -> supernet_lib.Supernet:
  """Makes the network that is searched.

  A Keras model, called as a segmenter is. Train `weight_variables` on one half
  of the pictures and `arch_variables` on the other, in turns.

  Args:
    num_classes: channels of the logits; 19 on Cityscapes.
    synchronized_batch_norm: whether statistics are taken over all replicas.
    seed: of the initial alphas and betas, and of drawn primitives.
    **settings: fields of `configs.SupernetConfig`.

  Raises:
    ValueError: if a value is out of range.
    TypeError: if a setting is unknown.
  """
  return supernet_lib.Supernet(
    configs.SupernetConfig(**settings),
    num_classes,
    synchronized_batch_norm=synchronized_batch_norm,
    seed=seed,
  )


def decode(
  search: supernet_lib.Supernet | str | os.PathLike[str],
) -> genotype_lib.Genotype:
  """Returns what a search has found: the likeliest cell and backbone.

  Args:
    search: a supernet, or the run folder of a search, of which the newest
      snapshot counts.

  Raises:
    FileNotFoundError: if the folder holds no snapshot of a search.
  """
  if isinstance(search, supernet_lib.Supernet):
    alphas, betas = (v.numpy() for v in search.arch_variables)
    return decode_lib.decode(alphas, betas, search.config.primitives)
  return decode_lib.load_snapshot(decode_lib.latest_snapshot(search)).decode()


def run(
  pictures: str | os.PathLike[str],
  hours: float = 2.0,
  output_dir: str | os.PathLike[str] = 'runs/mine',
  **convert_flags: str | int | float | bool,
) -> trained_network.LoadedSegmenter:
  """Makes a network of a folder of pictures, as `auto-deeplab run` does.

  Each step is a process of its own, whose command is printed. Called again, it
  goes on where it was stopped.

  Args:
    pictures: the folder, or that of TFRecords.
    hours: from now until all is done.
    output_dir: folder for all results.
    **convert_flags: flags of `auto-deeplab build_tfrecords`, such as
      `skip_invalid=True`.

  Returns:
    The trained network, as of `load`.

  Raises:
    ValueError: if a step fails, or the hours do not suffice.
  """
  chain = chain_lib.Chain(
    os.fspath(pictures), os.fspath(output_dir), _as_flags(convert_flags)
  )
  with progress.Progress() as shows:
    execution.run(
      chain,
      hours,
      lambda verb: [sys.executable, '-P', '-m', 'auto_deeplab.cli', verb],
      shows.tell,
      show=shows.show,
    )
  return load(f'{chain.out}/train')


def _as_flags(
  settings: Mapping[str, str | int | float | bool],
) -> tuple[str, ...]:
  """Returns what one types for them."""
  return tuple(
    f'--{"" if value else "no"}{name}'
    if isinstance(value, bool)
    else f'--{name}={value}'
    for name, value in settings.items()
  )


def load(
  run_dir: str | os.PathLike[str], checkpoint: str | None = None
) -> trained_network.LoadedSegmenter:
  """Loads the network of a training's run folder, its weights restored.

  Args:
    run_dir: folder of a training.
    checkpoint: path prefix of a checkpoint, or 'best' for that of the best mIoU
      during training; the newest by default.

  Returns:
    The `model`, in float32, with its `genotype`, the `dataset_info` (classes
    and colours), the `step` of the checkpoint and the `run_dir`.

  Raises:
    FileNotFoundError: if the folder holds no training, or no checkpoint.
    ValueError: if the folder is that of a search, or the checkpoint does not
      fit the configuration.
  """
  config, folder = run_folder.RunFolder(run_dir).config, os.fspath(run_dir)
  if config.exists() and 'SearchConfig.' in config.read_text():
    raise ValueError(
      f'{folder} is the folder of a search, which has no trained segmenter. '
      f'Decode it, by `adl.decode({folder!r})` or auto-deeplab decode '
      f'--run_dir={folder}, train the genotype, and load that training.'
    )
  return trained_network.load_segmenter(run_dir, checkpoint)
