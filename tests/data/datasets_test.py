# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of class tables, colours and the seeded order."""

import pytest

from auto_deeplab.data import datasets


def test_seeded_order_is_fixed_for_ever():
  # Halves and shards of runs under way rest on these very numbers.
  assert datasets.seeded_order(8, 0, 'x') == [0, 4, 7, 5, 3, 1, 2, 6]
  assert datasets.seeded_order(8, 1, 'x') != datasets.seeded_order(8, 0, 'x')
  assert sorted(datasets.seeded_order(100, 3)) == list(range(100))


def test_an_unknown_split_is_named():
  info = datasets.DatasetInfo('x', ('a', 'b'), ((0, 0, 0), (1, 1, 1)))
  assert info.num_classes == 2
  with pytest.raises(ValueError, match=r'`split` \(val\) is not one of'):
    info.split('val')


def test_classes_and_colours_must_agree():
  with pytest.raises(ValueError, match='2 classes have 1 colours'):
    datasets.DatasetInfo('x', ('a', 'b'), ((0, 0, 0),))


@pytest.mark.parametrize(
  'values, message',
  [
    ((1,), r'2 classes have the values \[1\]; each must have one of its own'),
    ((1, 1), r'2 classes have the values \[1, 1\]; each must'),
    ((1, 256), r"The value of class 'b' \(256\) must be an integer in 0..255"),
    ((1, '2'), r"The value of class 'b' \('2'\) must be an integer"),
  ],
)
def test_values_that_are_none_are_refused(values, message):
  with pytest.raises(ValueError, match=message):
    datasets.DatasetInfo('x', ('a', 'b'), ((0, 0, 0), (1, 1, 1)), values=values)


@pytest.mark.parametrize(
  ('names', 'others', 'are_same'),
  [
    (('sky', 'road'), ('sky', 'road'), True),
    (('sky', 'road'), ('road', 'sky'), False),
    (('sky', 'road'), ('class_0', 'class_1'), True),
    (('class_0', 'class_1'), ('sky', 'road'), True),
    (('class_0', 'class_1'), ('sky', 'road', 'car'), False),
  ],
)
def test_default_names_stand_for_any(names, others, are_same):
  assert datasets.are_same_classes(names, others) == are_same
