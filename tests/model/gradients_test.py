# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A gradient of one's own, and of what is within another one."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.model import gradients


@gradients.custom_gradient
def inner(x):
  """The square, with a gradient that tells of itself: 100 instead of 2x."""
  return x**2, lambda dy: 100.0 * dy


@gradients.custom_gradient
def outer(x):
  """Computes by `inner`, and takes its gradient by `inner` too."""

  def gradient(dy):
    with tf.GradientTape() as tape:
      tape.watch(x)
      y = inner(x)
    return tape.gradient(y, x, dy)

  return inner(x), gradient


def value_and_gradient(function, x):
  with tf.GradientTape() as tape:
    tape.watch(x)
    y = function(x)
  return y, tape.gradient(y, x)


@pytest.mark.parametrize('function', [inner, outer])
@pytest.mark.parametrize('is_graph', [False, True])
def test_the_gradient_is_ones_own(function, is_graph):
  run = tf.function(value_and_gradient) if is_graph else value_and_gradient
  np.testing.assert_array_equal(run(function, tf.constant(3.0)), [9, 100])


def test_within_another_one_it_leaves_no_trace():
  def num_traces(function):
    concrete = tf.function(function).get_concrete_function(tf.TensorSpec([]))
    types = [op.type for op in concrete.graph.get_operations()]
    return types.count('IdentityN')

  assert num_traces(inner) == num_traces(outer) == 1
