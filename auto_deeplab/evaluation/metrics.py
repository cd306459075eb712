# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Metrics: counts of pixels that add up over pictures, and what follows.

The counts are int64 tensors of a batch, to be summed over replicas and steps;
the scores are NumPy's, of the sums.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from auto_deeplab.data import datasets
from auto_deeplab.model.ops import devices

# Counting --------------------------------------------------------------------


def confusion_matrix(
  labels: tf.Tensor,
  predictions: tf.Tensor,
  num_classes: int,
  ignore_label: int = datasets.IGNORE_LABEL,
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
  labels = tf.cast(labels, tf.int32)
  cells = labels * num_classes + tf.cast(predictions, tf.int32)
  cells = tf.where(tf.equal(labels, ignore_label), num_classes**2, cells)
  counts = _count(cells, num_classes**2)
  return tf.reshape(counts, [num_classes, num_classes])


def boundary_counts(
  labels: tf.Tensor,
  predictions: tf.Tensor,
  num_classes: int,
  distance: tf.Tensor | int,
  ignore_label: int = datasets.IGNORE_LABEL,
) -> tf.Tensor:
  """Counts the pixels near the boundaries of each class.

  What is ignored in the labels is taken out of the predictions too, so that it
  bounds both alike.

  Args:
    labels: integers `[n, h, w]`.
    predictions: integers of the same shape.
    num_classes: number of columns.
    distance: int32 scalar, see `near_boundary`.
    ignore_label: label of the pixels that belong to no class.

  Returns:
    int64 `[3, num_classes]`: pixels near the boundary of a class in the labels,
    in the predictions, in both.
  """
  labels = tf.cast(labels, tf.int32)
  is_ignored = tf.equal(labels, ignore_label)
  predictions = tf.where(is_ignored, labels, tf.cast(predictions, tf.int32))
  near_label = near_boundary(labels, distance)
  near_prediction = near_boundary(predictions, distance)
  both = near_label & near_prediction & tf.equal(labels, predictions)

  def count(classes: tf.Tensor, is_near: tf.Tensor) -> tf.Tensor:
    is_counted = is_near & ~is_ignored
    return _count(tf.where(is_counted, classes, num_classes), num_classes)

  return tf.stack(
    [
      count(labels, near_label),
      count(predictions, near_prediction),
      count(labels, both),
    ]
  )


def boundary_distance(size: tf.Tensor, ratio: float) -> tf.Tensor:
  """Returns the distance for pictures of a size, int32 [], at least 1.

  Args:
    size: int32 `[2]`, (height, width) in pixels.
    ratio: share of the diagonal.
  """
  diagonal = tf.norm(tf.cast(size, tf.float32))
  return tf.maximum(tf.cast(tf.round(ratio * diagonal), tf.int32), 1)


def near_boundary(labels: tf.Tensor, distance: tf.Tensor | int) -> tf.Tensor:
  """Tells the pixels that are near another label or the picture's border.

  The square of 2 * distance + 1 pixels around each is not of one label. For
  every class at once that is its mask less the mask eroded `distance` times by
  3x3 pixels, as Cheng et al. (CVPR 2021) define it: a square holds a boundary
  within, or a row of it changes, or its middle column does.

  Args:
    labels: integers `[n, h, w]`.
    distance: int32 scalar, at least 1.

  Returns:
    bool `[n, h, w]`.
  """
  height, width = tf.shape(labels)[1], tf.shape(labels)[2]
  rows = _any_within(
    labels[:, :, 1:] != labels[:, :, :-1], 2, width, distance, distance - 1
  )
  rows = _any_within(rows, 1, height, distance, distance)
  columns = _any_within(
    labels[:, 1:] != labels[:, :-1], 1, height, distance, distance - 1
  )
  is_border = ~(
    _is_inside(height, distance)[:, tf.newaxis] & _is_inside(width, distance)
  )
  return rows | columns | is_border


def _any_within(flags, axis: int, length, before, after) -> tf.Tensor:
  """Whether any flag is set from i - before to i + after, for i < length."""
  sums = tf.cumsum(tf.cast(flags, tf.int32), axis)
  paddings = [[int(i == axis), 0] for i in range(3)]
  sums = tf.pad(sums, paddings)
  index = tf.range(length)
  last = tf.shape(flags)[axis]
  first = tf.gather(sums, tf.maximum(index - before, 0), axis=axis)
  end = tf.gather(sums, tf.minimum(index + after + 1, last), axis=axis)
  return end > first


def _is_inside(length, distance) -> tf.Tensor:
  index = tf.range(length)
  return (index >= distance) & (index < length - distance)


def _count(bins: tf.Tensor, num_bins: int) -> tf.Tensor:
  """Counts each of 0..num_bins - 1; a larger value is not counted.

  Counts in int32, which GPUs can and which holds the pixels of any picture.
  """
  # One more bin takes what does not count, so that shapes stay static.
  bins = tf.minimum(tf.reshape(bins, [-1]), num_bins)
  size = num_bins + 1
  if devices.counts_by_bincount():
    counts = tf.math.bincount(
      bins, minlength=size, maxlength=size, dtype=tf.int32
    )
  else:
    counts = tf.math.unsorted_segment_sum(tf.ones_like(bins), bins, size)
  return tf.cast(counts[:-1], tf.int64)


# Scores ----------------------------------------------------------------------


def class_iou(matrix: np.ndarray) -> np.ndarray:
  """Intersection over union of each class.

  Args:
    matrix: `[num_classes, num_classes]` counts, rows are labels.

  Returns:
    float64 `[num_classes]`; NaN where a class has neither label nor
    prediction.
  """
  matrix = np.asarray(matrix)
  return _iou(matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix))


def class_boundary_iou(counts: np.ndarray) -> np.ndarray:
  """The same of the pixels near boundaries, of `boundary_counts`."""
  return _iou(*np.asarray(counts))


def _iou(labels, predictions, both) -> np.ndarray:
  with np.errstate(invalid='ignore'):
    return both / (labels + predictions - both)


def mean_iou(matrix: np.ndarray) -> float:
  """Mean of `class_iou` over the classes that occur in the labels.

  Raises:
    ValueError: if the matrix is empty: no valid pixel was seen.
  """
  return float(class_iou(matrix)[_occurring(matrix)].mean())


def mean_boundary_iou(counts: np.ndarray, matrix: np.ndarray) -> float:
  """Mean of `class_boundary_iou` over the same classes as `mean_iou`.

  A class that occurs has a boundary, if only at the border of the picture or
  of what is ignored.
  """
  return float(class_boundary_iou(counts)[_occurring(matrix)].mean())


def _occurring(matrix: np.ndarray) -> np.ndarray:
  occurs = np.asarray(matrix).sum(axis=1) > 0
  if not occurs.any():
    raise ValueError('no labelled pixel was evaluated; mIoU is undefined.')
  return occurs


def pixel_accuracy(matrix: np.ndarray) -> float:
  """Share of the valid pixels that are right."""
  matrix = np.asarray(matrix)
  return float(np.trace(matrix) / matrix.sum())


def summarize(
  matrix: np.ndarray, boundaries: np.ndarray, class_names: Sequence[str]
) -> dict[str, float]:
  """Returns all scores by name, in [0, 1].

  `ade20k_average`, by which the ADE20K benchmark ranks, is the mean of
  `mean_iou` and `pixel_accuracy`.

  Args:
    matrix: `[num_classes, num_classes]`, of `confusion_matrix`.
    boundaries: `[3, num_classes]`, of `boundary_counts`.
    class_names: in the matrix' order; a class without label or prediction
      has no IoU and is left out.
  """
  scores = {
    'mean_iou': mean_iou(matrix),
    'pixel_accuracy': pixel_accuracy(matrix),
  }
  scores['ade20k_average'] = (scores['mean_iou'] + scores['pixel_accuracy']) / 2
  scores['mean_boundary_iou'] = mean_boundary_iou(boundaries, matrix)
  for kind, values in (
    ('iou', class_iou(matrix)),
    ('boundary_iou', class_boundary_iou(boundaries)),
  ):
    for name, value in zip(class_names, values):
      if not np.isnan(value):
        scores[f'{kind}/{name}'] = float(value)
  return scores
