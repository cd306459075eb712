# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses over pixels, with an ignore label."""

from typing import Any

import tensorflow as tf

IGNORE_LABEL = 255


def cross_entropy(
  labels: tf.Tensor, logits: tf.Tensor, ignore_label: int = IGNORE_LABEL
) -> tf.Tensor:
  """Mean cross-entropy over the valid pixels of all replicas.

  In a replica context this is the replica's share: the sum over its own pixels
  divided by the number of valid pixels of all replicas. The shares add up to
  the mean over the global batch, however the valid pixels are spread.

  Args:
    labels: integers `[n, h, w]`.
    logits: float32 `[n, h, w, num_classes]`.
    ignore_label: label of the pixels that do not count.

  Returns:
    float32 scalar; 0 if no pixel is valid.
  """
  labels = tf.cast(labels, tf.int32)
  valid = tf.not_equal(labels, ignore_label)
  losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
    labels=tf.where(valid, labels, 0), logits=logits
  )
  weights = tf.cast(valid, losses.dtype)
  num_valid = sum_over_replicas(tf.reduce_sum(weights))
  return tf.math.divide_no_nan(tf.reduce_sum(losses * weights), num_valid)


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

  In a replica context each replica adds its share, as gradients are summed.
  """
  context = tf.distribute.get_replica_context()
  if context is not None:
    weight_decay /= context.num_replicas_in_sync
  return [
    g + weight_decay * v if is_decayed(v) else g
    for g, v in zip(gradients, variables)
  ]
