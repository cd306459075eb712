# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The limit that networks are held to: one large convolution."""

from collections.abc import Callable

import tensorflow as tf

_SIZE, _FILTERS, _KERNEL = 129, 256, 3
# One multiply and one add are one; of a call of `large`.
MULTIPLY_ADDS = _SIZE**2 * _KERNEL**2 * _FILTERS**2


def large(dtype: tf.DType) -> Callable[[], object]:
  """Returns a 3x3 convolution, 256 to 256 channels, of one 129x129 map.

  It is the decoder's second, at a 513x513 crop.
  """
  x = tf.cast(tf.random.normal([1, _SIZE, _SIZE, _FILTERS]), dtype)
  kernel = tf.cast(
    tf.random.normal([_KERNEL, _KERNEL, _FILTERS, _FILTERS]), dtype
  )
  # The sum is all that leaves the graph; it costs next to nothing.
  convolve = tf.function(
    lambda: tf.reduce_sum(tf.nn.conv2d(x, kernel, 1, 'SAME'))
  )
  return lambda: convolve().numpy()
