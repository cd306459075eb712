# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A training of the authors' TF1 code, moved over to a run folder.

The folder is as `experiment.run_training` leaves one: evaluation and export
read it, and a training goes on from it. Every variable of the network is
carried over, moving statistics included, and so is the step, on which the
learning rate and drop path depend.

The optimizer's slots are not. `<variable>/Momentum` of TF1 sums gradients;
Keras' sums updates, which hold the learning rate of their step. A momentum of
0.9 forgets its start within some tens of steps, so it starts from zero.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import os
import pathlib
from typing import Any

import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import lattice
from auto_deeplab.data import datasets, palette
from auto_deeplab.data.records import tfrecord
from auto_deeplab.data.sources import cityscapes, pascal
from auto_deeplab.interop import tf1_names
from auto_deeplab.runs import checkpoints, trained_network
from auto_deeplab.runs import run as run_lib
from auto_deeplab.training import networks, optimizers

_STEP = 'global_step'

# The name for classes of which only the number is known.
_UNKNOWN = 'tf1_checkpoint'

Shapes = Mapping[str, Sequence[int]]


@dataclasses.dataclass(frozen=True)
class Import:
  """What became of a checkpoint.

  Attributes:
    path: prefix of the checkpoint that was written.
    step: of the training; 0 if the checkpoint does not tell.
    num_variables: how many the network took.
    unused: names of all others, sorted.
    dataset_info: the classes.
  """

  path: str
  step: int
  num_variables: int
  unused: tuple[str, ...]
  dataset_info: datasets.DatasetInfo


def settings(
  tf1_checkpoint: str, genotype: genotype_lib.Genotype
) -> tuple[str, ...]:
  """Returns what a checkpoint tells of its configuration, as gin bindings.

  Args:
    tf1_checkpoint: path prefix of the checkpoint.
    genotype: of the network.

  Raises:
    FileNotFoundError: no checkpoint.
    ValueError: it is damaged.
  """
  shapes = _open(tf1_checkpoint).get_variable_to_shape_map()
  found = _filter_multiplier(shapes, genotype)
  if not found or not found.is_integer():
    return ()
  return (f'SegmenterConfig.filter_multiplier = {found:g}',)


def run(
  config: configs.TrainExperiment,
  genotype: genotype_lib.Genotype,
  *,
  tf1_checkpoint: str,
  data_dir: str | os.PathLike[str] | None,
  run_dir: str | os.PathLike[str],
) -> Import:
  """Writes a run folder with the weights and the step of a TF1 checkpoint.

  Args:
    config: of the training that the folder is to hold.
    genotype: of the network; `genotype.PUBLISHED` is the authors'.
    tf1_checkpoint: path prefix of the checkpoint.
    data_dir: the data set whose classes the network tells apart; None goes by
      their number: 19 are Cityscapes', 21 VOC's, others have default names.
    run_dir: the run folder; must not exist, or be empty.

  Raises:
    FileNotFoundError: no data set, no checkpoint.
    ValueError: the folder is not empty, the checkpoint is damaged, of another
      width or other classes, or a variable is missing, of another shape, or not
      finite; the message names it.
  """
  _require_free(run_dir)
  reader = _open(tf1_checkpoint)
  shapes = reader.get_variable_to_shape_map()
  info = tfrecord.load_info(data_dir) if data_dir else _class_table(shapes)
  _check_widths(shapes, config.segmenter, genotype, info)
  tf.keras.mixed_precision.set_global_policy(config.runtime.precision)
  model = networks.make_segmenter(config, genotype, info)
  networks.build(model, config.input, step=tf.constant(0))
  used = tf1_names.variables_by_name(model).keys()
  with checkpoints.refusing(tf1_checkpoint):
    arrays = {name: reader.get_tensor(name) for name in used & shapes.keys()}
    step = int(reader.get_tensor(_STEP)) if _STEP in shapes else 0
  tf1_names.assign(model, arrays)
  return Import(
    path=_save(config, genotype, info, model, step, run_dir),
    step=step,
    num_variables=len(used),
    unused=tuple(sorted(shapes.keys() - used - {_STEP})),
    dataset_info=info,
  )


def _require_free(run_dir: str | os.PathLike[str]) -> None:
  path = pathlib.Path(run_dir)
  if path.exists() and (not path.is_dir() or any(path.iterdir())):
    raise ValueError(f'{path} already exists and is not empty.')


def _open(path: str) -> Any:
  """Returns TensorFlow's reader of the checkpoint."""
  if not tf.io.gfile.exists(f'{path}.index'):
    raise FileNotFoundError(
      f'{path} is no checkpoint: {path}.index does not exist.'
    )
  with checkpoints.refusing(path):
    return tf.train.load_checkpoint(path)


def _class_table(shapes: Shapes) -> datasets.DatasetInfo:
  """Returns the likely classes of a network, without pictures.

  Raises:
    ValueError: the logits are missing.
  """
  if tf1_names.LOGITS_BIAS not in shapes:
    raise ValueError(
      f'the variable {tf1_names.LOGITS_BIAS!r} is missing, which tells the '
      'number of classes.'
    )
  num_classes = shapes[tf1_names.LOGITS_BIAS][-1]
  for name, known in (('cityscapes', cityscapes), ('voc', pascal)):
    if num_classes == len(known.CLASS_NAMES):
      return datasets.DatasetInfo(name, known.CLASS_NAMES, known.COLORS)
  return datasets.DatasetInfo(
    _UNKNOWN,
    datasets.default_names(num_classes),
    palette.default_colors(num_classes),
  )


def _filter_multiplier(
  shapes: Shapes, genotype: genotype_lib.Genotype
) -> float | None:
  """Returns F; None where the variable that tells it is missing."""
  projection = shapes.get(tf1_names.FIRST_PROJECTION)
  if projection is None:
    return None
  return projection[-1] / lattice.block_filters(genotype.backbone[0], 1)


def _check_widths(
  shapes: Shapes,
  config: configs.SegmenterConfig,
  genotype: genotype_lib.Genotype,
  info: datasets.DatasetInfo,
) -> None:
  """Refuses another F or number of classes in the user's own terms."""
  found = _filter_multiplier(shapes, genotype)
  if found is not None and found != config.filter_multiplier:
    raise ValueError(
      f'`SegmenterConfig.filter_multiplier` ({config.filter_multiplier}) must '
      f'be {found:g}: {tf1_names.FIRST_PROJECTION!r} has the shape '
      f'{tuple(shapes[tf1_names.FIRST_PROJECTION])}.'
    )
  bias = shapes.get(tf1_names.LOGITS_BIAS)
  if bias is not None and bias[-1] != info.num_classes:
    raise ValueError(
      f'the data set {info.name} has {info.num_classes} classes, the '
      f'checkpoint {bias[-1]} ({tf1_names.LOGITS_BIAS!r}).'
    )


def _save(
  config: configs.TrainExperiment,
  genotype: genotype_lib.Genotype,
  info: datasets.DatasetInfo,
  model: tf.keras.Model,
  step: int,
  run_dir: str | os.PathLike[str],
) -> str:
  """Writes the run folder; returns the checkpoint's path prefix."""
  run = run_lib.Run(
    run_lib.Place(data_dir='', run_dir=os.fspath(run_dir)),
    config,
    trained_network.definition(genotype, info),
  )
  optimizer = optimizers.make_optimizer(
    config.weight_optimizer,
    config.schedule.train_steps,
    config.schedule.ema_momentum,
  )
  optimizer.build(model.trainable_variables)
  # The learning rate's schedule counts these.
  optimizer.iterations.assign(step)
  with run.opened(tf.distribute.get_strategy()):
    run.resume(
      tf.Variable(step, dtype=tf.int64),
      **networks.checkpointed(model, optimizer),
    )
    run.claim()
    run.save()
    return str(run.saved_path())
