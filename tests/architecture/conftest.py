# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the tests of this room share: an oracle for the lattice."""

import itertools

import pytest


@pytest.fixture
def all_paths():
  """All paths of a lattice, written down without the module under test."""

  def enumerate_paths(num_layers):
    return [
      levels
      for levels in itertools.product(range(4), repeat=num_layers)
      if all(
        abs(target - source) <= 1
        for source, target in itertools.pairwise((0, *levels))
      )
    ]

  return enumerate_paths
