# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Convolutions as layers against plain arithmetic."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.model.ops import layers
from tests.model import maps


@pytest.mark.parametrize('size', maps.SIZES)
@pytest.mark.parametrize(
  'k, strides, rate', [(1, 1, 1), (3, 1, 1), (3, 2, 1), (5, 2, 1), (3, 1, 2)]
)
def test_convolution_pads_both_sides_alike(size, k, strides, rate):
  x = maps.random_map(*size)
  layer = layers.Conv2D(4, k, strides=strides, atrous_rate=rate)
  y = layer(x)
  assert y.shape[1:3] == tuple(-(-n // strides) for n in size)
  maps.close(y, maps.convolve(x, layer.kernel.numpy(), strides, rate))


@pytest.mark.parametrize('rate', [2, 12, 36])
def test_atrous_convolution_equals_tensorflows(rate):
  x = maps.random_map(9, 8)
  layer = layers.Conv2D(4, 3, atrous_rate=rate)
  y = layer(x)
  maps.close(y, tf.nn.convolution(x, layer.kernel, 1, 'SAME', dilations=rate))


def test_an_atrous_layer_in_bfloat16_trains_its_float32_kernel():
  def gradient(dtype):
    layer = layers.Conv2D(
      4, 3, atrous_rate=2, kernel_initializer='ones', dtype=dtype
    )
    with tf.GradientTape() as tape:
      y = tf.cast(layer(maps.random_map(9, 7)), tf.float32)
      target = tf.reduce_sum(y * maps.random_map(9, 7, 4, seed=1))
    return tape.gradient(target, layer.kernel)

  expected = gradient('float32')
  actual = gradient('mixed_bfloat16')
  assert actual.dtype == tf.float32
  np.testing.assert_allclose(
    actual, expected, atol=0.02 * np.abs(expected).max()
  )


@pytest.mark.parametrize('size', maps.SIZES)
@pytest.mark.parametrize('k, strides', [(3, 1), (5, 1), (3, 2), (5, 2)])
def test_separable_convolution_is_depthwise_then_pointwise(size, k, strides):
  x = maps.random_map(*size)
  layer = layers.SeparableConv2D(4, k, strides=strides)
  y = layer(x)
  depthwise, pointwise = layer.get_weights()
  oracle = np.einsum(
    'nhwtc,tc->nhwc',
    maps.windows(x, k, strides),
    depthwise.reshape(k * k, 3),
  )
  maps.close(y, oracle @ pointwise[0, 0])


def test_initial_kernels_are_uniform_within_the_root_of_the_fan_in():
  tf.keras.utils.set_random_seed(0)
  layer = layers.SeparableConv2D(200, 5)
  layer.build([None, 8, 8, 64])
  # Fan-in counts the channels of a depthwise kernel too.
  for kernel, fan_in in zip(layer.get_weights(), (25 * 64, 64)):
    bound = fan_in**-0.5
    assert 0.98 * bound < np.abs(kernel).max() <= bound
    assert np.std(kernel) == pytest.approx(bound / 3**0.5, rel=0.05)
