# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""One replica and two take the same steps of the same global batch."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.evaluation import evaluation
from auto_deeplab.model.ops import normalization
from auto_deeplab.runs import run as run_lib
from tests.experiments import runs

pytestmark = pytest.mark.slow

STEPS = 20
# Statistics of the whole batch on two replicas as on one.
RUNTIME = {
  'synchronized_batch_norm': True,
  'steps_per_loop': 1,
  'checkpoint_interval': STEPS,
}


def assert_same_curve(one, two):
  assert len(one) == len(two) > STEPS // 2
  # The curve is no flat line, and stays one over all steps.
  assert np.ptp(one) > 0.01
  np.testing.assert_allclose(two, one, atol=1e-4)


def test_two_replicas_train_and_evaluate_as_one(data_dir, tmp_path):
  parts = {
    'runtime': RUNTIME,
    'input': {'batch_size': 4},
    # What each replica draws for itself is left out.
    'segmenter': {'drop_path_keep_prob': 1.0, 'dropout_rate': 0.0},
    'schedule': {'train_steps': STEPS},
  }
  curves = []
  for name in ('one_device', 'mirrored'):
    runs.train(data_dir, tmp_path / name, {'distribution': name}, **parts)
    rows = runs.metrics(tmp_path / name)
    curves.append([r for r in rows if 'train/loss' in r])
  for column in ('train/loss', 'train/gradient_norm'):
    assert_same_curve(*([row[column] for row in rows] for rows in curves))
  one, two = (
    evaluation.run(
      run_lib.Place(str(data_dir), str(tmp_path / 'mirrored'), name)
    )
    for name in ('one_device', 'mirrored')
  )
  # Three pictures, so that the last step leaves one replica without any.
  np.testing.assert_array_equal(one.confusion_matrix, two.confusion_matrix)
  assert one.confusion_matrix.sum() > 0
  assert one.scores == two.scores
  assert one.step == two.step == STEPS


@pytest.mark.parametrize('synchronized', [True, False])
def test_synchronized_norms_count_the_values_of_all_replicas(
  mirrored, synchronized
):
  """Two of each of two replicas are four, which is enough."""
  with mirrored.scope():
    norm = normalization.NormSettings(0.9, synchronized=synchronized).layer()
    norm.build([None, None, None, 3])
  x = tf.random.stateless_normal([2, 1, 1, 3], [0, 1])

  @tf.function
  def train():
    mirrored.run(lambda: norm(x, training=True))

  train()
  has_moved = bool(np.any(norm.moving_mean.numpy()))
  assert has_moved == synchronized
