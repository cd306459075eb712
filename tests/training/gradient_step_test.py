# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""One step moves its own variables, by the gradient of the mean loss."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.training import distribution, gradient_step, objectives


@pytest.fixture
def batch():
  rng = np.random.default_rng(0)
  label = rng.integers(0, 3, [2, 5, 5]).astype(np.int32)
  label[0, :3] = 255
  image = rng.normal(size=[2, 5, 5, 3]).astype(np.float32)
  return {'image': tf.constant(image), 'label': tf.constant(label)}


ONE_DEVICE = distribution.make_strategy('one_device')


def _kernel(name='kernel', strategy=ONE_DEVICE):
  with strategy.scope():
    return tf.Variable(np.eye(3, dtype=np.float32), name=name)


def _step(variables, *, weight_decay=0.0, learning_rate=0.1):
  with ONE_DEVICE.scope():
    return gradient_step.GradientStep(
      ONE_DEVICE,
      lambda x: tf.add_n([tf.einsum('nhwi,io->nhwo', x, v) for v in variables]),
      variables[:1],
      tf.keras.optimizers.SGD(learning_rate),
      weight_decay,
    )


def test_the_loss_is_the_mean_over_valid_pixels_before_the_update(batch):
  kernel = _kernel()
  expected = objectives.PixelLoss()(batch['label'], batch['image'] @ kernel)
  values = _step([kernel])(batch)
  np.testing.assert_allclose(values['loss'], expected, rtol=1e-6)


def test_only_the_step_s_own_variables_move(batch):
  moved, still = _kernel('moved'), _kernel('still')
  with tf.GradientTape() as tape:
    logits = batch['image'] @ (moved + still)
    loss = objectives.PixelLoss()(batch['label'], logits)
  gradient = tape.gradient(loss, moved)
  values = _step([moved, still])(batch)
  np.testing.assert_allclose(moved, np.eye(3) - 0.1 * gradient, atol=1e-6)
  np.testing.assert_array_equal(still, np.eye(3))
  np.testing.assert_allclose(
    values['gradient_norm'], tf.norm(gradient), rtol=1e-5
  )


def test_weight_decay_is_added_to_the_gradient(batch):
  plain, decayed = _kernel(), _kernel()
  _step([plain])(batch)
  _step([decayed], weight_decay=0.5)(batch)
  np.testing.assert_allclose(decayed, plain - 0.1 * 0.5 * np.eye(3), atol=1e-6)


def test_two_replicas_and_xla_make_the_step_of_one(batch, mirrored):
  def run(strategy, use_xla=False):
    kernel = _kernel(strategy=strategy)
    with strategy.scope():
      step = gradient_step.GradientStep(
        strategy,
        lambda x: tf.einsum('nhwi,io->nhwo', x, kernel),
        [kernel],
        tf.keras.optimizers.SGD(0.1),
        weight_decay=0.5,
        use_xla=use_xla,
      )
    dataset = tf.data.Dataset.from_tensors(batch).unbatch().batch(2)
    dataset = strategy.experimental_distribute_dataset(dataset)
    return step(next(iter(dataset)))['loss'].numpy(), kernel.numpy()

  loss, kernel = run(ONE_DEVICE)
  for other in (
    run(mirrored),
    run(ONE_DEVICE, use_xla=True),
    run(mirrored, use_xla=True),
  ):
    np.testing.assert_allclose(other[0], loss, rtol=1e-6)
    np.testing.assert_allclose(other[1], kernel, atol=1e-6)


def _log():
  names = ('weights', 'train')
  return gradient_step.StepLog(
    {name: [_kernel('first'), _kernel('second')] for name in names}
  )


def _values(loss=1.0, norms=(0.0, 1.0)):
  norm = tf.norm(norms)
  values = {'loss': loss, 'gradient_norm': norm, 'gradient_norms': norms}
  return {key: tf.constant(value) for key, value in values.items()}


def test_the_log_gives_means_and_forgets():
  log = _log()
  for step, loss in enumerate((1.0, 2.0)):
    log.add(step, 'train', _values(loss))
  assert log.flush() == {'train/loss': 1.5, 'train/gradient_norm': 1.0}
  assert log.flush() == {}


@pytest.mark.parametrize('value', ['nan', 'inf'])
def test_the_log_names_the_first_step_and_gradient_that_is_not_finite(value):
  log = _log()
  for step, norm in ((6, 1.0), (7, float(value)), (8, float('nan'))):
    log.add(step, 'weights', _values(norms=(1.0, norm)))
  with pytest.raises(gradient_step.NotFiniteError) as error:
    log.flush()
  assert str(error.value) == (
    f'weights/gradient_norm is {value} at step 7, from the gradient of '
    'second:0; the run stops, its last checkpoint is intact. A smaller '
    'learning rate, gradient clipping or float32 are what to try.'
  )
  assert log.flush() == {}


def test_the_log_names_a_loss_that_is_not_finite():
  log = _log()
  log.add(3, 'train', _values(loss=float('nan')))
  with pytest.raises(ValueError, match=r'^train/loss is nan at step 3; the'):
    log.flush()
