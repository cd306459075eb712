# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Decoding with a cost in mind: the likeliest genotype that costs as much.

A genotype is as likely as its path, times the strengths of the edges of its
cell. Without a cost the likeliest one is that of `decode.decode`.
"""

import numpy as np

from auto_deeplab.architecture import (
  candidates,
  cost_table,
  decode,
  discretization,
)
from auto_deeplab.architecture import genotype as genotype_lib

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
  paths = candidates.likeliest_paths(snapshot.betas, NUM_CANDIDATES)
  cells = candidates.likeliest_cells(snapshot, NUM_CANDIDATES)
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


def _weights(cell: candidates.Cell, names: tuple[str, ...]) -> np.ndarray:
  return discretization.weights(genotype_lib.Genotype(cell, (0,)), names)[0]
