# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Resizing and padding against plain arithmetic."""

import pytest
import tensorflow as tf

from auto_deeplab.model.ops import sizes
from tests.model import maps


def resize(x, size):
  return sizes.resize_aligned(tf.constant(x), size).numpy()


@pytest.mark.parametrize(
  'size', [(9, 13), (4, 3), (1, 1), (5, 7), (10, 1), (5, 30)]
)
def test_resize_equals_linear_interpolation(size):
  x = maps.random_map(5, 7)
  expected = maps.interpolate_axis(
    maps.interpolate_axis(x, 1, size[0]), 2, size[1]
  )
  maps.close(resize(x, size), expected)


def test_resize_to_unknown_sizes_equals_the_known_ones():
  x = tf.constant(maps.random_map(5, 7))
  dynamic = tf.function(
    lambda x, size: sizes.resize_aligned(x, (size[0], size[1])),
    input_signature=[
      tf.TensorSpec([None, None, None, 3]),
      tf.TensorSpec([2], tf.int32),
    ],
  )
  maps.close(dynamic(x, [9, 4]), sizes.resize_aligned(x, (9, 4)))


def test_resize_keeps_the_corner_pixels():
  x = maps.random_map(6, 5)
  for size in [(11, 9), (3, 2), (31, 17)]:
    y = resize(x, size)
    maps.close(
      y[:, [0, 0, -1, -1], [0, -1, 0, -1]], x[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    )


def test_up_to_2n_minus_1_and_half_to_half_of_n_minus_1_plus_1_are_inverse():
  x = maps.random_map(9, 5)
  up = resize(x, (2 * 9 - 1, 2 * 5 - 1))
  maps.close(up[:, ::2, ::2], x)
  maps.close(up[:, 1::2, ::2], (x[:, 1:] + x[:, :-1]) / 2)
  half = resize(up, sizes.halved((17, 9)))
  assert half.shape == x.shape
  maps.close(half, x)


def test_halved_nests_at_32m_plus_1_and_rounds_up_elsewhere():
  assert sizes.halved((65, 97)) == (33, 49)
  assert sizes.halved((64, 7)) == (32, 4)
  assert sizes.halved((1, 2)) == (1, 1)


def test_resize_keeps_dtype_and_the_map_of_equal_size():
  x = tf.cast(maps.random_map(5, 7), tf.bfloat16)
  assert sizes.resize_aligned(x, (9, 9)).dtype == tf.bfloat16
  assert sizes.resize_aligned(x, (5, 7)) is x


def test_images_below_a_pixel_of_the_stem_are_refused():
  sizes.check_map_size(tf.zeros([1, 4, 4, 3]))
  message = r'the image size \(3x9\) must be at least 4 pixels a side\.'
  with pytest.raises(ValueError, match=message):
    sizes.check_map_size(tf.zeros([1, 3, 9, 3]))


def test_a_pyramid_halves_from_its_first_size_on():
  assert sizes.pyramid((9, 4), 3) == [(9, 4), (5, 2), (3, 1)]
