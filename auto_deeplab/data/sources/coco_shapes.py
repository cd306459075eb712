# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Labels drawn from COCO's instances: polygons, and runs of pixels."""

import array
import dataclasses
import re
from typing import Any

import numpy as np
from pycocotools import mask as masks

# Six bits a character, from '0' on; from 'P' on, the number goes on.
_COUNTS = re.compile('[0-o]*[0-O]')


@dataclasses.dataclass(frozen=True)
class CocoLabel:
  """A label drawn from instances.

  Attributes:
    name: the file of annotations and the picture, for messages.
    size: (height, width) in pixels.
    shapes: class, id and segmentation of each annotation, lowest first.
  """

  name: str
  size: tuple[int, int]
  shapes: tuple[tuple[int, int, Any], ...]

  def __call__(self) -> np.ndarray:
    """Draws it; see `sources.LabelDrawing`."""
    label = np.zeros(self.size, np.uint8)
    for value, annotation, shape in self.shapes:
      try:
        label[draw(shape, self.size)] = value
      except Exception as e:  # pycocotools raises anything.
        raise ValueError(
          f'{self.name}: the segmentation of annotation {annotation} cannot be '
          f'drawn: {e}'
        ) from e
    return label

  def __str__(self) -> str:
    return self.name


def area(shape: Any) -> float:
  """Returns the pixels of a segmentation, of polygons without their overlap."""
  if isinstance(shape, list):
    points = [np.asarray(polygon).reshape(-1, 2).T for polygon in shape]
    return float(
      sum(abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2 for x, y in points)
    )
  if isinstance(shape['counts'], str):
    return float(_draw_text(shape['counts'], tuple(shape['size'])).sum())
  return float(np.asarray(shape['counts'])[1::2].sum())


def draw(shape: Any, size: tuple[int, int]) -> np.ndarray:
  """Returns where a segmentation lies, bool [height, width].

  Args:
    shape: polygons, lists of numbers x, y in turn; or runs of pixels.
    size: (height, width) in pixels.

  Raises:
    ValueError: it is neither, or damaged; pycocotools raises anything.
  """
  if isinstance(shape, list):
    return _draw_polygons(shape, size)
  if not isinstance(shape, dict) or not shape.keys() >= {'size', 'counts'}:
    raise ValueError('it has neither polygons nor size and counts.')
  if tuple(shape['size']) != size:
    raise ValueError(f'its size is {shape["size"]}, the picture has {[*size]}.')
  counts = shape['counts']
  if isinstance(counts, array.array):
    return _draw_runs(np.asarray(counts), size)
  if isinstance(counts, str):
    return _draw_text(counts, size)
  raise ValueError('its counts are not whole numbers.')


def _draw_text(counts: str, size: tuple[int, int]) -> np.ndarray:
  """Draws runs in the compressed form of COCO's own library.

  It trusts the text. A number that goes on where the text ends makes it write
  to memory that is not its own; of runs that end before the last pixel, it
  returns what the memory happened to hold.
  """
  if not _COUNTS.fullmatch(counts):
    raise ValueError('its counts are no compressed runs.')
  drawn = masks.decode({'size': size, 'counts': counts})
  if masks.encode(np.asfortranarray(drawn))['counts'] != counts.encode():
    raise ValueError('its counts are not those of a mask of its size.')
  return drawn.astype(bool)


def _draw_polygons(
  shape: list[array.array], size: tuple[int, int]
) -> np.ndarray:
  if not shape:
    raise ValueError('it is empty; a box alone is no shape.')
  for polygon in shape:
    if not isinstance(polygon, array.array):
      raise ValueError('a polygon is not a list of numbers.')
    if len(polygon) % 2:
      raise ValueError('a polygon has an odd number of coordinates.')
    # pycocotools reserves memory by their distance. False for NaN as well.
    if not (np.abs(np.asarray(polygon)) <= 2 * max(size)).all():
      raise ValueError('a polygon reaches far beyond the picture.')
  areas = [polygon for polygon in shape if len(polygon) >= 6]
  if not areas:
    return np.zeros(size, bool)
  return masks.decode(masks.merge(masks.frPyObjects(areas, *size))).astype(bool)


def _draw_runs(counts: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  """Draws runs of pixels, in turn without and within, column by column."""
  if (counts < 0).any() or counts.sum() != size[0] * size[1]:
    raise ValueError('its counts do not add up to its size.')
  within = np.arange(len(counts)) % 2 == 1
  return np.repeat(within, counts).reshape(size, order='F')
