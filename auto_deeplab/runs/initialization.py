# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a training begins with: random weights, or those of another training.

To pretrain on COCO and go on to VOC, say, or on coarse labels and on to fine
ones. The moving averages of the other training's weights are taken where it has
them; its optimizer and its step are not.

RUN/start.json records it, with the split that is trained on. The checkpoint is
looked for once: whoever starts the run again finds it by name.
"""

import dataclasses
import json
import os
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from auto_deeplab.data import datasets
from auto_deeplab.data.records import tfrecord
from auto_deeplab.runs import checkpoints, run_folder
from auto_deeplab.training import variable_paths, weight_averages

NAME = 'start.json'

_FORMAT = {'format': 'auto_deeplab.start', 'version': 1}
_LOGITS = 'logits/'
_BIAS = 'logits/bias'


@dataclasses.dataclass(frozen=True)
class Start:
  """What a training begins with; random weights by default.

  Attributes:
    run_dir: folder of another training, whose newest checkpoint it is.
    checkpoint: path prefix of a checkpoint, in the place of `run_dir`.
    reinitialize_logits: whether the last layer is random all the same, as it
      has to be where the classes are others.
  """

  run_dir: str | None = None
  checkpoint: str | None = None
  reinitialize_logits: bool = False

  def __post_init__(self):
    if self.run_dir and self.checkpoint:
      raise ValueError(
        f'of --init_run_dir ({self.run_dir}) and --init_checkpoint '
        f'({self.checkpoint}) only one can be what a training begins with.'
      )
    if self.reinitialize_logits and not (self.run_dir or self.checkpoint):
      raise ValueError(
        '--reinitialize_logits needs --init_run_dir or --init_checkpoint: '
        'without one all weights are random.'
      )


def find(
  start: Start, folder: run_folder.RunFolder, info: datasets.DatasetInfo
) -> str | None:
  """Returns the path prefix of the checkpoint, None for random weights.

  Args:
    start: what to begin with.
    folder: of the run. One that goes on neither needs nor reads the checkpoint.
    info: of the data set to be trained on.

  Raises:
    FileNotFoundError: no such folder or checkpoint.
    ValueError: the checkpoint is damaged, not of a training, or of other
      classes while its logits are to be taken; or the run goes on from a
      checkpoint of its own and began with something else.
  """
  checkpoint = _find(start, folder.path / NAME)
  if checkpoint is None:
    return None
  if checkpoints.newest(folder.checkpoints) is None:
    _check(start, checkpoint, info)
  elif not (folder.path / NAME).exists():
    raise ValueError(
      f'{folder.path} goes on from its own checkpoint and did not begin with '
      f'{checkpoint}; take another run folder.'
    )
  return checkpoint


def _find(start: Start, path: pathlib.Path) -> str | None:
  """Returns the checkpoint that `start.json` has, or the newest."""
  if start.run_dir is None:
    return start.checkpoint
  recorded = _load(path)
  if recorded.get('run_dir') == start.run_dir:
    return recorded['checkpoint']
  return _newest(start.run_dir)


def _newest(run_dir: str) -> str:
  if not os.path.isdir(run_dir):
    raise FileNotFoundError(f'--init_run_dir ({run_dir}) does not exist.')
  folder = run_folder.RunFolder(run_dir)
  path = checkpoints.newest(folder.checkpoints)
  if path is None:
    raise FileNotFoundError(
      f'--init_run_dir ({run_dir}) has no checkpoint: {folder.checkpoints} is '
      'missing or empty.'
    )
  return path


def record(
  start: Start, checkpoint: str | None, train_split: str
) -> dict[str, str]:
  """Returns the contents of `start.json` by its name.

  Args:
    start: what to begin with.
    checkpoint: as `find` returned it.
    train_split: that is trained on.
  """
  values = {
    **_FORMAT,
    **dataclasses.asdict(start),
    'checkpoint': checkpoint,
    'train_split': train_split,
  }
  return {NAME: json.dumps(values, indent=1) + '\n'}


def _load(path: pathlib.Path) -> dict[str, Any]:
  """Returns what was recorded; empty if nothing was."""
  if not path.exists():
    return {}
  try:
    values = json.loads(path.read_text())
    found = {key: values[key] for key in _FORMAT}
  except (ValueError, KeyError, TypeError) as e:
    raise ValueError(f'{path} is damaged: {e!r}') from e
  if found != _FORMAT:
    raise ValueError(f'{path} has {found}, which must be {_FORMAT}.')
  return values


def _check(start: Start, checkpoint: str, info: datasets.DatasetInfo) -> None:
  """Refuses a checkpoint that cannot be begun with, before all is built."""
  if not tf.io.gfile.exists(f'{checkpoint}.index'):
    raise FileNotFoundError(
      f'{checkpoint} is no checkpoint: {checkpoint}.index does not exist.'
    )
  with checkpoints.refusing(checkpoint):
    stored = variable_paths.in_checkpoint(checkpoint, 'model')
  if _BIAS not in stored:
    raise ValueError(
      f'checkpoint {checkpoint} holds no network of a training: it has no '
      f'`model/{_BIAS}`.'
    )
  if start.reinitialize_logits:
    return
  _, (num_classes,) = stored[_BIAS]
  if num_classes != info.num_classes:
    raise ValueError(
      f'checkpoint {checkpoint} has {num_classes} classes, the data set '
      f'{info.name} {info.num_classes}; --reinitialize_logits begins with all '
      'of its weights but those of the logits.'
    )
  _check_names(checkpoint, info)


def _check_names(checkpoint: str, info: datasets.DatasetInfo) -> None:
  """Refuses classes of other names, where the checkpoint's run knows them."""
  folder = pathlib.Path(checkpoint).parent.parent
  if not (folder / tfrecord.INFO_NAME).exists():
    return
  names = tfrecord.load_info(folder).class_names
  if not datasets.are_same_classes(names, info.class_names):
    raise ValueError(
      f'checkpoint {checkpoint} has the classes {names}, the data set '
      f'{info.name} {info.class_names}; --reinitialize_logits begins with all '
      'of its weights but those of the logits.'
    )


def initialize(start: Start, checkpoint: str, model: tf.keras.Model) -> None:
  """Gives a built network the weights and statistics of a checkpoint.

  Args:
    start: what to begin with.
    checkpoint: as `find` returned it.
    model: of the same genotype and widths.

  Raises:
    ValueError: a variable is missing, of another shape or not finite, or the
      checkpoint has one more; the message names it.
  """
  stored = variable_paths.in_checkpoint(checkpoint, 'model')
  averages = variable_paths.in_checkpoint(checkpoint, weight_averages.PREFIX)
  variables = variable_paths.by_path(model)
  if start.reinitialize_logits:
    stored, variables = (
      {k: v for k, v in found.items() if not k.startswith(_LOGITS)}
      for found in (stored, variables)
    )
  _check_shapes(
    checkpoint,
    {path: shape for path, (_, shape) in stored.items()},
    {path: v.shape.as_list() for path, v in variables.items()},
  )
  with checkpoints.refusing(checkpoint):
    reader = tf.train.load_checkpoint(checkpoint)
    values = {
      path: reader.get_tensor(averages.get(path, stored[path])[0])
      for path in variables
    }
  for path, value in values.items():
    if not np.all(np.isfinite(value)):
      raise ValueError(
        f'checkpoint {checkpoint} has a value in {path} that is not finite.'
      )
    variables[path].assign(value)


def _check_shapes(
  checkpoint: str, stored: dict[str, list[int]], needed: dict[str, list[int]]
) -> None:
  rule = 'genotype and widths (`SegmenterConfig`) must be the same'
  for path, shape in needed.items():
    if path not in stored:
      raise ValueError(
        f'checkpoint {checkpoint} lacks {path} of this network; {rule}.'
      )
    if stored[path] != shape:
      raise ValueError(
        f'checkpoint {checkpoint} has {path} of shape {stored[path]}, this '
        f'network of {shape}; {rule}.'
      )
  for path in sorted(stored.keys() - needed.keys()):
    raise ValueError(
      f'checkpoint {checkpoint} has {path}, which this network lacks; {rule}.'
    )
