# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Concatenation and copies whose gradients are few operations.

TensorFlow's own ask for shapes when they run: a dozen operations each, and they
hold the tensors whose shapes they ask for. Where `has_gradient` is False nobody
asks for a gradient, and nothing stands in the graph for ours.
"""

from collections.abc import Sequence

import tensorflow as tf

from auto_deeplab.model.ops import constants, sizes


def concat(
  parts: Sequence[tf.Tensor], *, has_gradient: bool = True
) -> tf.Tensor:
  """Lays the channels of maps, `[n, h, w, c]` of any c, side by side."""
  if len(parts) == 1:
    return parts[0]

  def compute(*parts: tf.Tensor) -> tf.Tensor:
    return tf.concat(parts, constants.constant(-1))

  if not has_gradient:
    return compute(*parts)
  widths = [part.shape[-1] for part in parts]

  @tf.custom_gradient
  def forward(*parts: tf.Tensor):
    def gradient(dy: tf.Tensor) -> list[tf.Tensor]:
      return tf.split(dy, constants.constant(widths), constants.constant(-1))

    return compute(*parts), gradient

  return forward(*parts)


def concat_batches(parts: Sequence[tf.Tensor]) -> tf.Tensor:
  """Lays maps of one shape, `[n, h, w, c]`, one after another."""

  @tf.custom_gradient
  def forward(*parts: tf.Tensor):
    def gradient(dy: tf.Tensor) -> list[tf.Tensor]:
      return tf.split(dy, len(parts), constants.constant(0))

    return tf.concat(parts, constants.constant(0)), gradient

  return forward(*parts)


def copies(
  x: tf.Tensor, number: int, *, has_gradient: bool = True
) -> tf.Tensor:
  """Lays copies of `[n, h, w, c]` side by side: `[n, h, w, number * c]`."""
  if number == 1:
    return x

  def compute(x: tf.Tensor) -> tf.Tensor:
    return tf.tile(x, constants.constant([1, 1, 1, number]))

  if not has_gradient:
    return compute(x)
  shape = [-1, *sizes.spatial_size(x), number, x.shape[-1]]
  is_static = all(isinstance(size, int) for size in shape)

  @tf.custom_gradient
  def forward(x: tf.Tensor):
    def gradient(dy: tf.Tensor) -> tf.Tensor:
      apart = constants.constant(shape) if is_static else tf.stack(shape)
      return tf.reduce_sum(tf.reshape(dy, apart), constants.constant(3))

    return compute(x), gradient

  return forward(x)


def repeated_batch(x: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
  """Lays copies of `[n, h, w, c]` one after another: `[number * n, h, w, c]`.

  Args:
    x: what to copy.
    number: int32 scalar.
  """
  shape = tf.concat([[number], tf.shape(x)], constants.constant(0))

  @tf.custom_gradient
  def forward(x: tf.Tensor):
    def gradient(dy: tf.Tensor) -> tf.Tensor:
      return tf.reduce_sum(tf.reshape(dy, shape), constants.constant(0))

    multiples = tf.concat([[number], [1, 1, 1]], constants.constant(0))
    return tf.tile(x, multiples), gradient

  return forward(x)
