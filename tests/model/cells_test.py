# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The search cell against a plain one, and the final cell by its parts."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import lattice
from auto_deeplab.model import (
  cells,
  devices,
  mixed_operation,
  normalization,
  operations,
  regularization,
  sizes,
)

# Momentum 0: the moving statistics are those of the last batch.
NORM = normalization.NormSettings(momentum=0.0)
BLOCKS = 3
FILTERS = 4
EDGES = genotype_lib.edges(BLOCKS)
PRIMITIVES = tuple(genotype_lib.PRIMITIVES)


def random_map(batch=3, height=7, width=6, channels=FILTERS, seed=0):
  return tf.random.stateless_normal([batch, height, width, channels], [seed, 1])


def random_alpha():
  logits = tf.random.stateless_normal([len(EDGES), len(PRIMITIVES)], [5, 5])
  return tf.nn.softmax(logits)


def make_cell(num_blocks=BLOCKS, norm=NORM, **settings):
  tf.keras.utils.set_random_seed(3)
  cell = cells.SearchCell(num_blocks, FILTERS, norm, **settings)
  cell.build([None, None, None, FILTERS])
  return cell


@pytest.fixture(scope='module')
def cell():
  return make_cell()


def plain_norm(x):
  """Batch norm of training without scale and offset."""
  mean, variance = tf.nn.moments(x, [0, 1, 2])
  return (x - mean) / tf.sqrt(variance + NORM.epsilon)


def plain_primitive(name, x, kernels, position):
  """One primitive on the edge whose kernels lie at `position`."""
  size = genotype_lib.PRIMITIVES[name].kernel_size
  if name == 'none':
    return tf.zeros_like(x)
  if name == 'skip_connect':
    return x
  if name == 'max_pool_3x3':
    return plain_norm(tf.nn.max_pool2d(x, size, 1, 'SAME'))
  if name == 'avg_pool_3x3':
    return plain_norm(tf.nn.avg_pool2d(x, size, 1, 'SAME'))
  if name.startswith('atrous'):
    kernel = kernels[name][..., position, :]
    convolved = tf.nn.convolution(tf.nn.relu(x), kernel, 1, 'SAME', dilations=2)
    return plain_norm(convolved)
  for layer in range(2):
    depthwise = kernels[f'{name}_depthwise'][layer, ..., position, :, None]
    pointwise = kernels[f'{name}_pointwise'][layer, ..., position, :]
    x = plain_norm(
      tf.nn.separable_conv2d(
        tf.nn.relu(x), depthwise, pointwise, [1, 1, 1, 1], 'SAME'
      )
    )
  return x


def plain_edge(x, kernels, alpha, position):
  return tf.add_n(
    [
      alpha[k] * plain_primitive(name, x, kernels, position)
      for k, name in enumerate(PRIMITIVES)
    ]
  )


def plain_cell(kernels, inputs, previous, alpha, num_mixed=FILTERS):
  """Equations 1 to 3 of the paper, with no thought of speed.

  Of each state the first `num_mixed` channels pass the operations, and come
  last in the sum; the others pass by.
  """
  # The cell keeps its kernels by the state that an edge leaves, then by block.
  positions = sorted(EDGES, key=lambda edge: (edge[1], edge[0]))
  states = [previous, inputs]
  for block in range(BLOCKS):
    states.append(
      tf.add_n(
        [
          tf.concat(
            [
              states[state][..., num_mixed:],
              plain_edge(
                states[state][..., :num_mixed],
                kernels,
                alpha[EDGES.index((block, state))],
                positions.index((block, state)),
              ),
            ],
            axis=-1,
          )
          for state in range(block + 2)
        ]
      )
    )
  return tf.concat(states[2:], axis=-1)


def assert_close(actual, expected, tolerance=1e-4):
  actual, expected = np.asarray(actual), np.asarray(expected)
  assert actual.shape == expected.shape
  scale = np.abs(expected).max()
  assert scale > 0
  np.testing.assert_allclose(actual / scale, expected / scale, atol=tolerance)


def gradients_of(function, variables, alpha):
  """The output, and gradients of a sum in which each value counts its own."""
  with tf.GradientTape() as tape:
    tape.watch(alpha)
    outputs = function(alpha)
    weights = tf.random.stateless_normal(tf.shape(outputs), [8, 9])
    target = tf.reduce_sum(outputs * weights)
  names = list(variables)
  values = tape.gradient(target, [alpha, *variables.values()])
  dense = [tf.convert_to_tensor(value) for value in values]
  return outputs, dict(zip(['alpha', *names], dense))


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
    lambda a: cell(inputs, previous, a, training=True), cell.kernels, alpha
  )
  tiled = tf.tile(previous, [num_transitions, 1, 1, 1])
  expected, expected_gradients = gradients_of(
    lambda a: plain_cell(
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
  cells._shared_function.cache_clear()
  for trait in ('holds_pools_back', 'parts_5x5_gradients'):
    monkeypatch.setattr(devices, trait, lambda: False)
  monkeypatch.setattr(devices, 'normalizes_16_bits', lambda: True)
  yield
  cells._shared_function.cache_clear()


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
        cell(
          *(tf.cast(x, dtype) for x in (inputs, previous)), a, training=True
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
    cells._shared_function.cache_clear()
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
    outputs = cell(state, state, alpha, training=True, moved=moved)
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
      functools.partial(c, inputs, previous, training=True), c.kernels, DRAWN
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
      functools.partial(c, inputs, previous, training=True, choices=choices),
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
  trained = drawn_cell(inputs, previous, DRAWN, training=True)
  # Norms of the nine edges: none, two pools, skip, two of each separable
  # primitive, one of each atrous one, and a second sep_conv_5x5.
  is_moved = drawn_cell.moving_variance.numpy() != 1
  assert is_moved.sum() == FILTERS * (0 + 2 + 0 + 4 + 2 + 2)
  count = np.prod(inputs.shape[:3])
  drawn_cell.moving_variance.assign(
    tf.where(is_moved, drawn_cell.moving_variance * (count - 1) / count, 1.0)
  )
  assert_close(drawn_cell(inputs, previous, DRAWN, training=False), trained)


@pytest.mark.parametrize('is_training', [False, True])
@pytest.mark.parametrize(
  'dtype, tolerance', [('float32', 1e-5), ('bfloat16', 0.02)]
)
def test_what_comes_after_a_norm_has_the_gradient_of_both(
  is_training, dtype, tolerance
):
  x = 3 * random_map() + 1
  moving = tf.constant([0.5] * FILTERS), tf.constant([4.0] * FILTERS)

  def make_norm():
    norm = mixed_operation.BatchNorm(*moving, NORM, is_training)
    norm.expect(x)
    return norm

  def compute(y, factor):
    return tf.sin(y) * factor

  def gradients(function, x, factor):
    outputs, by_name = gradients_of(
      lambda factor: function(x, factor), {'x': x}, factor
    )
    return outputs, *by_name.values()

  norms = make_norm(), make_norm()
  x, factor = tf.Variable(x), random_map(seed=7)
  expected = gradients(
    lambda x, factor: compute(norms[0](x), factor), x, factor
  )
  actual = gradients(
    lambda x, factor: tf.cast(
      norms[1].then(compute, tf.cast(x, dtype), tf.cast(factor, dtype)),
      tf.float32,
    ),
    x,
    factor,
  )
  for a, b in zip(actual, expected):
    assert_close(a, b, tolerance)
  for a, b in zip(norms[1].statistics(), norms[0].statistics()):
    assert_close(a, b, tolerance)


@pytest.mark.parametrize('training', [False, True])
def test_transitions_pass_as_one_batch(cell, training):
  inputs, previous = random_map(batch=4, seed=1), random_map(batch=2, seed=2)
  alpha = random_alpha()
  together = cell(inputs, previous, alpha, training=training)
  tiled = tf.concat([previous, previous], axis=0)
  assert_close(together, cell(inputs, tiled, alpha, training=training))
  apart = tf.concat(
    [cell(x, previous, alpha, training=training) for x in tf.split(inputs, 2)],
    axis=0,
  )
  # Statistics are of all transitions in training, and none in inference.
  assert np.allclose(together, apart, atol=1e-4) == (not training)


def test_inference_with_a_batchs_statistics_equals_training_on_it():
  cell = make_cell()
  inputs, previous, alpha = random_map(), random_map(seed=2), random_alpha()
  trained = cell(inputs, previous, alpha, training=True)
  # The moving variance is the unbiased one.
  count = np.prod(inputs.shape[:3])
  cell.moving_variance.assign(cell.moving_variance * (count - 1) / count)
  assert_close(cell(inputs, previous, alpha, training=False), trained)


def test_statistics_move_by_the_momentum_and_only_in_training():
  momentum = 0.75
  cell = make_cell(norm=normalization.NormSettings(momentum=momentum))
  twin = make_cell()  # Of momentum 0.
  inputs, previous, alpha = random_map(), random_map(seed=2), random_alpha()
  before = [v.numpy() for v in (cell.moving_mean, cell.moving_variance)]
  cell(inputs, previous, alpha, training=False)
  cell(inputs, previous, alpha)
  np.testing.assert_array_equal(cell.moving_mean, before[0])
  np.testing.assert_array_equal(cell.moving_variance, before[1])
  for module in (cell, twin):
    module(inputs, previous, alpha, training=True)
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
    synchronized(*arguments, training=True), alone(*arguments, training=True)
  )
  assert_close(synchronized.moving_mean, alone.moving_mean)
  count = np.prod(arguments[0].shape[:3])
  unbiased = synchronized.moving_variance * count / (count - 1)
  assert_close(unbiased, alone.moving_variance)
  synchronized.set_weights(alone.get_weights())
  assert_close(synchronized(*arguments), alone(*arguments))


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
@pytest.mark.parametrize('name', genotype_lib.OPERATIONS)
def test_one_hot_alpha_is_the_operation_of_the_final_cell(name, state):
  cell = make_cell(num_blocks=1)
  maps = [random_map(seed=2), random_map(seed=1)]
  alpha = np.zeros([2, len(PRIMITIVES)], np.float32)
  alpha[1 - state, PRIMITIVES.index('none')] = 1
  alpha[state, PRIMITIVES.index(name)] = 1
  operation = operations.make_operation(name, FILTERS, NORM)
  operation(maps[state])
  copy_kernels(cell, operation, name, state)
  expected = operation(maps[state], training=True)
  if name.endswith('pool_3x3'):
    expected = plain_norm(expected)  # The search alone normalizes a pool.
  assert_close(cell(maps[1], maps[0], alpha, training=True), expected)


def test_alpha_of_none_alone_gives_zero():
  cell = make_cell(num_blocks=1)
  alpha = tf.one_hot([0, 0], len(PRIMITIVES))
  x = random_map()
  assert not np.any(cell(x, x, alpha, training=True))


def test_a_cell_of_five_blocks_has_twenty_edges():
  cell = cells.SearchCell(5, FILTERS, NORM)
  assert sorted(cell.alpha_rows) == list(range(20))


BLOCKS_OF_FINAL_CELL = (
  ((0, 'avg_pool_3x3'), (1, 'atrous_conv_3x3')),
  ((2, 'sep_conv_3x3'), (0, 'skip_connect')),
  ((3, 'max_pool_3x3'), (1, 'sep_conv_5x5')),
)


def final_cell(direction, **settings):
  tf.keras.utils.set_random_seed(3)
  return cells.Cell(BLOCKS_OF_FINAL_CELL, FILTERS, direction, NORM, **settings)


@pytest.mark.parametrize('size', [(9, 7), (8, 6)])
@pytest.mark.parametrize('direction', [lattice.UP, lattice.SAME, lattice.DOWN])
def test_final_cell_wires_its_operations(direction, size):
  inputs = random_map(2, size[0], size[1], 5)
  previous = random_map(2, 5, 12, channels=6, seed=1)
  cell = final_cell(direction)
  outputs = cell(inputs, previous)
  resized = sizes.resize_aligned(previous, size)
  states = [
    cell.previous_projection(tf.nn.relu(resized)),
    cell.projection(tf.nn.relu(inputs)),
  ]
  for block, layers in zip(BLOCKS_OF_FINAL_CELL, cell.operations):
    states.append(sum(op(states[s]) for (s, _), op in zip(block, layers)))
  assert_close(outputs, tf.concat(states[2:], axis=-1))
  is_halved = direction == lattice.DOWN
  assert outputs.shape[1:3] == (sizes.halved(size) if is_halved else size)


def test_a_previous_map_of_the_right_width_and_size_is_taken_as_it_is():
  cell = final_cell(lattice.SAME, project_previous=False, resize_previous=False)
  inputs, previous = random_map(channels=5), random_map(seed=1)
  outputs = cell(inputs, previous)
  assert cell.previous_projection is None
  state = cell.projection(tf.nn.relu(inputs))
  pool, atrous = cell.operations[0]
  assert_close(outputs[..., :FILTERS], pool(previous) + atrous(state))


def test_drop_path_draws_for_each_operation_and_sample():
  blocks = (((0, 'skip_connect'), (1, 'skip_connect')),) * 2
  cell = cells.Cell(blocks, FILTERS, lattice.SAME, NORM)
  inputs, previous = random_map(batch=64), random_map(batch=64, seed=1)
  drawn = regularization.drop_path_scales(tf.constant([0.5]), 4, 64, [1, 2])
  scales = tf.unstack(drawn[0, :, :, None, None, None])
  outputs = cell(inputs, previous, scales=scales)
  assert cell.previous_projection is not None
  states = [
    cell.previous_projection(tf.nn.relu(previous)),
    cell.projection(tf.nn.relu(inputs)),
  ]
  # Which of its two operations a block keeps, by sample.
  seen = set()
  for sample in range(64):
    first, second = (states[s][sample].numpy() for s in (0, 1))
    kept: list[int] = []
    for block in tf.split(outputs[sample], 2, axis=-1):
      matches = [
        (i, j)
        for i in (0, 1)
        for j in (0, 1)
        if np.allclose(block, 2 * (i * first + j * second), atol=1e-5)
      ]
      assert len(matches) == 1
      kept += matches[0]
    seen.add(tuple(kept))
  # Sixteen outcomes; four operations that drop together would give two.
  assert len(seen) > 8
