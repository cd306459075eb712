# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Saving checkpoints: at multiples of an interval, whole or not at all.

A checkpoint is written to `.saving` beside its place and moved there once it is
on the disk, its index last. So what is named `ckpt-400.index` is whole, however
the process is killed, the power fails or the disk is full.
"""

from collections.abc import Sequence
import os
import pathlib
import re
import shutil
from typing import Any

import tensorflow as tf

from auto_deeplab.architecture import artifact

_FILE = re.compile(r'ckpt-(\d+)\.(index|data-\d{5}-of-\d{5})')


class Saver:
  """What orbit asks of a `tf.train.CheckpointManager`.

  That one counts the interval from the last save on, so that a run that is
  resumed in between would save at other steps ever after, and it writes under
  the final names.

  Attributes:
    checkpoint: what is saved.
    checkpoint_interval: in steps.
  """

  def __init__(
    self,
    checkpoint: tf.train.Checkpoint,
    folder: str | os.PathLike[str],
    global_step: tf.Variable,
    *,
    interval: int,
    keep: int,
    restored: str | None = None,
  ):
    """Initializes the saver.

    Args:
      checkpoint: what is saved.
      folder: where.
      global_step: counts the steps; they number the checkpoints.
      interval: steps between two checkpoints.
      keep: how many to keep, the newest ones.
      restored: the checkpoint that `checkpoint` has been restored from, if any.
    """
    self.checkpoint = checkpoint
    self.checkpoint_interval = interval
    self._folder = pathlib.Path(folder)
    self._global_step = global_step
    self._keep = keep
    self._restored = restored
    self._saved_step = int(global_step.numpy()) if restored else None

  def save(
    self,
    checkpoint_number: int | None = None,
    check_interval: bool = True,
    options: Any = None,
  ) -> str | None:
    """Saves, unless this step is saved already.

    Args:
      checkpoint_number: orbit's; the step it is.
      check_interval: save only at a multiple of the interval.
      options: orbit's; nothing here is asynchronous.

    Returns:
      The path prefix of the checkpoint; None if none was due.

    Raises:
      OSError: it cannot be written; those before it are intact.
    """
    del checkpoint_number, options
    step = int(self._global_step.numpy())
    is_due = not check_interval or step % self.checkpoint_interval == 0
    if step == self._saved_step or not is_due:
      return None
    path = write(self.checkpoint, self._folder, step)
    self._saved_step = step
    kept = [s for s in steps(self._folder) if s <= step][-self._keep :]
    _write_list(self._folder, kept)
    _delete_older(self._folder, kept[0])
    return path

  def restore_or_initialize(self) -> str | None:
    """Returns what was restored: before orbit asks, and strictly."""
    return self._restored

  def sync(self) -> None:
    """Waits for nothing: `save` does not return before it has saved."""


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
    checkpoint.write(str(temporary / path.name))
    _move(temporary, path)
  except (OSError, tf.errors.OpError) as e:
    reason = getattr(e, 'strerror', None) or getattr(e, 'message', None)
    raise OSError(
      f'checkpoint {path} cannot be written: {reason}; checkpoints before it '
      'are intact.'
    ) from e
  finally:
    shutil.rmtree(temporary, ignore_errors=True)
  return str(path)


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
