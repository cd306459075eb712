# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The loss over pixels, and weight decay."""

from collections.abc import Callable, Sequence
import dataclasses
from typing import Any

import tensorflow as tf

IGNORE_LABEL = 255


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
  """Returns minus the logarithm of the probability of the label's class."""
  return tf.nn.sparse_softmax_cross_entropy_with_logits(
    labels=labels, logits=logits
  )


# What a pixel loses, by the name that `LossConfig.kind` has: labels, int32
# [n, h, w], each a class, and logits, float32 [n, h, w, num_classes], to
# float32 [n, h, w], not negative. Which pixels count is not their matter.
KINDS: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
  'cross_entropy': cross_entropy,
}


@dataclasses.dataclass(frozen=True)
class PixelLoss:
  """What pixels lose, which of them count, and how much.

  A pixel's loss is its class's weight times that of `kind`. What counts is
  divided by the weight of what counts, of all replicas: without any option the
  loss is the mean over the valid pixels of the global batch.

  Attributes:
    class_weights: not negative, one a class; None weighs all by 1.
    hard_pixel_fraction: share, in (0, 1], of the valid pixels of each replica's
      batch that counts: those of the greatest loss, the share rounded up to
      whole pixels. Their weight is taken to be that share of the valid pixels'.
    hard_pixel_warmup_steps: steps in which that share falls from 1, linearly.
    ignore_label: label of the pixels that do not count.
    kind: a key of `KINDS`.

  Raises:
    ValueError: there is no such kind.
  """

  class_weights: Sequence[float] | None = None
  hard_pixel_fraction: float = 1.0
  hard_pixel_warmup_steps: int = 0
  ignore_label: int = IGNORE_LABEL
  kind: str = 'cross_entropy'

  def __post_init__(self):
    if self.kind not in KINDS:
      raise ValueError(
        f'`kind` ({self.kind}) of the loss is not one of {", ".join(KINDS)}.'
      )

  def total(
    self, labels: tf.Tensor, logits: tf.Tensor, step: Any = 0
  ) -> tf.Tensor:
    """Returns the sum of the losses of the pixels that count.

    Args:
      labels: integers `[n, h, w]`.
      logits: float32 `[n, h, w, num_classes]`.
      step: of the training, integer scalar.
    """
    labels = tf.cast(labels, tf.int32)
    valid = tf.not_equal(labels, self.ignore_label)
    losses = KINDS[self.kind](tf.where(valid, labels, 0), logits)
    losses *= self._weights(labels, losses.dtype)
    if self.hard_pixel_fraction == 1:
      return tf.reduce_sum(losses)
    # No loss is negative, so the pixels that do not count come last.
    losses = tf.sort(
      tf.reshape(tf.where(valid, losses, -tf.ones_like(losses)), [-1]),
      direction='DESCENDING',
    )
    is_hard = tf.range(tf.size(losses)) < self._num_hard(valid, step)
    return tf.reduce_sum(tf.where(is_hard, losses, tf.zeros_like(losses)))

  def weight(self, labels: tf.Tensor, step: Any = 0) -> tf.Tensor:
    """Returns what `total` is to be divided by, float32; arguments as there."""
    labels = tf.cast(labels, tf.int32)
    total = tf.reduce_sum(self._weights(labels, tf.float32))
    if self.hard_pixel_fraction == 1:
      return total
    valid = tf.not_equal(labels, self.ignore_label)
    num_hard = tf.cast(self._num_hard(valid, step), tf.float32)
    num_valid = tf.reduce_sum(tf.cast(valid, tf.float32))
    return total * tf.math.divide_no_nan(num_hard, num_valid)

  def __call__(
    self,
    labels: tf.Tensor,
    logits: tf.Tensor,
    step: Any = 0,
    weight: tf.Tensor | None = None,
  ) -> tf.Tensor:
    """Returns the replica's share of the loss; arguments as of `total`.

    The sum over its own pixels divided by `weight`, which by default is that of
    all replicas: the shares add up to the mean over the global batch, however
    the valid pixels are spread. 0 if no pixel counts.
    """
    total = self.total(labels, logits, step)
    if weight is None:
      weight = sum_over_replicas(self.weight(labels, step))
    return tf.math.divide_no_nan(total, tf.cast(weight, total.dtype))

  def _weights(self, labels: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Returns the weight of each pixel, 0 where the label is ignored."""
    valid = tf.not_equal(labels, self.ignore_label)
    weights = tf.cast(valid, dtype)
    if self.class_weights is not None:
      table = tf.constant(list(self.class_weights), dtype)
      weights *= tf.gather(table, tf.where(valid, labels, 0))
    return weights

  def _num_hard(self, valid: tf.Tensor, step: Any) -> tf.Tensor:
    """Returns how many of the valid pixels count, int32."""
    fraction = tf.constant(self.hard_pixel_fraction)
    if self.hard_pixel_warmup_steps:
      progress = tf.cast(step, tf.float32) / self.hard_pixel_warmup_steps
      fraction = 1.0 - tf.minimum(progress, 1.0) * (1.0 - fraction)
    num_valid = tf.reduce_sum(tf.cast(valid, tf.int32))
    num_hard = tf.math.ceil(fraction * tf.cast(num_valid, tf.float32))
    return tf.minimum(tf.cast(num_hard, tf.int32), num_valid)


def sum_over_replicas(x: Any) -> Any:
  """Returns the sum of each tensor of a structure over the replicas."""
  context = tf.distribute.get_replica_context()
  if context is None or context.num_replicas_in_sync == 1:
    return x
  return context.all_reduce(tf.distribute.ReduceOp.SUM, x)


def is_decayed(variable: tf.Variable) -> bool:
  """Whether weight decay applies: to kernels, not to batch norm and biases."""
  suffix = variable.name.rsplit('/', maxsplit=1)[-1].split(':')[0]
  return suffix not in ('gamma', 'beta', 'bias')


def add_weight_decay(
  gradients: list[tf.Tensor],
  variables: list[tf.Variable],
  weight_decay: float,
) -> list[tf.Tensor]:
  """Adds the gradient of wd/2 * sum(w^2) over the decayed variables.

  Args:
    gradients: summed over the replicas already.
    variables: that they are of.
    weight_decay: wd.
  """
  # One constant, not one for each variable.
  factors = {v.dtype: tf.constant(weight_decay, v.dtype) for v in variables}
  return [
    g + factors[v.dtype] * v if is_decayed(v) else g
    for g, v in zip(gradients, variables)
  ]
