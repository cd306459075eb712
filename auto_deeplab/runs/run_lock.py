# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""One process at a time in a run folder."""

from collections.abc import Iterator
import contextlib
import fcntl
import os
import pathlib
import socket
from typing import IO


class RunLock:
  """A lock that the kernel takes back when its process ends, however it ends.

  A killed process leaves the file, which says nothing then. Over NFS the lock
  holds between machines, too (Linux).
  """

  def __init__(self, path: str | os.PathLike[str]):
    """Initializes the lock, which is not taken yet.

    Args:
      path: of the file; it names the process that took the lock last.
    """
    self._path = pathlib.Path(path)
    self._file: IO[str] | None = None
    self._made: list[pathlib.Path] = []

  def acquire(self) -> None:
    """Takes the lock, unless this object has it; the folder is made if needed.

    Raises:
      ValueError: another run has it; the message names its process.
      OSError: the file system has no locks, or the file cannot be made.
    """
    while self._file is None:
      folders = [self._path.parent, *self._path.parent.parents]
      self._made = [f for f in folders if f in self._made or not f.exists()]
      self._path.parent.mkdir(parents=True, exist_ok=True)
      file = self._path.open('a+')
      self._take(file)
      # Whoever gave the lock back meanwhile has removed the file as well; the
      # next one would lock another of the same name.
      if self._is_there(file):
        file.truncate(0)
        file.write(f'process {os.getpid()} on {socket.gethostname()}\n')
        file.flush()
        self._file = file
      else:
        file.close()

  def _take(self, file: IO[str]) -> None:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
      file.seek(0)
      owner = file.read().strip()
      file.close()
      raise ValueError(
        f'{self._path.parent} is in use by another run ({owner}); end that '
        'one, or take another run folder.'
      ) from e
    except OSError as e:
      file.close()
      raise OSError(e.errno, e.strerror, str(self._path)) from e

  def _is_there(self, file: IO[str]) -> bool:
    try:
      return os.path.samestat(os.fstat(file.fileno()), self._path.stat())
    except FileNotFoundError:
      return False

  def release(self) -> None:
    """Gives the lock back, if it was taken, and leaves nothing of its own.

    The file goes, and so do folders that were made for it and hold nothing
    else.
    """
    if self._file is None:
      return
    self._path.unlink(missing_ok=True)
    self._file.close()
    self._file = None
    with contextlib.suppress(OSError):  # Not empty: the folder of a run now.
      for folder in self._made:
        folder.rmdir()
    self._made = []


@contextlib.contextmanager
def holding(path: str | os.PathLike[str]) -> Iterator[None]:
  """Holds the lock of a run folder; see `RunLock.acquire` for what it raises.

  Args:
    path: of the lock's file.
  """
  lock = RunLock(path)
  lock.acquire()
  try:
    yield
  finally:
    lock.release()
