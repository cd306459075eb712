# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Bytes are normalized once, and floats that should have been are refused."""

import re

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.model import pixels

UNNORMALIZED = (
  'float images must be in [-1, 1]; pass pictures in 0..255 as uint8. The '
  'largest value is'
)


def test_normalize_maps_bytes_to_minus_one_to_one():
  values = tf.constant([0, 255, 127.5])
  assert pixels.normalize(values).numpy().tolist() == [-1, 1, 0]
  values = tf.constant([0, 255], tf.uint8)
  assert pixels.normalize(values).numpy().tolist() == [-1, 1]


@pytest.mark.parametrize('dtype', [tf.float32, tf.bfloat16])
def test_bytes_become_floats_of_the_dtype(dtype):
  floats = pixels.as_floats(np.array([0, 255], np.uint8), dtype)
  assert floats.dtype == dtype
  assert floats.numpy().tolist() == [-1, 1]


def test_floats_stay_as_they_are():
  # Slightly beyond 1, as a cubic spline goes.
  images = tf.constant([-1.2, 0.5, 1.2], tf.float64)
  assert pixels.as_floats(images, tf.float32) is images


def test_other_dtypes_are_refused():
  message = re.escape(
    'images of dtype int32 must be uint8 in 0..255, or float in [-1, 1].'
  )
  with pytest.raises(ValueError, match=message):
    pixels.as_floats(tf.constant([0, 255]), tf.float32)


def test_floats_that_are_not_normalized_are_refused():
  with pytest.raises(ValueError, match=re.escape(f'{UNNORMALIZED} 255.')):
    pixels.as_floats(tf.constant([0.0, 255.0]), tf.float32)


def test_a_graph_refuses_them_when_it_runs():
  @tf.function
  def check(images):
    pixels.check_range(images)

  check(tf.constant([-1.0, 1.0]))
  check(tf.constant([0, 255], tf.uint8))
  with pytest.raises(tf.errors.InvalidArgumentError) as error:
    check(tf.constant([0.0, 255.0]))
  assert f'[{UNNORMALIZED}] [255]' in str(error.value)
