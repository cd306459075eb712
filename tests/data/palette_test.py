# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Colours of classes are as unlike as their number allows, to all eyes."""

import itertools

import numpy as np
import pytest

from auto_deeplab.data import datasets, palette
from auto_deeplab.data.sources import pascal
from auto_deeplab.reporting import legend
from tests.data import color_vision

TAKEN = ((0, 0, 0), legend.IGNORED)


# Of the supplementary data of Sharma, Wu and Dalal, 2005.
@pytest.mark.parametrize(
  ('first', 'second', 'difference'),
  [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
    ((50.0, 2.5, 0.0), (61.0, -5.0, 29.0), 22.8977),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
  ],
)
def test_differences_are_the_published_ones(first, second, difference):
  for pair in ((first, second), (second, first)):
    found = color_vision.ciede2000(*map(np.array, pair))
    assert found == pytest.approx(difference, abs=5e-5)


@pytest.mark.parametrize(
  ('num_classes', 'least', 'most_of_voc'),
  [(8, 20.0, 3.1), (20, 10.5, 0.8), (150, 3.3, 0.1), (255, 2.3, 0.1)],
)
def test_all_eyes_tell_the_first_colours_apart(num_classes, least, most_of_voc):
  """By far better than VOC's map, which many take for such a purpose."""
  colors = palette.default_colors(num_classes)
  assert len(colors) == num_classes
  assert color_vision.smallest_difference([*colors, *TAKEN]) > least
  voc = [pascal._color(index) for index in range(1, num_classes + 1)]
  assert color_vision.smallest_difference(voc) < most_of_voc


def test_each_colour_is_the_farthest_from_those_before():
  grid = np.array(list(itertools.product(range(0, 256, 17), repeat=3)))
  (normal, *_) = color_vision.seen(grid)
  is_grey = np.hypot(normal[:, 1], normal[:, 2]) < 10
  grid = grid[~is_grey]
  eyes = color_vision.seen(grid)
  nearest = np.full(len(grid), np.inf)
  index = {tuple(color): i for i, color in enumerate(grid.tolist())}
  colors = palette.default_colors(datasets.MAX_CLASSES)
  for place, color in enumerate((*TAKEN, *colors)):
    if place >= len(TAKEN):
      # Not to the last digit, which another NumPy computes otherwise.
      assert nearest[index[color]] > nearest.max() - 0.001, place
    seen = color_vision.seen([color])
    distance = color_vision.ciede2000(eyes, seen).min(axis=0)
    nearest = np.minimum(nearest, distance)


def test_more_classes_change_no_colour_and_taken_ones_are_left_out():
  first, second, third = palette.default_colors(3)
  assert palette.default_colors(2) == (first, second)
  assert palette.default_colors(2, beside=[second]) == (first, third)
