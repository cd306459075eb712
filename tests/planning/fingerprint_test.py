# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is known of a data set, and of a machine."""

import dataclasses

import numpy as np
import pytest

from auto_deeplab.data import datasets, palette
from auto_deeplab.planning import fingerprint, machine
from tests import tiny


def info():
  split = datasets.SplitInfo(
    num_examples=5,
    shards=(),
    min_size=(10, 20),
    max_size=(40, 60),
    class_pixel_shares=(0.4, 0.1, 0.0),
    ignored_pixel_share=0.5,
  )
  splits = {'train': split, 'val': split}
  colors = palette.default_colors(3)
  return datasets.DatasetInfo('x', ('a', 'b', 'c'), colors, splits=splits)


def label_of(side, size=(40, 60)):
  """A square of class 1 on class 0."""
  label = np.zeros(size, np.uint8)
  label[5 : 5 + side, 5 : 5 + side] = 1
  return label


def test_shares_are_of_what_has_a_class():
  found = fingerprint.of(info(), [label_of(9)])
  assert found.class_shares == pytest.approx((0.8, 0.2, 0.0))
  assert found.rarest_share == pytest.approx(0.2)
  assert (found.num_classes, found.num_train, found.num_val) == (3, 5, 5)


def test_the_rarest_class_is_looked_for():
  # Class 1; there is no pixel of class 2.
  found = fingerprint.of(info(), [label_of(9), label_of(9), label_of(0)])
  assert found.rarest_presence == pytest.approx(2 / 3)


def test_without_val_there_is_nothing_to_plan():
  splits = {'train': info().splits['train']}
  lacking = dataclasses.replace(info(), splits=splits)
  with pytest.raises(ValueError, match=r'no split val, .* --val_fraction=0\.2'):
    fingerprint.of(lacking, [label_of(9)])


def test_objects_are_measured_and_their_ground_is_not():
  found = fingerprint.of(info(), [label_of(9), label_of(9), label_of(20)])
  assert found.object_side == 9
  assert (found.size, found.max_size) == ((40, 60), (40, 60))


def test_pictures_without_objects_are_objects():
  assert fingerprint.of(info(), [label_of(0)]).object_side == 40
  specks = label_of(3)  # Of nine pixels.
  assert fingerprint.of(info(), [specks]).object_side == 40


def test_borders_are_counted_once():
  # Two columns and two rows of nine, which share the upper left pixel.
  found = fingerprint.of(info(), [label_of(9)])
  assert found.boundary_share == 35 / 2400


def test_a_data_set_is_read(tmp_path):
  found = fingerprint.read(tiny.write_data(tmp_path))
  assert (found.num_train, found.num_val, found.size) == (8, 3, (64, 64))
  assert 0 < found.boundary_share < 1


def test_a_container_may_have_less_than_is_free(tmp_path):
  meminfo, limit = tmp_path / 'meminfo', tmp_path / 'memory.max'
  meminfo.write_text('MemTotal: 9000 kB\nMemAvailable:    4000 kB\n')
  assert machine.available_bytes(meminfo, limit) == 4000 * 1024
  limit.write_text('max\n')
  assert machine.available_bytes(meminfo, limit) == 4000 * 1024
  limit.write_text('1024\n')
  assert machine.available_bytes(meminfo, limit) == 1024
