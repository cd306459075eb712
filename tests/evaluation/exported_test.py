# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Labels alone are evaluated as the network that says them."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.data.records import tfrecord
from auto_deeplab.evaluation import evaluator, exported
from auto_deeplab.training import distribution
from tests import tiny


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  path = tmp_path_factory.mktemp('exported')
  tiny.write_data(path)
  tiny.write_unlabelled_data(path)
  return path


@pytest.fixture(scope='module')
def class_names(folder):
  return tfrecord.load_info(folder / 'data').class_names


def bands(picture: np.ndarray) -> np.ndarray:
  """Labels that are right here and there: three bands from top to bottom."""
  height, width, _ = picture.shape
  rows = np.arange(height) * 3 // height
  return np.repeat(rows[:, np.newaxis], width, axis=1).astype(np.uint8)


def test_scores_are_those_of_a_network_that_says_the_same(folder, class_names):
  def network(images, training):
    shape = tf.shape(images)[:3]
    rows = tf.range(shape[1]) * 3 // shape[1]
    labels = tf.broadcast_to(rows[:, tf.newaxis], shape)
    return tf.one_hot(labels, len(class_names))

  evaluate = evaluator.make_evaluator(
    distribution.make_strategy('one_device'),
    network,  # type: ignore[arg-type]
    folder / 'data',
    'val',
  )
  expected = evaluate.evaluate(tf.constant(-1))
  found = exported.evaluate(bands, class_names, folder / 'data', 'val')
  assert found.scores == pytest.approx(expected)
  np.testing.assert_array_equal(
    found.confusion_matrix, evaluate.confusion_matrix
  )


def test_writes_predictions_of_pictures_without_labels(
  folder, class_names, tmp_path
):
  found = exported.evaluate(
    bands,
    class_names,
    folder / 'unlabelled',
    'test',
    predictions_dir=tmp_path / 'results',
  )
  assert (found.scores, found.num_predictions) == ({}, 3)
  assert len(list((tmp_path / 'results').iterdir())) == 3


def test_needs_labels_to_compare_with(folder, class_names):
  with pytest.raises(ValueError, match='has no labels to compare with'):
    exported.evaluate(bands, class_names, folder / 'unlabelled', 'test')


def test_refuses_other_classes(folder):
  with pytest.raises(ValueError, match=r"the network was .* on \('sea',\)"):
    exported.evaluate(bands, ['sea'], folder / 'data', 'val')


@pytest.mark.parametrize(
  'setting', [{'scales': (0.5, 1.0)}, {'use_flip': True}, {'long_side': 50}]
)
def test_refuses_what_would_change_the_labels(folder, class_names, setting):
  (name,) = setting
  with pytest.raises(ValueError, match=f'`EvalConfig.{name}` .* is not for'):
    exported.evaluate(
      bands,
      class_names,
      folder / 'data',
      'val',
      configs.EvalConfig(**setting),
    )
