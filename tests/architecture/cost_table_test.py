# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Sums of the table are the counts of the networks."""

import dataclasses

import numpy as np
import pytest

from auto_deeplab.architecture import cost, cost_table
from auto_deeplab.architecture import genotype as genotype_lib

NETWORK = cost.Network(
  genotype_lib.PUBLISHED,
  input_size=(97, 161),
  filter_multiplier=4,
  num_classes=7,
  stem_filters=(4, 6, 10),
  aspp_filters=12,
  low_level_filters=5,
  decoder_filters=11,
)


@pytest.mark.parametrize('measure', cost.MEASURES)
@pytest.mark.parametrize('size', [(1, 1), (2, 1), (3, 2), (12, 5)])
def test_a_random_network_costs_what_is_counted(measure, size):
  num_layers, num_blocks = size
  rng = np.random.default_rng(0)
  table = None
  for _ in range(40):
    genotype = genotype_lib.random_genotype(
      rng, num_layers=num_layers, num_blocks=num_blocks
    )
    network = dataclasses.replace(NETWORK, genotype=genotype)
    table = table or cost_table.make(network, measure=measure)
    total = cost_table.cost_of(table, genotype)
    assert total == getattr(cost.count(network), measure)


def test_what_no_table_has_is_refused():
  with pytest.raises(ValueError, match=r"^`measure` \('seconds'\) must be one"):
    cost_table.make(NETWORK, measure='seconds')
  network = dataclasses.replace(NETWORK, pooling_size=(2, 2))
  with pytest.raises(ValueError, match=r'^`pooling_size` \(\(2, 2\)\) must be'):
    cost_table.make(network)
