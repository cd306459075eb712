# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What exports of annotation tools have in common: shapes on a background."""

from collections.abc import Mapping
import dataclasses
import pathlib
from typing import NamedTuple

import numpy as np

from auto_deeplab.data import datasets, palette
from auto_deeplab.data.sources import picture_files, sources

# Coordinates may lie outside of the picture by so many times its longer side;
# what lies farther is in another unit, or damaged.
MAX_OUTSIDE = 1


class Classes(NamedTuple):
  """The classes, and the class of each category that is drawn."""

  names: tuple[str, ...]
  colors: tuple[datasets.Color, ...]
  values: dict[int, int]


def on_background(categories: Mapping[int, str]) -> Classes:
  """Returns the classes of categories, in the order of their ids.

  Class 0 is the background, where no shape is; a category of this name is it.

  Args:
    categories: names by id.
  """
  ids = [
    key for key in sorted(categories) if not is_background(categories[key])
  ]
  values = dict.fromkeys(categories, 0)
  values |= {key: value for value, key in enumerate(ids, 1)}
  names = ('background', *(categories[key] for key in ids))
  colors = ((0, 0, 0), *palette.default_colors(len(ids)))
  return Classes(names, colors, values)


def is_background(name: str) -> bool:
  """Whether a name is one that tools give to the background."""
  return name.strip('_').lower() == 'background'


@dataclasses.dataclass(frozen=True)
class Background:
  """The label of a picture in which nothing is marked.

  Attributes:
    path: the picture.
    value: of all pixels.
  """

  path: pathlib.Path
  value: int = 0

  def __call__(self) -> np.ndarray:
    """Draws it; see `sources.LabelDrawing`."""
    return np.full(size(self.path), self.value, np.uint8)

  def __str__(self) -> str:
    return f'the empty label of {self.path}'


def size(image: pathlib.Path) -> tuple[int, int]:
  """Returns (height, width) of a picture, in pixels.

  Raises:
    FileNotFoundError: it is missing.
    ValueError: it is no picture.
  """
  return picture_files.read(image)[1].size


def require_near(points: np.ndarray, size: tuple[int, int]) -> None:
  """Raises a ValueError unless points are numbers, and in or near a picture.

  Args:
    points: `[n, 2]` of (x, y) in pixels.
    size: (height, width) in pixels.
  """
  margin = MAX_OUTSIDE * max(size)
  limits = np.array([size[1], size[0]])
  # False for NaN as well.
  is_near = (points >= -margin) & (points <= limits + margin)
  if not is_near.all():
    x, y = points[np.argmin(is_near.all(axis=1))]
    raise ValueError(
      f'the point ({x:g}, {y:g}) lies far outside of the picture, which has '
      f'{size[1]}x{size[0]} pixels'
    )


def unmarked(split: str, number: int) -> str:
  """Returns a note on pictures in which nothing is marked."""
  return (
    f'Pictures of the split {split} without a label file: {number}; all of '
    'them is background.'
  )


def label_values(num_classes: int) -> dict[int, int]:
  """Returns the values that drawn labels may have."""
  values = {value: value for value in range(num_classes)}
  return values | {datasets.IGNORE_LABEL: datasets.IGNORE_LABEL}


def check_classes(
  place: object, names: tuple[str, ...], colors: tuple[datasets.Color, ...]
) -> None:
  """Does what `datasets.check_classes` does, and names the place."""
  try:
    datasets.check_classes(names, colors)
  except ValueError as e:
    raise ValueError(f'{place}: {e}') from e


def pictures(directory: pathlib.Path) -> dict[str, pathlib.Path]:
  """Returns the pictures below a folder by their names without suffix.

  Raises:
    FileNotFoundError: the folder is missing.
    ValueError: two have the same name.
  """
  if not directory.is_dir():
    raise FileNotFoundError(f'The folder {directory} is missing.')
  return sources.files_by_stem(
    directory, sources.IMAGE_SUFFIXES, has_others=True
  )
