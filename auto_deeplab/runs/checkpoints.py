# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: where the newest is, and what is refused on reading one.

    RUN/checkpoints/ckpt-400.index      of step 400; written last
    RUN/checkpoints/ckpt-400.data-00000-of-00001
    RUN/checkpoints/checkpoint          names them, for TensorFlow's own tools

`runs.saver` writes them; what it has not written whole has no such name.
"""

from collections.abc import Iterator, Sequence
import contextlib
import os
import sys
from typing import Any

import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.runs import saver

_STEP_KEY = 'global_step/.ATTRIBUTES/VARIABLE_VALUE'

# A file that ends too early is an IndexError; objects that the file lacks are
# an AssertionError, other shapes a ValueError.
_REFUSALS = (AssertionError, IndexError, ValueError, tf.errors.OpError)


def newest(folder: str | os.PathLike[str]) -> str | None:
  """Returns the path prefix of the newest checkpoint; None if there is none."""
  steps = saver.steps(folder)
  return os.path.join(folder, f'ckpt-{steps[-1]}') if steps else None


def newest_step(folder: str | os.PathLike[str]) -> int:
  """Returns the step of the newest checkpoint, 0 if there is none.

  Raises:
    ValueError: the checkpoint is damaged.
  """
  path = newest(folder)
  if path is None:
    return 0
  with refusing(path):
    return int(tf.train.load_variable(path, _STEP_KEY))


def require_whole(
  folder: str | os.PathLike[str], skip_damaged: bool = False
) -> None:
  """Reads the newest checkpoint, and refuses it if it is damaged.

  Args:
    folder: of the checkpoints.
    skip_damaged: set it aside instead and take the newest that is whole.

  Raises:
    ValueError: it is damaged, and may not be skipped, or no other is whole.
  """
  damaged: dict[int, str] = {}
  steps = saver.steps(folder)
  while steps and (
    reason := _damage(os.path.join(folder, f'ckpt-{steps[-1]}'))
  ):
    damaged[steps.pop()] = reason
  if not damaged:
    return
  before = 'none before it is whole.'
  if steps:
    before = (
      f'--skip_damaged_checkpoints goes on from ckpt-{steps[-1]}, the one '
      'before it that is whole.'
    )
  for step, reason in damaged.items():
    message = f'checkpoint {os.path.join(folder, f"ckpt-{step}")} is damaged: '
    if not steps or not skip_damaged:
      raise ValueError(f'{message}{reason}; {before}')
    saver.set_aside(folder, step)
    print(
      f'{message}{reason}; it is set aside as damaged-ckpt-{step}, the run '
      f'goes on from ckpt-{steps[-1]}.',
      file=sys.stderr,
      flush=True,
    )


def _damage(path: str) -> str:
  """Returns what is wrong with a checkpoint's files; empty if nothing."""
  try:
    reader = tf.train.load_checkpoint(path)
    for key in reader.get_variable_to_shape_map():
      reader.get_tensor(key)
  except _REFUSALS as e:
    return _first_line(e)
  return ''


def _first_line(error: Exception) -> str:
  return str(error).strip().splitlines()[0]


def make_manager(
  runtime: configs.RuntimeConfig,
  folder: str | os.PathLike[str],
  global_step: tf.Variable,
  *,
  save_folder: str | os.PathLike[str] | None = None,
  **objects: Any,
) -> saver.Saver:
  """Builds what saves a run, and restores the newest checkpoint if any.

  Args:
    runtime: how often to save, how many to keep.
    folder: of the checkpoints.
    global_step: counts the steps.
    save_folder: where new ones go; `folder` by default.
    **objects: all else that has a state, by its name in the checkpoint; the
      model is called `model`.

  Raises:
    ValueError: the newest checkpoint is damaged or of another configuration.
  """
  checkpoint = tf.train.Checkpoint(global_step=global_step, **objects)
  path = newest(folder)
  if path is not None:
    restore(checkpoint, path)
  return saver.Saver(
    checkpoint,
    save_folder or folder,
    global_step,
    interval=runtime.checkpoint_interval,
    keep=runtime.checkpoints_to_keep,
    restored=path,
  )


def restore(checkpoint: tf.train.Checkpoint, path: str) -> None:
  """Restores every object of `checkpoint`, which has a `model`.

  Raises:
    ValueError: the file is damaged, holds something else, or a variable of
      the model that is not finite.
  """
  with refusing(path):
    status = checkpoint.read(path)
    status.assert_existing_objects_matched()
    status.expect_partial()
  averages = getattr(checkpoint, 'averages', {})
  _require_finite([*checkpoint.model.variables, *averages.values()], path)


@contextlib.contextmanager
def refusing(path: str) -> Iterator[None]:
  """Turns TensorFlow's ways to say that a checkpoint does not fit into one.

  Args:
    path: of the checkpoint that is read within.

  Raises:
    ValueError: in the place of any of them.
  """
  try:
    yield
  except _REFUSALS as e:
    raise ValueError(
      f'checkpoint {path} does not fit this configuration, or is damaged: '
      f'{_first_line(e)}'
    ) from e


def _require_finite(variables: Sequence[tf.Variable], path: str) -> None:
  for variable in variables:
    value = tf.convert_to_tensor(variable)
    if not value.dtype.is_floating:
      continue
    bad = tf.boolean_mask(value, ~tf.math.is_finite(value))
    if len(bad):
      raise ValueError(
        f'checkpoint {path} has {float(bad[0])} in {variable.name}, which is '
        'not finite.'
      )
