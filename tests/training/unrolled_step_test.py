# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The unrolled step follows the gradient of the loss one weight step ahead."""

import numpy as np
import tensorflow as tf

from auto_deeplab.training import (
  distribution,
  gradient_step,
  objectives,
  unrolled_step,
)

ONE_DEVICE = distribution.make_strategy('one_device')
RATE, MOMENTUM, WEIGHT_DECAY = 0.5, 0.75, 0.1


def _batch(seed):
  rng = np.random.default_rng(seed)
  label = rng.integers(0, 3, [4, 5, 5]).astype(np.int32)
  label[0, :3] = 255
  image = rng.normal(size=[4, 5, 5, 3])
  return {'image': tf.constant(image), 'label': tf.constant(label)}


BATCH_A, BATCH_B = _batch(0), _batch(1)


def _logits(image, kernel, alpha):
  """Smooth in both, of each on the other."""
  mixed = tf.nn.softmax(alpha)
  hidden = tf.tanh(tf.einsum('nhwi,io->nhwo', image, kernel))
  return mixed[0] * hidden + mixed[1] * image**2 @ kernel


class RateOfStep(tf.keras.optimizers.schedules.LearningRateSchedule):
  """Half of RATE, RATE, and so on: no step has that of another."""

  def __call__(self, step):
    return RATE / 2 * tf.cast(step + 1, tf.float32)


class Toy:
  """A network with one kernel, two alphas and a moving mean, in float64."""

  def __init__(self, strategy=ONE_DEVICE, architecture_rate=1.0, penalty=None):
    rng = np.random.default_rng(2)
    with strategy.scope():
      self.kernel = tf.Variable(rng.normal(size=[3, 3]), name='kernel')
      self.alpha = tf.Variable([0.3, -0.2], dtype=tf.float64, name='alpha')
      self.mean = tf.Variable(
        0.0,
        dtype=tf.float64,
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.MEAN,
      )
      self.weight_step = gradient_step.GradientStep(
        strategy,
        self._forward,
        [self.kernel],
        tf.keras.optimizers.SGD(RateOfStep(), momentum=MOMENTUM),
        WEIGHT_DECAY,
      )
      self.first_order = gradient_step.GradientStep(
        strategy,
        self._forward,
        [self.alpha],
        tf.keras.optimizers.SGD(architecture_rate),
        penalty=penalty and (lambda: penalty(self.alpha)),
      )
      self.step = unrolled_step.UnrolledStep(
        self.first_order, self.weight_step, [self.mean]
      )

  def _forward(self, image):
    self.mean.assign(0.9 * self.mean + 0.1 * tf.reduce_mean(image))
    return _logits(image, self.kernel, self.alpha)

  def state(self):
    """All that an architecture step must leave alone."""
    slots = self.weight_step.optimizer.variables
    return [v.numpy() for v in [self.kernel, self.mean, *slots]]


def _loss_ahead(toy, velocity, alpha):
  """L_B(w', alpha), written down once more."""
  kernel = tf.convert_to_tensor(toy.kernel)
  with tf.GradientTape() as tape:
    tape.watch(kernel)
    logits = _logits(BATCH_A['image'], kernel, alpha)
    loss = objectives.PixelLoss()(BATCH_A['label'], logits)
  gradient = tape.gradient(loss, kernel) + WEIGHT_DECAY * kernel
  ahead = kernel + MOMENTUM * velocity - RATE * gradient
  logits = _logits(BATCH_B['image'], ahead, alpha)
  return objectives.PixelLoss()(BATCH_B['label'], logits).numpy()


def _finite_differences(toy, velocity, size=1e-5):
  alpha = toy.alpha.numpy()
  return np.array(
    [
      _loss_ahead(toy, velocity, alpha + size * e)
      - _loss_ahead(toy, velocity, alpha - size * e)
      for e in np.eye(2)
    ]
  ) / (2 * size)


def test_follows_the_gradient_of_the_loss_one_weight_step_ahead():
  toy = Toy()
  toy.weight_step(BATCH_A)  # So that there is a velocity.
  (velocity,) = toy.weight_step.optimizer.momentums
  expected = _finite_differences(toy, velocity)
  before = toy.alpha.numpy()
  toy.step(BATCH_B, BATCH_A)
  moved = before - toy.alpha.numpy()
  # The step's own finite differences are wider: 0.01 of the weights.
  np.testing.assert_allclose(moved, expected, rtol=1e-3)
  toy.alpha.assign(before)
  toy.first_order(BATCH_B)
  first_order = before - toy.alpha.numpy()
  assert np.abs(first_order - expected).max() > 0.1 * np.abs(expected).max()


def test_adds_the_gradient_of_a_penalty_once():
  moved = []
  for penalty in (None, lambda alpha: 3.0 * tf.reduce_sum(alpha)):
    toy = Toy(penalty=penalty)
    before = toy.alpha.numpy()
    values = toy.step(BATCH_B, BATCH_A)
    moved.append(before - toy.alpha.numpy())
  np.testing.assert_allclose(moved[1], moved[0] + 3.0, rtol=1e-9)
  np.testing.assert_allclose(values['penalty'], 3.0 * np.sum(before))


def test_looks_at_where_the_next_weight_step_ends():
  toy = Toy(architecture_rate=0.0)
  toy.weight_step(BATCH_A)
  ahead = toy.step(BATCH_B, BATCH_A)
  toy.weight_step(BATCH_A)
  reached = toy.first_order(BATCH_B)
  np.testing.assert_allclose(ahead['loss'], reached['loss'], rtol=1e-12)


def test_nothing_but_the_architecture_moves():
  toy = Toy()
  toy.weight_step(BATCH_A)
  before = toy.state()
  assert before[1] != 0  # The moving mean.
  toy.step(BATCH_B, BATCH_A)
  for old, new in zip(before, toy.state(), strict=True):
    np.testing.assert_array_equal(new, old)


def test_two_replicas_make_the_step_of_one(mirrored):
  def run(strategy):
    toy = Toy(strategy)
    batches = [
      next(
        iter(
          strategy.experimental_distribute_dataset(
            tf.data.Dataset.from_tensors(batch).unbatch().batch(4)
          )
        )
      )
      for batch in (BATCH_A, BATCH_B)
    ]
    toy.weight_step(batches[0])
    loss = toy.step(batches[1], batches[0])['loss']
    return loss.numpy(), toy

  one, two = run(ONE_DEVICE), run(mirrored)
  np.testing.assert_allclose(two[0], one[0], rtol=1e-9)
  copies = mirrored.experimental_local_results(two[1].alpha)
  assert len(copies) == 2
  for alpha in copies:
    np.testing.assert_allclose(alpha, one[1].alpha, rtol=1e-9)
  np.testing.assert_allclose(two[1].kernel, one[1].kernel, rtol=1e-9)


def test_a_loss_that_no_weight_moves_gives_the_first_order():
  toy = Toy()
  batch = dict(BATCH_B, label=tf.fill([4, 5, 5], 255))
  values = toy.step(batch, BATCH_A)
  assert values['loss'] == 0
  assert values['gradient_norm'] == 0
