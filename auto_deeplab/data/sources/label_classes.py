# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""From the values and colours in label files to classes."""

from collections.abc import Mapping
import functools
from typing import Any

import numpy as np
from PIL import Image

from auto_deeplab.data import datasets

# Value or colour in the label files -> class or ignore label. A key is an int
# or a `datasets.Color`: no mapping of ints would do for one of both.
LabelValues = Mapping[Any, int]

# In a table of classes by colour, a colour of no class.
_UNKNOWN = 256


def has_colors(label_values: LabelValues) -> bool:
  """Whether classes are given by their colours, too."""
  return any(isinstance(key, tuple) for key in label_values)


def contradict(
  colors: Mapping[int, datasets.Color], label_values: LabelValues
) -> bool:
  """Whether an index is one class and its colour another."""
  return any(
    color in label_values and label_values[color] != label_values.get(index)
    for index, color in colors.items()
  )


def count_values(label: np.ndarray) -> np.ndarray:
  """Returns the pixels of each value of a label, int64 [256]."""
  # Pillow counts bytes faster than NumPy does.
  return np.array(Image.fromarray(label).histogram(), np.int64)


def classify(
  label: object, values: np.ndarray, label_values: LabelValues
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the classes, `values` itself if they are, and pixels a class."""
  counts = count_values(values)
  present = np.flatnonzero(counts).tolist()
  unknown = [value for value in present if value not in label_values]
  for value in unknown:
    others = f', and {len(unknown) - 1} other such values' * (len(unknown) > 1)
    raise ValueError(
      f'{label} has the label value {value} in {counts[value]} pixels{others}; '
      f'the values of the classes are {_describe(label_values)}.'
    )
  if all(label_values[value] == value for value in present):
    return values, counts
  table = np.arange(256, dtype=np.uint8)
  table[present] = [label_values[value] for value in present]
  class_counts = np.zeros_like(counts)
  np.add.at(class_counts, table[present], counts[present])
  # Python looks bytes up in a third of the time that NumPy takes.
  classes = np.frombuffer(values.tobytes().translate(table.tobytes()), np.uint8)
  return classes.reshape(values.shape), class_counts


def classify_colors(
  label: object, pixels: np.ndarray, label_values: LabelValues
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the classes of colours, uint8 [height, width, 3], and pixels."""
  red, green, blue = np.moveaxis(pixels.astype(np.uint32), -1, 0)
  packed = red << 16 | green << 8 | blue
  items = ((k, v) for k, v in label_values.items() if isinstance(k, tuple))
  classes = _color_table(tuple(items))[packed]
  unknown, counts = np.unique(packed[classes == _UNKNOWN], return_counts=True)
  if len(unknown):
    most = int(np.argmax(counts))
    color = tuple(int(unknown[most]) >> shift & 255 for shift in (16, 8, 0))
    others = f', and {len(unknown) - 1} other such colours'
    raise ValueError(
      f'{label} has the colour {color} in {counts[most]} pixels'
      f'{others * (len(unknown) > 1)}, which no class has.'
    )
  classes = classes.astype(np.uint8)
  return classes, count_values(classes)


@functools.lru_cache(maxsize=1)
def _color_table(
  classes: tuple[tuple[datasets.Color, int], ...],
) -> np.ndarray:
  """Returns the class of each colour, uint16 [2**24], made once a process."""
  table = np.full(2**24, _UNKNOWN, np.uint16)
  for (red, green, blue), value in classes:
    table[red << 16 | green << 8 | blue] = value
  return table


def _describe(values: LabelValues) -> str:
  """Writes label values as a reader would: '0..10, 255'."""
  runs: list[list[int]] = []
  for value in sorted(key for key in values if isinstance(key, int)):
    if runs and value == runs[-1][-1] + 1:
      runs[-1].append(value)
    else:
      runs.append([value])
  return ', '.join(
    f'{run[0]}..{run[-1]}' if len(run) > 1 else str(run[0]) for run in runs
  )
