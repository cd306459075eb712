# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A genotype as a point of the continuous search space: the way back.

Where `decode` takes the largest weights, these are 1 there and 0 elsewhere, so
that a supernet computes the decoded network with its own kernels.
"""

from collections.abc import Sequence

import numpy as np

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import lattice
from auto_deeplab.architecture import primitives as primitives_lib


def weights(
  genotype: genotype_lib.Genotype,
  names: Sequence[str] = primitives_lib.PAPER,
) -> tuple[np.ndarray, np.ndarray]:
  """Returns what weighs primitives and transitions in a decided supernet.

  Args:
    genotype: the network.
    names: of the primitives, in the order of alphas.

  Returns:
    alpha, float32 `[num_edges, num_primitives]`: 1 for the primitive of an edge
    that the cell keeps, 0 for all else, so that other edges bring nothing;
    beta, float32 `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]`: 1 along the path.

  Raises:
    ValueError: a primitive of the genotype is not among the names.
  """
  places = {
    edge: row
    for row, edge in enumerate(genotype_lib.edges(genotype.num_blocks))
  }
  alpha = np.zeros([len(places), len(names)], np.float32)
  for block, edges in enumerate(genotype.cell):
    for state, name in edges:
      if name not in names:
        raise ValueError(
          f'the primitive {name!r} of the genotype is none of the '
          f"supernet's, {', '.join(names)}."
        )
      alpha[places[block, state], list(names).index(name)] = 1
  mask = lattice.legal_mask(genotype.num_layers)
  beta = np.zeros(mask.shape, np.float32)
  for transition in lattice.path_transitions(genotype.backbone):
    place = transition.column, transition.source_level, transition.direction
    beta[place] = 1
  return alpha, beta
