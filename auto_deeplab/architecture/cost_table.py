# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the parts of any network cost, as a table that networks are summed from.

A network costs what its ends do (stem, head and decoder), what each cell does
to bring its inputs to its width, and what the primitives of each cell do. All
of it is found from cells and small networks, whose cost is counted (`cost`) or
timed (`planning.timing`); but the sums are linear in the weights of a genotype
(`discretization.weights`), so that there is an expected cost of weights in
between.
"""

from collections.abc import Callable, Sequence
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


@dataclasses.dataclass(frozen=True)
class Part:
  """What is measured for a table: a cell of a small network, or all of it.

  Attributes:
    genotype: Of the network.
    layer: Of the cell; None for the whole network.
  """

  genotype: genotype_lib.Genotype
  layer: int | None = None


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

  def counted(part: Part) -> float:
    found = cost.count(dataclasses.replace(network, genotype=part.genotype))
    if part.layer is not None:
      found = found.by_part()[f'cell_{part.layer}']
    return getattr(found, measure)

  return assemble(counted, network.genotype.num_blocks, names)


def parts(num_blocks: int, names: Sequence[str]) -> list[Part]:
  """Returns what `assemble` asks the cost of, each once."""
  found: dict[Part, float] = {}
  assemble(lambda part: found.setdefault(part, 0.0), num_blocks, names)
  return list(found)


def assemble(
  cost_of_part: Callable[[Part], float], num_blocks: int, names: Sequence[str]
) -> CostTable:
  """Makes a table from what some cells and small networks cost.

  Args:
    cost_of_part: Returns it, in the unit that the table is to have. Skip
      connections are taken to cost nothing: what they do is part of the cells
      that have nothing else.
    num_blocks: Of a cell.
    names: Of the primitives.
  """
  table = empty(names)
  _fill_projections(table, cost_of_part, num_blocks)
  _fill_primitives(table, cost_of_part, num_blocks)
  _fill_ends(table, cost_of_part, num_blocks)
  return table


def empty(names: Sequence[str]) -> CostTable:
  """Returns a table of zeros."""
  levels = lattice.NUM_LEVELS
  return CostTable(
    tuple(names),
    np.zeros([NUM_KINDS, levels, levels, levels]),
    np.zeros([levels, 2, len(names)]),
    np.zeros([levels, 2]),
  )


def _of_one(
  name: str, num_blocks: int, backbone: Sequence[int]
) -> genotype_lib.Genotype:
  """A genotype of one primitive alone, on both inputs in each block."""
  return genotype_lib.Genotype(
    (((0, name), (1, name)),) * num_blocks, tuple(backbone)
  )


def _skips(num_blocks: int, backbone: Sequence[int]) -> genotype_lib.Genotype:
  return _of_one(primitives.SKIP_CONNECT, num_blocks, backbone)


def _fill_projections(
  table: CostTable, cost_of_part: Callable[[Part], float], num_blocks: int
) -> None:
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
      part = Part(_skips(num_blocks, backbone), len(backbone) - 1)
      table.projections[layer, before, last, level] = cost_of_part(part)


def _fill_primitives(
  table: CostTable, cost_of_part: Callable[[Part], float], num_blocks: int
) -> None:
  """A cell of it alone, without what a cell of skips costs, is many of it."""
  free = (primitives.NONE, primitives.SKIP_CONNECT)
  number = genotype_lib.NUM_INPUTS * num_blocks
  for level, strides in itertools.product(range(lattice.NUM_LEVELS), (0, 1)):
    if level == 0 and strides:  # Nothing is finer.
      continue
    backbone = (*range(level), level) if strides else (*range(level + 1), level)
    last = len(backbone) - 1
    without = cost_of_part(Part(_skips(num_blocks, backbone), last))
    for index, name in enumerate(table.names):
      if name not in free:
        part = Part(_of_one(name, num_blocks, backbone), last)
        more = cost_of_part(part) - without
        table.primitives[level, strides, index] = more / number


def _fill_ends(
  table: CostTable, cost_of_part: Callable[[Part], float], num_blocks: int
) -> None:
  """What networks of skips cost without their cells."""

  def of(backbone: Sequence[int]) -> float:
    outside, _ = table.of_path(backbone)  # Of the cells alone, so far.
    return cost_of_part(Part(_skips(num_blocks, backbone))) - outside

  # A path that ends at level 0 has no other low-level feature than the stem.
  table.ends[:] = [
    [of(range(min(level, 1), level + 1)), of(range(level + 1))]
    for level in range(lattice.NUM_LEVELS)
  ]
