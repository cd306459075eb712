# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Separable convolution, twice."""

import tensorflow as tf

from auto_deeplab.architecture import primitives
from auto_deeplab.model.ops import layers, normalization
from auto_deeplab.model.ops.arithmetic import Arithmetic
from auto_deeplab.model.primitives import base


class SeparableLayer(tf.keras.layers.Layer):
  """Twice {ReLU, depthwise, pointwise, BN}; the first depthwise strides."""

  def __init__(
    self,
    filters: int,
    kernel_size: int,
    norm: normalization.NormSettings,
    *,
    strides: int = 1,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.convs = [
      layers.SeparableConv2D(filters, kernel_size, strides=s)
      for s in (strides, 1)
    ]
    self.bns = [norm.layer() for _ in self.convs]

  def call(self, x: tf.Tensor, training=None) -> tf.Tensor:
    """`[n, h, w, c]` -> `[n, ceil(h/strides), ceil(w/strides), filters]`."""
    for conv, bn in zip(self.convs, self.bns):
      x = bn(conv(tf.nn.relu(x)), training=training)
    return tf.cast(x, self.compute_dtype)


@base.computes(primitives.SeparableConv)
class SeparableConv(base.Own):
  """Depthwise convolutions of all edges, and grouped pointwise ones.

  A step holds every layer's maps until its backward pass, and these would be
  most of them. Of six maps the size of the output, two are held: what each
  batch norm takes.
  """

  num_norms = 2

  def layer(self, filters, norm, strides):
    size = self.primitive.kernel_size
    return SeparableLayer(filters, size, norm, strides=strides)

  def kernels(self, filters):
    size = self.primitive.kernel_size
    return {
      'depthwise': base.Kernel(size, channels=None, num_layers=2),
      'pointwise': base.Kernel(1, channels=filters, num_layers=2),
    }

  def edges(self, state, edges, ops):
    kernels = zip(edges.kernels['depthwise'], edges.kernels['pointwise'])
    x = ops.hold(_first)(state.activated, *next(kernels))
    moving = edges.moving
    x, first = ops.normalize_then(_second, x, moving[0], *next(kernels))
    x, second = ops.normalize(x, moving[1], edges.scale)
    return x, [first, second]


def _first(
  ops: Arithmetic, x: tf.Tensor, depthwise: tf.Tensor, pointwise: tf.Tensor
) -> tf.Tensor:
  # A copy for each edge: the layer then is of the second one's kind.
  copies = ops.copies(x, depthwise.shape[2] // x.shape[-1])
  return _convolve_separably(ops, copies, depthwise, pointwise)


def _second(
  ops: Arithmetic, x: tf.Tensor, depthwise: tf.Tensor, pointwise: tf.Tensor
) -> tf.Tensor:
  return _convolve_separably(ops, tf.nn.relu(x), depthwise, pointwise)


def _convolve_separably(
  ops: Arithmetic, x: tf.Tensor, depthwise: tf.Tensor, pointwise: tf.Tensor
) -> tf.Tensor:
  """Convolves the channels of each edge by themselves."""
  x = ops.depthwise_conv2d(x, depthwise)
  # A group an edge: TensorFlow infers them from the kernel's channels.
  return ops.conv2d(x, pointwise)
