# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The identity, and no connection at all."""

import tensorflow as tf

from auto_deeplab.architecture import primitives
from auto_deeplab.model.ops import sizes
from auto_deeplab.model.primitives import base


class SkipLayer(tf.keras.layers.Layer):
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


@base.computes(primitives.Skip)
class Skip(base.Shared):
  """A state as it is."""

  is_normalized = False

  def layer(self, filters, norm, strides):
    return SkipLayer(strides)

  def map(self, x):
    return x


@base.computes(primitives.Nothing)
class Nothing(base.Computation):
  """Zeros, where an edge draws it; a mixture leaves it out."""

  def layer(self, filters, norm, strides):
    raise ValueError(f'{self.name!r} is no operation, and has no layer.')

  def alone(self, state, weight, kernels, moving, ops):
    return tf.zeros_like(state.x), []
