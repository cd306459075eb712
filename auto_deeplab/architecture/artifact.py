# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How a file comes into being: whole, under its final name, or not at all."""

from collections.abc import Iterator
import contextlib
import os
import pathlib
import tempfile
from typing import IO


@contextlib.contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
  """Opens a temporary neighbour of `path` and renames it at the end.

  A reader sees the old file or the new one, never a half. If the block raises,
  the temporary file is removed and `path` stays as it was; an OSError, as of a
  full disk, names it. The folder is made if it is missing.

  Args:
    path: The final name.

  Yields:
    A binary file to write to.
  """
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  # Hidden, so that no pattern over final names (`step-*.npz`) finds it.
  descriptor, temporary = tempfile.mkstemp(
    dir=path.parent, prefix=f'.{path.name}.'
  )
  try:
    with os.fdopen(descriptor, 'wb') as file:
      yield file
    _give_default_permissions(temporary)
    os.replace(temporary, path)
  except BaseException as e:
    os.unlink(temporary)
    if isinstance(e, OSError):
      raise naming(e, path) from e
    raise


def naming(error: OSError, path: str | os.PathLike[str]) -> OSError:
  """Returns an error, such as that of a full disk, with the file it is about.

  What fails on opening says so itself, what fails on writing does not.
  """
  if error.errno is None or error.filename is not None:
    return error
  return OSError(error.errno, error.strerror, os.fspath(path))


def _give_default_permissions(path: str) -> None:
  """mkstemp makes private files; ours are as readable as any other."""
  umask = os.umask(0)
  os.umask(umask)
  os.chmod(path, 0o666 & ~umask)
