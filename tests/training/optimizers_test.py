# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Schedules by their values, decay by what it moves."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.model import segmenter as segmenter_lib
from auto_deeplab.training import objectives, optimizers
from tests import tiny


def _rates(steps, **settings):
  """What plain SGD takes off a variable whose gradient is 1, by step of 100."""
  config = configs.OptimizerConfig(momentum=0.0, **settings)
  optimizer = optimizers.make_optimizer(config, 100)
  variable = tf.Variable(0.0)
  optimizer.build([variable])
  rates = []
  for step in steps:
    optimizer.iterations.assign(step)
    variable.assign(0.0)
    optimizer.apply_gradients([(tf.constant(1.0), variable)])
    rates.append(-float(variable))
  return rates


def test_constant():
  assert _rates([0, 50, 100], learning_rate=0.5) == [0.5, 0.5, 0.5]


def test_cosine_ends_at_the_end_rate():
  rates = _rates(
    [0, 50, 100],
    schedule='cosine',
    learning_rate=0.025,
    end_learning_rate=0.001,
  )
  np.testing.assert_allclose(rates, [0.025, (0.025 + 0.001) / 2, 0.001], 1e-5)


def test_poly():
  rates = _rates([0, 50, 100], schedule='poly', learning_rate=0.1)
  np.testing.assert_allclose(rates, [0.1, 0.1 * 0.5**0.9, 0], 1e-5, 1e-8)


def test_warm_up_rises_from_0_to_the_schedule():
  rates = _rates(
    [0, 5, 10, 50], schedule='poly', learning_rate=0.1, warmup_steps=10
  )
  top = 0.1 * 0.9**0.9  # The schedule goes on below the warm-up.
  expected = [0, top / 2, top, 0.1 * 0.5**0.9]
  np.testing.assert_allclose(rates, expected, 1e-5, 1e-8)


@pytest.mark.parametrize('optimizer', configs.OPTIMIZERS)
@pytest.mark.parametrize('policy', ['float32', 'mixed_float16'])
def test_no_variable_has_a_compiled_function_where_there_is_a_gpu(
  optimizer, policy, monkeypatch
):
  tf.keras.mixed_precision.set_global_policy(policy)
  # Keras looks for one as it makes an optimizer.
  keras_config = tf.compat.v2.config
  monkeypatch.setattr(keras_config, 'list_physical_devices', lambda *_: ['GPU'])
  config = configs.OptimizerConfig(optimizer=optimizer)
  built = optimizers.make_optimizer(config, 10)
  inner = getattr(built, 'inner_optimizer', built)
  assert inner.jit_compile is False
  assert tf.keras.optimizers.SGD().jit_compile is True


@pytest.mark.parametrize('optimizer', configs.OPTIMIZERS)
def test_weight_decay_is_in_one_place_only(optimizer):
  config = configs.OptimizerConfig(optimizer=optimizer, weight_decay=0.1)
  is_decoupled = optimizer == 'adamw'
  coupled = optimizers.coupled_weight_decay(config)
  assert coupled == (0 if is_decoupled else 0.1)
  built = optimizers.make_optimizer(config, 10)
  assert built.weight_decay == (0.1 if is_decoupled else None)


def test_adamw_leaves_batch_norm_and_biases_alone():
  config = configs.OptimizerConfig(
    optimizer='adamw', learning_rate=0.1, weight_decay=0.5
  )
  optimizer = optimizers.make_optimizer(config, 10)
  names = ('conv/kernel', 'norm/gamma', 'norm/beta', 'logits/bias')
  variables = [tf.Variable([1.0], name=name) for name in names]
  optimizer.build(variables)
  optimizer.apply_gradients([(tf.zeros([1]), v) for v in variables])
  values = [float(v[0]) for v in variables]
  assert values == pytest.approx([1 - 0.1 * 0.5, 1, 1, 1])


def test_adamw_decays_what_the_others_decay():
  # Of a whole network, by the names that its variables really have.
  model = segmenter_lib.Segmenter(
    tiny.GENOTYPE, tiny.train_config().segmenter, num_classes=3
  )
  tf.function(model).get_concrete_function(
    tf.TensorSpec([1, 33, 33, 3], tf.float32)
  )
  optimizer = optimizers.make_optimizer(
    configs.OptimizerConfig(optimizer='adamw', weight_decay=0.5), 10
  )
  decayed = [optimizer._use_weight_decay(v) for v in model.trainable_variables]
  assert decayed == [
    objectives.is_decayed(v) for v in model.trainable_variables
  ]
  assert 0 < sum(decayed) < len(decayed)


@pytest.mark.parametrize('momentum', [0.0, 0.9])
@pytest.mark.parametrize('dtype', [tf.float32, tf.float64])
def test_sgd_is_that_of_keras(momentum, dtype):
  settings = {'learning_rate': 0.1, 'momentum': momentum, 'global_clipnorm': 2}
  values = []
  for kind in (optimizers.MomentumSGD, tf.keras.optimizers.SGD):
    optimizer = kind(**settings)
    variables = [
      tf.Variable([1.0, -2.0], dtype=dtype),
      tf.Variable(3.0, dtype=dtype),
    ]
    optimizer.build(variables)
    for step in range(3):
      gradients = [
        tf.fill(v.shape, tf.cast(1 + step, v.dtype)) for v in variables
      ]
      optimizer.apply_gradients(zip(gradients, variables))
    values.append([*variables, *optimizer.momentums])
  for ours, keras in zip(*values, strict=True):
    np.testing.assert_allclose(ours, keras, rtol=1e-6)


@pytest.mark.parametrize('optimizer', configs.OPTIMIZERS)
def test_clipping_is_left_to_the_step(optimizer):
  config = configs.OptimizerConfig(optimizer=optimizer, clip_norm=0.5)
  assert optimizers.make_optimizer(config, 10).global_clipnorm is None


@pytest.mark.parametrize('optimizer', configs.OPTIMIZERS)
@pytest.mark.parametrize('is_loss_scaled', [False, True])
def test_averages_follow_the_variables(optimizer, is_loss_scaled):
  config = configs.OptimizerConfig(optimizer=optimizer, learning_rate=0.1)
  policy = 'mixed_float16' if is_loss_scaled else 'float32'
  tf.keras.mixed_precision.set_global_policy(policy)
  built = optimizers.make_optimizer(config, 10, ema_momentum=0.75)
  tf.keras.mixed_precision.set_global_policy('float32')
  variables = [tf.Variable([1.0, -2.0]), tf.Variable([3.0])]
  built.build(variables)
  expected = [v.numpy() for v in variables]
  for step in range(3):
    gradients = [tf.fill(v.shape, 1.0 + step) for v in variables]
    if is_loss_scaled and step == 1:
      gradients[0] *= np.inf  # The step is skipped, and so is the average.
    before = [v.numpy() for v in variables]
    built.apply_gradients(zip(gradients, variables))
    if is_loss_scaled and step == 1:
      np.testing.assert_array_equal(variables[0], before[0])
      continue
    expected = [
      0.75 * e + 0.25 * v.numpy() for e, v in zip(expected, variables)
    ]
  for average, value in zip(optimizers.averages(built), expected, strict=True):
    np.testing.assert_allclose(average, value, rtol=1e-6)


@pytest.mark.parametrize('is_loss_scaled', [False, True])
def test_the_rates_of_the_last_step_and_of_the_next(is_loss_scaled):
  policy = 'mixed_float16' if is_loss_scaled else 'float32'
  tf.keras.mixed_precision.set_global_policy(policy)
  config = configs.OptimizerConfig(
    schedule='poly', power=1.0, learning_rate=0.5
  )
  optimizer = optimizers.make_optimizer(config, 10)
  variable = tf.Variable(0.0)
  optimizer.build([variable])
  assert optimizers.last_learning_rate(optimizer) == 0.5
  for step in range(3):
    # The second one overflows, and is skipped where losses are scaled.
    gradient = tf.constant(np.inf if step == 1 else 1.0)
    optimizer.apply_gradients([(gradient, variable)])
    last = optimizers.last_learning_rate(optimizer)
    assert float(last) == pytest.approx(0.5 * (1 - step / 10))
    coming = optimizers.learning_rate(optimizer)
    assert float(coming) == pytest.approx(0.5 * (1 - (step + 1) / 10))


@pytest.mark.parametrize('optimizer', configs.OPTIMIZERS)
def test_a_constant_rate_is_told(optimizer):
  config = configs.OptimizerConfig(optimizer=optimizer, learning_rate=0.5)
  built = optimizers.make_optimizer(config, 10)
  assert float(optimizers.last_learning_rate(built)) == 0.5


def test_there_are_no_averages_unless_asked_for():
  built = optimizers.make_optimizer(configs.OptimizerConfig(), 10)
  built.build([tf.Variable([1.0])])
  assert optimizers.averages(built) == []


def test_sgd_reads_its_rate_once_for_all_variables():
  optimizer = optimizers.make_optimizer(configs.OptimizerConfig(), 100)
  variables = [tf.Variable(0.0) for _ in range(3)]
  optimizer.build(variables)

  @tf.function
  def step():
    optimizer.apply_gradients([(tf.constant(1.0), v) for v in variables])

  operations = step.get_concrete_function().graph.get_operations()
  moves = [op for op in operations if op.type == 'ResourceApplyKerasMomentum']
  assert len(moves) == 3
  assert len({op.inputs[2].ref() for op in moves}) == 1
