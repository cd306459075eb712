# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Concatenation and copies are TensorFlow's, and so are their gradients."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.model.ops import channels


def random_map(channels, seed=0):
  return tf.random.stateless_normal([2, 4, 3, channels], [seed, 1])


CASES = {
  'concat': (
    lambda x, y: channels.concat([x, y]),
    lambda x, y: tf.concat([x, y], axis=-1),
  ),
  'concat_batches': (
    lambda x, y: channels.concat_batches([x, -x]),
    lambda x, y: tf.concat([x, -x], axis=0),
  ),
  'copies': (
    lambda x, y: channels.copies(x, 3),
    lambda x, y: tf.tile(x, [1, 1, 1, 3]),
  ),
  'one copy': (lambda x, y: channels.copies(x, 1), lambda x, y: x),
  'repeated batch': (
    lambda x, y: channels.repeated_batch(x, tf.constant(3)),
    lambda x, y: tf.tile(x, [3, 1, 1, 1]),
  ),
}


@pytest.mark.parametrize('is_static', [False, True])
@pytest.mark.parametrize('name', CASES)
def test_values_and_gradients_are_those_of_tensorflow(name, is_static):
  inputs = random_map(2), random_map(3, seed=1)

  def run(compute):
    sizes = inputs[0].shape[:3] if is_static else [None] * 3

    @tf.function(
      autograph=False,
      input_signature=[tf.TensorSpec([*sizes, c]) for c in (2, 3)],
    )
    def values_and_gradients(*inputs):
      with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = compute(*inputs)
        # Each value counts its own.
        weights = tf.random.stateless_normal(tf.shape(outputs), [8, 9])
        target = tf.reduce_sum(outputs * weights)
      gradients = tape.gradient(
        target, inputs, unconnected_gradients=tf.UnconnectedGradients.ZERO
      )
      return outputs, *gradients

    return values_and_gradients(*inputs)

  actual, expected = map(run, CASES[name])
  for a, b in zip(actual, expected, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-6)
