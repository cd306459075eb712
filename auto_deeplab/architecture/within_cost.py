# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Decoding with a cost in mind: the likeliest genotype that costs as much.

A genotype is as likely as its path, times the strengths of the edges of its
cell. Without a cost the likeliest one is that of `decode.decode`.
"""

from collections.abc import Iterator
import heapq
import itertools
import math

import numpy as np

from auto_deeplab.architecture import (
  cost_table,
  decode,
  discretization,
  lattice,
)
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import primitives as primitives_lib

Cell = tuple[genotype_lib.Block, ...]

# In the folder of a search that has a target: the result of `decode_within`.
FILE = 'genotype_within_cost.json'

# Of the target: a decoded network that costs so much more or less is as asked.
TOLERANCE = 0.05

# So many paths and as many cells are looked at, each with each.
NUM_CANDIDATES = 1000


def decode_within(
  snapshot: decode.Snapshot,
  table: cost_table.CostTable,
  target: float,
  tolerance: float = TOLERANCE,
) -> genotype_lib.Genotype | None:
  """Finds the likeliest genotype whose cost is near a target.

  Args:
    snapshot: Of a search.
    table: What networks cost, with the primitives of the snapshot.
    target: The cost.
    tolerance: Share of the target by which it may be missed.

  Returns:
    The genotype; None if no pair of the `NUM_CANDIDATES` likeliest paths and
    cells costs that.
  """
  paths = likeliest_paths(snapshot.betas, NUM_CANDIDATES)
  cells = likeliest_cells(snapshot, NUM_CANDIDATES)
  outside, counts = zip(*(table.of_path(path) for _, path in paths))
  of_cells = [
    table.of_cell(_weights(cell, snapshot.primitives)) for _, cell in cells
  ]
  costs = np.array(outside)[:, None] + np.einsum(
    'pls,cls->pc', np.array(counts), np.array(of_cells)
  )
  scores = np.add.outer([s for s, _ in paths], [s for s, _ in cells])
  scores[np.abs(costs - target) > tolerance * target] = -np.inf
  path, cell = np.unravel_index(scores.argmax(), scores.shape)
  if scores[path, cell] == -np.inf:
    return None
  return genotype_lib.Genotype(cells[cell][1], paths[path][1])


def _weights(cell: Cell, names: tuple[str, ...]) -> np.ndarray:
  return discretization.weights(genotype_lib.Genotype(cell, (0,)), names)[0]


def likeliest_paths(
  betas: np.ndarray, number: int
) -> list[tuple[float, tuple[int, ...]]]:
  """Returns the likeliest paths, each after its log probability, best first.

  Args:
    betas: `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]` logits.
    number: The most to return.
  """
  with np.errstate(divide='ignore'):
    logs = np.log(decode.transition_probabilities(betas))
  # By the level that they have reached.
  found: dict[int, list[tuple[float, tuple[int, ...]]]] = {0: [(0.0, ())]}
  for layer, of_layer in enumerate(logs):
    found = {
      level: heapq.nlargest(
        number,
        (
          (score + float(of_layer[source, direction]), (*path, level))
          for source, direction in lattice.incoming(layer, level)
          for score, path in found[source]
        ),
        key=lambda each: each[0],
      )
      for level in lattice.reachable_levels(layer)
    }
  every = itertools.chain.from_iterable(found.values())
  return heapq.nlargest(number, every, key=lambda each: each[0])


def likeliest_cells(
  snapshot: decode.Snapshot, number: int
) -> list[tuple[float, Cell]]:
  """Returns the likeliest cells, each after its log strength, best first.

  Args:
    snapshot: Of a search.
    number: The most to return.
  """
  cells: list[tuple[float, Cell]] = [(0.0, ())]
  for block in range(decode.num_blocks(snapshot.alphas)):
    blocks = heapq.nlargest(
      number, _blocks(snapshot, block), key=lambda each: each[0]
    )
    cells = heapq.nlargest(
      number,
      (
        (score + more, (*cell, edges))
        for score, cell in cells
        for more, edges in blocks
      ),
      key=lambda each: each[0],
    )
  return cells


def _blocks(
  snapshot: decode.Snapshot, block: int
) -> Iterator[tuple[float, genotype_lib.Block]]:
  """Returns all that a block may be, after its log strength."""
  probabilities = decode.operation_probabilities(snapshot.alphas)
  first = genotype_lib.edges(block + 1).index((block, 0))
  edges = [
    [
      (math.log(probabilities[first + state, column]), (state, name))
      for column, name in enumerate(snapshot.primitives)
      if name != primitives_lib.NONE and probabilities[first + state, column]
    ]
    for state in range(genotype_lib.num_states(block))
  ]
  for left, right in itertools.combinations(edges, 2):
    for (score, one), (more, other) in itertools.product(left, right):
      yield score + more, (one, other)
