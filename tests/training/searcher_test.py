# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Weights and architecture move in turn, and nothing else moves."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.data.input import input_pipeline
from auto_deeplab.data.records import tfrecord
from auto_deeplab.experiments import search as search_lib
from auto_deeplab.runs import run as run_lib
from auto_deeplab.training import distribution, gradient_step, unrolled_step
from tests import tiny

pytestmark = pytest.mark.slow

ARCH_START_STEP = 2


def _config(**schedule):
  return tiny.search_config(
    schedule={'arch_start_step': ARCH_START_STEP, **schedule}
  )


def _halves(data_dir, strategy, config, first_step=0):
  place = run_lib.Place(str(data_dir), run_dir='')
  return search_lib.distribute_halves(strategy, config, place, first_step)


def _make(data_dir, strategy, **schedule):
  config = _config(**schedule)
  halves = _halves(data_dir, strategy, config)
  with strategy.scope():
    return search_lib.make_searcher(
      config, tfrecord.load_info(data_dir), strategy, *halves
    )


@pytest.fixture(scope='module')
def search(data_dir):
  """A built search; tests leave it as changed as they like."""
  return _make(data_dir, distribution.make_strategy('one_device'))


def _batches(search):
  """Returns the first batch of each half."""
  return next(iter(search.train_dataset)), next(iter(search._dataset_b))


def _values(variables):
  return [v.numpy() for v in variables]


def _have_moved(variables, before):
  return [not np.array_equal(v, b) for v, b in zip(variables, before)]


def _saved_values(search, strategy):
  """Returns every value that a checkpoint would hold, on each replica.

  By its path among the objects of the checkpoint, and not by `state`.
  """
  checkpoint = tf.train.Checkpoint(
    global_step=search.global_step,
    model=search.supernet,
    weight_optimizer=search.weight_step.optimizer,
    architecture_optimizer=search.architecture_step.optimizer,
  )
  values = {}
  for index, variable in enumerate(
    part
    for part in tf.train.TrackableView(checkpoint).descendants()
    if isinstance(part, tf.Variable)
  ):
    for replica, part in enumerate(
      strategy.experimental_local_results(variable)
    ):
      values[index, variable.name, replica] = part.numpy()
  return values


@pytest.mark.parametrize(
  ('distribution_name', 'precision'),
  [('one_device', 'float32'), ('mirrored', 'mixed_float16')],
)
def test_rehearsal_leaves_every_variable_as_it_was(
  data_dir, distribution_name, precision
):
  strategy = distribution.make_strategy(distribution_name)
  tf.keras.mixed_precision.set_global_policy(precision)
  search = _make(data_dir, strategy)
  # As if it were resumed: with moments, rates and counters of former steps.
  search.train(tf.constant(ARCH_START_STEP + 1))
  before = _saved_values(search, strategy)
  found = {name.split('/')[-1] for _, name, _ in before}
  expected = {
    'moving_mean:0',
    'alphas:0',
    'betas:0',
    'iteration:0',
    'current_learning_rate:0',
  }
  if precision == 'mixed_float16':
    expected |= {'good_steps:0', 'current_loss_scale:0'}
  assert expected <= found
  assert len(search.state()) == len({index for index, *_ in before}) - 1
  search.rehearse()
  after = _saved_values(search, strategy)
  assert after.keys() == before.keys()
  for key, value in before.items():
    np.testing.assert_array_equal(after[key], value, err_msg=str(key))


def test_each_step_moves_its_own_variables(search):
  supernet = search.supernet
  weights, arch = supernet.weight_variables, supernet.arch_variables
  batch_a, batch_b = _batches(search)
  old_weights, old_arch = _values(weights), _values(arch)
  search.weight_step(batch_a)
  assert any(_have_moved(weights, old_weights))
  assert not any(_have_moved(arch, old_arch))
  old_weights = _values(weights)
  search.architecture_step(batch_b)
  assert not any(_have_moved(weights, old_weights))
  assert all(_have_moved(arch, old_arch))


def test_architecture_steps_begin_at_their_step(search):
  arch = search.supernet.arch_variables
  assert int(search.global_step) == 0
  for step in range(ARCH_START_STEP + 2):
    before = _values(arch)
    output = search.train(tf.constant(1))
    begun = step >= ARCH_START_STEP
    assert all(_have_moved(arch, before)) == begun, step
    assert ('architecture/gradient_norm' in output) == begun
    assert int(search.global_step) == step + 1
    assert {
      'weights/loss',
      'weights/gradient_norm',
      'weights/learning_rate',
      'architecture/loss',
      'architecture/learning_rate',
      'entropy/alpha',
      'entropy/beta',
    } <= set(output)


@pytest.mark.parametrize('kind', ['search', 'unrolled'])
def test_the_loss_on_b_is_that_of_a_step_that_moves_nothing(kind, request):
  search = request.getfixturevalue(kind)
  strategy = search.weight_step.strategy
  batch_a, batch_b = _batches(search)
  before = _saved_values(search, strategy)
  values = search._loss_on_b(batch_a)
  for key, value in _saved_values(search, strategy).items():
    np.testing.assert_array_equal(value, before[key], err_msg=str(key))
  batches = (batch_b, batch_a) if kind == 'unrolled' else (batch_b,)
  loss = float(search.architecture_step(*batches)['loss'])
  assert values == {'architecture/loss': loss}


def test_a_nan_on_b_is_no_loss_to_go_on_with(search, monkeypatch):
  nan = tf.constant(float('nan'))
  values = {'loss': nan, 'gradient_norm': nan, 'gradient_norms': nan[None]}
  monkeypatch.setattr(search, 'architecture_step', lambda _: values)
  monkeypatch.setattr(search.architecture_step, 'state', list, raising=False)
  monkeypatch.setattr(search.architecture_step, 'variables', [], raising=False)
  with pytest.raises(
    gradient_step.NotFiniteError, match=r'^architecture/loss is nan at step'
  ):
    search._loss_on_b({})


class _Counted:
  """A data set that counts the batches that are asked of it."""

  def __init__(self, dataset):
    self._dataset = dataset
    self.count = 0

  def __iter__(self):
    for batch in self._dataset:
      self.count += 1
      yield batch


def test_b_is_not_read_before_it_is_needed(data_dir):
  search = _make(data_dir, distribution.make_strategy('one_device'))
  search._dataset_b = counted = _Counted(search._dataset_b)
  counts = []
  for _ in range(ARCH_START_STEP + 2):
    search.train(tf.constant(1))
    counts.append(counted.count)
  # One batch to look at; then the same again, as the first to move by.
  assert counts == [1] * ARCH_START_STEP + [2, 3]


@pytest.mark.parametrize('first_step', [0, 1, 3])
def test_step_t_takes_batch_t_of_each_half(data_dir, first_step):
  strategy = distribution.make_strategy('one_device')
  config = _config()
  found = _halves(data_dir, strategy, config, first_step)
  for half, dataset, first in zip(
    'AB', found, (first_step, max(first_step, ARCH_START_STEP)), strict=True
  ):
    whole = input_pipeline.train_dataset(
      data_dir, 'train', config.input, seed=config.runtime.seed, half=half
    )
    expected = list(whole.take(first + 2))[first:]
    for batch, other in zip(dataset, expected):
      np.testing.assert_array_equal(batch['image'], other['image'])


def test_replicas_keep_the_same_alphas_and_betas(data_dir, mirrored):
  search = _make(data_dir, mirrored, arch_start_step=0)
  before = _values(search.supernet.arch_variables)
  search.train(tf.constant(1))
  assert all(_have_moved(search.supernet.arch_variables, before))
  for variable in search.supernet.arch_variables:
    one, two = mirrored.experimental_local_results(variable)
    np.testing.assert_array_equal(one.numpy(), two.numpy())


@pytest.fixture(scope='module')
def unrolled(data_dir):
  """The same of second order."""
  strategy = distribution.make_strategy('one_device')
  return _make(data_dir, strategy, unrolled=True, arch_start_step=1)


def test_an_unrolled_step_moves_alphas_and_betas_alone(unrolled):
  search = unrolled
  batch_a, batch_b = _batches(search)
  search.weight_step(batch_a)
  arch = search.supernet.arch_variables
  kept = [*search.supernet.variables, *search.weight_step.optimizer.variables]
  kept = [v for v in kept if not any(v is a for a in arch)]
  assert any('moving_mean' in v.name for v in kept)
  before, old_arch = _values(kept), _values(arch)
  values = search.architecture_step(batch_b, batch_a)
  assert np.isfinite(values['gradient_norm'])
  assert all(_have_moved(arch, old_arch))
  for variable, old in zip(kept, before):
    np.testing.assert_array_equal(variable, old, err_msg=variable.name)


def test_an_unrolled_step_comes_before_the_weight_step_it_looks_at(
  unrolled, monkeypatch
):
  calls = []
  values = {'loss': 1.0, 'gradient_norm': 1.0, 'gradient_norms': [1.0]}

  def recorder(name):
    def call(self, *batches):
      calls.append((name, *(id(b) for b in batches)))
      return values

    return call

  monkeypatch.setattr(gradient_step.GradientStep, '__call__', recorder('w'))
  monkeypatch.setattr(unrolled_step.UnrolledStep, '__call__', recorder('a'))
  unrolled.train(tf.constant(2))
  assert [name for name, *_ in calls] == ['w', 'a', 'w']
  assert calls[1][2] == calls[2][1]
