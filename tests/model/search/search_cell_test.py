# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The search cell against a plain one, edge by edge."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import primitives
from auto_deeplab.model import primitives as model_primitives
from auto_deeplab.model.ops import (
  arithmetic,
  cell_arithmetic,
  devices,
  normalization,
  statistics,
)
from auto_deeplab.model.search import (
  relaxed_cell,
  search_cell,
)
from tests.model.search import plain_cell
from tests.model.search.plain_cell import assert_close, gradients_of, random_map

# Momentum 0: the moving statistics are those of the last batch.
NORM = normalization.NormSettings(momentum=0.0)
BLOCKS = 3
FILTERS = plain_cell.FILTERS
EDGES = genotype_lib.edges(BLOCKS)
PRIMITIVES = primitives.PAPER


def random_alpha():
  logits = tf.random.stateless_normal([len(EDGES), len(PRIMITIVES)], [5, 5])
  return tf.nn.softmax(logits)


def make_cell(num_blocks=BLOCKS, norm=NORM, **settings):
  tf.keras.utils.set_random_seed(3)
  cell = search_cell.SearchCell(num_blocks, FILTERS, norm, **settings)
  cell.build([None, None, None, FILTERS])
  return cell


def run(cell, inputs, previous, alpha, training=None, **taken):
  architecture = search_cell.Architecture(alpha, **taken)
  return cell(inputs, previous, architecture, training=training)


@pytest.fixture(scope='module')
def cell():
  return make_cell()


@pytest.mark.parametrize(
  'num_transitions, recompute, channel_divisor',
  [(1, False, 1), (2, False, 1), (2, True, 1), (2, False, 2)],
)
def test_search_cell_equals_the_plain_cell(
  num_transitions, recompute, channel_divisor
):
  cell = make_cell(recompute=recompute, channel_divisor=channel_divisor)
  inputs = random_map(batch=2 * num_transitions, seed=1)
  previous, alpha = random_map(batch=2, seed=2), random_alpha()
  actual, gradients = gradients_of(
    lambda a: run(cell, inputs, previous, a, training=True), cell.kernels, alpha
  )
  tiled = tf.tile(previous, [num_transitions, 1, 1, 1])
  expected, expected_gradients = gradients_of(
    lambda a: plain_cell.compute(
      cell.kernels, inputs, tiled, a, FILTERS // channel_divisor
    ),
    cell.kernels,
    alpha,
  )
  assert_close(actual, expected)
  assert len(gradients) == 1 + len(cell.kernels)
  none = PRIMITIVES.index('none')
  assert not np.any(gradients['alpha'][:, none])
  for name, gradient in gradients.items():
    assert_close(gradient, expected_gradients[name], 1e-3)


@pytest.fixture
def elsewhere(monkeypatch):
  """As on a device other than a CPU; what was traced before is forgotten."""
  relaxed_cell.shared_function.cache_clear()
  for trait in ('holds_pools_back', 'parts_5x5_gradients'):
    monkeypatch.setattr(devices, trait, lambda: False)
  monkeypatch.setattr(devices, 'normalizes_16_bits', lambda: True)
  yield
  relaxed_cell.shared_function.cache_clear()


@pytest.mark.usefixtures('elsewhere')
@pytest.mark.parametrize(
  'dtype, tolerance', [('float32', 1e-4), ('bfloat16', 0.15)]
)
def test_a_cell_is_the_same_on_other_devices(dtype, tolerance):
  cell = make_cell(norm=normalization.NormSettings(momentum=0.0, epsilon=2e-3))
  inputs = random_map(batch=4, seed=1)
  previous, alpha = random_map(batch=2, seed=2), random_alpha()

  def compute(dtype):
    return gradients_of(
      lambda a: tf.cast(
        run(
          cell,
          tf.cast(inputs, dtype),
          tf.cast(previous, dtype),
          a,
          training=True,
        ),
        tf.float32,
      ),
      cell.kernels,
      alpha,
    )

  actual, gradients = compute(dtype)
  with pytest.MonkeyPatch.context() as here:
    for trait in ('holds_pools_back', 'parts_5x5_gradients'):
      here.setattr(devices, trait, devices.is_cpu)
    here.setattr(devices, 'normalizes_16_bits', lambda: False)
    relaxed_cell.shared_function.cache_clear()
    expected, expected_gradients = compute('float32')
  for name, value in {'outputs': actual, **gradients}.items():
    reference = {'outputs': expected, **expected_gradients}[name]
    difference = tf.norm(value - reference) / tf.norm(reference)
    assert difference < tolerance, name


@pytest.mark.parametrize('moved', ['weights', 'architecture'])
def test_what_a_step_does_not_move_costs_no_gradient(cell, moved):
  state, alpha = random_map(), random_alpha()
  with tf.GradientTape() as tape:
    tape.watch(alpha)
    outputs = run(cell, state, state, alpha, training=True, moved=moved)
  of_alpha, *of_kernels = tape.gradient(
    outputs, [alpha, *cell.kernels.values()]
  )
  assert (of_alpha is None) == (moved == 'weights')
  for gradient in of_kernels:
    assert (gradient is None) == (moved == 'architecture')


# One edge for each primitive, and one more.
DRAWN = tf.one_hot([*range(len(PRIMITIVES)), 5], len(PRIMITIVES))


@pytest.fixture(scope='module')
def drawn_cell(cell):
  drawn = make_cell(is_drawn=True)
  for name, kernel in cell.kernels.items():
    drawn.kernels[name].assign(kernel)
  return drawn


def test_a_drawn_cell_equals_the_mixed_one_with_one_hot_weights(
  cell, drawn_cell
):
  inputs, previous = random_map(batch=4, seed=1), random_map(batch=2, seed=2)
  (actual, gradients), (expected, expected_gradients) = (
    gradients_of(
      functools.partial(run, c, inputs, previous, training=True),
      c.kernels,
      DRAWN,
    )
    for c in (drawn_cell, cell)
  )
  assert_close(actual, expected)
  # Of the primitives that were not computed, alpha learns nothing.
  expected_gradients['alpha'] *= DRAWN
  for name, gradient in gradients.items():
    assert_close(gradient, expected_gradients[name], 1e-3)


def test_a_recomputed_drawn_cell_has_the_same_gradients(drawn_cell):
  recomputed = make_cell(is_drawn=True, recompute=True)
  recomputed.set_weights(drawn_cell.get_weights())
  choices = tf.argmax(DRAWN, axis=-1, output_type=tf.int32)
  inputs, previous = random_map(seed=1), random_map(seed=2)
  (actual, gradients), (expected, expected_gradients) = (
    gradients_of(
      functools.partial(
        run, c, inputs, previous, training=True, choices=choices
      ),
      c.kernels,
      DRAWN,
    )
    for c in (recomputed, drawn_cell)
  )
  assert_close(actual, expected)
  for name, gradient in gradients.items():
    assert_close(gradient, expected_gradients[name], 1e-3)


def test_a_drawn_cell_infers_with_the_statistics_of_what_it_drew(drawn_cell):
  inputs, previous = random_map(), random_map(seed=2)
  drawn_cell.moving_variance.assign(tf.ones_like(drawn_cell.moving_variance))
  trained = run(drawn_cell, inputs, previous, DRAWN, training=True)
  # Norms of the nine edges: none, two pools, skip, two of each separable
  # primitive, one of each atrous one, and a second sep_conv_5x5.
  is_moved = drawn_cell.moving_variance.numpy() != 1
  assert is_moved.sum() == FILTERS * (0 + 2 + 0 + 4 + 2 + 2)
  count = np.prod(inputs.shape[:3])
  drawn_cell.moving_variance.assign(
    tf.where(is_moved, drawn_cell.moving_variance * (count - 1) / count, 1.0)
  )
  assert_close(
    run(drawn_cell, inputs, previous, DRAWN, training=False), trained
  )


@pytest.mark.parametrize('is_training', [False, True])
@pytest.mark.parametrize(
  'dtype, tolerance', [('float32', 1e-5), ('bfloat16', 0.02)]
)
def test_what_comes_after_a_norm_has_the_gradient_of_both(
  is_training, dtype, tolerance
):
  x = 3 * random_map() + 1
  moving = statistics.Statistics(
    tf.constant([0.5] * FILTERS), tf.constant([4.0] * FILTERS)
  )
  ops = cell_arithmetic.of_batch(x, arithmetic.Arithmetic(), NORM, is_training)
  used: dict[str, statistics.Statistics] = {}

  def compute(ops, y, factor):
    del ops
    return tf.sin(y) * factor

  def apart(x, factor):
    y, used['apart'] = ops.normalize(x, moving)
    return compute(ops, y, factor)

  def together(x, factor):
    x, factor = tf.cast(x, dtype), tf.cast(factor, dtype)
    y, used['together'] = ops.normalize_then(compute, x, moving, factor)
    return tf.cast(y, tf.float32)

  def gradients(function, x, factor):
    outputs, by_name = gradients_of(
      lambda factor: function(x, factor), {'x': x}, factor
    )
    return outputs, *by_name.values()

  x, factor = tf.Variable(x), random_map(seed=7)
  expected = gradients(apart, x, factor)
  actual = gradients(together, x, factor)
  for a, b in zip(actual, expected):
    assert_close(a, b, tolerance)
  assert_close(used['together'].mean, used['apart'].mean, tolerance)
  assert_close(used['together'].variance, used['apart'].variance, tolerance)


@pytest.mark.parametrize('training', [False, True])
def test_transitions_pass_as_one_batch(cell, training):
  inputs, previous = random_map(batch=4, seed=1), random_map(batch=2, seed=2)
  alpha = random_alpha()
  together = run(cell, inputs, previous, alpha, training=training)
  tiled = tf.concat([previous, previous], axis=0)
  assert_close(together, run(cell, inputs, tiled, alpha, training=training))
  apart = tf.concat(
    [
      run(cell, x, previous, alpha, training=training)
      for x in tf.split(inputs, 2)
    ],
    axis=0,
  )
  # Statistics are of all transitions in training, and none in inference.
  assert np.allclose(together, apart, atol=1e-4) == (not training)


def test_inference_with_a_batchs_statistics_equals_training_on_it():
  cell = make_cell()
  inputs, previous, alpha = random_map(), random_map(seed=2), random_alpha()
  trained = run(cell, inputs, previous, alpha, training=True)
  # The moving variance is the unbiased one.
  count = np.prod(inputs.shape[:3])
  cell.moving_variance.assign(cell.moving_variance * (count - 1) / count)
  assert_close(run(cell, inputs, previous, alpha, training=False), trained)


def test_statistics_move_by_the_momentum_and_only_in_training():
  momentum = 0.75
  cell = make_cell(norm=normalization.NormSettings(momentum=momentum))
  twin = make_cell()  # Of momentum 0.
  inputs, previous, alpha = random_map(), random_map(seed=2), random_alpha()
  before = [v.numpy() for v in (cell.moving_mean, cell.moving_variance)]
  run(cell, inputs, previous, alpha, training=False)
  run(cell, inputs, previous, alpha)
  np.testing.assert_array_equal(cell.moving_mean, before[0])
  np.testing.assert_array_equal(cell.moving_variance, before[1])
  for module in (cell, twin):
    run(module, inputs, previous, alpha, training=True)
  batch = [v.numpy() for v in (twin.moving_mean, twin.moving_variance)]
  after = [cell.moving_mean, cell.moving_variance]
  for old, new, moved in zip(before, batch, after):
    assert_close(moved, momentum * old + (1 - momentum) * new)
    assert not np.allclose(old, moved)


def test_synchronized_statistics_of_one_replica_are_its_own():
  alone = make_cell()
  synchronized = make_cell(
    norm=normalization.NormSettings(momentum=0.0, synchronized=True)
  )
  arguments = (random_map(), random_map(seed=2), random_alpha())
  assert_close(
    run(synchronized, *arguments, training=True),
    run(alone, *arguments, training=True),
  )
  assert_close(synchronized.moving_mean, alone.moving_mean)
  count = np.prod(arguments[0].shape[:3])
  unbiased = synchronized.moving_variance * count / (count - 1)
  assert_close(unbiased, alone.moving_variance)
  synchronized.set_weights(alone.get_weights())
  assert_close(run(synchronized, *arguments), run(alone, *arguments))


def copy_kernels(cell, operation, name, position):
  kernels = cell.kernels
  if name in kernels:
    operation.conv_bn.conv.kernel.assign(kernels[name][..., position, :])
  elif f'{name}_depthwise' in kernels:
    for layer, conv in enumerate(operation.convs):
      depthwise = kernels[f'{name}_depthwise'][layer, ..., position, :, None]
      pointwise = kernels[f'{name}_pointwise'][layer, ..., position, :]
      conv.depthwise_kernel.assign(depthwise)
      conv.pointwise_kernel.assign(pointwise)


@pytest.mark.parametrize('state', [0, 1])
@pytest.mark.parametrize('name', primitives.operations())
def test_one_hot_alpha_is_the_operation_of_the_final_cell(name, state):
  cell = make_cell(num_blocks=1)
  maps = [random_map(seed=2), random_map(seed=1)]
  alpha = np.zeros([2, len(PRIMITIVES)], np.float32)
  alpha[1 - state, PRIMITIVES.index('none')] = 1
  alpha[state, PRIMITIVES.index(name)] = 1
  operation = model_primitives.make_layer(name, FILTERS, NORM)
  operation(maps[state])
  copy_kernels(cell, operation, name, state)
  expected = operation(maps[state], training=True)
  if name.endswith('pool_3x3'):
    expected = plain_cell.norm(expected)  # The search alone normalizes a pool.
  assert_close(run(cell, maps[1], maps[0], alpha, training=True), expected)


def test_alpha_of_none_alone_gives_zero():
  cell = make_cell(num_blocks=1)
  alpha = tf.one_hot([0, 0], len(PRIMITIVES))
  x = random_map()
  assert not np.any(run(cell, x, x, alpha, training=True))


def test_a_cell_of_five_blocks_has_twenty_edges():
  cell = search_cell.SearchCell(5, FILTERS, NORM)
  assert sorted(cell.alpha_rows) == list(range(20))
