# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A sheet of pictures, each with its label in colours beside it."""

from collections.abc import Sequence
import os

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from auto_deeplab.architecture import artifact
from auto_deeplab.reporting import legend

# All lengths are in pixels.
_TILE_HEIGHT, _MAX_TILE_WIDTH = 180, 360
_MARGIN, _LINE = 8, 16
_COLUMNS = 2
_INK, _PAPER = (34, 49, 63), (255, 255, 255)
_LEGEND_COLUMNS = 6


def draw(
  pictures: Sequence[tuple[str, np.ndarray, np.ndarray]],
  class_names: Sequence[str],
  colors: Sequence[tuple[int, int, int]],
  path: str | os.PathLike[str],
) -> None:
  """Draws pictures in rows of two, and the colours of the classes below.

  Args:
    pictures: (name, image uint8 [height, width, 3], label uint8 [height,
      width]) each.
    class_names: A name a class.
    colors: An (r, g, b) a class.
    path: PNG file to write, atomically.
  """
  tiles = [
    _tile(name, image, legend.paint(label, colors))
    for name, image, label in pictures
  ]
  colors_below = legend.draw(
    [*class_names, 'ignored'],
    [*colors, legend.IGNORED],
    num_columns=_LEGEND_COLUMNS,
    font_size=11,
  )
  rows = [tiles[i : i + _COLUMNS] for i in range(0, len(tiles), _COLUMNS)]
  sheet = _stack([*(_beside(row) for row in rows), colors_below])
  with artifact.writing(path) as file:
    sheet.save(file, 'PNG')


def _tile(name: str, image: np.ndarray, label: np.ndarray) -> Image.Image:
  """An image, its label and its name, as high as all tiles."""
  height, width = label.shape[:2]
  scale = min(_TILE_HEIGHT / height, _MAX_TILE_WIDTH / width)
  size = (max(1, round(scale * width)), max(1, round(scale * height)))
  pair = _beside(
    [
      Image.fromarray(image).resize(size, Image.Resampling.BOX),
      # An average of colours would be the colour of another class.
      Image.fromarray(label).resize(size, Image.Resampling.NEAREST),
    ],
    gap=2,
  )
  tile = Image.new('RGB', (pair.width, _TILE_HEIGHT + _LINE), _PAPER)
  tile.paste(pair, (0, _LINE))
  ImageDraw.Draw(tile).text((0, 0), name, _INK, ImageFont.load_default(11))
  return tile


def _beside(parts: Sequence[Image.Image], gap: int = _MARGIN) -> Image.Image:
  width = sum(part.width for part in parts) + gap * (len(parts) - 1)
  whole = Image.new('RGB', (width, max(part.height for part in parts)), _PAPER)
  x = 0
  for part in parts:
    whole.paste(part, (x, 0))
    x += part.width + gap
  return whole


def _stack(parts: Sequence[Image.Image]) -> Image.Image:
  width = max(part.width for part in parts) + 2 * _MARGIN
  height = sum(part.height + _MARGIN for part in parts) + _MARGIN
  whole = Image.new('RGB', (width, height), _PAPER)
  y = _MARGIN
  for part in parts:
    whole.paste(part, (_MARGIN, y))
    y += part.height + _MARGIN
  return whole
