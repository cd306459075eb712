# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The primitives as Keras layers of a network that is not searched.

Feature maps are `[batch, height, width, channels]`.
"""

from collections.abc import Callable, Iterator
import contextlib
import itertools
from typing import Any

import tensorflow as tf

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.model import layers, normalization, sizes


class Separable(tf.keras.layers.Layer):
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


class Atrous(tf.keras.layers.Layer):
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


def pool(x: tf.Tensor, kind: str, kernel_size: int, strides=1) -> tf.Tensor:
  """Pools with the padding of this module, which no average counts.

  Args:
    x: `[n, h, w, c]`.
    kind: 'max_pool' or 'avg_pool'.
    kernel_size: side of the window, odd, in pixels.
    strides: 1 or 2.

  Returns:
    `[n, ceil(h/strides), ceil(w/strides), c]`.
  """
  # Strided afterwards: SAME at stride 2 starts at another pixel on even maps.
  if kind == 'max_pool':
    pooled = tf.nn.max_pool2d(x, kernel_size, 1, 'SAME')
  else:
    pooled = tf.nn.avg_pool2d(x, kernel_size, 1, 'SAME')
  return pooled if strides == 1 else pooled[:, ::strides, ::strides]


class Pool(tf.keras.layers.Layer):
  """Max or average pooling."""

  def __init__(self, kind: str, kernel_size: int, strides: int = 1, **kwargs):
    super().__init__(**kwargs)
    self.kind = kind
    self.kernel_size = kernel_size
    self.strides = strides

  def call(self, x: tf.Tensor, training=None) -> tf.Tensor:
    """`[n, h, w, c]` -> `[n, ceil(h/strides), ceil(w/strides), c]`."""
    del training
    return pool(x, self.kind, self.kernel_size, self.strides)


class Skip(tf.keras.layers.Layer):
  """The identity; with a stride, the map halved bilinearly."""

  def __init__(self, strides: int = 1, **kwargs):
    super().__init__(**kwargs)
    self.strides = strides

  def call(self, x: tf.Tensor, training=None) -> tf.Tensor:
    """`[n, h, w, c]` -> `[n, ceil(h/strides), ceil(w/strides), c]`."""
    del training
    if self.strides == 1:
      return tf.identity(x)
    return sizes.resize_aligned(x, sizes.halved(sizes.spatial_size(x)))


def make_operation(
  name: str,
  filters: int,
  norm: normalization.NormSettings,
  *,
  strides: int = 1,
) -> tf.keras.layers.Layer:
  """Builds the layer of a primitive for a network that is not searched.

  Args:
    name: a key of `genotype.PRIMITIVES` other than 'none'.
    filters: channels in and out.
    norm: of the operation's batch norms.
    strides: 1 or 2.

  Raises:
    ValueError: if `name` is not an operation.
  """
  if name not in genotype_lib.OPERATIONS:
    raise ValueError(
      f'`name` ({name!r}) must be one of {genotype_lib.OPERATIONS}.'
    )
  primitive = genotype_lib.PRIMITIVES[name]
  size = primitive.kernel_size
  if primitive.kind == 'separable':
    return Separable(filters, size, norm, strides=strides)
  if primitive.kind == 'atrous':
    return Atrous(filters, size, primitive.atrous_rate, norm, strides=strides)
  if primitive.kind == 'skip':
    return Skip(strides)
  return Pool(primitive.kind, size, strides)


def recomputed(
  layer: tf.keras.layers.Layer, compute: Callable[..., Any], **settings
) -> Callable[..., Any]:
  """Returns a layer that forgets its inside until the backward pass.

  It is computed a second time there: less memory for more time. What it
  returns, its gradients and what moves are those of the layer: the second pass
  leaves the moving statistics of batch norm alone.

  Args:
    layer: whose inside is forgotten.
    compute: the layer or one of its methods, to be called with tensors.
    **settings: its other arguments.
  """
  num_passes = itertools.count()

  def forward(*inputs: tf.Tensor) -> Any:
    if next(num_passes) == 0:
      return compute(*inputs, **settings)
    with _still_statistics(layer):
      return compute(*inputs, **settings)

  return tf.recompute_grad(forward)


@contextlib.contextmanager
def _still_statistics(layer: tf.keras.layers.Layer) -> Iterator[None]:
  """Keeps moving statistics where they are, whatever the batch's."""
  norms = [
    module
    for module in layer.submodules
    if isinstance(module, normalization.BatchNorm)
  ]
  momenta = [norm.momentum for norm in norms]
  for norm in norms:
    norm.momentum = 1.0
  try:
    yield
  finally:
    for norm, momentum in zip(norms, momenta):
      norm.momentum = momentum
