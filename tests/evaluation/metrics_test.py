# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Metrics against scikit-learn and SciPy, and against numbers by hand."""

import numpy as np
import pytest
import scipy.ndimage
import sklearn.metrics
import tensorflow as tf

from auto_deeplab.evaluation import metrics

# Rows are labels. IoU: 3/5, 4/8, 0/2, and no pixel at all of the last.
MATRIX = np.array([[3, 1, 0, 0], [1, 4, 2, 0], [0, 0, 0, 0], [0, 0, 0, 0]])


@pytest.fixture(params=['CPU', 'GPU'])
def device(request, monkeypatch):
  """Has pixels counted as on each."""
  names = ['a GPU'] if request.param == 'GPU' else []
  monkeypatch.setattr(tf.config, 'list_logical_devices', lambda _: names)


def _pictures(num_classes=5, shape=(2, 23, 31), seed=1):
  """Labels of large regions with ignored pixels, and predictions near them."""
  generator = np.random.default_rng(seed)
  coarse = generator.integers(0, num_classes, [shape[0], 6, 8])
  labels = coarse.repeat(4, axis=1).repeat(4, axis=2)[:, : shape[1], : shape[2]]
  predictions = np.roll(labels, 1, axis=2)
  wrong = generator.random(shape) < 0.02
  predictions[wrong] = generator.integers(0, num_classes, wrong.sum())
  labels[:, 9:12, 5:9] = 255
  labels[generator.random(shape) < 0.02] = 255
  return labels, predictions


@pytest.mark.usefixtures('device')
def test_the_confusion_matrix_is_that_of_scikit_learn():
  labels, predictions = _pictures()
  valid = labels != 255
  assert 0 < valid.sum() < valid.size
  expected = sklearn.metrics.confusion_matrix(
    labels[valid], predictions[valid], labels=range(5)
  )
  matrix = metrics.confusion_matrix(labels, predictions, 5)
  assert matrix.dtype == 'int64'
  np.testing.assert_array_equal(matrix, expected)
  np.testing.assert_allclose(
    metrics.class_iou(matrix),
    sklearn.metrics.jaccard_score(
      labels[valid], predictions[valid], labels=range(5), average=None
    ),
  )


@pytest.mark.usefixtures('device')
def test_pixels_are_counted_in_int32():
  # The counting operations have no kernel for int64 on GPUs.
  count = tf.function(metrics._count).get_concrete_function(
    tf.TensorSpec([None], tf.int32), 5
  )
  operations = count.graph.get_operations()
  (counting,) = (
    op
    for op in operations
    if op.type in ('Bincount', 'DenseBincount', 'UnsortedSegmentSum')
  )
  assert counting.get_attr('T') == tf.int32
  counts = count(tf.constant([4, 0, 5, 4, 9, 4]))
  assert counts.dtype == tf.int64
  np.testing.assert_array_equal(counts, [1, 0, 0, 0, 3])


@pytest.mark.usefixtures('device')
def test_another_ignore_label():
  matrix = metrics.confusion_matrix([0, 1, 2], [0, 0, 0], 2, ignore_label=2)
  np.testing.assert_array_equal(matrix, [[1, 0], [1, 0]])


def _boundary(mask, distance):
  """As `mask_to_boundary` of Cheng et al. has it, with SciPy for OpenCV."""
  eroded = scipy.ndimage.binary_erosion(
    mask, np.ones([3, 3]), iterations=distance, border_value=0
  )
  return mask & ~eroded


@pytest.mark.usefixtures('device')
@pytest.mark.parametrize('distance', [1, 2, 5, 40])
def test_boundary_counts_are_those_of_eroded_masks(distance):
  labels, predictions = _pictures()
  predictions[labels == 255] = 255
  expected = np.zeros([3, 5], np.int64)
  for label, prediction in zip(labels, predictions):
    for c in range(5):
      near = [_boundary(x == c, distance) for x in (label, prediction)]
      expected[:, c] += [
        near[0].sum(),
        near[1].sum(),
        (near[0] & near[1]).sum(),
      ]
  counts = metrics.boundary_counts(labels, _pictures()[1], 5, distance)
  assert counts.dtype == 'int64'
  np.testing.assert_array_equal(counts, expected)
  np.testing.assert_allclose(
    metrics.class_boundary_iou(counts),
    expected[2] / (expected[0] + expected[1] - expected[2]),
  )


def test_a_picture_of_one_pixel_row_has_boundaries():
  labels = np.zeros([1, 1, 3], np.int32)
  assert metrics.near_boundary(labels, 1).numpy().all()


def test_the_distance_is_a_share_of_the_diagonal():
  assert metrics.boundary_distance([1024, 2048], 0.02) == 46
  assert metrics.boundary_distance([30, 40], 0.02) == 1
  assert metrics.boundary_distance([3, 4], 0.02) == 1


def test_a_right_prediction_scores_1_whatever_is_ignored():
  labels, _ = _pictures()
  predictions = np.where(labels == 255, 3, labels)
  scores = metrics.summarize(
    metrics.confusion_matrix(labels, predictions, 5).numpy(),
    metrics.boundary_counts(labels, predictions, 5, 2).numpy(),
    'abcde',
  )
  assert set(scores.values()) == {1.0}
  assert list(scores)[:5] == [
    'mean_iou',
    'pixel_accuracy',
    'ade20k_average',
    'mean_boundary_iou',
    'iou/a',
  ]
  assert 'boundary_iou/e' in scores


def test_scores_by_hand():
  np.testing.assert_allclose(
    metrics.class_iou(MATRIX), [3 / 5, 4 / 8, 0, np.nan]
  )
  # Over the two classes that are labelled; a false positive of the third costs
  # the second.
  assert metrics.mean_iou(MATRIX) == pytest.approx((3 / 5 + 4 / 8) / 2)
  assert metrics.pixel_accuracy(MATRIX) == pytest.approx(7 / 11)


def test_the_summary_by_hand():
  # As `MATRIX`: the third class is predicted only, the fourth not even that.
  counts = np.array([[2, 4, 0, 0], [1, 4, 1, 0], [1, 2, 0, 0]])
  scores = metrics.summarize(MATRIX, counts, ['a', 'b', 'c', 'd'])
  assert scores == pytest.approx(
    {
      'mean_iou': 0.55,
      'pixel_accuracy': 7 / 11,
      'ade20k_average': (0.55 + 7 / 11) / 2,
      'mean_boundary_iou': (1 / 2 + 2 / 6) / 2,
      'iou/a': 3 / 5,
      'iou/b': 4 / 8,
      'iou/c': 0,
      'boundary_iou/a': 1 / 2,
      'boundary_iou/b': 2 / 6,
      'boundary_iou/c': 0,
    }
  )


def test_mean_iou_of_nothing_is_refused():
  with pytest.raises(ValueError, match='no labelled pixel was evaluated; mIoU'):
    metrics.mean_iou(np.zeros([3, 3]))
