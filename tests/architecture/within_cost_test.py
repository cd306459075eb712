# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The likeliest genotype of a cost, and without one that of decoding."""

import itertools

import numpy as np
import pytest

from auto_deeplab.architecture import (
  cost,
  cost_table,
  decode,
  genotype,
  within_cost,
)

NAMES = ('none', 'skip_connect', 'sep_conv_3x3')


def _snapshot(seed, num_layers=4, num_blocks=2, names=NAMES, scale=1.0):
  rng = np.random.default_rng(seed)
  num_edges = len(genotype.edges(num_blocks))
  alphas = rng.normal(size=[num_edges, len(names)], scale=scale)
  betas = rng.normal(size=[num_layers, 4, 3], scale=scale)
  return decode.Snapshot(0, alphas, betas, names)


def _network(drawn):
  return cost.Network(
    drawn,
    input_size=(97, 97),
    filter_multiplier=16,
    stem_filters=(4, 4, 8),
    aspp_filters=4,
    low_level_filters=4,
    decoder_filters=4,
  )


def _table(snapshot):
  return cost_table.make(_network(snapshot.decode()), snapshot.primitives)


@pytest.mark.parametrize('seed', range(5))
def test_with_any_cost_it_is_what_decoding_finds(seed):
  snapshot = _snapshot(seed, num_layers=12, num_blocks=5)
  found = within_cost.decode_within(snapshot, _table(snapshot), 1.0, 1e12)
  assert found == snapshot.decode()


def _all_genotypes(names, all_paths):
  """All of one block and as many layers."""
  cells = [
    (((0, left), (1, right)),)
    for left, right in itertools.product(names[1:], repeat=2)
  ]
  return [
    genotype.Genotype(cell, path)
    for cell, path in itertools.product(cells, all_paths(3))
  ]


def _likelihood(snapshot, each):
  probabilities = decode.operation_probabilities(snapshot.alphas)
  strengths = [
    probabilities[state, snapshot.primitives.index(name)]
    for state, name in each.cell[0]
  ]
  path = decode.path_probability(snapshot.betas, each.backbone)
  return path * np.prod(strengths)


@pytest.mark.parametrize('share', [0.9, 1.0, 1.2])
def test_of_that_cost_it_is_the_likeliest(share, all_paths):
  snapshot = _snapshot(3, num_layers=3, num_blocks=1)
  counted = {
    each: cost.count(_network(each)).multiply_adds
    for each in _all_genotypes(NAMES, all_paths)
  }
  target = share * np.median([*counted.values()])
  fitting = [g for g, c in counted.items() if abs(c - target) <= 0.05 * target]
  assert 1 < len(fitting) < len(counted) / 2
  found = within_cost.decode_within(snapshot, _table(snapshot), target)
  assert found == max(fitting, key=lambda each: _likelihood(snapshot, each))


def test_a_cost_that_no_network_has_is_found_nowhere():
  snapshot = _snapshot(0)
  assert within_cost.decode_within(snapshot, _table(snapshot), 1.0) is None
