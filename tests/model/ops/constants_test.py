# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Within a graph equal constants are one node."""

import gc
import weakref

import numpy as np
import tensorflow as tf

from auto_deeplab.model.ops import constants


def test_equal_constants_of_a_graph_are_one():
  def function(x):
    first = constants.constant([1, 2])
    assert constants.constant((1, 2)) is first
    others = [
      constants.constant([1, 3]),
      constants.constant([[1, 2]]),
      constants.constant([1, 2], tf.float32),
    ]
    assert all(other is not first for other in others)
    return x * first

  for _ in range(2):  # Each graph has its own.
    concrete = tf.function(function).get_concrete_function(
      tf.TensorSpec([2], tf.int32)
    )
    np.testing.assert_array_equal(concrete(tf.constant([3, 4])), [3, 8])


def test_a_constant_does_not_wait_for_what_it_was_made_after():
  @tf.function
  def function(x):
    with tf.control_dependencies([tf.exp(x)]):
      value = constants.constant(2.5, tf.float32)
    assert not value.op.control_inputs
    return value

  assert function(tf.constant(1.0)) == 2.5


def test_outside_of_a_graph_a_constant_is_a_value():
  value = constants.constant([1.5, 2], tf.float32)
  np.testing.assert_array_equal(value.numpy(), [1.5, 2])


def test_a_graph_goes_with_its_constants():
  def traced_graph():
    function = tf.function(lambda x: x + constants.constant(2.5, tf.float32))
    return weakref.ref(function.get_concrete_function(tf.TensorSpec([])).graph)

  graph = traced_graph()
  gc.collect()
  assert graph() is None
