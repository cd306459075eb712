# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""One step moves its own variables, by the gradient of the mean loss."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.training import (
  distribution,
  gradient_step,
  objectives,
  optimizers,
)


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


def _run(batch, strategy=ONE_DEVICE, accumulation_steps=1, **settings):
  """Makes a step; returns it, its loss and the kernel after it."""
  kernel = _kernel(strategy=strategy)
  settings = {'optimizer': tf.keras.optimizers.SGD, **settings}
  with strategy.scope():
    step = gradient_step.GradientStep(
      strategy,
      lambda x, *index: tf.einsum('nhwi,io->nhwo', x, kernel),
      [kernel],
      settings.pop('optimizer')(0.1),
      weight_decay=0.5,
      accumulation_steps=accumulation_steps,
      **settings,
    )
  size = batch['image'].shape[0]
  dataset = tf.data.Dataset.from_tensors(batch).unbatch()
  dataset = dataset.batch(size, drop_remainder=True)
  dataset = strategy.experimental_distribute_dataset(dataset)
  values = step(next(iter(dataset)))
  return step, values, kernel


def _assert_same_step(run, other):
  for key in ('loss', 'gradient_norm'):
    np.testing.assert_allclose(other[1][key], run[1][key], rtol=1e-5)
  np.testing.assert_allclose(other[2], run[2], atol=1e-6)


def test_two_replicas_and_xla_make_the_step_of_one(batch, mirrored):
  one = _run(batch)
  for strategy, use_xla in (
    (mirrored, False),
    (ONE_DEVICE, True),
    (mirrored, True),
  ):
    _assert_same_step(one, _run(batch, strategy, use_xla=use_xla))


def _penalized(strategy, accumulation_steps, is_scaled):
  """Returns a step whose penalty is thrice the sum of a kernel, and that."""
  kernel = _kernel(strategy=strategy)
  with strategy.scope():
    optimizer = tf.keras.optimizers.SGD(0.1)
    if is_scaled:
      optimizer = tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
    step = gradient_step.GradientStep(
      strategy,
      lambda x, *index: tf.einsum('nhwi,io->nhwo', x, kernel),
      [kernel],
      optimizer,
      accumulation_steps=accumulation_steps,
      penalty=lambda: 3 * tf.reduce_sum(kernel),
    )
  return step, kernel


@pytest.mark.parametrize('is_scaled', [False, True])
@pytest.mark.parametrize('accumulation_steps', [1, 2])
def test_a_penalty_is_added_once_whatever_shares_the_batch(
  batch, mirrored, accumulation_steps, is_scaled
):
  batch = _large(batch)
  kernel = _kernel()
  with tf.GradientTape() as tape:
    loss = objectives.PixelLoss()(batch['label'], batch['image'] @ kernel)
  gradient = tape.gradient(loss, kernel) + 3
  for strategy in (ONE_DEVICE, mirrored):
    step, moved = _penalized(strategy, accumulation_steps, is_scaled)
    dataset = tf.data.Dataset.from_tensors(batch).unbatch().batch(8)
    (values,) = map(step, strategy.experimental_distribute_dataset(dataset))
    np.testing.assert_allclose(values['loss'], loss, rtol=1e-5)
    np.testing.assert_allclose(values['penalty'], 9.0)
    np.testing.assert_allclose(moved, np.eye(3) - 0.1 * gradient, atol=1e-5)


def _momentum(rate):
  return tf.keras.optimizers.SGD(rate, momentum=0.9)


def _loss_scaled(rate):
  return tf.keras.mixed_precision.LossScaleOptimizer(_momentum(rate))


@pytest.mark.parametrize('optimizer', [_momentum, _loss_scaled])
@pytest.mark.parametrize('accumulation_steps', [1, 2])
def test_the_norm_is_that_of_the_whole_gradient_before_it_is_clipped(
  batch, mirrored, optimizer, accumulation_steps
):
  batch = _large(batch)
  kernel = _kernel()
  with tf.GradientTape() as tape:
    loss = objectives.PixelLoss()(batch['label'], batch['image'] @ kernel)
    loss += 0.5 * tf.nn.l2_loss(kernel)  # As `_run` has weights decay.
  gradient = tape.gradient(loss, kernel)
  norm = tf.norm(gradient)
  expected = np.eye(3) - 0.1 * gradient * (0.1 / norm)
  for strategy in (ONE_DEVICE, mirrored):
    _, values, moved = _run(
      batch, strategy, accumulation_steps, optimizer=optimizer, clip_norm=0.1
    )
    np.testing.assert_allclose(values['gradient_norm'], norm, rtol=1e-5)
    np.testing.assert_allclose(values['gradient_norms'], [norm], rtol=1e-5)
    np.testing.assert_allclose(moved, expected, atol=1e-6)


def test_the_gradient_is_clipped_by_its_global_norm(batch):
  kernels = [_kernel('first'), _kernel('second')]
  with ONE_DEVICE.scope():
    step = gradient_step.GradientStep(
      ONE_DEVICE,
      lambda x: x @ kernels[0] + 2 * (x @ kernels[1]),
      kernels,
      tf.keras.optimizers.SGD(1.0),
      clip_norm=0.1,
    )
  values = step(batch)
  norms = values['gradient_norms']
  np.testing.assert_allclose(norms[1], 2 * norms[0], rtol=1e-5)
  np.testing.assert_allclose(
    values['gradient_norm'], np.hypot(*norms), rtol=1e-5
  )
  first, second = (float(tf.norm(np.eye(3) - kernel)) for kernel in kernels)
  assert np.hypot(first, second) == pytest.approx(0.1, rel=1e-5)
  assert second == pytest.approx(2 * first, rel=1e-5)


def test_each_gradient_is_squared_once(batch):
  step, _, _ = _run(batch, clip_norm=0.1)
  graph = step._compiled.get_concrete_function(batch).graph
  kinds = [op.type for op in graph.get_operations()]
  assert kinds.count('L2Loss') == len(step.variables)


def _large(batch):
  """Eight pictures, with unlike numbers of valid pixels."""
  rng = np.random.default_rng(1)
  image = rng.normal(size=[8, 5, 5, 3]).astype(np.float32)
  label = rng.integers(0, 3, [8, 5, 5]).astype(np.int32)
  label[rng.random(label.shape) < np.linspace(0, 1, 8)[:, None, None]] = 255
  return {'image': tf.constant(image), 'label': tf.constant(label)}


@pytest.mark.parametrize('optimizer', [_momentum, _loss_scaled])
def test_an_accumulated_step_is_that_of_the_whole_batch(
  batch, mirrored, optimizer
):
  batch = _large(batch)
  settings = {
    'optimizer': optimizer,
    'clip_norm': 0.1,
    'pixel_loss': objectives.PixelLoss([0.5, 1.0, 2.0]),
  }
  for strategy in (ONE_DEVICE, mirrored):
    whole = _run(batch, strategy, **settings)
    for number in (2, 4):
      _assert_same_step(whole, _run(batch, strategy, number, **settings))
  _assert_same_step(whole, _run(batch, mirrored, 2, use_xla=True, **settings))


def test_averages_go_by_steps_and_not_by_micro_batches(batch):
  def optimizer(rate):
    built = _loss_scaled(rate)
    built.inner_optimizer.use_ema = True
    built.inner_optimizer.ema_momentum = 0.75
    return built

  step, _, kernel = _run(
    _large(batch), accumulation_steps=4, optimizer=optimizer
  )
  (average,) = optimizers.averages(step.optimizer)
  expected = 0.75 * np.eye(3) + 0.25 * kernel.numpy()
  np.testing.assert_allclose(average, expected, atol=1e-6)
  assert np.abs(kernel - np.eye(3)).max() > 1e-3


def test_hard_pixels_are_those_of_each_micro_batch(batch):
  batch = _large(batch)
  loss = objectives.PixelLoss(hard_pixel_fraction=0.3)
  _, values, _ = _run(batch, accumulation_steps=2, pixel_loss=loss)
  halves = [{k: v[i : i + 4] for k, v in batch.items()} for i in (0, 4)]
  total = sum(loss.total(h['label'], h['image']) for h in halves)
  weight = sum(loss.weight(h['label']) for h in halves)
  np.testing.assert_allclose(values['loss'], total / weight, rtol=1e-6)


def test_accumulated_steps_forget_the_last_and_count_once(batch):
  batch = _large(batch)
  step, _, kernel = _run(batch, accumulation_steps=4)
  expected = objectives.PixelLoss()(batch['label'], batch['image'] @ kernel)
  np.testing.assert_allclose(step(batch)['loss'], expected, rtol=1e-5)
  assert step.optimizer.iterations == 2


def test_the_state_is_all_that_a_step_moves(batch):
  step, _, _ = _run(_large(batch), accumulation_steps=2, optimizer=_loss_scaled)
  names = {v.name.split('/')[-1] for v in step.state()}
  # The velocity has its kernel's name within its own; the last are the sums.
  assert {'kernel:0', 'iteration:0', 'good_steps:0', 'Variable:0'} <= names
  assert len(step.state()) == 1 + 5 + 2


def test_an_overflow_in_one_micro_batch_skips_the_step_and_no_more(batch):
  good = _large(batch)
  bad = {
    'image': tf.tensor_scatter_nd_update(
      good['image'], [[0, 0, 0, 0]], [np.inf]
    ),
    'label': good['label'],
  }
  step, values, kernel = _run(bad, accumulation_steps=4, optimizer=_loss_scaled)
  np.testing.assert_array_equal(kernel, np.eye(3))
  assert values['is_skipped']
  scale = float(step.optimizer.loss_scale)
  values = step(good)
  assert not values['is_skipped']
  assert values['gradient_norm'] > 0
  assert scale == float(step.optimizer.loss_scale) == 2**14
  _, _, expected = _run(good, optimizer=_loss_scaled)
  np.testing.assert_allclose(kernel, expected, atol=1e-6)


def _log_of_overflows(batch, strategy, limit):
  """Returns the log of 20 steps, and the kernel after them.

  A gradient by a logit that is larger than the limit becomes NaN.
  """

  @tf.custom_gradient
  def overflowing(x):
    def gradient(dy):
      is_large = tf.reduce_max(tf.abs(dy)) > limit
      return tf.where(is_large, np.nan, dy)

    return x, gradient

  kernel = _kernel(strategy=strategy)
  with strategy.scope():
    step = gradient_step.GradientStep(
      strategy,
      lambda x: overflowing(tf.einsum('nhwi,io->nhwo', x, kernel)),
      [kernel],
      _loss_scaled(0.1),
    )
  dataset = tf.data.Dataset.from_tensors(batch).unbatch().batch(2)
  (batch,) = strategy.experimental_distribute_dataset(dataset)
  log = gradient_step.StepLog({'train': [kernel]})
  for index in range(20):
    log.add(index, 'train', step(batch))
  return log, kernel


def test_overflows_are_skipped_until_the_scale_fits(batch, mirrored):
  for strategy in (ONE_DEVICE, mirrored):
    log, kernel = _log_of_overflows(batch, strategy, limit=1.0)
    values = log.flush()
    # A logit's gradient is some hundredths: 2^15 times that is too large.
    assert 5 <= values['train/skipped_steps'] < 15
    assert 0 < values['train/gradient_norm'] < 1
    assert np.abs(kernel - np.eye(3)).max() > 0


def test_a_nan_is_no_overflow_and_ends_the_run(batch, mirrored):
  for strategy in (ONE_DEVICE, mirrored):
    log, kernel = _log_of_overflows(batch, strategy, limit=0.0)
    with pytest.raises(gradient_step.NotFiniteError) as error:
      log.flush()
    # The scale is 2^15 at first, and is halved at each step.
    assert error.value.step == 15
    assert str(error.value).startswith(
      'train/gradient_norm is nan at step 15, from the gradient of kernel:0, '
      'and the loss scale has fallen to 1 already; the run stops. '
    )
    np.testing.assert_array_equal(kernel, np.eye(3))


def test_each_micro_batch_has_its_number(batch):
  batch = _large(batch)
  kernel = _kernel()
  with ONE_DEVICE.scope():
    step = gradient_step.GradientStep(
      ONE_DEVICE,
      # The loss of equal logits is log(3), that of unequal ones is not.
      lambda x, index: (x @ kernel) * tf.cast(index, tf.float32),
      [kernel],
      tf.keras.optimizers.SGD(0.1),
      accumulation_steps=2,
    )
  factors = np.repeat([0.0, 1.0], 4)[:, None, None, None]
  expected = objectives.PixelLoss()(batch['label'], batch['image'] * factors)
  np.testing.assert_allclose(step(batch)['loss'], expected, rtol=1e-5)


def test_a_network_may_sum_over_replicas_while_accumulating(batch, mirrored):
  batch = _large(batch)
  kernel = _kernel(strategy=mirrored)

  def forward(images, index):
    del index
    # As synchronized batch norm does.
    total = objectives.sum_over_replicas(tf.reduce_sum(images, axis=(0, 1, 2)))
    return tf.einsum('nhwi,io->nhwo', images - total / (4 * 5 * 5), kernel)

  with mirrored.scope():
    step = gradient_step.GradientStep(
      mirrored,
      forward,
      [kernel],
      tf.keras.optimizers.SGD(0.1),
      accumulation_steps=2,
    )
  dataset = tf.data.Dataset.from_tensors(batch)
  dataset = mirrored.experimental_distribute_dataset(dataset)
  values = step(next(iter(dataset)))
  image, label = batch['image'].numpy(), batch['label'].numpy()
  # The first half of each replica's part, then the second.
  for part in ([0, 1, 4, 5], [2, 3, 6, 7]):
    image[part] -= image[part].mean(axis=(0, 1, 2))
  expected = objectives.PixelLoss()(label, image)
  np.testing.assert_allclose(values['loss'], expected, rtol=1e-5)


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


def test_the_log_has_a_penalty_where_there_is_one():
  log = _log()
  for step, penalty in enumerate((1.0, 4.0)):
    log.add(step, 'train', _values() | {'penalty': tf.constant(penalty)})
  assert log.flush()['train/penalty'] == 2.5


def test_the_log_counts_what_was_skipped():
  log = _log()
  for step, norm in enumerate((1.0, float('inf'), float('nan'), 4.0)):
    is_skipped = tf.constant(step in (1, 2))
    values = _values(norms=(0.0, norm)) | {'is_skipped': is_skipped}
    log.add(step, 'train', values)
  assert log.flush() == {
    'train/loss': 1.0,
    'train/gradient_norm': 2.5,
    'train/skipped_steps': 2.0,
  }


def test_the_log_goes_on_within_a_loop():
  whole, first, second = _log(), _log(), _log()
  for step, loss in enumerate((0.1, 0.2, 0.3)):
    values = _values(loss=loss) | {'is_skipped': tf.constant(step != 1)}
    for log in (whole, first if step < 2 else second):
      log.add(step, 'train', values)
  first.flush()
  second.go_on_from(first.columns)
  assert second.flush() == whole.flush()
  assert second.flush() == {}


@pytest.mark.parametrize('value', ['nan', 'inf'])
def test_the_log_names_the_first_step_and_gradient_that_is_not_finite(value):
  log = _log()
  for step, norm in ((6, 1.0), (7, float(value)), (8, float('nan'))):
    log.add(step, 'weights', _values(norms=(1.0, norm)))
  with pytest.raises(gradient_step.NotFiniteError) as error:
    log.flush()
  assert str(error.value) == (
    f'weights/gradient_norm is {value} at step 7, from the gradient of '
    'second:0; the run stops. A smaller '
    'learning rate, gradient clipping or float32 are what to try.'
  )
  assert (error.value.step, error.value.tensor) == (7, 'second:0')
  assert log.flush() == {}


def test_the_log_names_a_loss_that_is_not_finite():
  log = _log()
  log.add(3, 'train', _values(loss=float('nan')))
  with pytest.raises(ValueError, match=r'^train/loss is nan at step 3; the'):
    log.flush()


@pytest.mark.parametrize('optimizer', ['sgd', 'adamw'])
def test_what_a_forward_leaves_out_stays_momentum_included(optimizer):
  used, unused = (tf.Variable([1.0, 2.0], name=n) for n in ('used', 'unused'))
  config = configs.WeightOptimizerConfig(optimizer=optimizer)
  order: list[tf.Variable] = []

  def forward(images):
    variable = order.pop(0)
    return tf.cast(images, tf.float32)[..., :2] * variable

  step = gradient_step.GradientStep(
    tf.distribute.get_strategy(),
    forward,
    [unused, used],
    optimizers.make_optimizer(config, train_steps=10),
    weight_decay=0.1,
    clip_norm=1.0,
    is_compiled=False,
  )
  batch = {
    'image': tf.ones([1, 2, 2, 3]),
    'label': tf.zeros([1, 2, 2], tf.int32),
  }
  order[:] = [unused, used, used]
  step(batch)
  after_its_own = unused.numpy()
  assert np.abs(after_its_own - [1.0, 2.0]).max() > 1e-5
  np.testing.assert_array_equal(used, [1.0, 2.0])
  values = step(batch)
  # By its momentum it would move on.
  np.testing.assert_array_equal(unused, after_its_own)
  first = used.numpy()
  assert np.abs(first - [1.0, 2.0]).max() > 1e-5
  assert values['gradient_norms'].numpy().tolist()[0] == 0
  assert values['gradient_norms'].numpy()[1] > 0
  step(batch)
  assert np.abs(used - first).max() > 1e-5
  assert int(step.optimizer.iterations) == 3
