# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Weights of classes, and what has none."""

import pytest

from auto_deeplab.data import datasets, palette
from auto_deeplab.data.input import class_weights


def _info(*shares):
  split = datasets.SplitInfo(1, (), (1, 1), (1, 1), shares, 1 - sum(shares))
  names = tuple('abcd'[: len(shares)])
  return datasets.DatasetInfo(
    'x', names, palette.default_colors(len(shares)), splits={'train': split}
  )


def test_a_weight_is_the_median_share_over_the_own():
  weights = class_weights.median_frequency(_info(0.5, 0.2, 0.1), 'train')
  assert weights == pytest.approx((0.4, 1, 2))


def test_a_class_that_does_not_occur_weighs_nothing_and_moves_no_median():
  weights = class_weights.median_frequency(_info(0.5, 0, 0.2, 0.1), 'train')
  assert weights == pytest.approx((0.4, 0, 1, 2))


def test_a_split_without_labels_is_refused():
  with pytest.raises(ValueError) as error:
    class_weights.median_frequency(_info(0, 0), 'train')
  assert str(error.value) == (
    '`split` (train) of the data set x has no labels to weigh its classes by.'
  )


def test_an_unknown_split_is_named():
  with pytest.raises(ValueError, match=r'`split` \(val\) is not one of'):
    class_weights.median_frequency(_info(0.5, 0.5), 'val')
