# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A supernet that draws paths computes one network each time."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import decode, discretization, lattice
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.model import drawn_path, supernet
from auto_deeplab.model.ops import sizes
from auto_deeplab.model.search import search_cell

LAYERS, CLASSES = 4, 3


def make(seed=0):
  tf.keras.utils.set_random_seed(1)
  config = configs.SupernetConfig(
    num_layers=LAYERS,
    num_blocks=1,
    filter_multiplier=2,
    stem_filters=(4, 4, 8),
    draw_primitives=True,
    draw_path=True,
  )
  net = supernet.Supernet(config, CLASSES, seed=seed)
  net.make_path_variables()
  # Else the logits are as good as zero.
  for head in net.heads:
    head.logits.kernel.assign(head.logits.kernel * 100)
  return net


@pytest.fixture(scope='module')
def net():
  return make()


def pictures(height=33, width=49, batch=2):
  return tf.random.stateless_uniform([batch, height, width, 3], [0, 1], -1, 1)


def random_betas(seed, num_layers=LAYERS):
  rng = np.random.default_rng(seed)
  return rng.normal(size=[num_layers, 4, 3]).astype(np.float32)


# Paths -----------------------------------------------------------------------


@pytest.mark.parametrize('num_layers', [1, 2, 5, 12])
def test_a_path_takes_the_largest_legal_transition_of_each_node(num_layers):
  for seed in range(50):
    betas = random_betas(seed, num_layers)
    level = 0
    for column, reached in enumerate(drawn_path.along_largest(betas)):
      values = {d: betas[column, level, d] for d in lattice.outgoing(level)}
      best = max(values, key=lambda direction: values[direction])
      assert reached == lattice.target_level(level, best)
      level = reached


def test_a_genotype_has_its_own_path():
  for seed in range(20):
    genotype = genotype_lib.random_genotype(np.random.default_rng(seed))
    _, beta = discretization.weights(genotype)
    assert drawn_path.along_largest(beta) == genotype.backbone


def test_weights_are_one_with_the_gradient_of_a_softmax():
  betas = tf.Variable(random_betas(0))
  path = (0, 1, 1, 2)
  with tf.GradientTape(persistent=True) as tape:
    weights = drawn_path.weights(betas, path, temperature=2.0)
    total = tf.add_n([k * w for k, w in enumerate(weights, start=1)])
    by_hand = tf.add_n(
      [
        factor * tf.nn.softmax(betas[layer, source, first:last] / 2)[index]
        for factor, (layer, source, first, last, index) in enumerate(
          [(0, 0, 1, 3, 0), (1, 0, 1, 3, 1), (2, 1, 0, 3, 1), (3, 1, 0, 3, 2)],
          start=1,
        )
      ]
    )
  assert [float(w) for w in weights] == [1.0] * 4
  np.testing.assert_allclose(
    tape.gradient(total, betas), tape.gradient(by_hand, betas), atol=1e-6
  )


def test_transitions_are_drawn_as_often_as_their_softmax_says(net):
  net.betas.assign(random_betas(3))
  draws = [net._draw_path(tf.constant(n, tf.int64))[0] for n in range(3000)]
  probabilities = decode.transition_probabilities(net.betas.numpy())
  counts = collections.Counter(draws)
  for path, count in counts.items():
    steps = lattice.path_transitions(path)
    expected = np.prod(
      [probabilities[t.column, t.source_level, t.direction] for t in steps]
    )
    assert count / 3000 == pytest.approx(expected, abs=0.03)
  # Nearly all of the 28 paths come up.
  assert len(counts) > 20
  assert draws[:20] == [
    net._draw_path(tf.constant(n, tf.int64))[0] for n in range(20)
  ]


# The network -----------------------------------------------------------------


def by_hand(net, images, genotype):
  """The cells along the path, one after the other."""
  alpha, _ = discretization.weights(genotype)
  architecture = search_cell.Architecture(tf.constant(alpha))
  before, last = net.stem(images, training=True)
  map_sizes = sizes.pyramid(sizes.spatial_size(last), lattice.NUM_LEVELS)
  levels = [0, 0]
  for nodes, level in zip(net.nodes, genotype.backbone, strict=True):
    node, size = nodes[level], map_sizes[level]
    project = node.projections[node.sources.index(levels[-1])]
    project_earlier = node.previous_projections[node.earlier.index(levels[-2])]
    x = node.cell(
      project(last, size, training=True),
      project_earlier(before, size, training=True),
      architecture,
      training=True,
    )
    before, last = last, x
    levels.append(level)
  logits = net.heads[levels[-1]](last, training=True)
  return sizes.resize_aligned(logits, sizes.spatial_size(images))


@pytest.mark.parametrize('seed', range(6))
def test_a_genotype_is_computed_cell_by_cell(net, seed):
  genotype = genotype_lib.random_genotype(
    np.random.default_rng(seed), num_layers=LAYERS, num_blocks=1
  )
  weights = tuple(map(tf.constant, discretization.weights(genotype)))
  images = pictures()
  logits = net(images, training=True, weights=weights)
  assert logits.shape == [2, 33, 49, CLASSES]
  assert np.std(logits) > 1e-3
  np.testing.assert_allclose(logits, by_hand(net, images, genotype), atol=1e-5)


def test_equal_draws_compute_the_same_and_others_something_else(net):
  images = pictures()
  net.betas.assign(tf.zeros_like(net.betas))
  first, again = (net(images, draw=tf.constant(4)).numpy() for _ in range(2))
  np.testing.assert_array_equal(first, again)
  others = [net(images, draw=tf.constant(n)).numpy() for n in range(5, 9)]
  assert all(np.abs(first - other).max() > 1e-6 for other in others)


def test_only_what_the_path_reads_has_a_gradient(net):
  net.alphas.assign(tf.random.normal(net.alphas.shape, seed=1))
  with tf.GradientTape() as tape:
    logits = net(pictures(), training=True, draw=tf.constant(1))
    loss = tf.reduce_mean(tf.square(logits - 1))
  path, _ = net._draw_path(tf.constant(1, tf.int64))
  gradients = tape.gradient(loss, net.trainable_variables)
  touched = {
    id(v)
    for v, g in zip(net.trainable_variables, gradients, strict=True)
    if g is not None
  }
  for layer, nodes in enumerate(net.nodes):
    for level, node in enumerate(nodes):
      kernels = {id(v) for v in node.cell.trainable_variables}
      assert (
        kernels <= touched if path[layer] == level else (not kernels & touched)
      )
  assert {id(v) for v in net.arch_variables} <= touched


def test_all_variables_are_there_before_the_first_path(net):
  variables = len(net.variables)
  for number in range(12):
    net(pictures(), training=True, draw=tf.constant(number))
  assert len(net.variables) == variables


def test_the_first_call_makes_them_too(net):
  other = supernet.Supernet(net.config, CLASSES)
  other(pictures())
  assert len(other.variables) == len(net.variables)


def test_a_graph_would_hold_one_path_for_good_and_is_refused(net):
  with pytest.raises(ValueError, match='it is to be called eagerly'):
    tf.function(net)(pictures())


def test_paths_are_drawn_with_primitives_alone():
  with pytest.raises(ValueError, match=r'draw_path` \(True\) must be False'):
    configs.SupernetConfig(draw_path=True)
