# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures as a user has them: image and label files in pairs.

`data.layouts` finds them. This module opens list files and tables, never a
picture.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import json
import pathlib
from typing import Any, Protocol

import numpy as np

from auto_deeplab.data import datasets

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png')


class LabelDrawing(Protocol):
  """A label that is in no PNG: a function that reads or draws it.

  It crosses to the process that converts its picture, so it is picklable and
  holds file names rather than pixels. `str` of it is its name in messages.
  """

  def __call__(self) -> np.ndarray:
    """Returns the label values, uint8 [height, width].

    Raises:
      FileNotFoundError: a file is missing.
      ValueError: a file cannot be used; the message names it.
    """


@dataclasses.dataclass(frozen=True)
class Pair:
  """An image file and its label.

  Attributes:
    name: the image within its data set, with '/' and suffix; unique in a split.
    image: the image file.
    label: the label file, a PNG; or what draws the label; or None where there
      is no label, and all pixels are to be ignored.
  """

  name: str
  image: pathlib.Path
  label: pathlib.Path | LabelDrawing | None


@dataclasses.dataclass(frozen=True)
class Source:
  """Pictures as a user has them.

  Attributes:
    name: name of the layout or of the data set.
    class_names: a name a class.
    colors: an (r, g, b) in 0..255 a class.
    label_values: value in the label files -> class or ignore label; a value
      that is not among the keys is an error in the file.
    splits: the pairs of each split, sorted by name.
    reduction: how many times smaller pictures and labels become; 1 passes their
      files on as they are, more encodes them anew.

  Raises:
    ValueError: the class table cannot be used, or a split is empty.
  """

  name: str
  class_names: tuple[str, ...]
  colors: tuple[datasets.Color, ...]
  label_values: Mapping[int, int]
  splits: Mapping[str, tuple[Pair, ...]]
  reduction: int = 1

  def __post_init__(self):
    datasets.check_classes(self.class_names, self.colors)
    if self.reduction < 1:
      raise ValueError(f'`reduction` ({self.reduction}) must be at least 1.')
    if not self.splits:
      raise ValueError(f'{self.name} has no splits.')
    for split, pairs in self.splits.items():
      if not pairs:
        raise ValueError(f'The split {split} of {self.name} has no pictures.')

  def only(self, splits: Sequence[str]) -> 'Source':
    """Returns the source without its other splits.

    Raises:
      ValueError: there is no such split.
    """
    for split in splits:
      if split not in self.splits:
        raise ValueError(
          f'`split` ({split}) is not one of {", ".join(self.splits)}, which '
          f'are the splits of {self.name} that are there.'
        )
    kept = {split: self.splits[split] for split in splits}
    return dataclasses.replace(self, splits=kept)


def read_pairs(list_file: pathlib.Path, prefix: str = '') -> tuple[Pair, ...]:
  """Reads lines 'image label' with paths relative to the list's folder.

  Args:
    list_file: a text file; a tab may part the two where names hold spaces.
    prefix: what a path may begin with that is left out.

  Raises:
    FileNotFoundError: the list or a file that it names is missing.
    ValueError: a line is not a pair, or an image is listed twice.
  """
  pairs: dict[str, Pair] = {}
  for number, line in enumerate(read_text(list_file).splitlines(), start=1):
    if not line.strip():
      continue
    place = f'{list_file}, line {number}'
    fields = line.split('\t' if '\t' in line else None)
    names = [field.strip().removeprefix(prefix) for field in fields]
    if len(names) != 2:
      raise ValueError(f"{place}: expected 'image label', found {line!r}.")
    image, label = (list_file.parent / name for name in names)
    for path in (image, label):
      if not path.is_file():
        raise FileNotFoundError(f'{place}: {path} does not exist.')
    if names[0] in pairs:
      raise ValueError(f'{place}: {names[0]} is listed twice.')
    pairs[names[0]] = Pair(names[0], image, label)
  if not pairs:
    raise ValueError(f'{list_file} lists no pictures.')
  return tuple(pairs[name] for name in sorted(pairs))


def read_json(path: pathlib.Path) -> Any:
  """Reads a JSON file.

  Raises:
    FileNotFoundError: it is missing.
    ValueError: it is not JSON.
  """
  try:
    return json.loads(read_text(path))
  except json.JSONDecodeError as e:
    raise ValueError(f'{path} is not valid JSON: {e}') from e


def read_text(path: pathlib.Path) -> str:
  """Reads a text file.

  Raises:
    FileNotFoundError: it is missing.
    ValueError: it is not UTF-8.
  """
  if not path.is_file():
    raise FileNotFoundError(f'{path} does not exist.')
  try:
    return path.read_text(encoding='utf-8')
  except UnicodeDecodeError as e:
    raise ValueError(f'{path} is not a text file in UTF-8.') from e
