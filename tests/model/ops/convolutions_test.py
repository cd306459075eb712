# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Convolutions and their gradients against plain arithmetic."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.model.ops import convolutions, devices


def random_map(height, width, channels=3):
  shape = [2, height, width, channels]
  return tf.random.stateless_normal(shape, [0, 1])


def kernel_gradients(convolution, x, kernel):
  """Of input and kernel, for a random gradient of the output."""
  with tf.GradientTape() as tape:
    tape.watch([x, kernel])
    y = convolution(x, kernel)
    weights = tf.cast(random_map(*y.shape[1:]), y.dtype)
    target = tf.reduce_sum(y * weights)
  return tape.gradient(target, [x, kernel])


def plain_convolution(x, kernel, strides=1, rate=1):
  """A sum over the kernel's taps and groups."""
  k, _, channels, _ = kernel.shape
  num_groups, (height, width) = x.shape[-1] // channels, x.shape[1:3]
  pad = (k - 1) // 2 * rate
  padded = tf.pad(x, [[0, 0], [pad, pad], [pad, pad], [0, 0]])

  def tap(i, j):
    rows, columns = i * rate, j * rate
    seen = padded[:, rows : rows + height, columns : columns + width]
    groups = zip(
      tf.split(seen, num_groups, -1), tf.split(kernel[i, j], num_groups, -1)
    )
    return tf.concat([tf.einsum('nhwc,cf->nhwf', a, b) for a, b in groups], -1)

  total = tf.add_n([tap(i, j) for i in range(k) for j in range(k)])
  return total[:, ::strides, ::strides]


@pytest.fixture(params=[True, False], ids=['', 'elsewhere'])
def elsewhere(request, monkeypatch):
  """As it is here; then as on a device without kernels of its own."""
  if not request.param:
    monkeypatch.setattr(devices, 'has_convolutions', lambda dtype: False)


@pytest.mark.usefixtures('elsewhere')
@pytest.mark.parametrize(
  'dtype, tolerance',
  # Eight bits of mantissa have bfloat16, eleven float16.
  [
    ('float64', 1e-12),
    ('float32', 1e-5),
    ('bfloat16', 0.02),
    ('float16', 4e-3),
  ],
)
@pytest.mark.parametrize(
  'k, num_groups, strides, rate',
  [(3, 1, 1, 1), (3, 1, 2, 1), (5, 1, 1, 2), (1, 3, 1, 1), (3, 3, 1, 2)],
)
def test_convolutions_and_gradients_are_right_in_every_dtype(
  k, num_groups, strides, rate, dtype, tolerance
):
  def rounded(x):
    return tf.cast(tf.cast(x, dtype), tf.float64)

  x = rounded(random_map(9, 8, 6))
  kernel = rounded(
    tf.random.stateless_normal([k, k, 6 // num_groups, 9], [1, 2])
  )

  def convolve_natively(x, kernel):
    x, padding = convolutions.padded(x, k, strides)
    return convolutions.conv2d(x, kernel, strides, padding, rate)

  expected = plain_convolution(x, kernel, strides, rate)
  expected_gradients = kernel_gradients(
    lambda x, kernel: plain_convolution(x, kernel, strides, rate), x, kernel
  )
  arguments = (tf.cast(x, dtype), tf.cast(kernel, dtype))
  actual = [
    convolve_natively(*arguments),
    *kernel_gradients(convolve_natively, *arguments),
  ]
  for a, b in zip(actual, [expected, *expected_gradients]):
    assert a.dtype == dtype
    difference = np.abs(tf.cast(a, tf.float64) - b)
    assert difference.max() < tolerance * np.abs(b).max()


@pytest.mark.usefixtures('elsewhere')
@pytest.mark.parametrize(
  'convolution, kernel_shape',
  [
    # At this size and width the gradient of TensorFlow 2.15 itself is not
    # finite, or the process dies, where oneDNN has bfloat16.
    (lambda x, k: convolutions.conv2d(x, k, atrous_rate=2), [5, 5, 40, 40]),
    (convolutions.depthwise_conv2d, [5, 5, 40, 1]),
    (convolutions.depthwise_conv2d, [3, 3, 40, 1]),
  ],
)
def test_gradients_in_bfloat16_are_those_in_float32(convolution, kernel_shape):
  x = tf.constant(random_map(65, 65, 40))
  kernel = tf.random.stateless_normal(kernel_shape, [1, 2])
  expected = kernel_gradients(convolution, x, kernel)
  actual = kernel_gradients(
    convolution, tf.cast(x, tf.bfloat16), tf.cast(kernel, tf.bfloat16)
  )
  for a, b in zip(actual, expected):
    # Eight bits of mantissa.
    np.testing.assert_allclose(
      tf.cast(a, tf.float32), b, atol=0.02 * np.abs(b).max()
    )


@pytest.mark.parametrize('size', [(8, 6), (9, 7), (8, 5)])
@pytest.mark.parametrize('strides, padding', [(1, 'SAME'), (2, 'VALID')])
def test_gradients_of_5x5_depthwise_are_tensorflows(size, strides, padding):
  x = tf.constant(random_map(*size))
  kernel = tf.random.stateless_normal([5, 5, 3, 1], [1, 2])
  expected = kernel_gradients(
    lambda x, kernel: tf.nn.depthwise_conv2d(
      x, kernel, [1, strides, strides, 1], padding
    ),
    x,
    kernel,
  )
  actual = kernel_gradients(
    lambda x, kernel: convolutions.depthwise_conv2d(
      x, kernel, strides, padding
    ),
    x,
    kernel,
  )
  for a, b in zip(actual, expected):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
