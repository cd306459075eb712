# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The likeliest genotypes of alphas and betas, in order of probability.

A genotype's probability is the product of those of its primitives and of its
transitions. The first is what `decode` gives; those that follow differ where
the search was least sure.
"""

from collections.abc import Iterable, Sequence
import heapq
import itertools
import pathlib
from typing import Any, TypeVar

import numpy as np

from auto_deeplab.architecture import decode, lattice
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import primitives as primitives_lib

Cell = tuple[genotype_lib.Block, ...]

_Part = TypeVar('_Part')
# (log probability, what has it).
_Scored = tuple[float, _Part]


def likeliest(
  snapshot: decode.Snapshot, number: int
) -> list[genotype_lib.Genotype]:
  """Returns the likeliest genotypes, at most as many as there are.

  Raises:
    ValueError: `number` is below 1.
  """
  if number < 1:
    raise ValueError(f'`number` ({number}) must be at least 1.')
  pairs = itertools.product(
    likeliest_cells(snapshot, number), likeliest_paths(snapshot.betas, number)
  )
  scored = ((cell[0] + path[0], (cell[1], path[1])) for cell, path in pairs)
  return [
    genotype_lib.Genotype(cell, path)
    for _, (cell, path) in _best(scored, number)
  ]


def named_likeliest(
  snapshot: decode.Snapshot, number: int
) -> dict[str, genotype_lib.Genotype]:
  """Returns the same by name: `decoded`, `likely-02`, ...

  Raises:
    ValueError: `number` is below 1.
  """
  decoded, *others = likeliest(snapshot, number)
  return {
    'decoded': decoded,
    **{f'likely-{rank:02d}': other for rank, other in enumerate(others, 2)},
  }


def named_random(
  seeds: Iterable[int], **space: Any
) -> dict[str, genotype_lib.Genotype]:
  """Returns a random genotype of each seed, by name: `random-00`, ...

  Args:
    seeds: 0 or more each.
    **space: of `genotype.random_genotype`, to draw from.
  """
  return {
    f'random-{seed:02d}': genotype_lib.random_genotype(
      np.random.default_rng(seed), **space
    )
    for seed in seeds
  }


def names_of(paths: Sequence[str]) -> dict[str, str]:
  """Returns files by names that tell them apart.

  A name is the file's, or its folder's where the file has the name that decode
  gives; with as many folders before it as it takes, and hyphens between.
  """
  words = {}
  for path in paths:
    file = pathlib.Path(path).absolute()
    folders = file.parent.parts[1:]
    is_usual = file.stem == 'genotype'
    words[str(file)] = folders if is_usual else (*folders, file.stem)
  for number in range(1, 1 + max(map(len, words.values()), default=0)):
    named = {'-'.join(w[-number:]): file for file, w in words.items()}
    if len(named) == len(words):
      return named
  if words:
    raise ValueError(f'the genotypes {", ".join(words)} have the same names.')
  return {}


def likeliest_cells(
  snapshot: decode.Snapshot, number: int
) -> list[tuple[float, Cell]]:
  """Returns the likeliest cells, each after its log probability, best first."""
  cells: list[_Scored[Cell]] = [(0.0, ())]
  for blocks in _blocks(snapshot.alphas, snapshot.primitives, number):
    cells = _best(
      (
        (score + more, (*cell, block))
        for (score, cell), (more, block) in itertools.product(cells, blocks)
      ),
      number,
    )
  return cells


def likeliest_paths(
  betas: Any, number: int
) -> list[tuple[float, tuple[int, ...]]]:
  """Returns the likeliest paths, each after its log probability, best first.

  Viterbi with the likeliest few paths to each node in the place of one.

  Args:
    betas: `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]` logits.
    number: The most to return.
  """
  logs = _log(decode.transition_probabilities(betas))
  paths: dict[int, list[_Scored[tuple[int, ...]]]] = {0: [(0.0, ())]}
  for layer, of_layer in enumerate(logs):
    paths = {
      level: _best(
        (
          (score + float(of_layer[source, direction]), (*path, level))
          for source, direction in lattice.incoming(layer, level)
          for score, path in paths[source]
        ),
        number,
      )
      for level in lattice.reachable_levels(layer)
    }
  return _best(itertools.chain(*paths.values()), number)


def _log(probabilities: np.ndarray) -> np.ndarray:
  """Returns the logarithm, of 0 minus infinity without a warning."""
  with np.errstate(divide='ignore'):
    return np.log(probabilities)


def _best(
  scored: Iterable[_Scored[_Part]], number: int
) -> list[_Scored[_Part]]:
  """Returns the likeliest; of equals the first."""
  return heapq.nlargest(number, scored, key=lambda each: each[0])


def _blocks(
  alphas: np.ndarray, names: Sequence[str], number: int
) -> list[list[_Scored[genotype_lib.Block]]]:
  """Returns the likeliest pairs of edges of each block."""
  logs = _log(decode.operation_probabilities(alphas))
  kept = [i for i, name in enumerate(names) if name != primitives_lib.NONE]
  found, first = [], 0
  for block in range(decode.num_blocks(alphas)):
    states = range(genotype_lib.num_states(block))
    pairs = (
      (
        float(logs[first + left, i] + logs[first + right, j]),
        ((left, names[i]), (right, names[j])),
      )
      for left, right in itertools.combinations(states, 2)
      for i, j in itertools.product(kept, repeat=2)
    )
    found.append(_best(pairs, number))
    first += len(states)
  return found
