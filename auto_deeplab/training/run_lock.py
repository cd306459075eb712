# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""One process at a time in a run folder."""

import fcntl
import os
import pathlib
import socket
from typing import IO


class RunLock:
  """A lock that the kernel takes back when its process ends, however it ends.

  The file stays; that it is there says nothing. Over NFS it holds between
  machines, too (Linux).
  """

  def __init__(self, path: str | os.PathLike[str]):
    """Initializes the lock, which is not taken yet.

    Args:
      path: of the file; it names the process that took the lock last.
    """
    self._path = pathlib.Path(path)
    self._file: IO[str] | None = None

  def acquire(self) -> None:
    """Takes the lock, unless this object has it; the folder is made if needed.

    Raises:
      ValueError: another run has it; the message names its process.
    """
    if self._file is not None:
      return
    self._path.parent.mkdir(parents=True, exist_ok=True)
    file = self._path.open('a+')
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
    file.truncate(0)
    file.write(f'process {os.getpid()} on {socket.gethostname()}\n')
    file.flush()
    self._file = file

  def release(self) -> None:
    """Gives the lock back, if it was taken."""
    if self._file is not None:
      self._file.close()
      self._file = None
