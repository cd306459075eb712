# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Batch norm of few values and of 16 bits."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.model.ops import devices, normalization

NORM = normalization.NormSettings(momentum=0.9)


@pytest.mark.parametrize(
  'shape, has_enough',
  [
    ((1, 1, 1, 3), False),
    ((3, 1, 1, 3), False),
    ((1, 1, 3, 3), False),
    ((4, 1, 1, 3), True),
    ((1, 2, 2, 3), True),
  ],
)
@pytest.mark.parametrize('is_known', [True, False])
def test_a_norm_of_too_few_values_takes_the_moving_statistics(
  shape, has_enough, is_known
):
  norm = NORM.layer()
  norm.build([None, None, None, 3])
  norm.moving_mean.assign([1.0, 2.0, 3.0])
  norm.moving_variance.assign([4.0, 5.0, 6.0])
  x = tf.random.stateless_normal(shape, [0, 1])
  expected = norm(x, training=False)
  before = [v.numpy() for v in norm.non_trainable_variables]
  spec = tf.TensorSpec(shape if is_known else [None, None, None, 3])
  train = tf.function(lambda x: norm(x, training=True), input_signature=[spec])
  y = train(x)
  after = [v.numpy() for v in norm.non_trainable_variables]
  if has_enough:
    np.testing.assert_allclose(tf.reduce_mean(y, [0, 1, 2]), [0] * 3, atol=1e-5)
    assert all((a != b).all() for a, b in zip(after, before))
  else:
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(after, before)


def test_a_norm_of_16_bits_has_the_sums_of_float32(monkeypatch):
  """As on a GPU, where casts would cost as much as the norm."""
  x = 100 + tf.random.stateless_normal([2, 9, 8, 3], [0, 1])
  x = tf.cast(x, tf.bfloat16)
  expected = NORM.layer()(x, training=True)
  assert expected.dtype == tf.float32
  monkeypatch.setattr(devices, 'normalizes_16_bits', lambda: True)
  tf.keras.mixed_precision.set_global_policy('mixed_bfloat16')
  try:
    norm = NORM.layer()
    y = norm(x, training=True)
  finally:
    tf.keras.mixed_precision.set_global_policy('float32')
  assert y.dtype == tf.bfloat16
  assert {v.dtype for v in norm.variables} == {tf.float32}
  np.testing.assert_allclose(tf.cast(y, tf.float32), expected, atol=0.02)
