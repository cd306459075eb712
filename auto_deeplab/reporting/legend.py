# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A picture of the colours of classes, with the name beside each."""

from collections.abc import Sequence
import os

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from auto_deeplab.architecture import artifact

# Of a legend's file name, beside pictures in its colours.
STEM = 'legend'

# Of pixels that are ignored or of no class; no default colour is near it.
IGNORED = (240, 240, 240)

# In a column of a file, lines; of a name, characters.
_MAX_ROWS, _MAX_NAME = 30, 40
_INK, _PAPER = (34, 49, 63), (255, 255, 255)


def draw(
  names: Sequence[str],
  colors: Sequence[tuple[int, int, int]],
  *,
  num_columns: int | None = None,
  font_size: int = 16,
) -> Image.Image:
  """Draws a box of each colour with a name beside it, column by column.

  Args:
    names: one a class.
    colors: an (r, g, b) each.
    num_columns: how many there may be; by default one for each 30 classes.
    font_size: in pixels.
  """
  texts = [_as_line(name) for name in names]
  num_columns = num_columns or -(-len(texts) // _MAX_ROWS)
  num_rows = -(-len(texts) // num_columns)
  line, font = round(1.5 * font_size), ImageFont.load_default(font_size)
  width = 3 * line + round(max(map(font.getlength, texts)))
  legend = Image.new(
    'RGB', (width * -(-len(texts) // num_rows), line * num_rows), _PAPER
  )
  pen = ImageDraw.Draw(legend)
  for place, (text, color) in enumerate(zip(texts, colors, strict=True)):
    x, y = width * (place // num_rows), line * (place % num_rows)
    pen.rectangle((x + 1, y + 1, x + line, y + line - 3), color, _INK)
    pen.text((x + 1.5 * line, y + line // 2), text, _INK, font, anchor='lm')
  return legend


def write(
  path: str | os.PathLike[str],
  names: Sequence[str],
  colors: Sequence[tuple[int, int, int]],
  values: Sequence[int],
) -> None:
  """Writes a legend of label maps, with the values that pixels have in them.

  Args:
    path: PNG file to write, atomically.
    names: one a class.
    colors: an (r, g, b) each.
    values: one each.
  """
  texts = [f'{v} {n}' for v, n in zip(values, names, strict=True)]
  with artifact.writing(path) as file:
    draw(texts, colors).save(file, 'PNG')


def paint(
  label: np.ndarray, colors: Sequence[tuple[int, int, int]]
) -> np.ndarray:
  """Returns a label in the colours of its classes, uint8 [height, width, 3].

  Args:
    label: uint8 [height, width]; what is no class becomes `IGNORED`.
    colors: an (r, g, b) a class.
  """
  return table(colors)[label]


def table(colors: Sequence[tuple[int, int, int]]) -> np.ndarray:
  """Returns the colour of each label, uint8 [256, 3]."""
  shown = np.full((256, 3), IGNORED, np.uint8)
  shown[: len(colors)] = colors
  return shown


def _as_line(name: str) -> str:
  """Returns a name as text that can be drawn in one line."""
  text = ' '.join(name.encode(errors='replace').decode().split())
  return text if len(text) <= _MAX_NAME else f'{text[: _MAX_NAME - 1]}…'
