# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Concatenation and copies whose gradients are few operations.

TensorFlow's own ask for shapes when they run: a dozen operations each, and they
hold the tensors whose shapes they ask for.
"""

from collections.abc import Sequence

import tensorflow as tf

from auto_deeplab.model import operations


def concat(parts: Sequence[tf.Tensor]) -> tf.Tensor:
  """Lays the channels of maps, `[n, h, w, c]` of any c, side by side."""
  sizes = [part.shape[-1] for part in parts]

  @tf.custom_gradient
  def forward(*parts: tf.Tensor):
    return tf.concat(parts, axis=-1), lambda dy: tf.split(dy, sizes, axis=-1)

  return forward(*parts)


def copies(x: tf.Tensor, number: int) -> tf.Tensor:
  """Lays copies of `[n, h, w, c]` side by side: `[n, h, w, number * c]`."""
  if number == 1:
    return x

  shape = [-1, *operations.spatial_size(x), number, x.shape[-1]]

  @tf.custom_gradient
  def forward(x: tf.Tensor):
    def gradient(dy: tf.Tensor) -> tf.Tensor:
      return tf.reduce_sum(tf.reshape(dy, shape), axis=3)

    return tf.tile(x, [1, 1, 1, number]), gradient

  return forward(x)


def repeated_batch(x: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
  """Lays copies of `[n, h, w, c]` one after another: `[number * n, h, w, c]`.

  Args:
    x: what to copy.
    number: int32 scalar.
  """
  shape = tf.concat([[number], tf.shape(x)], axis=0)

  @tf.custom_gradient
  def forward(x: tf.Tensor):
    def gradient(dy: tf.Tensor) -> tf.Tensor:
      return tf.reduce_sum(tf.reshape(dy, shape), axis=0)

    return tf.tile(x, [number, 1, 1, 1]), gradient

  return forward(x)
