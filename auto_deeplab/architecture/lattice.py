# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""The lattice: where a cell may lie, and how data may flow between cells.

A network of the search space is a path through a grid of layers (columns) and
levels (rows). Level 0 works at output stride 4, and each further level at twice
the stride of the one above it. From one layer to the next the path goes up
(finer), stays, or goes down (coarser), by one level at most (Auto-DeepLab,
arXiv 1901.02985, section 3.2 and figure 1).

    layer         -1 (stem)   0     1     2     3   ...
    level 0  s=4      o ----- o --- o --- o --- o
                        \       \ /   \ /   \ /
    level 1  s=8          \-- o --- o --- o --- o
                                \       \ /   \ /
    level 2  s=16                 \ o --- o --- o
                                      \       \ /
    level 3  s=32                       \ o --- o

Layers are numbered 0..L-1. The stem halves the input twice, so its output lies
at level 0 and counts as layer -1; the first transition is free.

Betas, `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]`, are indexed by the SOURCE of
a transition: column c holds the transitions that arrive at layer c, so the
only source of column 0 is the stem, and the sources of column c are the nodes
of layer c - 1.

All other modules (supernet, decoder, cost model, drawings) take their indices
from here.
"""

from collections.abc import Sequence
import dataclasses

import numpy as np

NUM_LEVELS = 4
OUTPUT_STRIDES = (4, 8, 16, 32)

# Directions, as offsets of the level plus one.
UP, SAME, DOWN = 0, 1, 2
NUM_DIRECTIONS = 3
DIRECTION_NAMES = ('up', 'same', 'down')

STEM_LAYER = -1


@dataclasses.dataclass(frozen=True, order=True)
class Transition:
  """A link from a node of layer `column - 1` to a node of layer `column`.

  Attributes:
    column: Index into the first axis of betas; the layer it arrives at.
    source_level: Level of the node it leaves.
    direction: `UP`, `SAME` or `DOWN`.
  """

  column: int
  source_level: int
  direction: int

  @property
  def level(self) -> int:
    """Level of the node it arrives at."""
    return target_level(self.source_level, self.direction)


def target_level(source_level: int, direction: int) -> int:
  """Level where a transition arrives."""
  return source_level + direction - 1


def check_num_layers(num_layers: int) -> None:
  """Raises ValueError unless there is at least one layer."""
  if num_layers < 1:
    raise ValueError(f'`num_layers` ({num_layers}) must be at least 1.')


def reachable_levels(layer: int) -> tuple[int, ...]:
  """Levels at which `layer` has a node, finest first; layer -1 is the stem.

  Raises:
    ValueError: If `layer` is below -1.
  """
  if layer < STEM_LAYER:
    raise ValueError(f'`layer` ({layer}) must be at least {STEM_LAYER}.')
  return tuple(range(min(layer + 2, NUM_LEVELS)))


def outgoing(source_level: int) -> tuple[int, ...]:
  """Legal directions out of a node at `source_level`, of any layer."""
  return tuple(
    direction
    for direction in (UP, SAME, DOWN)
    if 0 <= target_level(source_level, direction) < NUM_LEVELS
  )


def incoming(layer: int, level: int) -> tuple[tuple[int, int], ...]:
  """Transitions that arrive at a node, as (source_level, direction) pairs.

  Args:
    layer: Layer of the node, 0 or more.
    level: Level of the node.

  Returns:
    The pairs, ordered by source level.

  Raises:
    ValueError: If the lattice has no such node.
  """
  if layer < 0 or level not in reachable_levels(layer):
    raise ValueError(f'There is no node at layer {layer}, level {level}.')
  return tuple(
    (source_level, level - source_level + 1)
    for source_level in reachable_levels(layer - 1)
    if abs(level - source_level) <= 1
  )


def nodes(num_layers: int) -> list[tuple[int, int]]:
  """All nodes as (layer, level), without the stem."""
  check_num_layers(num_layers)
  return [
    (layer, level)
    for layer in range(num_layers)
    for level in reachable_levels(layer)
  ]


def transitions(num_layers: int) -> list[Transition]:
  """All legal transitions, ordered by column, source level and direction."""
  check_num_layers(num_layers)
  return [
    Transition(column, source_level, direction)
    for column in range(num_layers)
    for source_level in reachable_levels(column - 1)
    for direction in outgoing(source_level)
  ]


def path_transitions(backbone: Sequence[int]) -> list[Transition]:
  """The transitions of a path, from the stem to the last layer.

  Args:
    backbone: The level of each layer.

  Raises:
    ValueError: If a level does not exist or cannot be reached from the one
      before it.
  """
  path, source_level = [], 0
  for layer, level in enumerate(backbone):
    if not 0 <= level < NUM_LEVELS:
      raise ValueError(
        f'`backbone` has level {level!r} at layer {layer}; levels are the '
        f'integers 0 to {NUM_LEVELS - 1}.'
      )
    if abs(level - source_level) > 1:
      origin = f'layer {layer - 1}' if layer else 'the stem'
      raise ValueError(
        f'`backbone` jumps from level {source_level} at {origin} to level '
        f'{level} at layer {layer}; one level a layer is the most.'
      )
    path.append(Transition(layer, source_level, level - source_level + 1))
    source_level = level
  return path


def legal_mask(num_layers: int) -> np.ndarray:
  """Which entries of betas belong to a transition.

  Returns:
    bool array `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]`.
  """
  mask = np.zeros((num_layers, NUM_LEVELS, NUM_DIRECTIONS), dtype=bool)
  for t in transitions(num_layers):
    mask[t.column, t.source_level, t.direction] = True
  return mask


def num_continuations(num_layers: int) -> list[list[int]]:
  """Counts, for each source of each column, the paths from it to the end.

  Returns:
    `counts[column][source_level]`, with `num_layers + 1` columns; the last one
    holds the nodes where paths end. Unreachable sources are counted as well.
  """
  check_num_layers(num_layers)
  counts = [[1] * NUM_LEVELS]
  for _ in range(num_layers):
    following = counts[0]
    column = [
      sum(following[target_level(level, d)] for d in outgoing(level))
      for level in range(NUM_LEVELS)
    ]
    counts.insert(0, column)
  return counts


def num_paths(num_layers: int) -> int:
  """Number of paths from the stem to any node of the last layer."""
  return num_continuations(num_layers)[0][0]


def block_filters(level: int, filter_multiplier: int) -> int:
  """Channels of one block at `level`: F * s / 4 (section 4.1)."""
  if filter_multiplier < 1:
    raise ValueError(
      f'`filter_multiplier` ({filter_multiplier}) must be at least 1.'
    )
  return filter_multiplier * OUTPUT_STRIDES[level] // OUTPUT_STRIDES[0]


def aspp_rates(level: int) -> tuple[int, int, int]:
  """Atrous rates of the retrained head at `level`: {1, 2, 3} * 96 / s.

  At output stride 8, where the published network ends, 12, 24 and 36.
  """
  rate = 96 // OUTPUT_STRIDES[level]
  return rate, 2 * rate, 3 * rate


def low_level_layer(backbone: Sequence[int]) -> int:
  """Layer whose cell gives the decoder its low-level feature (stride 4).

  It is the last cell at level 0 before the path leaves that level for good. A
  path that never visits level 0, or that ends there, takes the stem: the
  output of the last cell is the encoder's own and would add nothing to it.

  Returns:
    A layer index, or -1 for the stem.
  """
  if 0 not in backbone or backbone[-1] == 0:
    return STEM_LAYER
  return max(layer for layer, level in enumerate(backbone) if level == 0)
