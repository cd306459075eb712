# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The baseline that a search has to beat: a random genotype of equal cost.

Equal are layers, blocks and, within `TOLERANCE`, the multiply-adds of the whole
network at F = 20 on an image of 1025x2049 (`cost.count`). Genotypes are drawn
from all of that size until one fits, so each that fits is equally likely.
"""

from collections.abc import Sequence

import numpy as np

from auto_deeplab.architecture import cost, primitives
from auto_deeplab.architecture import genotype as genotype_lib

# Share of the multiply-adds. In the published size a typical genotype is met by
# one draw in 11, a very cheap or dear one by one in 300; 1,000 draws take 2 s.
TOLERANCE = 0.02
_MAX_DRAWS = 10_000


def draw(
  reference: genotype_lib.Genotype,
  seed: int,
  names: Sequence[str] = primitives.PAPER,
) -> genotype_lib.Genotype:
  """Draws a genotype of the size and cost of another.

  Args:
    reference: what the baseline is for.
    seed: 0 or more; equal seeds draw equal genotypes.
    names: of the primitives that the reference was searched among.

  Raises:
    ValueError: If the seed is negative, or nothing of that cost was found.
  """
  if seed < 0:
    raise ValueError(f'`seed` ({seed}) must not be negative.')
  target = multiply_adds(reference)
  generator = np.random.default_rng(seed)
  for _ in range(_MAX_DRAWS):
    drawn = genotype_lib.random_genotype(
      generator,
      num_layers=reference.num_layers,
      num_blocks=reference.num_blocks,
      names=names,
    )
    if abs(multiply_adds(drawn) - target) <= TOLERANCE * target:
      return drawn
  raise ValueError(
    f'none of {_MAX_DRAWS:,} random genotypes costs {target:,} multiply-adds, '
    f'or up to {TOLERANCE:.0%} more or less.'
  )


def multiply_adds(genotype: genotype_lib.Genotype) -> int:
  """The cost that is compared."""
  return cost.count(cost.Network(genotype)).multiply_adds
