# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Atrous convolution."""

import tensorflow as tf

from auto_deeplab.architecture import primitives
from auto_deeplab.model.ops import layers, normalization, sizes
from auto_deeplab.model.primitives import base


class AtrousLayer(tf.keras.layers.Layer):
  """ReLU, full k x k convolution of a rate, BN.

  With a stride the map is halved bilinearly after the ReLU and the
  convolution has no holes (method, section 2).
  """

  def __init__(
    self,
    filters: int,
    kernel_size: int,
    atrous_rate: int,
    norm: normalization.NormSettings,
    *,
    strides: int = 1,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.strides = strides
    self.conv_bn = layers.ConvBn(
      filters,
      kernel_size,
      norm,
      atrous_rate=atrous_rate if strides == 1 else 1,
    )

  def call(self, x: tf.Tensor, training=None) -> tf.Tensor:
    """`[n, h, w, c]` -> `[n, ceil(h/strides), ceil(w/strides), filters]`."""
    x = tf.nn.relu(x)
    if self.strides == 2:
      x = sizes.resize_aligned(x, sizes.halved(sizes.spatial_size(x)))
    return self.conv_bn(x, training=training)


@base.computes(primitives.AtrousConv)
class AtrousConv(base.Own):
  """One convolution to the filters of all edges."""

  def layer(self, filters, norm, strides):
    size, rate = self.primitive.kernel_size, self.primitive.atrous_rate
    return AtrousLayer(filters, size, rate, norm, strides=strides)

  def kernels(self, filters):
    return {'': base.Kernel(self.primitive.kernel_size, filters)}

  def edges(self, state, edges, ops):
    [kernel] = edges.kernels['']
    rate = self.primitive.atrous_rate
    y = ops.conv2d(state.activated, kernel, atrous_rate=rate)
    y, used = ops.normalize(y, edges.moving[0], edges.scale)
    return y, [used]
