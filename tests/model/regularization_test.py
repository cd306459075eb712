# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Drop path and dropout by their seeds."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.model import regularization


def test_keep_prob_falls_with_depth_and_progress():
  def keep(layer, progress):
    values = regularization.schedule_keep_prob(0.6, 12, tf.constant(progress))
    return float(values[layer])

  assert keep(11, 0.0) == 1.0
  assert keep(11, 1.0) == pytest.approx(0.6)
  assert keep(11, 5.0) == pytest.approx(0.6)
  assert keep(0, 1.0) == pytest.approx(1 - 0.4 / 12)
  assert keep(5, 0.5) == pytest.approx(1 - 0.5 * 0.5 * 0.4)


def test_drop_path_drops_as_often_as_the_cell_says_and_keeps_the_mean():
  keep_probs = tf.constant([0.8, 1.0, 0.25])
  seed = tf.constant([3, 4])
  scales = regularization.drop_path_scales(keep_probs, 2, 4000, seed).numpy()
  assert scales.shape == (3, 2, 4000)
  for of_cell, values in zip(scales, [(0.0, 1.25), (1.0,), (0.0, 4.0)]):
    np.testing.assert_allclose(np.unique(of_cell), values, rtol=1e-6)
    np.testing.assert_allclose(of_cell.mean(axis=1), 1, atol=0.1)


def test_drop_path_draws_by_its_seed_for_each_operation_of_each_cell():
  def drawn(seed):
    scales = regularization.drop_path_scales(
      tf.constant([0.5] * 3), 2, 64, seed
    )
    return [tuple(draw) for draw in tf.reshape(scales, [6, 64]).numpy()]

  seed = tf.constant([7, 8])
  first = drawn(seed)
  assert len(set(first)) == 6
  assert drawn(seed) == first
  assert not set(first) & set(drawn(regularization.fold_in(seed, 0)))


def test_equal_seeds_drop_equal_values():
  x = tf.ones([1, 20, 20, 4])
  first, again, other = (
    regularization.dropout(x, 0.25, tf.constant(seed)).numpy()
    for seed in ([1, 2], [1, 2], [1, 3])
  )
  np.testing.assert_array_equal(first, again)
  assert (first != other).any()
  np.testing.assert_allclose(np.unique(first), [0, 1 / 0.75], rtol=1e-6)
  assert (first == 0).mean() == pytest.approx(0.25, abs=0.05)
