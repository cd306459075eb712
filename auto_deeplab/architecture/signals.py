# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What alphas and betas say of a search while it runs.

How sure it is, whether what it would decode still changes, and whether it falls
for the known failure of such searches, a cell of skip connections.
"""

import collections
from collections.abc import Sequence

import numpy as np

from auto_deeplab.architecture import decode, lattice
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import primitives as primitives_lib

# Of the edges that a cell keeps, the share of skip connections from which on it
# is said aloud. By chance one in seven is.
COLLAPSED_SHARE = 0.5


def shares(
  genotype: genotype_lib.Genotype,
  names: Sequence[str] = primitives_lib.PAPER,
) -> dict[str, float]:
  """Returns the share of each primitive among the edges that the cell keeps.

  Args:
    genotype: the network.
    names: of the primitives that were searched among; `none` is kept nowhere.
  """
  kept = collections.Counter(_operations(genotype))
  return {
    name: kept[name] / kept.total()
    for name in names
    if name != primitives_lib.NONE
  }


def is_collapsed(genotype: genotype_lib.Genotype) -> bool:
  """Whether half or more of the edges that the cell keeps are skips."""
  operations = _operations(genotype)
  skips = operations.count(primitives_lib.SKIP_CONNECT)
  return skips >= COLLAPSED_SHARE * len(operations)


def _operations(genotype: genotype_lib.Genotype) -> list[str]:
  return [name for block in genotype.cell for _, name in block]


def changes(
  genotype: genotype_lib.Genotype, other: genotype_lib.Genotype
) -> tuple[int, int]:
  """Counts the edges of the cell and the layers in which two genotypes differ.

  An edge differs if the other cell has none to this block from this state with
  this primitive.

  Args:
    genotype: one.
    other: of as many blocks and layers.

  Returns:
    Edges, of 2 * num_blocks, and layers, of num_layers.
  """
  edges = sum(
    len(set(block) - set(others))
    for block, others in zip(genotype.cell, other.cell, strict=True)
  )
  layers = sum(
    level != others
    for level, others in zip(genotype.backbone, other.backbone, strict=True)
  )
  return edges, layers


def margins(snapshot: decode.Snapshot) -> dict[str, float]:
  """Returns by how much the likeliest choice leads the second, on the mean.

  In [0, 1]: of edges between primitives other than `none`, of nodes between
  transitions. 0 is a coin's toss.
  """
  alphas = decode.operation_probabilities(snapshot.alphas)
  is_choice = [name != primitives_lib.NONE for name in snapshot.primitives]
  betas = decode.transition_probabilities(snapshot.betas)
  sources = lattice.legal_mask(len(betas)).any(axis=-1)
  return {
    'margin/alpha': _mean_margin(alphas[:, is_choice]),
    'margin/beta': _mean_margin(betas[sources]),
  }


def _mean_margin(probabilities: np.ndarray) -> float:
  """Returns the mean lead of the largest; of a single choice it is all."""
  if probabilities.shape[-1] < 2:
    return 1.0
  second, first = np.sort(probabilities, axis=-1)[:, -2:].T
  return float(np.mean(first - second))


def describe(
  snapshot: decode.Snapshot, before: decode.Snapshot | None = None
) -> dict[str, float]:
  """Returns all of these by name.

  Args:
    snapshot: of a search.
    before: the one before it; without it nothing is said of changes.
  """
  genotype = snapshot.decode()
  found = margins(snapshot) | {
    f'share/{name}': share
    for name, share in shares(genotype, snapshot.primitives).items()
  }
  if before is not None:
    edges, layers = changes(genotype, before.decode())
    found |= {'changed/edges': float(edges), 'changed/layers': float(layers)}
  return found
