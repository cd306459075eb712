# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the parts of any network cost, as a table that networks are summed from.

A network costs what its ends do (stem, head and decoder), what each cell does
to bring its inputs to its width, and what the primitives of each cell do. All
of it is found by `cost.count`, and nothing is counted in another way; but the
sums are linear in the weights of a genotype (`discretization.weights`), so that
there is an expected cost of weights in between.
"""

from collections.abc import Sequence
import dataclasses
import itertools

import numpy as np

from auto_deeplab.architecture import cost, discretization, lattice, primitives
from auto_deeplab.architecture import genotype as genotype_lib

# The first two cells read the stem, whose widths are its own.
NUM_KINDS = 3


@dataclasses.dataclass(frozen=True, eq=False)
class CostTable:
  """Costs in one measure, float64, 0 where the lattice has no such thing.

  Attributes:
    names: Of the primitives, in the order of the last axis of `primitives`.
    projections: `[NUM_KINDS, NUM_LEVELS, NUM_LEVELS, NUM_LEVELS]`, of both
      inputs of a cell by the kind of its layer, min(layer, 2), and the levels
      of the layer before the last, of the last, and of its own.
    primitives: `[NUM_LEVELS, 2, num_primitives]`, by the level of the cell and
      whether they stride.
    ends: `[NUM_LEVELS, 2]`, by the level of the last layer, and whether the
      decoder reads a cell or the stem.
  """

  names: tuple[str, ...]
  projections: np.ndarray
  primitives: np.ndarray
  ends: np.ndarray

  def of_cell(self, alpha: np.ndarray) -> np.ndarray:
    """Returns what the primitives of a cell cost.

    Args:
      alpha: `[num_edges, num_primitives]`, how much of each there is.

    Returns:
      `[NUM_LEVELS, 2]`, by the level of the cell and whether it strides.
    """
    reads_input = reads_inputs(len(alpha))
    from_inputs = np.einsum('ep,lsp->ls', alpha[reads_input], self.primitives)
    others = np.einsum('ep,lp->l', alpha[~reads_input], self.primitives[:, 0])
    return from_inputs + others[:, None]

  def of_path(self, backbone: Sequence[int]) -> tuple[float, np.ndarray]:
    """Returns what a path costs without primitives, and its cells.

    Args:
      backbone: The level of each layer.

    Returns:
      The cost; and how many cells there are, `[NUM_LEVELS, 2]`, as of
      `of_cell`.
    """
    levels = (0, 0, *backbone)
    reads_cell = lattice.low_level_layer(backbone) != lattice.STEM_LAYER
    total = self.ends[backbone[-1], int(reads_cell)]
    cells = np.zeros([lattice.NUM_LEVELS, 2])
    for layer in range(len(backbone)):
      before, last, level = levels[layer : layer + 3]
      total += self.projections[min(layer, 2), before, last, level]
      cells[level, int(level > last)] += 1
    return float(total), cells


def cost_of(table: CostTable, genotype: genotype_lib.Genotype) -> float:
  """Returns the cost of a network, as it is counted."""
  alpha, _ = discretization.weights(genotype, table.names)
  outside, cells = table.of_path(genotype.backbone)
  return outside + float(np.sum(cells * table.of_cell(alpha)))


def reads_inputs(num_edges: int) -> np.ndarray:
  """Which edges of a cell read its inputs, bool `[num_edges]`."""
  blocks = next(
    blocks
    for blocks in itertools.count(1)
    if len(genotype_lib.edges(blocks)) >= num_edges
  )
  states = np.array([state for _, state in genotype_lib.edges(blocks)])
  return states < genotype_lib.NUM_INPUTS


def make(
  network: cost.Network,
  names: Sequence[str] = primitives.PAPER,
  measure: str = 'multiply_adds',
) -> CostTable:
  """Makes the table for the networks that differ from one by genotype alone.

  Args:
    network: Any of them. Its pooling window may not be set, which not all of
      them have room for.
    names: Of the primitives.
    measure: One of `cost.MEASURES`.

  Raises:
    ValueError: If there is a pooling window, or no such measure.
  """
  if network.pooling_size is not None:
    raise ValueError(f'`pooling_size` ({network.pooling_size}) must be None.')
  if measure not in cost.MEASURES:
    raise ValueError(
      f'`measure` ({measure!r}) must be one of {", ".join(cost.MEASURES)}.'
    )
  return CostTable(
    tuple(names),
    _projections(network, measure),
    _primitives(network, names, measure),
    _ends(network, measure),
  )


def _along(network: cost.Network, backbone: Sequence[int]) -> cost.Network:
  """A network of skip connections, which cost nothing, along another path."""
  skips = ((0, primitives.SKIP_CONNECT), (1, primitives.SKIP_CONNECT))
  cell = (skips,) * network.genotype.num_blocks
  genotype = genotype_lib.Genotype(cell, tuple(backbone))
  return dataclasses.replace(network, genotype=genotype)


def _projections(network: cost.Network, measure: str) -> np.ndarray:
  table = np.zeros([NUM_KINDS, *[lattice.NUM_LEVELS] * 3])
  for layer in range(NUM_KINDS):
    for levels in itertools.product(range(lattice.NUM_LEVELS), repeat=3):
      before, last, level = levels
      if max(abs(last - before), abs(level - last)) > 1:
        continue
      # From the stem down to the first of the three, where there is one.
      backbone = (
        (*range(before), *levels) if layer == 2 else levels[2 - layer :]
      )
      if any(levels[: 2 - layer]) or (layer < 2 and backbone[0] > 1):
        continue
      counted = cost.count(_along(network, backbone)).by_part()
      part = counted[f'cell_{len(backbone) - 1}']
      table[layer, before, last, level] = getattr(part, measure)
  return table


def _primitives(
  network: cost.Network, names: Sequence[str], measure: str
) -> np.ndarray:
  return np.array(
    [
      [
        [
          getattr(
            primitives.get(name).count(
              network.map_size(level),
              lattice.block_filters(level, network.filter_multiplier),
              is_striding,
            ),
            measure,
          )
          for name in names
        ]
        for is_striding in (False, True)
      ]
      for level in range(lattice.NUM_LEVELS)
    ],
    float,
  )


def _ends(network: cost.Network, measure: str) -> np.ndarray:
  def of(backbone: Sequence[int]) -> float:
    parts = cost.count(_along(network, backbone)).by_part()
    return sum(
      getattr(part, measure)
      for name, part in parts.items()
      if not name.startswith('cell_')
    )

  stem_alone = [of([0]), *(of(range(1, n + 1)) for n in (1, 2, 3))]
  # A path that ends at level 0 has no other low-level feature than the stem.
  reads_cell = [of([0]), *(of(range(n + 1)) for n in (1, 2, 3))]
  return np.stack([stem_alone, reads_cell], axis=-1).astype(float)
