# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Decoding by what the supernet would miss most (Wang et al., ICLR 2021).

The largest alpha is that which grew most, which need not be that which the
network relies on. So one undecided edge after the other, in random order, has
each of its primitives left out for a while: that whose absence costs most is
kept, and the others go for good. Then each block keeps the two edges that it
would miss most, and each node of the lattice the transition. Between two
decisions the weights may be tuned to what is left.
"""

from collections.abc import Callable, Iterable
import dataclasses

import numpy as np

from auto_deeplab.architecture import decode, lattice
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import primitives as primitives_lib

# Of primitives and transitions, float32 of the shapes of alphas and betas.
Weights = tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Supernet:
  """What can be asked of a supernet.

  Attributes:
    loss: of some weights, on batches that are the same each time.
    tune: called with what is left after each decision.
  """

  loss: Callable[[Weights], float]
  tune: Callable[[Weights], None] = lambda weights: None


def num_losses(snapshot: decode.Snapshot) -> int:
  """Returns how many losses `choose` will ask for."""
  num_edges, num_primitives = snapshot.alphas.shape
  operations = num_primitives - (primitives_lib.NONE in snapshot.primitives)
  num_transitions = int(lattice.legal_mask(len(snapshot.betas)).sum())
  return num_edges * operations + num_edges + num_transitions


def num_decisions(snapshot: decode.Snapshot) -> int:
  """Returns after how many decisions `choose` will tune."""
  nodes = lattice.legal_mask(len(snapshot.betas)).any(axis=-1)
  blocks = decode.num_blocks(snapshot.alphas)
  return len(snapshot.alphas) + blocks + int(nodes.sum())


def choose(
  snapshot: decode.Snapshot, supernet: Supernet, seed: int = 0
) -> genotype_lib.Genotype:
  """Decides edge by edge, block by block and node by node.

  Args:
    snapshot: of the search, whose softmax the weights begin with.
    supernet: what is asked.
    seed: of the order.
  """
  generator = np.random.default_rng(seed)
  alpha = decode.operation_probabilities(snapshot.alphas).astype(np.float32)
  beta = decode.transition_probabilities(snapshot.betas).astype(np.float32)
  is_kept = np.array([n != primitives_lib.NONE for n in snapshot.primitives])
  for edge in generator.permutation(len(alpha)):
    choices = np.flatnonzero(is_kept).tolist()
    losses = [
      supernet.loss((_without(alpha, (edge, choice)), beta))
      for choice in choices
    ]
    _decide(alpha, edge, choices[int(np.argmax(losses))])
    supernet.tune((alpha, beta))
  for edges in _edges_of_blocks(decode.num_blocks(alpha)):
    losses = []
    for edge in edges:
      left = alpha.copy()
      left[edge] = 0
      losses.append(supernet.loss((left, beta)))
    order = np.argsort(losses, kind='stable')
    alpha[edges[order[: -genotype_lib.EDGES_PER_BLOCK]]] = 0
    supernet.tune((alpha, beta))
  mask = lattice.legal_mask(len(beta))
  for node in generator.permutation(np.argwhere(mask.any(axis=-1))):
    choices = np.flatnonzero(mask[tuple(node)]).tolist()
    losses = [
      supernet.loss((alpha, _without(beta, (*node, choice))))
      for choice in choices
    ]
    _decide(beta, tuple(node), choices[int(np.argmax(losses))])
    supernet.tune((alpha, beta))
  return _read(alpha, beta, snapshot.primitives)


def _without(weights: np.ndarray, place: Iterable[int]) -> np.ndarray:
  """Returns weights without one of a distribution, the others scaled up."""
  *row, choice = place
  left = weights.copy()
  left[(*row, choice)] = 0
  total = left[tuple(row)].sum()
  if total > 0:
    left[tuple(row)] /= total
  return left


def _decide(weights: np.ndarray, row: int | tuple, choice: int) -> None:
  weights[row] = 0
  weights[row][choice] = 1


def _edges_of_blocks(num_blocks: int) -> list[np.ndarray]:
  """Returns the rows of alpha that lead to each block."""
  blocks = np.array([block for block, _ in genotype_lib.edges(num_blocks)])
  return [np.flatnonzero(blocks == block) for block in range(num_blocks)]


def _read(
  alpha: np.ndarray, beta: np.ndarray, names: tuple[str, ...]
) -> genotype_lib.Genotype:
  """Returns the genotype of weights that are 1 where decided and else 0."""
  edges = genotype_lib.edges(decode.num_blocks(alpha))
  cell = []
  for rows in _edges_of_blocks(decode.num_blocks(alpha)):
    left, right = (
      (edges[row][1], names[int(alpha[row].argmax())])
      for row in rows
      if alpha[row].any()
    )
    cell.append((left, right))
  level, backbone = 0, []
  for directions in beta.argmax(axis=-1):
    level = lattice.target_level(level, int(directions[level]))
    backbone.append(level)
  return genotype_lib.Genotype(tuple(cell), tuple(backbone))
