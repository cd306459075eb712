# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A sheet of pictures, each with its label in colours beside it."""

from collections.abc import Sequence
import os

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from auto_deeplab.architecture import artifact

# All lengths are in pixels.
_TILE_HEIGHT, _MAX_TILE_WIDTH = 180, 360
_MARGIN, _LINE = 8, 16
_COLUMNS = 2
_INK, _PAPER = (34, 49, 63), (255, 255, 255)
# Of pixels that are ignored or of no class; no palette of ours has it.
_IGNORED = (240, 240, 240)


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
  palette = np.full((256, 3), _IGNORED, np.uint8)
  palette[: len(colors)] = colors
  tiles = [
    _tile(name, image, palette[label]) for name, image, label in pictures
  ]
  legend = _legend([*class_names, 'ignored'], [*colors, _IGNORED])
  rows = [tiles[i : i + _COLUMNS] for i in range(0, len(tiles), _COLUMNS)]
  sheet = _stack([*(_beside(row) for row in rows), legend])
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


def _legend(
  names: Sequence[str], colors: Sequence[tuple[int, int, int]]
) -> Image.Image:
  """Colours and names, in columns."""
  width, num_columns = 150, 6
  num_rows = -(-len(names) // num_columns)
  legend = Image.new(
    'RGB', (width * min(num_columns, len(names)), _LINE * num_rows), _PAPER
  )
  pen, font = ImageDraw.Draw(legend), ImageFont.load_default(11)
  for place, (name, color) in enumerate(zip(names, colors, strict=True)):
    x, y = width * (place % num_columns), _LINE * (place // num_columns)
    pen.rectangle((x, y + 1, x + 20, y + _LINE - 3), color, _INK)
    pen.text((x + 26, y), name, _INK, font)
  return legend


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
