# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Folders in which something is made before it gets its name."""

from collections.abc import Iterator
import contextlib
import os
from pathlib import Path
import re
import shutil


@contextlib.contextmanager
def folder_beside(target: Path) -> Iterator[Path]:
  """Gives an empty folder beside `target`, and removes it in the end.

  What processes that were killed left there for the same target is removed as
  well.

  Args:
    target: a path, whose parents are made where they are missing.
  """
  _remove_leftovers(target)
  folder = target.with_name(f'.{target.name}.{os.getpid()}.tmp')
  try:
    folder.mkdir(parents=True)
    yield folder
  finally:
    shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(target: Path) -> None:
  pattern = re.compile(re.escape(f'.{target.name}.') + r'(\d+)\.tmp')
  neighbours = target.parent.iterdir() if target.parent.is_dir() else ()
  for path in neighbours:
    found = pattern.fullmatch(path.name)
    if found and not os.path.exists(f'/proc/{found[1]}'):
      shutil.rmtree(path, ignore_errors=True)
