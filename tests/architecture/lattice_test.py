# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests for the lattice."""

import numpy as np
import pytest

from auto_deeplab.architecture import lattice


def test_the_lattice_of_the_paper_has_its_size():
  assert len(lattice.nodes(12)) == 45
  assert len(lattice.transitions(12)) == 105
  assert lattice.num_paths(12) == 75_025


def test_eleven_layers_have_the_number_of_paths_that_the_paper_states():
  # The paper's 2.9e4 is the count for one layer less.
  assert lattice.num_paths(11) == 28_657


@pytest.mark.parametrize('num_layers', range(1, 9))
def test_num_paths_equals_the_enumeration(all_paths, num_layers):
  paths = all_paths(num_layers)
  assert lattice.num_paths(num_layers) == len(paths) == len(set(paths))


def test_the_stem_lies_at_level_0_and_levels_open_one_by_one():
  levels = [lattice.reachable_levels(layer) for layer in range(-1, 4)]
  assert levels == [(0,), (0, 1), (0, 1, 2), (0, 1, 2, 3), (0, 1, 2, 3)]


@pytest.mark.parametrize('num_layers', [1, 2, 3, 12])
def test_incoming_and_transitions_describe_the_same_links(num_layers):
  by_target = {
    (layer, source, direction): level
    for layer, level in lattice.nodes(num_layers)
    for source, direction in lattice.incoming(layer, level)
  }
  by_source = {
    (t.column, t.source_level, t.direction): t.level
    for t in lattice.transitions(num_layers)
  }
  assert by_target == by_source


def test_directions_move_by_one_level():
  assert lattice.target_level(2, lattice.UP) == 1
  assert lattice.target_level(2, lattice.SAME) == 2
  assert lattice.target_level(2, lattice.DOWN) == 3
  assert lattice.outgoing(0) == (lattice.SAME, lattice.DOWN)
  assert lattice.outgoing(3) == (lattice.UP, lattice.SAME)


def test_incoming_is_ordered_by_source_level():
  assert lattice.incoming(5, 1) == (
    (0, lattice.DOWN),
    (1, lattice.SAME),
    (2, lattice.UP),
  )


def test_a_node_of_the_first_layer_comes_from_the_stem_alone():
  assert lattice.incoming(0, 0) == ((0, lattice.SAME),)
  assert lattice.incoming(0, 1) == ((0, lattice.DOWN),)


def test_path_transitions_follow_the_backbone():
  path = lattice.path_transitions((0, 1, 1, 0))
  assert [(t.column, t.source_level, t.direction) for t in path] == [
    (0, 0, lattice.SAME),
    (1, 0, lattice.DOWN),
    (2, 1, lattice.SAME),
    (3, 1, lattice.UP),
  ]


def test_every_path_of_the_lattice_is_made_of_its_transitions(all_paths):
  legal = set(lattice.transitions(4))
  for path in all_paths(4):
    transitions = lattice.path_transitions(path)
    assert tuple(t.level for t in transitions) == path
    assert legal.issuperset(transitions)


def test_legal_mask_is_true_at_the_transitions_only():
  mask = lattice.legal_mask(12)
  assert mask.shape == (12, 4, 3)
  assert mask.sum() == 105
  assert mask[0].tolist() == [[False, True, True]] + [[False] * 3] * 3
  assert not mask[:, 0, lattice.UP].any()
  assert not mask[:, 3, lattice.DOWN].any()
  assert np.array_equal(mask[3], mask[11])


def test_block_filters_double_with_each_level():
  assert [lattice.block_filters(level, 20) for level in range(4)] == [
    20,
    40,
    80,
    160,
  ]


def test_aspp_rates_at_stride_8_are_those_of_the_published_network():
  assert lattice.aspp_rates(1) == (12, 24, 36)
  assert lattice.aspp_rates(3) == (3, 6, 9)


@pytest.mark.parametrize(
  ('backbone', 'layer'),
  [
    ((0, 0, 0, 1, 2, 1, 2, 2, 3, 3, 2, 1), 2),
    ((0, 1, 0, 1), 2),
    ((1, 2, 2), -1),
    ((0, 0, 1, 0), -1),
  ],
)
def test_low_level_layer_is_the_last_one_before_the_path_leaves(
  backbone, layer
):
  assert lattice.low_level_layer(backbone) == layer


@pytest.mark.parametrize(
  'function',
  [
    lattice.nodes,
    lattice.transitions,
    lattice.num_paths,
    lattice.legal_mask,
  ],
)
def test_a_lattice_without_layers_is_refused(function):
  with pytest.raises(
    ValueError, match=r'`num_layers` \(0\) must be at least 1\.'
  ):
    function(0)


def test_a_layer_before_the_stem_is_refused():
  with pytest.raises(ValueError, match=r'`layer` \(-2\) must be at least -1\.'):
    lattice.reachable_levels(-2)


@pytest.mark.parametrize(('layer', 'level'), [(0, 2), (-1, 0), (5, 4)])
def test_a_node_outside_the_lattice_is_refused(layer, level):
  with pytest.raises(
    ValueError, match=f'There is no node at layer {layer}, level {level}'
  ):
    lattice.incoming(layer, level)


def test_a_filter_multiplier_of_0_is_refused():
  with pytest.raises(
    ValueError, match=r'`filter_multiplier` \(0\) must be at least 1\.'
  ):
    lattice.block_filters(1, 0)
