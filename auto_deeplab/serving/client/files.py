# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which pictures are meant, and where what is found of them goes."""

from collections.abc import Sequence
import glob
import os

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


def find_pictures(inputs: Sequence[str]) -> list[str]:
  """Lists the pictures that files, folders and globs stand for.

  Args:
    inputs: paths of pictures; folders, of which the files with a picture's
      suffix are taken (not those of subfolders); globs, where `**` matches
      folders of any depth.

  Returns:
    Paths, sorted within each input, no file twice.

  Raises:
    ValueError: an input matches nothing.
  """
  found: dict[str, str] = {}
  for entry in inputs:
    if os.path.isdir(entry):
      paths = [os.path.join(entry, name) for name in os.listdir(entry)]
      paths = [p for p in paths if p.lower().endswith(PICTURE_SUFFIXES)]
    elif os.path.exists(entry):  # Also a name with brackets or a star in it.
      paths = [entry]
    else:
      paths = glob.glob(entry, recursive=True)
    files = sorted(p for p in paths if os.path.isfile(p))
    if not files:
      raise ValueError(f'the input {entry!r} matches no picture.')
    for path in files:
      found.setdefault(os.path.realpath(path), path)
  return list(found.values())


def output_stems(
  pictures: Sequence[str], output_dir: str | os.PathLike
) -> list[str]:
  """Returns what the files written for each picture start with.

  Args:
    pictures: paths of pictures.
    output_dir: where the files will go.

  Returns:
    `output_dir/NAME` a picture, NAME being its name without the suffix.

  Raises:
    ValueError: two pictures have the same name, or `output_dir` is the folder
      of one of them, which could overwrite it.
  """
  owners: dict[str, str] = {}
  for picture in pictures:
    folder = os.path.dirname(picture) or os.curdir
    if os.path.realpath(folder) == os.path.realpath(output_dir):
      raise ValueError(
        f'the output folder {os.fspath(output_dir)!r} holds the input '
        f'{picture!r}; choose another one.'
      )
    name = os.path.splitext(os.path.basename(picture))[0]
    stem = os.path.join(output_dir, name)
    if stem in owners:
      raise ValueError(
        f'{owners[stem]!r} and {picture!r} would both be written to '
        f'{stem + ".png"!r}; predict them into two folders.'
      )
    owners[stem] = picture
  return list(owners)
