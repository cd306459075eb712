# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a search cell computes with, its batch norms included."""

import dataclasses

import numpy as np
import tensorflow as tf

from auto_deeplab.model.ops import (
  arithmetic,
  constants,
  devices,
  normalization,
  statistics,
)

Statistics = statistics.Statistics


@dataclasses.dataclass(frozen=True, eq=False)
class CellArithmetic(arithmetic.Arithmetic):
  """Operations on the maps of one batch and size, and their batch norms.

  The batch norms have neither scale nor offset: alpha weighs a primitive, and
  takes the place of the scale. They leave the moving statistics alone, and
  return those that they used.

  Attributes:
    norm: what the batch norms have in common.
    is_training: whether they take the batch's statistics.
    biased_share: float32 scalar, the variance of a batch over that of a sample:
      (n - 1) / n for n values a channel.
  """

  _: dataclasses.KW_ONLY
  norm: normalization.NormSettings
  is_training: bool
  biased_share: tf.Tensor

  @property
  def mode(self) -> arithmetic.Arithmetic:
    """What is held for gradients, of maps of any batch."""
    return arithmetic.Arithmetic(self.has_gradient, self.holds_all)

  def normalize(
    self,
    x: tf.Tensor,
    moving: Statistics | None,
    scale: tf.Tensor | None = None,
  ) -> tuple[tf.Tensor, Statistics]:
    """Normalizes and multiplies by a scale.

    Args:
      x: `[n, h, w, c]`.
      moving: what to normalize by, `[c]`; in training the batch's own
        statistics are taken instead.
      scale: `[c]`; 1 if there is none.

    Returns:
      The map, and the statistics that it was normalized by, the variance in
      training as of a sample.
    """
    if scale is None:
      scale = self._constant(1.0, x.shape[-1])
    normalize = self._synchronized if self.norm.synchronized else self._fused
    y, used = normalize(
      self._to_be_normalized(x),
      tf.cast(scale, tf.float32),
      None if self.is_training else moving,
    )
    return tf.cast(y, x.dtype), used

  def normalize_then(
    self,
    compute: arithmetic.Computation,
    x: tf.Tensor,
    moving: Statistics | None,
    *arguments: tf.Tensor,
  ) -> tuple[tf.Tensor, Statistics]:
    """Returns `compute` of normalized `x`, and the statistics of the norm.

    As with `hold`, the backward pass holds `x`, the statistics and
    `arguments`, and makes again what lies between.

    Args:
      compute: of an `Arithmetic`, the normalized map and `arguments`.
      x: as of `normalize`.
      moving: as of `normalize`.
      *arguments: of `compute`.
    """
    is_fused = self.is_training and not self.norm.synchronized
    if not is_fused or self.holds_all or not self.has_gradient:
      y, used = self.normalize(x, moving)
      return self.hold(compute)(y, *arguments), used

    ones = self._constant(1.0, x.shape[-1])

    @tf.custom_gradient
    def forward(x: tf.Tensor, *arguments: tf.Tensor):
      taken = self._to_be_normalized(x)
      y, mean, variance, *reserved = self._fused_op(taken, ones, None)
      z = compute(arithmetic.FORWARD, tf.cast(y, x.dtype), *arguments)

      def gradients(dz: tf.Tensor, *_) -> list[tf.Tensor]:
        with tf.control_dependencies([dz]):
          taken = self._to_be_normalized(x)
          # The batch's own normalized, and what is returned is a sample's.
          biased = Statistics(mean, variance * self.biased_share)
          y, *_ = self._fused_op(taken, ones, biased)
          again = [tf.cast(y, x.dtype), *arguments]
          with tf.GradientTape() as tape:
            tape.watch(again)
            z = compute(arithmetic.HOLDING_ALL, *again)
        dy, *others = tape.gradient(z, again, dz)
        return [self._fused_gradient(dy, taken, ones, reserved, x), *others]

      return (z, mean, variance), gradients

    z, *used = forward(x, *arguments)
    return z, Statistics(*used)

  def _fused_gradient(self, dy, taken, ones, reserved, x) -> tf.Tensor:
    """Returns the gradient by what batch norm took, in the dtype of `x`."""
    dx, *_ = tf.raw_ops.FusedBatchNormGradV3(
      y_backprop=tf.cast(dy, taken.dtype),
      x=taken,
      scale=ones,
      reserve_space_1=reserved[0],
      reserve_space_2=reserved[1],
      reserve_space_3=reserved[2],
      epsilon=self.norm.epsilon,
    )
    return tf.cast(dx, x.dtype)

  def _to_be_normalized(self, x: tf.Tensor) -> tf.Tensor:
    """Returns the map in the dtype that batch norm takes it in."""
    if devices.normalizes_16_bits() and not self.norm.synchronized:
      return x
    return tf.cast(x, tf.float32)

  def _constant(self, value: float, size: int) -> tf.Tensor:
    """Returns `[size]` of the value."""
    return constants.constant(np.full(size, value), tf.float32)

  def _fused(self, x, scale, moving):
    y, mean, variance, *_ = self._fused_op(x, scale, moving)
    return y, Statistics(mean, variance)

  def _fused_op(self, x, scale, given: Statistics | None):
    """Normalizes by given statistics, or by those of the batch."""
    none = self._constant(0.0, 0)
    # Not `tf.compat.v1.nn.fused_batch_norm`, which makes constants.
    return tf.raw_ops.FusedBatchNormV3(
      x=x,
      scale=scale,
      offset=self._constant(0.0, x.shape[-1]),
      mean=none if given is None else given.mean,
      variance=none if given is None else given.variance,
      epsilon=self.norm.epsilon,
      is_training=given is None,
    )

  def _synchronized(self, x, scale, moving):
    """The same with statistics over all replicas."""
    if moving is None:
      moving = Statistics(*normalization.moments_of_replicas(x))
    factor = scale * tf.math.rsqrt(moving.variance + self.norm.epsilon)
    return x * factor - moving.mean * factor, moving


def of_batch(
  x: tf.Tensor,
  mode: arithmetic.Arithmetic,
  norm: normalization.NormSettings,
  is_training: bool,
) -> CellArithmetic:
  """Returns what to compute with on maps of the batch and size of `x`.

  Args:
    x: `[n, h, w, c]`.
    mode: what is held for gradients.
    norm: of the batch norms.
    is_training: whether they take the batch's statistics.
  """
  num_values = tf.cast(tf.size(x), tf.float32) / x.shape[-1]
  return CellArithmetic(
    mode.has_gradient,
    mode.holds_all,
    norm=norm,
    is_training=is_training,
    biased_share=1.0 - 1.0 / num_values,
  )
