# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What lies beyond the picture is hidden, and no more than that."""

import numpy as np
import tensorflow as tf

from auto_deeplab.model.ops import canvas


def test_a_map_without_a_canvas_is_left_as_it_is():
  x = tf.ones([1, 5, 5, 1])
  assert canvas.hidden(x) is x


def test_maps_of_every_stride_keep_the_pictures_part():
  with canvas.of((65, 129), (33, 97)):
    for stride in (1, 2, 4, 8, 16, 32):
      height, width = 64 // stride + 1, 128 // stride + 1
      expected = np.full([2, height, width, 3], 7.0)
      expected[:, : 32 // stride + 1, : 96 // stride + 1] = 1
      found = canvas.hidden(tf.ones([2, height, width, 3]), 7.0)
      np.testing.assert_array_equal(found, expected)


def test_a_side_may_be_as_long_as_a_limit_on_pixels_lets_it():
  with canvas.of((33, 2**18 + 1), (33, 200_033)):
    for stride in (1, 32):
      x = tf.ones([1, 1, 2**18 // stride + 1, 1])
      assert tf.reduce_sum(canvas.hidden(x)) == 200_032 // stride + 1
