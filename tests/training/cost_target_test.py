# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The expected cost of what is decided is the count; steering reaches it."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.architecture import (
  cost,
  cost_table,
  decode,
  discretization,
  primitives,
)
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.model import supernet as supernet_lib
from auto_deeplab.training import cost_target
from tests import tiny

SIZES = [(1, 1), (3, 2), (5, 3), (12, 5)]


def _draw(seed, size):
  num_layers, num_blocks = size
  return genotype_lib.random_genotype(
    np.random.default_rng(seed), num_layers=num_layers, num_blocks=num_blocks
  )


def _network(genotype):
  return cost.Network(
    genotype,
    input_size=(97, 161),
    filter_multiplier=8,
    stem_filters=(4, 6, 10),
    aspp_filters=12,
    low_level_filters=5,
    decoder_filters=11,
  )


def _decided(genotype):
  """Logits of alpha, with `none` where there is no edge; transitions."""
  alpha, transitions = discretization.weights(genotype)
  none = primitives.PAPER.index(primitives.NONE)
  alpha[alpha.sum(axis=1) == 0, none] = 1
  return tf.constant(200 * alpha), tf.constant(transitions)


@pytest.mark.parametrize('measure', ['multiply_adds', 'parameters'])
@pytest.mark.parametrize('size', SIZES)
def test_what_is_decided_costs_what_is_counted(size, measure):
  table = cost_table.make(_network(_draw(0, size)), measure=measure)
  for seed in range(10):
    genotype = _draw(seed, size)
    alphas, transitions = _decided(genotype)
    expected = getattr(cost.count(_network(genotype)), measure)
    found = cost_target.expected_cost(table, alphas, transitions)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_what_is_undecided_costs_what_is_drawn_from_it():
  """The levels by betas; of a cell of one block both edges are kept."""
  rng = np.random.default_rng(0)
  names = ('skip_connect', 'sep_conv_3x3', 'atrous_conv_5x5')
  alphas = rng.normal(size=[2, 3]).astype(np.float32)
  transitions = decode.transition_probabilities(rng.normal(size=[4, 4, 3]))
  table = cost_table.make(_network(_draw(0, (4, 1))), names)
  found = cost_target.expected_cost(
    table, tf.constant(alphas), tf.constant(transitions, tf.float32)
  )
  odds = decode.operation_probabilities(alphas)
  cells = table.of_cell(odds)
  total = 0.0
  for path in np.ndindex(4, 4, 4, 4):
    if all(abs(b - a) <= 1 for a, b in zip((0, *path), path)):
      steps = zip(range(4), (0, *path), path)
      share = np.prod([transitions[i, a, b - a + 1] for i, a, b in steps])
      outside, counts = table.of_path(path)
      total += share * (outside + np.sum(counts * cells))
  assert float(found) == pytest.approx(total, rel=1e-5)


def test_two_edges_of_a_block_are_kept():
  alphas = tf.constant(
    np.random.default_rng(0).normal(size=[14, 8]), tf.float32
  )
  table = cost_table.make(_network(_draw(0, (2, 4))))
  kept = cost_target.kept(alphas, table).numpy()
  assert (kept[:, primitives.PAPER.index(primitives.NONE)] == 0).all()
  for first, last in ((0, 2), (2, 5), (5, 9), (9, 14)):
    assert kept[first:last].sum() == pytest.approx(2, rel=1e-5)
  np.testing.assert_allclose(kept[:2].sum(axis=1), 1, rtol=1e-5)


def test_it_steers_from_either_side_and_is_told():
  config = tiny.search_config(supernet={'num_layers': 4, 'num_blocks': 2})
  supernet = supernet_lib.Supernet(config.supernet, 3)
  table = cost_table.make(_network(_draw(0, (4, 2))))
  target = cost_target.CostTarget(supernet, table, 1.0)
  decoded = target.decoded()
  for target.target, sign in ((decoded * 2, -1), (decoded / 2, 1)):
    target.lasting.assign(0.0)
    weights = []
    for _ in range(3):
      target.steer()
      weights.append(sign * float(target.weight))
    assert 0 < weights[0] < weights[1] < weights[2]
    ratio = decoded / target.target
    assert target.describe() == {
      'cost/decoded': decoded,
      'cost/target': target.target,
      'cost/weight': sign * weights[-1],
    }
    expected = float(target()) / float(target.weight)
    assert sign * expected > 0
    assert np.exp(expected) == pytest.approx(ratio, rel=0.5)
