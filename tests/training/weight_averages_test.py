# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Averages of a network are what counts of it, and are found again."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.runs import trained_network
from auto_deeplab.training import (
  networks,
  optimizers,
  variable_paths,
  weight_averages,
)
from tests import tiny


class _Model(tf.keras.Model):
  """Two weights and a statistic; one of the weights is not trained."""

  def __init__(self):
    super().__init__()
    self.still = tf.Variable([5.0], trainable=False)
    self.layer = tf.keras.layers.Dense(1, name='layer')
    self.layer.build([None, 2])


@pytest.fixture
def model():
  return _Model()


@pytest.fixture
def optimizer(model):
  config = tiny.train_config().weight_optimizer
  optimizer = optimizers.make_optimizer(config, 10, ema_momentum=0.5)
  optimizer.build(model.trainable_variables)
  gradients = [tf.ones(v.shape) for v in model.trainable_variables]
  optimizer.apply_gradients(zip(gradients, model.trainable_variables))
  return optimizer


def test_averages_are_known_by_their_weights(model, optimizer):
  averages = weight_averages.of(optimizer, model)
  assert set(averages) == {'layer/kernel', 'layer/bias'}
  kernel = model.layer.kernel
  # Half of the way that the one step took: the rate times a gradient of 1.
  np.testing.assert_allclose(
    averages['layer/kernel'] - kernel, np.full([2, 1], 0.025 / 2), rtol=1e-4
  )


def test_another_network_takes_averages_and_all_else(model, optimizer):
  averages = weight_averages.of(optimizer, model)
  before = [v.numpy() for v in model.variables]
  target = _Model()
  target.still.assign([6.0])
  weight_averages.lend(model, averages, target)
  for name, average in averages.items():
    value = variable_paths.by_path(target)[name]
    np.testing.assert_array_equal(value, average)
  assert target.still.numpy() == [5]
  for variable, value in zip(model.variables, before):
    np.testing.assert_array_equal(variable, value)


def test_two_replicas_have_the_averages_too(mirrored):
  with mirrored.scope():
    model = _Model()
    optimizer = optimizers.make_optimizer(
      tiny.train_config().weight_optimizer, 10, ema_momentum=0.5
    )
    optimizer.build(model.trainable_variables)

  def step():
    gradients = [tf.ones(v.shape) for v in model.trainable_variables]
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))

  tf.function(lambda: mirrored.run(step))()
  averages = weight_averages.of(optimizer, model)
  with mirrored.scope():
    target = _Model()
  weight_averages.lend(model, averages, target)
  for value in mirrored.experimental_local_results(target.layer.kernel):
    # Each replica's gradient of 1 adds up to 2.
    moved = value - model.layer.kernel
    np.testing.assert_allclose(moved, [[0.025]] * 2, rtol=1e-4)


def test_a_checkpoint_with_averages_gives_them_to_the_network(
  model, optimizer, tmp_path
):
  objects = networks.checkpointed(model, optimizer)
  assert set(objects) == {'model', 'optimizer', 'averages'}
  step = tf.Variable(3, dtype=tf.int64)
  checkpoint = tf.train.Checkpoint(global_step=step, **objects)
  path = checkpoint.write(str(tmp_path / 'ckpt'))
  model.still.assign([6.0])
  expected = {
    name: average.numpy() for name, average in objects['averages'].items()
  }
  assert trained_network.restore(model, path) == 3
  np.testing.assert_array_equal(model.layer.kernel, expected['layer/kernel'])
  np.testing.assert_array_equal(model.layer.bias, expected['layer/bias'])
  assert model.still.numpy() == [5]


def test_averages_that_are_not_finite_are_refused(model, optimizer, tmp_path):
  objects = networks.checkpointed(model, optimizer)
  objects['averages']['layer/bias'].assign([np.nan])
  step = tf.Variable(3, dtype=tf.int64)
  checkpoint = tf.train.Checkpoint(global_step=step, **objects)
  path = checkpoint.write(str(tmp_path / 'ckpt'))
  with pytest.raises(ValueError, match=f'^checkpoint {path} has nan in '):
    trained_network.restore(model, path)


def test_a_run_without_averages_saves_none(model):
  optimizer = optimizers.make_optimizer(tiny.train_config().weight_optimizer, 9)
  optimizer.build(model.trainable_variables)
  assert set(networks.checkpointed(model, optimizer)) == {
    'model',
    'optimizer',
  }
