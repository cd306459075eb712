# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the contact sheet: labels in their colours beside the pictures."""

import collections

import numpy as np
from PIL import Image
import pytest

from auto_deeplab.reporting import contact_sheet

NAMES, COLORS = ['sky', 'road'], [(10, 20, 30), (200, 100, 50)]
GREY = (90, 90, 90)


def _counts(path):
  """Pixels of each colour."""
  with Image.open(path) as sheet:
    return collections.Counter(map(tuple, np.asarray(sheet).reshape(-1, 3)))


@pytest.mark.parametrize('size', [(180, 240), (45, 60), (720, 960)])
def test_each_picture_has_its_label_beside_it(tmp_path, size):
  image = np.full((*size, 3), GREY, np.uint8)
  label = np.zeros(size, np.uint8)
  label[: size[0] // 3] = 1
  label[: size[0] // 3, : size[1] // 2] = 255
  path = tmp_path / 'new' / 'sheet.png'
  contact_sheet.draw([('a', image, label)] * 3, NAMES, COLORS, path)
  counts = _counts(path)
  # All tiles are 180 high. The legend adds a box of each colour.
  assert counts[GREY] == 3 * 180 * 240
  box = counts[COLORS[0]] - 3 * 120 * 240
  assert 0 < box < 300
  assert counts[COLORS[1]] - 3 * 60 * 120 == box


def test_a_wide_picture_keeps_its_shape(tmp_path):
  image = np.full((100, 1000, 3), GREY, np.uint8)
  label = np.zeros((100, 1000), np.uint8)
  contact_sheet.draw([('a', image, label)], NAMES, COLORS, tmp_path / 'a.png')
  assert _counts(tmp_path / 'a.png')[GREY] == 360 * 36
