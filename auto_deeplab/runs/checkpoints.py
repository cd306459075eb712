# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: saved whole or not at all, and refused where they do not fit.

    RUN/checkpoints/ckpt-400.index      of step 400; written last
    RUN/checkpoints/ckpt-400.data-00000-of-00001
    RUN/checkpoints/checkpoint          names them, for TensorFlow's own tools

A checkpoint is written to `.saving` beside its place and moved there once it is
on the disk, its index last. So what is named `ckpt-400.index` is whole, however
the process is killed, the power fails or the disk is full.

It holds the version of its format, which is that of its run folder. One without
is of version 1, as are those of TensorFlow 1.
"""

from collections.abc import Iterator, Sequence
import contextlib
import os
import pathlib
import re
import shutil
import sys

import tensorflow as tf

from auto_deeplab.architecture import artifact
from auto_deeplab.training import cluster

_FILE = re.compile(r'ckpt-(\d+)\.(index|data-\d{5}-of-\d{5})')
_STEP_KEY = 'global_step/.ATTRIBUTES/VARIABLE_VALUE'

VERSION = 1
_VERSION_KEY = 'format_version/.ATTRIBUTES/VARIABLE_VALUE'

# A file that ends too early is an IndexError; objects that the file lacks are
# an AssertionError, other shapes a ValueError.
_REFUSALS = (AssertionError, IndexError, ValueError, tf.errors.OpError)

# Saving ----------------------------------------------------------------------


class Saver:
  """Saves a state by its step, and deletes the oldest.

  Unlike a `tf.train.CheckpointManager`, which counts the interval from the last
  save on, so that a run that is resumed in between would save at other steps
  ever after, and which writes under the final names.

  Attributes:
    checkpoint: what is saved.
  """

  def __init__(
    self,
    checkpoint: tf.train.Checkpoint,
    folder: str | os.PathLike[str],
    *,
    interval: int,
    keep: int,
    saved_step: int | None = None,
  ):
    """Initializes the saver.

    Args:
      checkpoint: what is saved.
      folder: where.
      interval: steps between two checkpoints.
      keep: how many to keep, the newest ones.
      saved_step: of the checkpoint that the state has been restored from.
    """
    self.checkpoint = checkpoint
    self._folder = pathlib.Path(folder)
    self._interval = interval
    self._keep = keep
    self._saved_step = saved_step

  def is_due(self, step: int) -> bool:
    """Returns whether a step is a multiple of the interval."""
    return step % self._interval == 0

  def save(self, step: int) -> None:
    """Saves, unless this step is saved already.

    Raises:
      OSError: it cannot be written; those before it are intact.
    """
    if step == self._saved_step:
      return
    write(self.checkpoint, self._folder, step)
    self._saved_step = step
    kept = [s for s in steps(self._folder) if s <= step][-self._keep :]
    _write_list(self._folder, kept)
    _delete_older(self._folder, kept[0])


def write(
  checkpoint: tf.train.Checkpoint, folder: str | os.PathLike[str], step: int
) -> str:
  """Writes `ckpt-STEP`; returns its path prefix.

  Raises:
    OSError: it cannot be written; nothing of it is left.
  """
  folder = pathlib.Path(folder)
  temporary = folder / '.saving'
  path = folder / f'ckpt-{step}'
  shutil.rmtree(temporary, ignore_errors=True)  # Of one that was killed.
  try:
    temporary.mkdir(parents=True)
    _with_version(checkpoint).write(str(temporary / path.name))
    _move(temporary, path)
  except cluster.LOSSES:
    raise  # Of another worker, whom `cluster` names: it is no fault of the disk.
  except (OSError, tf.errors.OpError) as e:
    reason = getattr(e, 'strerror', None) or getattr(e, 'message', None)
    raise OSError(
      f'checkpoint {path} cannot be written: {reason}; checkpoints before it '
      'are intact.'
    ) from e
  finally:
    shutil.rmtree(temporary, ignore_errors=True)
  return str(path)


def _with_version(checkpoint: tf.train.Checkpoint) -> tf.train.Checkpoint:
  version = tf.Variable(VERSION, trainable=False)
  return tf.train.Checkpoint(root=checkpoint, format_version=version)


def _move(temporary: pathlib.Path, path: pathlib.Path) -> None:
  index = path.with_name(f'{path.name}.index')
  # A damaged one of this name would be taken for whole with new data.
  index.unlink(missing_ok=True)
  files = sorted(temporary.glob(f'{path.name}.*'))
  for file in sorted(files, key=lambda f: f.name == index.name):
    _wait_for_disk(file)
    file.replace(path.with_name(file.name))
  _wait_for_disk(path.parent)


def _wait_for_disk(path: pathlib.Path) -> None:
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)


def steps(folder: str | os.PathLike[str]) -> list[int]:
  """Returns the steps of the checkpoints in a folder, ascending."""
  found = _files(pathlib.Path(folder))
  return sorted(step for step, file in found if file.suffix == '.index')


def set_aside(folder: str | os.PathLike[str], step: int) -> None:
  """Renames a checkpoint to `damaged-ckpt-STEP`; others stay."""
  folder = pathlib.Path(folder)
  files = [path for s, path in _files(folder) if s == step]
  for path in sorted(files, key=lambda p: p.suffix != '.index'):
    path.replace(path.with_name(f'damaged-{path.name}'))
  _write_list(folder, steps(folder))


def _files(folder: pathlib.Path) -> list[tuple[int, pathlib.Path]]:
  """Returns the files of all checkpoints, each with its step."""
  matches = ((_FILE.fullmatch(p.name), p) for p in folder.glob('ckpt-*'))
  return [(int(match[1]), path) for match, path in matches if match]


def _write_list(folder: pathlib.Path, kept: Sequence[int]) -> None:
  """Writes the file that TensorFlow's own tools find checkpoints by."""
  lines = [f'model_checkpoint_path: "ckpt-{kept[-1]}"']
  lines += [f'all_model_checkpoint_paths: "ckpt-{step}"' for step in kept]
  with artifact.writing(folder / 'checkpoint') as file:
    file.write(''.join(f'{line}\n' for line in lines).encode())


def _delete_older(folder: pathlib.Path, oldest: int) -> None:
  older = [path for step, path in _files(folder) if step < oldest]
  # First what makes the rest a checkpoint.
  for path in sorted(older, key=lambda p: p.suffix != '.index'):
    path.unlink()


# Reading ---------------------------------------------------------------------


def newest(folder: str | os.PathLike[str]) -> str | None:
  """Returns the path prefix of the newest checkpoint; None if there is none."""
  found = steps(folder)
  return os.path.join(folder, f'ckpt-{found[-1]}') if found else None


def newest_step(folder: str | os.PathLike[str]) -> int:
  """Returns the step of the newest checkpoint, 0 if there is none.

  Raises:
    ValueError: the checkpoint is damaged, or of a newer version.
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
  left = steps(folder)
  while left and (reason := _damage(os.path.join(folder, f'ckpt-{left[-1]}'))):
    damaged[left.pop()] = reason
  if not damaged:
    return
  before = 'none before it is whole.'
  if left:
    before = (
      f'--skip_damaged_checkpoints goes on from ckpt-{left[-1]}, the one '
      'before it that is whole.'
    )
  for step, reason in damaged.items():
    message = f'checkpoint {os.path.join(folder, f"ckpt-{step}")} is damaged: '
    if not left or not skip_damaged:
      raise ValueError(f'{message}{reason}; {before}')
    set_aside(folder, step)
    print(
      f'{message}{reason}; it is set aside as damaged-ckpt-{step}, the run '
      f'goes on from ckpt-{left[-1]}.',
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


def lacked(path: str, names: Sequence[str]) -> set[str]:
  """Returns those of some names that nothing at the top has.

  Raises:
    ValueError: the file is damaged, or of a newer version.
  """
  with refusing(path):
    keys = tf.train.load_checkpoint(path).get_variable_to_shape_map()
  return set(names) - {key.partition('/')[0] for key in keys}


def restore(checkpoint: tf.train.Checkpoint, path: str) -> None:
  """Restores every object of `checkpoint`, which has a `model`.

  Raises:
    ValueError: the file is damaged, of a newer version, holds something else,
      or a variable of the model that is not finite.
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
    ValueError: in the place of any of them; or the checkpoint is of a newer
      version, whatever is in it.
  """
  with _refusing(path):
    version = _version(path)
  if version > VERSION:
    raise ValueError(
      f'checkpoint {path} is of version {version}, and this auto_deeplab reads '
      f'version {VERSION}: install a newer one.'
    )
  with _refusing(path):
    yield


def _version(path: str) -> int:
  reader = tf.train.load_checkpoint(path)
  if not reader.has_tensor(_VERSION_KEY):
    return 1
  return int(reader.get_tensor(_VERSION_KEY))


@contextlib.contextmanager
def _refusing(path: str) -> Iterator[None]:
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
