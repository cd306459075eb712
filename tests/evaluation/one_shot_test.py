# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Architectures are scored by the weights of one supernet, which stays."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import discretization
from auto_deeplab.evaluation import metrics, one_shot
from auto_deeplab.model import supernet as supernet_lib
from tests import tiny

CLASSES = 3


def batches(number):
  rng = np.random.default_rng(0)
  return [
    {
      'image': tf.constant(rng.integers(0, 256, [2, 33, 33, 3], np.uint8)),
      'label': tf.constant(rng.integers(0, CLASSES, [2, 33, 33], np.uint8)),
    }
    for _ in range(number)
  ]


@pytest.fixture(scope='module')
def net():
  tf.keras.utils.set_random_seed(1)
  config = configs.SupernetConfig(
    num_layers=tiny.GENOTYPE.num_layers,
    num_blocks=tiny.GENOTYPE.num_blocks,
    filter_multiplier=2,
    stem_filters=(4, 4, 8),
    init_stddev=1.0,
  )
  net = supernet_lib.Supernet(config, CLASSES)
  net(batches(1)[0]['image'])
  for head in net.heads:
    head.logits.kernel.assign(head.logits.kernel * 100)
  return net


@pytest.fixture(scope='module')
def scores(net):
  strategy = tf.distribute.get_strategy()
  return one_shot.OneShot(net, strategy, batches(2), CLASSES)


def by_hand(net, **settings):
  losses, matrix = [], np.zeros([CLASSES, CLASSES])
  for batch in batches(2):
    logits = net(batch['image'], training=True, **settings)
    labels = tf.cast(batch['label'], tf.int32)
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    losses.append(float(tf.reduce_mean(loss)))
    predictions = tf.argmax(logits, axis=-1)
    matrix += metrics.confusion_matrix(labels, predictions, CLASSES).numpy()
  return {'loss': np.mean(losses), 'mean_iou': metrics.mean_iou(matrix)}


def test_the_mixture_is_the_supernet_as_it_is(net, scores):
  assert scores.score_mixture() == pytest.approx(by_hand(net), rel=1e-4)


def test_a_genotype_is_scored_alone(net, scores):
  weights = discretization.weights(tiny.GENOTYPE)
  found = scores.score(weights)
  expected = by_hand(net, weights=tuple(map(tf.constant, weights)))
  assert found == pytest.approx(expected, rel=1e-4)
  assert found['loss'] != pytest.approx(
    scores.score_mixture()['loss'], rel=0.01
  )


def test_nothing_of_the_supernet_moves(net, scores):
  before = [variable.numpy() for variable in net.variables]
  scores.score_mixture()
  for variable, value in zip(net.variables, before, strict=True):
    np.testing.assert_array_equal(variable, value, variable.name)
