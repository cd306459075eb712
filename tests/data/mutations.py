# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Damaged inputs, drawn from a seed: bytes, and values of JSON."""

import copy
from typing import Any

import numpy as np

# What stands in the place of a value.
_JUNK: tuple[Any, ...] = (
  None,
  True,
  -1,
  0,
  3,
  300,
  1.5,
  1e300,
  float('nan'),
  2**70,
  '',
  'x',
  '../x',
  '\ud800',
  [],
  {},
  [1],
  [[1, 2, 3]],
  {'x': 1},
)


def mutate_bytes(data: bytes, rng: np.random.Generator) -> bytes:
  """Returns other bytes: changed, lost, put in, doubled or cut off."""
  mutated = bytearray(data)
  for _ in range(rng.integers(1, 4)):
    start = int(rng.integers(len(mutated)))
    end = start + int(rng.integers(1, 9))
    kind = rng.integers(6)
    if kind == 0:
      mutated[start] ^= 1 << int(rng.integers(8))
    elif kind == 1:
      mutated[start:end] = rng.bytes(len(mutated[start:end]))
    elif kind == 2:
      del mutated[start:end]
    elif kind == 3:
      mutated[start:start] = rng.bytes(end - start)
    elif kind == 4:
      mutated[start:start] = mutated[start:end]
    else:
      del mutated[start:]
    if not mutated:
      break
  return bytes(mutated)


def mutate_json(document: Any, rng: np.random.Generator) -> Any:
  """Returns a copy with one or two values replaced, lost, doubled, swapped."""
  document = copy.deepcopy(document)
  for _ in range(rng.integers(1, 3)):
    places = list(_places(document))
    if not places:
      break
    holder, key = places[rng.integers(len(places))]
    kind = rng.integers(4)
    if kind == 0:
      del holder[key]
    elif kind == 1 and isinstance(holder, list):
      holder.append(copy.deepcopy(holder[key]))
    elif kind == 2 and isinstance(holder, list):
      other = int(rng.integers(len(holder)))
      holder[key], holder[other] = holder[other], holder[key]
    else:
      holder[key] = copy.deepcopy(_JUNK[rng.integers(len(_JUNK))])
  return document


def _places(node: Any):
  """Yields (holder, key) of all values below a node."""
  items: Any = ()
  if isinstance(node, dict):
    items = list(node.items())
  elif isinstance(node, list):
    items = list(enumerate(node))
  for key, value in items:
    yield node, key
    yield from _places(value)
