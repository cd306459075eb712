# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The largest eigenvalue is that of the whole Hessian, on any replicas."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.model import supernet as supernet_lib
from auto_deeplab.model.ops import sizes
from auto_deeplab.training import curvature

CLASSES = 3


def make_net(synchronized_batch_norm=False):
  tf.keras.utils.set_random_seed(1)
  config = configs.SupernetConfig(
    num_layers=2,
    num_blocks=1,
    filter_multiplier=2,
    stem_filters=(4, 4, 8),
    init_stddev=1.0,
  )
  net = supernet_lib.Supernet(
    config, CLASSES, synchronized_batch_norm=synchronized_batch_norm
  )
  net(pictures(0)['image'])
  for head in net.heads:
    head.logits.kernel.assign(head.logits.kernel * 100)
  return net


def pictures(seed):
  rng = np.random.default_rng(seed)
  return {
    'image': tf.constant(rng.integers(0, 256, [2, 17, 17, 3], np.uint8)),
    'label': tf.constant(rng.integers(0, CLASSES, [2, 17, 17], np.uint8)),
  }


@pytest.fixture(scope='module')
def one_replica():
  strategy = tf.distribute.get_strategy()
  return curvature.Curvature(make_net(), strategy, [pictures(1)])


def test_products_are_those_of_a_symmetric_matrix(one_replica):
  """A part without a second derivative would be missing on one side only."""
  variables = one_replica._supernet.variables
  before = [v.numpy() for v in variables]
  size = sum(v.numpy().size for v in one_replica._supernet.arch_variables)
  found = [one_replica.eigenvalue(number) for number in (1, 8, size)]
  for variable, value in zip(variables, before, strict=True):
    np.testing.assert_array_equal(variable.numpy(), value, variable.name)
  matrix = np.stack([one_replica.product(unit) for unit in np.eye(size)])
  np.testing.assert_allclose(matrix, matrix.T, atol=1e-5 * abs(matrix).max())
  largest = np.linalg.eigvalsh(matrix)[-1]
  assert found[0] < found[1]
  assert found[1:] == pytest.approx([largest, largest], rel=0.02)


def test_an_overflow_is_no_number_and_ends_nothing(one_replica, monkeypatch):
  products = iter([1.0, float('inf')])
  monkeypatch.setattr(
    one_replica, 'product', lambda vector: next(products) * np.flip(vector)
  )
  assert np.isnan(one_replica.eigenvalue(8))
  assert not curvature.has_grown([1.0, 1.0, float('nan'), 9.0], 1.3, 2)


def test_replicas_add_up(one_replica, mirrored):
  """By batch norm over both: the same as one replica with both halves."""
  batch = pictures(1)
  with mirrored.scope():
    net = make_net(synchronized_batch_norm=True)
  halves = mirrored.experimental_distribute_values_from_function(
    lambda context: {
      key: value[context.replica_id_in_sync_group :][:1]
      for key, value in batch.items()
    }
  )
  found = curvature.Curvature(net, mirrored, [halves]).eigenvalue(8)
  assert found == pytest.approx(one_replica.eigenvalue(8), rel=1e-3)


@pytest.mark.parametrize('size', [(7, 5), (1, 1), (3, 9)])
def test_the_gradient_of_a_resize_has_a_gradient(size):
  """Of the sum of its cubes: the Hessian is A' diag(6 A x) A."""
  rng = np.random.default_rng(0)
  x, v = (tf.constant(rng.normal(size=[2, 4, 5, 3])) for _ in range(2))
  x, v = tf.cast(x, tf.float32), tf.cast(v, tf.float32)
  with sizes.differentiable_twice(), tf.GradientTape() as outer:
    outer.watch(x)
    with tf.GradientTape() as inner:
      inner.watch(x)
      cubes = tf.reduce_sum(sizes.resize_aligned(x, size) ** 3)
    along = tf.reduce_sum(inner.gradient(cubes, x) * v)
  found = outer.gradient(along, x)
  with tf.GradientTape() as tape:
    tape.watch(x)
    resized = sizes.resize_aligned(x, size)
  factor = 6 * resized * sizes.resize_aligned(v, size)
  expected = tape.gradient(resized, x, output_gradients=factor)
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
  'values, grown',
  [
    ([], False),
    ([1, 1, 1, 2], True),
    ([1, 1, 2], False),  # Not twice the window yet.
    ([1, 1, 1.3, 1.3], False),  # Not more than the factor.
    ([9, 9, 1, 1, 1, 2], True),  # The last four count.
    ([-1, -1, 1, 1], False),  # Of what was negative there is no factor.
  ],
)
def test_it_has_grown_by_the_means_of_two_windows(values, grown):
  assert curvature.has_grown(values, factor=1.3, window=2) is grown
