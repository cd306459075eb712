# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Lattice and cell of the page, of one genotype or over the snapshots."""

from collections.abc import Iterator, Sequence
from typing import Any

from auto_deeplab.architecture import decode, lattice, primitives
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.page import blocks
from auto_deeplab.reporting import decoded, drawings, svg

_LATTICE = (
  'The lattice: each transition at its probability, and the path through them'
)
_CELL = 'The cell, the same in every layer'


def of_genotype(
  name: str, genotype: genotype_lib.Genotype
) -> Iterator[blocks.Block]:
  """Yields the drawings of a genotype that came without a search."""
  yield blocks.Figure(
    f'{name}-lattice',
    'The path through the lattice',
    _told_path(genotype),
    drawings.lattice_figure(None, genotype.backbone),
    is_wide=True,
  )
  yield blocks.Figure(
    f'{name}-cell',
    _CELL,
    _told_cell(genotype),
    drawings.cell_figure(genotype),
    is_wide=True,
  )


def timeline(
  name: str,
  snapshots: Sequence[decode.Snapshot],
  texts: Sequence[str],
  result: decode.Snapshot,
) -> blocks.Timeline:
  """Returns lattice and cell over snapshots.

  Args:
    name: of the search.
    snapshots: of one shape, by their steps.
    texts: what is said of each.
    result: the one to show first.
  """
  genotypes = [snapshot.decode() for snapshot in snapshots]
  shown = next(
    (i for i, s in enumerate(snapshots) if s.step == result.step),
    len(snapshots) - 1,
  )
  genotype = genotypes[shown]
  figures = (
    blocks.Figure(
      f'{name}-lattice',
      _LATTICE,
      _told_path(genotype),
      drawings.lattice_figure(snapshots[shown].betas, genotype.backbone),
      is_wide=True,
    ),
    blocks.Figure(
      f'{name}-cell',
      _CELL,
      _told_cell(genotype),
      drawings.cell_figure(genotype, genotypes),
      is_wide=True,
    ),
  )
  edges = sorted(set().union(*map(drawings.cell_edges, genotypes)))
  kept = drawings.cell_edges(genotype)
  return blocks.Timeline(
    f'{name}-over-time',
    'The architecture over the search',
    figures,
    frozenset(drawings.edge_key(*e) for e in edges if e not in kept),
    _general(snapshots[shown], genotype, edges)
    | {
      'shown': shown,
      'moments': [
        _moment(*each, edges)
        for each in zip(snapshots, genotypes, texts, strict=True)
      ],
    },
  )


def _told_path(genotype: genotype_lib.Genotype) -> str:
  strides = [lattice.OUTPUT_STRIDES[level] for level in genotype.backbone]
  return (
    f'Lattice of {genotype.num_layers} layers and {lattice.NUM_LEVELS} levels. '
    f'The path has the output strides {", ".join(map(str, strides))}.'
  )


def _told_cell(genotype: genotype_lib.Genotype) -> str:
  blocks_told = decoded.describe(genotype).splitlines()[1:-1]
  return f'Graph of the cell. {"; ".join(map(str.strip, blocks_told))}.'


def _general(
  snapshot: decode.Snapshot,
  genotype: genotype_lib.Genotype,
  edges: Sequence[tuple[int, int, int]],
) -> dict[str, Any]:
  """Returns what all moments have in common: keys and styles."""
  return {
    'width': drawings.WIDTH,
    'opacity': drawings.OPACITY,
    'colors': {
      'ink': svg.variable(drawings.INK),
      'path': svg.variable(drawings.PATH),
      'paper': svg.variable(drawings.PAPER),
      'node': svg.variable(drawings.NODE),
    },
    'transitions': [
      [drawings.transition_key(t, part) for part in ('line', 'number')]
      for t in lattice.transitions(len(snapshot.betas))
    ],
    'nodes': [
      drawings.node_key(*node) for node in lattice.nodes(len(snapshot.betas))
    ],
    'edges': [drawings.edge_key(*edge) for edge in edges],
    'operations': [
      [drawings.operation_key(block, index, part) for part in ('box', 'label')]
      for block in range(genotype.num_blocks)
      for index in range(genotype_lib.EDGES_PER_BLOCK)
    ],
    'primitives': {
      key: [primitives.get(key).label, svg.variable(primitives.get(key).color)]
      for key in primitives.operations(snapshot.primitives)
    },
  }


def _moment(
  snapshot: decode.Snapshot,
  genotype: genotype_lib.Genotype,
  text: str,
  edges: Sequence[tuple[int, int, int]],
) -> dict[str, Any]:
  """Returns what the script needs of one snapshot."""
  probabilities = decode.transition_probabilities(snapshot.betas)
  transitions = lattice.transitions(len(snapshot.betas))
  chosen = set(lattice.path_transitions(genotype.backbone))
  kept = drawings.cell_edges(genotype)
  nodes = lattice.nodes(len(snapshot.betas))
  on_path = set(enumerate(genotype.backbone))
  return {
    'text': text,
    'probabilities': [
      round(float(probabilities[t.column, t.source_level, t.direction]), 3)
      for t in transitions
    ],
    'path': [i for i, t in enumerate(transitions) if t in chosen],
    'nodes': [i for i, node in enumerate(nodes) if node in on_path],
    'edges': [i for i, edge in enumerate(edges) if edge in kept],
    'operations': [name for block in genotype.cell for _, name in block],
  }
