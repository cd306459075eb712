# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses and metrics over pixels, with an ignore label."""

import numpy as np
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
  num_valid = _sum_over_replicas(tf.reduce_sum(weights))
  return tf.math.divide_no_nan(tf.reduce_sum(losses * weights), num_valid)


def _sum_over_replicas(x: tf.Tensor) -> tf.Tensor:
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


def confusion_matrix(
  labels: tf.Tensor,
  predictions: tf.Tensor,
  num_classes: int,
  ignore_label: int = IGNORE_LABEL,
) -> tf.Tensor:
  """Counts pixels by label (row) and prediction (column).

  Args:
    labels: integers of any shape.
    predictions: integers of the same shape.
    num_classes: number of rows and columns.
    ignore_label: label of the pixels that do not count.

  Returns:
    int64 `[num_classes, num_classes]`.
  """
  labels = tf.cast(tf.reshape(labels, [-1]), tf.int64)
  predictions = tf.cast(tf.reshape(predictions, [-1]), tf.int64)
  # One more bin takes the ignored pixels, so that shapes stay static.
  bins = tf.where(
    tf.equal(labels, ignore_label),
    tf.constant(num_classes**2, tf.int64),
    labels * num_classes + predictions,
  )
  counts = tf.math.bincount(
    tf.cast(bins, tf.int32),
    minlength=num_classes**2 + 1,
    maxlength=num_classes**2 + 1,
    dtype=tf.int64,
  )
  return tf.reshape(counts[:-1], [num_classes, num_classes])


def class_iou(matrix: np.ndarray) -> np.ndarray:
  """Intersection over union of each class.

  Args:
    matrix: `[num_classes, num_classes]` counts, rows are labels.

  Returns:
    float64 `[num_classes]`; NaN where a class has neither label nor
    prediction.
  """
  matrix = np.asarray(matrix, np.float64)
  intersection = np.diag(matrix)
  union = matrix.sum(axis=0) + matrix.sum(axis=1) - intersection
  with np.errstate(invalid='ignore'):
    return intersection / union


def mean_iou(matrix: np.ndarray) -> float:
  """Mean of `class_iou` over the classes that occur in the labels.

  Raises:
    ValueError: if the matrix is empty: no valid pixel was seen.
  """
  matrix = np.asarray(matrix)
  occurs = matrix.sum(axis=1) > 0
  if not occurs.any():
    raise ValueError('no labelled pixel was evaluated; mIoU is undefined.')
  return float(class_iou(matrix)[occurs].mean())


def pixel_accuracy(matrix: np.ndarray) -> float:
  """Share of the valid pixels that are right."""
  matrix = np.asarray(matrix)
  return float(np.trace(matrix) / matrix.sum())
