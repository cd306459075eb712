# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is added to the loss of an architecture step, and when."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import (
  decode,
  discretization,
  genotype,
  lattice,
)
from auto_deeplab.model import supernet as supernet_lib
from auto_deeplab.training import architecture_loss
from tests import tiny

NUM_LAYERS = 5


def _uniform(num_layers=NUM_LAYERS):
  """All transitions out of a node alike."""
  betas = np.zeros(lattice.legal_mask(num_layers).shape)
  return tf.constant(decode.transition_probabilities(betas), tf.float32)


def _along(seed=0, num_layers=NUM_LAYERS):
  """All of it along one path."""
  drawn = genotype.random_genotype(
    np.random.default_rng(seed), num_layers=num_layers, num_blocks=1
  )
  return drawn.backbone, tf.constant(discretization.weights(drawn)[1])


def _gradient(function, logits):
  variable = tf.Variable(logits)
  with tf.GradientTape() as tape:
    value = function(variable)
  return tape.gradient(value, variable).numpy()


def test_beta_decay_is_held_against_what_leads():
  alphas = np.array([[0.0, 0.0], [np.log(3.0), 0.0]], np.float32)
  value = architecture_loss.beta_decay(tf.constant(alphas))
  assert float(value) == pytest.approx((np.log(2) + np.log(4)) / 2)
  np.testing.assert_allclose(
    _gradient(architecture_loss.beta_decay, alphas),
    np.array([[0.5, 0.5], [0.75, 0.25]]) / 2,
    rtol=1e-6,
  )


def test_the_entropy_of_alphas_is_0_once_all_is_decided():
  entropy = architecture_loss.alpha_entropy
  assert float(entropy(tf.zeros([5, 8]))) == pytest.approx(np.log(8))
  decided = 200 * np.eye(5, 8, dtype=np.float32)
  assert float(entropy(decided)) == 0
  assert np.isfinite(_gradient(entropy, decided)).all()


def test_the_entropy_of_betas_is_that_of_what_is_logged():
  rng = np.random.default_rng(0)
  betas = rng.normal(size=lattice.legal_mask(NUM_LAYERS).shape)
  transitions = decode.transition_probabilities(betas)
  value = architecture_loss.beta_entropy(tf.constant(transitions, tf.float32))
  in_bits = decode.mean_entropy(transitions)
  assert float(value) == pytest.approx(in_bits * np.log(2), rel=1e-5)


def test_levels_are_as_likely_as_the_paths_through_them():
  rng = np.random.default_rng(1)
  betas = rng.normal(size=lattice.legal_mask(3).shape)
  expected = np.zeros([3, lattice.NUM_LEVELS])
  for path in np.ndindex(4, 4, 4):
    if all(abs(b - a) <= 1 for a, b in zip((0, *path), path)):
      share = decode.path_probability(betas, path)
      expected[range(3), path] += share
  transitions = tf.constant(decode.transition_probabilities(betas), tf.float32)
  found = architecture_loss.level_probabilities(transitions)
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize('seed', range(3))
def test_the_topology_is_0_on_a_path_whatever_other_nodes_do(seed):
  backbone, along = _along(seed)
  mask = tf.reduce_sum(along, axis=-1, keepdims=True) > 0
  mixed = tf.where(mask, along, _uniform())
  for transitions in (along, mixed):
    assert float(architecture_loss.topology_entropy(transitions)) == 0
  levels = architecture_loss.level_probabilities(mixed)
  assert tf.argmax(levels, axis=-1).numpy().tolist() == list(backbone)
  assert float(architecture_loss.topology_entropy(_uniform())) > 0.5
  assert float(architecture_loss.beta_entropy(mixed)) > 0.5


def test_skips_are_dropped_by_edges_and_none_other_changes():
  weights = tf.nn.softmax(tf.random.stateless_normal([2000, 8], [0, 0]))
  dropped = architecture_loss.drop_skips(
    weights, 3, tf.constant(0.25), tf.constant([1, 2])
  ).numpy()
  others = [0, 1, 2, 4, 5, 6, 7]
  np.testing.assert_array_equal(dropped[:, others], weights.numpy()[:, others])
  ratio = dropped[:, 3] / weights.numpy()[:, 3]
  is_kept = ratio > 0
  np.testing.assert_allclose(ratio[is_kept], 4 / 3, rtol=1e-5)
  assert 0.70 < is_kept.mean() < 0.80


def _loss(step, **fields):
  config = tiny.search_config()
  schedule = configs.SearchConfig(train_steps=11, arch_start_step=6)
  return architecture_loss.ArchitectureLoss(
    configs.ArchitectureLossConfig(**fields),
    schedule,
    supernet_lib.Supernet(config.supernet, 3),
    tf.Variable(step, dtype=tf.int64),
  )


def test_weights_grow_from_the_first_architecture_step_to_the_last():
  fields = {'beta_decay': 0.5, 'entropy': 2.0, 'topology': 3.0}
  loss = _loss(10, **fields)
  alphas, transitions = (
    loss._supernet.alphas,
    loss._supernet.transition_probabilities(),
  )
  whole = (
    0.5 * architecture_loss.beta_decay(alphas)
    + 2.0 * architecture_loss.alpha_entropy(alphas)
    + 2.0 * architecture_loss.beta_entropy(transitions)
    + 3.0 * architecture_loss.topology_entropy(transitions)
  )
  np.testing.assert_allclose(loss(), whole, rtol=1e-6)
  for step, share in ((0, 0), (6, 0), (7, 0.25), (8, 0.5), (12, 1)):
    loss._global_step.assign(step)
    np.testing.assert_allclose(loss(), share * whole, rtol=1e-6)


def test_skips_are_dropped_less_and_less_and_by_the_draw():
  loss = _loss(0, skip_dropout=0.5)
  assert not loss.is_on
  plain = loss._supernet.alpha_weights().numpy()

  def ratio(draw):
    weights, _ = loss.weights(tf.constant(draw))
    return np.round(weights[:, 3] / plain[:, 3], 3)

  ratios = np.stack([ratio(draw) for draw in range(10)])
  assert set(ratios.flat) == {0, 2}
  np.testing.assert_array_equal(ratio(3), ratios[3])
  loss._global_step.assign(10)
  weights, transitions = loss.weights(tf.constant(0))
  np.testing.assert_allclose(weights, plain, rtol=1e-6)
  np.testing.assert_array_equal(
    transitions, loss._supernet.transition_probabilities()
  )


def test_by_default_nothing_is_added():
  loss = _loss(10)
  assert not loss.is_on
  assert loss.weights(tf.constant(0)) is None
