# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Batch norm: what its uses have in common, and the layer."""

from collections.abc import Callable
import dataclasses
import enum

import tensorflow as tf

from auto_deeplab.model.ops import devices

# The fewest values that batch norm takes statistics of. Of one the variance is
# 0; two become 1 and -1, whatever they are.
MIN_NORM_VALUES = 4


@dataclasses.dataclass(frozen=True)
class NormSettings:
  """What the batch norms of one part of a network have in common.

  Attributes:
    momentum: decay of the moving statistics, in (0, 1).
    epsilon: added to the variance.
    synchronized: whether training statistics are taken over all replicas.
    frozen: whether training, too, takes the moving statistics and leaves them,
      scale and offset as they are.
  """

  momentum: float = 0.9997
  epsilon: float = 1e-3
  synchronized: bool = False
  frozen: bool = False

  def layer(self) -> tf.keras.layers.Layer:
    """Returns a batch norm; its variables and sums are float32 in any case."""
    return BatchNorm(
      momentum=self.momentum,
      epsilon=self.epsilon,
      synchronized=self.synchronized,
      # Keras' batch norm also stays in inference mode where this is False.
      trainable=not self.frozen,
      dtype=self._dtype(),
    )

  def _dtype(self) -> tf.DType | None:
    """Returns float32, or None for that of the policy."""
    # Sums over replicas are of the dtype of the maps.
    if devices.normalizes_16_bits() and not self.synchronized:
      return None
    return tf.float32


class Pass(enum.Enum):
  """What a layer may be given as `training`, besides True, False and None.

  Attributes:
    AGAIN: training once more, on a batch whose statistics have been kept: the
      moving ones stay as they are.
  """

  AGAIN = enum.auto()


class BatchNorm(tf.keras.layers.BatchNormalization):
  """Keras' batch norm, of `MIN_NORM_VALUES` values a channel at least.

  Where a step has fewer, as image pooling has of a batch of 1, it takes the
  moving statistics as inference does, and leaves them: those that a training
  from scratch begins with, 0 and 1, normalize nothing.
  """

  def call(self, inputs: tf.Tensor, training=None) -> tf.Tensor:
    """Normalizes `[n, h, w, c]`; of statistics as the class says."""
    if not training or not self.trainable:
      return super().call(inputs, training=False)
    has_enough = self._has_enough_values(inputs)
    if training is not Pass.AGAIN:
      return super().call(inputs, training=has_enough)
    return _either(
      has_enough,
      lambda: self._normalized_by_batch(inputs),
      lambda: super(BatchNorm, self).call(inputs, training=False),
    )

  def _normalized_by_batch(self, x: tf.Tensor) -> tf.Tensor:
    """As in training, but that the moving statistics stay as they are."""
    if self.synchronized:
      moments = moments_of_replicas(x)
      return tf.nn.batch_normalization(
        x, *moments, self.beta, self.gamma, self.epsilon
      )
    y, *_ = tf.compat.v1.nn.fused_batch_norm(
      x, self.gamma, self.beta, epsilon=self.epsilon
    )
    return y

  def _has_enough_values(self, x: tf.Tensor) -> bool | tf.Tensor:
    """Returns a scalar tensor where sizes are unknown while tracing."""
    context = tf.distribute.get_replica_context()
    num_replicas = 1
    if self.synchronized and context is not None:
      num_replicas = context.num_replicas_in_sync
    size = x.shape.num_elements()
    if size is None:
      size = tf.size(x)
    return size // x.shape[-1] * num_replicas >= MIN_NORM_VALUES


def _either(
  condition: bool | tf.Tensor,
  if_true: Callable[[], tf.Tensor],
  if_false: Callable[[], tf.Tensor],
) -> tf.Tensor:
  """As `tf.cond`, of a condition that may be known while tracing."""
  if isinstance(condition, bool):
    return if_true() if condition else if_false()
  return tf.cond(condition, if_true, if_false)


def moments_of_replicas(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns mean and variance over all replicas' batches, each `[c]`.

  Args:
    x: float32 `[n, h, w, c]`, of this replica, of as many values on each.
  """
  mean = tf.reduce_mean(x, axis=[0, 1, 2])
  square = tf.reduce_mean(tf.square(x), axis=[0, 1, 2])
  context = tf.distribute.get_replica_context()
  # None while the variables are made, under the strategy's scope alone.
  if context is not None:
    mean, square = context.all_reduce(
      tf.distribute.ReduceOp.MEAN, [mean, square]
    )
  return mean, square - tf.square(mean)
