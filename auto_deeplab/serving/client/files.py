# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which pictures are meant, and where what is found of them goes."""

import collections
from collections.abc import Iterator, Sequence
import glob
import os
from typing import NamedTuple

PICTURE_SUFFIXES = (
  '.bmp',
  '.gif',
  '.jpeg',
  '.jpg',
  '.png',
  '.tif',
  '.tiff',
  '.webp',
)


class Found(NamedTuple):
  """A picture that was asked for.

  Attributes:
    path: of it.
    name: what the files written for it are called, without a suffix: its own
      name, and before it the folders between it and the folder that was given.
  """

  path: str
  name: str


class Job(NamedTuple):
  """A picture, and where what is found of it goes.

  Attributes:
    path: of the picture.
    stem: what the paths of all that is written of it start with.
  """

  path: str
  stem: str


def find_pictures(
  inputs: Sequence[str], output_dir: str | os.PathLike | None = None
) -> tuple[list[Found], collections.Counter[str]]:
  """Lists the pictures that files, folders and globs stand for.

  Args:
    inputs: paths of pictures; folders, of which the files with a picture's
      suffix are taken, those of subfolders as well; globs, where `**` matches
      folders of any depth.
    output_dir: a folder that is passed over.

  Returns:
    Pictures, sorted within each input, no file twice; and how many files were
    passed over, by why.

  Raises:
    ValueError: an input matches nothing.
    OSError: a folder cannot be read.
  """
  found: dict[str, Found] = {}
  skipped: collections.Counter[str] = collections.Counter()
  for entry in inputs:
    if os.path.isdir(entry):
      pictures = list(_walk(entry, output_dir, skipped))
    else:
      # A name with brackets or a star in it is no glob if there is such a file.
      is_there = os.path.exists(entry)
      paths = [entry] if is_there else glob.glob(entry, recursive=True)
      pictures = [
        Found(path, os.path.splitext(os.path.basename(path))[0])
        for path in paths
        if os.path.isfile(path)
      ]
    if not pictures:
      raise ValueError(f'the input {entry!r} matches no picture.')
    for picture in sorted(pictures):
      real = os.path.realpath(picture.path)
      if found.setdefault(real, picture) is not picture:
        skipped['given twice'] += 1
  return list(found.values()), skipped


def _walk(
  root: str,
  output_dir: str | os.PathLike | None,
  skipped: collections.Counter[str],
) -> Iterator[Found]:
  """Yields the pictures below a folder, and counts what is none."""
  own = output_dir and os.path.realpath(output_dir)

  def stop(error: OSError) -> None:
    raise error

  for folder, subfolders, names in os.walk(root, onerror=stop):
    for name in list(subfolders):
      path = os.path.join(folder, name)
      if os.path.islink(path):
        skipped['link to a folder'] += 1
      elif name.startswith('.'):
        skipped['hidden'] += 1
        subfolders.remove(name)
      elif os.path.realpath(path) == own:
        subfolders.remove(name)
    for name in names:
      stem, suffix = os.path.splitext(name)
      if name.startswith('.'):  # Such as macOS' ._NAME.jpg.
        skipped['hidden'] += 1
      elif suffix.lower() not in PICTURE_SUFFIXES:
        skipped[f'no picture ({suffix or "without suffix"})'] += 1
      else:
        path = os.path.join(folder, stem)
        yield Found(path + suffix, os.path.relpath(path, root))


def jobs(pictures: Sequence[Found], output_dir: str | os.PathLike) -> list[Job]:
  """Returns what is to be predicted, and written where.

  Args:
    pictures: as `find_pictures` lists them.
    output_dir: where the files will go.

  Returns:
    A job for each picture, to be written to `output_dir/NAME`.

  Raises:
    ValueError: two pictures have the same name, or one would be written to the
      folder that it is in, which could overwrite it.
  """
  owners: dict[str, str] = {}
  for picture, name in pictures:
    stem = os.path.join(output_dir, name)
    folders = os.path.dirname(picture), os.path.dirname(stem)
    if len({os.path.realpath(folder or os.curdir) for folder in folders}) == 1:
      raise ValueError(
        f'the output folder {os.fspath(output_dir)!r} holds the input '
        f'{picture!r}; choose another one.'
      )
    if stem in owners:
      raise ValueError(
        f'{owners[stem]!r} and {picture!r} would both be written to '
        f'{stem + ".png"!r}; predict them into two folders.'
      )
    owners[stem] = picture
  return [Job(path, stem) for stem, path in owners.items()]
