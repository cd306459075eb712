# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A legend has the colour and the name of each class."""

import numpy as np
import pytest

from auto_deeplab.data import datasets, palette
from auto_deeplab.reporting import legend


@pytest.mark.parametrize('num_classes', [2, 20, 31, 150, 255])
def test_all_colours_are_there(num_classes):
  names = datasets.default_names(num_classes)
  colors = palette.default_colors(num_classes)
  picture = np.asarray(legend.draw(names, colors))
  found = {tuple(color) for color in picture.reshape(-1, 3).tolist()}
  assert found >= set(colors)
  assert picture.shape[0] <= 24 * 30


def test_a_box_stands_before_each_name_column_by_column():
  colors = ((200, 0, 0), (0, 200, 0), (0, 0, 200))
  names = ('a', 'b', 'c')
  picture = np.asarray(legend.draw(names, colors, num_columns=2))
  height, width, _ = picture.shape
  boxes = [(0, 0), (height // 2, 0), (0, width // 2)]
  for (y, x), color in zip(boxes, colors, strict=True):
    assert tuple(picture[y + height // 4, x + 10]) == color
    text = picture[y : y + height // 2, x + 30 : x + width // 2]
    assert text.min() < 100
  assert (picture[height // 2 :, width // 2 :] == 255).all()


def test_a_file_shows_values(tmp_path):
  names, colors = ('a', 'b'), ((1, 2, 3), (4, 5, 6))
  for name, values in (('a', (0, 1)), ('b', (0, 7))):
    legend.write(tmp_path / f'{name}.png', names, colors, values)
  files = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
  assert files[0] != files[1]


@pytest.mark.parametrize('name', ['a\nb', '\ud800', '', 'x' * 5000])
def test_any_name_can_be_drawn(name):
  picture = legend.draw([name, 'b'], [(1, 2, 3), (4, 5, 6)])
  assert picture.width < 1000
