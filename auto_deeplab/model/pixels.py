# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pixels: bytes as pictures have them, floats as networks take them."""

from collections.abc import Iterator
import contextlib
from typing import Any

import numpy as np
import tensorflow as tf

# Resizing by cubic splines goes a little beyond 1. Pictures in 0..255 go beyond
# this, unless they are all but black.
_LARGEST_FLOAT = 2.0


def normalize(pixels: tf.Tensor) -> tf.Tensor:
  """Maps pixels in 0..255 to float32 in [-1, 1], as the published network."""
  return tf.cast(pixels, tf.float32) * 2 / 255 - 1


def as_floats(images: tf.Tensor, dtype: str) -> tf.Tensor:
  """Returns images as a network takes them: bytes normalized, floats as given.

  Args:
    images: uint8, or float in [-1, 1].
    dtype: that the network computes in, for bytes.

  Raises:
    ValueError: images of another dtype, or floats that are known (that is,
      not within a `tf.function`) to be beyond [-1, 1].
  """
  images = tf.convert_to_tensor(images)
  if images.dtype == tf.uint8:
    return tf.cast(normalize(images), dtype)
  if not images.dtype.is_floating:
    raise ValueError(
      f'images of dtype {images.dtype.name} must be uint8 in 0..255, or float '
      'in [-1, 1].'
    )
  if tf.executing_eagerly():
    check_range(images)
  return images


def check_range(images: tf.Tensor) -> tf.Operation | None:
  """Refuses floats that are not normalized, such as pictures in 0..255.

  Within a `tf.function` it does so when that runs, and XLA leaves it out.

  Args:
    images: any dtype; all but floats pass.

  Returns:
    In a graph, what the use of the images has to wait for.

  Raises:
    ValueError: floats beyond [-1, 1], eagerly; in a graph it is an
      `InvalidArgumentError`.
  """
  if not images.dtype.is_floating:
    return None
  largest = tf.reduce_max(tf.abs(images))
  message = (
    'float images must be in [-1, 1]; pass pictures in 0..255 as uint8. The '
    'largest value is'
  )
  if not tf.executing_eagerly():
    return tf.debugging.Assert(largest <= _LARGEST_FLOAT, [message, largest])
  if largest > _LARGEST_FLOAT:
    raise ValueError(f'{message} {float(largest):g}.')
  return None


def check_num_classes(number: int) -> None:
  """Refuses what is no number of classes.

  Raises:
    ValueError: it is not a whole number of 2 or more.
  """
  is_whole = isinstance(number, (int, np.integer)) and number is not True
  if not is_whole or number < 2:
    raise ValueError(
      f'`num_classes` ({number!r}) must be a whole number of at least 2.'
    )


class PictureModel(tf.keras.Model):
  """A model of images whose `fit` and its like refuse what `call` refuses.

  They make a graph of a step, and of a graph `call` knows no values.
  """

  def train_step(self, data):
    with _checked(data):
      return super().train_step(data)

  def test_step(self, data):
    with _checked(data):
      return super().test_step(data)

  def predict_step(self, data):
    with _checked(data):
      return super().predict_step(data)


@contextlib.contextmanager
def _checked(data: Any) -> Iterator[None]:
  """Has all within wait for the check of a batch, so that it moves nothing."""
  images, *_ = tf.keras.utils.unpack_x_y_sample_weight(data)
  check = check_range(images)
  with tf.control_dependencies([] if check is None else [check]):
    yield
