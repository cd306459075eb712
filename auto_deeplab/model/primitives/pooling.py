# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pooling."""

from collections.abc import Callable

import tensorflow as tf

from auto_deeplab.architecture import primitives
from auto_deeplab.model.ops import canvas
from auto_deeplab.model.primitives import base

# `tf.nn.max_pool2d` or `tf.nn.avg_pool2d`.
Reduction = Callable[..., tf.Tensor]


def pool(
  x: tf.Tensor, reduction: Reduction, kernel_size: int, strides: int = 1
) -> tf.Tensor:
  """Pools; no average counts the padding, of as many pixels on each side.

  Args:
    x: `[n, h, w, c]`.
    reduction: of a window.
    kernel_size: side of the window, odd, in pixels.
    strides: 1 or 2.

  Returns:
    `[n, ceil(h/strides), ceil(w/strides), c]`.
  """
  if canvas.is_larger():
    pooled = _pool_on_canvas(x, reduction, kernel_size)
  else:
    pooled = reduction(x, kernel_size, 1, 'SAME')
  # Strided afterwards: SAME at stride 2 starts at another pixel on even maps.
  return pooled if strides == 1 else pooled[:, ::strides, ::strides]


def _pool_on_canvas(
  x: tf.Tensor, reduction: Reduction, kernel_size: int
) -> tf.Tensor:
  """Pools the picture's own part of a map; no average counts the rest."""
  if reduction is tf.nn.max_pool2d:
    return reduction(canvas.hidden(x, x.dtype.min), kernel_size, 1, 'SAME')
  share = reduction(
    canvas.hidden(tf.ones_like(x[:1, ..., :1])), kernel_size, 1, 'SAME'
  )
  return tf.math.divide_no_nan(
    reduction(canvas.hidden(x), kernel_size, 1, 'SAME'), share
  )


class PoolLayer(tf.keras.layers.Layer):
  """Max or average pooling."""

  def __init__(
    self, reduction: Reduction, kernel_size: int, strides: int = 1, **kwargs
  ):
    super().__init__(**kwargs)
    self.reduction = reduction
    self.kernel_size = kernel_size
    self.strides = strides

  def call(self, x: tf.Tensor, training=None) -> tf.Tensor:
    """`[n, h, w, c]` -> `[n, ceil(h/strides), ceil(w/strides), c]`."""
    del training
    return pool(x, self.reduction, self.kernel_size, self.strides)


class _Pool(base.Shared):
  reduction: Reduction

  def layer(self, filters, norm, strides):
    return PoolLayer(self.reduction, self.primitive.kernel_size, strides)

  def map(self, x):
    return pool(x, self.reduction, self.primitive.kernel_size)


@base.computes(primitives.MaxPool)
class MaxPool(_Pool):
  """The maximum of each window."""

  reduction = staticmethod(tf.nn.max_pool2d)


@base.computes(primitives.AvgPool)
class AvgPool(_Pool):
  """The average of each window."""

  reduction = staticmethod(tf.nn.avg_pool2d)
