# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The genotype: the discrete result of a search, one cell and one backbone.

A cell has B blocks. Each block sums two edges; an edge applies a primitive to
a state. State 0 is H[l-2], the output of the cell before the previous one,
state 1 is H[l-1], the output of the previous cell, and state b + 2 is the
output of block b. The backbone is the level of each layer, a path through the
lattice.

On disk a genotype is a JSON object that holds names and states its own order:

    {"format": "auto_deeplab.genotype", "version": 1,
     "inputs": ["H[l-2]", "H[l-1]"],
     "cell": [[[0, "sep_conv_3x3"], [1, "atrous_conv_5x5"]], ...],
     "backbone": [0, 0, 0, 1, 2, 1, 2, 2, 3, 3, 2, 1],
     "searched": {"run": "...", "step": 12000, "config_sha256": "..."}}

`searched` says where the genotype comes from and may be missing.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import json
import os
import pathlib
import types
from typing import Any

import numpy as np

from auto_deeplab.architecture import artifact, lattice, primitives

FORMAT = 'auto_deeplab.genotype'
VERSION = 1
INPUTS = ('H[l-2]', 'H[l-1]')
NUM_INPUTS = len(INPUTS)
EDGES_PER_BLOCK = 2

# (state, primitive name).
Edge = tuple[int, str]
Block = tuple[Edge, Edge]


def num_states(block: int) -> int:
  """Number of states that `block` may read: the inputs and earlier blocks."""
  return block + NUM_INPUTS


def check_num_blocks(num_blocks: int) -> None:
  """Raises ValueError unless there is at least one block."""
  if num_blocks < 1:
    raise ValueError(f'`num_blocks` ({num_blocks}) must be at least 1.')


def edges(num_blocks: int) -> tuple[tuple[int, int], ...]:
  """The edges of the search cell as (block, state), in the order of alphas.

  Block 0 reads states 0 and 1, block 1 states 0 to 2, and so on: 20 edges for
  five blocks.

  Raises:
    ValueError: If `num_blocks` is below 1.
  """
  check_num_blocks(num_blocks)
  return tuple(
    (block, state)
    for block in range(num_blocks)
    for state in range(num_states(block))
  )


@dataclasses.dataclass(frozen=True)
class Genotype:
  """One cell and one backbone.

  Attributes:
    cell: One pair of edges a block; an edge is (state, primitive name). The
      order within a pair has no meaning: a block is a sum.
    backbone: Level of each layer, 0 (stride 4) to 3 (stride 32).

  Raises:
    ValueError: If an entry is of the wrong type, an operation is unknown or
      `none`, a block reads itself or a later one, or the backbone is no path
      of the lattice.
  """

  cell: tuple[Block, ...]
  backbone: tuple[int, ...]

  def __post_init__(self) -> None:
    object.__setattr__(self, 'cell', _checked_cell(self.cell))
    object.__setattr__(self, 'backbone', _checked_backbone(self.backbone))

  @property
  def num_blocks(self) -> int:
    return len(self.cell)

  @property
  def num_layers(self) -> int:
    return len(self.backbone)

  def to_json(self) -> dict[str, Any]:
    """The genotype as a JSON object (a dict of lists, strings and ints)."""
    return {
      'format': FORMAT,
      'version': VERSION,
      'inputs': list(INPUTS),
      'cell': [[list(edge) for edge in block] for block in self.cell],
      'backbone': list(self.backbone),
    }

  @classmethod
  def from_json(cls, document: Mapping[str, Any]) -> 'Genotype':
    """Reads what `to_json` gives; `searched` is allowed and ignored.

    Raises:
      ValueError: If the document is no genotype of this version, or what it
        describes is none.
    """
    _check_document(document)
    return cls(cell=document['cell'], backbone=document['backbone'])

  def save(
    self,
    path: str | os.PathLike[str],
    searched: Mapping[str, Any] | None = None,
  ) -> None:
    """Writes the genotype, atomically.

    Args:
      path: File to write, by custom `genotype.json`.
      searched: Where it comes from (`run`, `step`, `config_sha256`), if from a
        search.
    """
    document = self.to_json()
    if searched is not None:
      document['searched'] = dict(searched)
    with artifact.writing(path) as file:
      file.write(_readable(document).encode())

  @classmethod
  def load(cls, path: str | os.PathLike[str]) -> 'Genotype':
    """Reads a file that `save` wrote.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If it holds no legal genotype; the message names the file.
    """
    try:
      return cls.from_json(json.loads(pathlib.Path(path).read_text('utf-8')))
    except ValueError as error:  # Malformed JSON and malformed text included.
      raise ValueError(f'{os.fspath(path)}: {error}') from error


def random_genotype(
  generator: np.random.Generator,
  *,
  num_layers: int = 12,
  num_blocks: int = 5,
  names: Sequence[str] = primitives.PAPER,
) -> Genotype:
  """Draws a genotype, the baseline of a search.

  Operations are uniform over those of `names`, all but `none`, the two states
  of a block over all pairs of unlike states, and the backbone over all paths of
  the lattice.
  """
  check_num_blocks(num_blocks)
  operations = primitives.operations(names)
  cell = tuple(
    _random_block(generator, block, operations) for block in range(num_blocks)
  )
  return Genotype(cell, _random_backbone(generator, num_layers))


def _random_block(
  generator: np.random.Generator, block: int, names: Sequence[str]
) -> Block:
  states = generator.choice(num_states(block), EDGES_PER_BLOCK, replace=False)
  operations = generator.choice(names, EDGES_PER_BLOCK)
  left, right = (
    (int(state), str(operation))
    for state, operation in zip(sorted(states), operations, strict=True)
  )
  return left, right


def _random_backbone(
  generator: np.random.Generator, num_layers: int
) -> tuple[int, ...]:
  """Steps with odds by the number of paths that go on from each target."""
  counts = lattice.num_continuations(num_layers)
  level, backbone = 0, []
  for column in range(num_layers):
    targets = [lattice.target_level(level, d) for d in lattice.outgoing(level)]
    odds = np.array([counts[column + 1][target] for target in targets], float)
    level = int(generator.choice(targets, p=odds / odds.sum()))
    backbone.append(level)
  return tuple(backbone)


def _is_int(value: Any) -> bool:
  return isinstance(value, int) and not isinstance(value, bool)


def _checked_cell(cell: Any) -> tuple[Block, ...]:
  """Returns the cell as tuples, or raises ValueError."""
  if not isinstance(cell, (list, tuple)) or not cell:
    raise ValueError(f'`cell` ({cell!r}) must be a list of at least one block.')
  return tuple(_checked_block(index, block) for index, block in enumerate(cell))


def _checked_block(index: int, block: Any) -> Block:
  if not isinstance(block, (list, tuple)) or len(block) != EDGES_PER_BLOCK:
    raise ValueError(
      f'Block {index} of `cell` ({block!r}) must hold two edges.'
    )
  left, right = (_checked_edge(index, edge) for edge in block)
  return left, right


def _checked_edge(index: int, edge: Any) -> Edge:
  if not isinstance(edge, (list, tuple)) or len(edge) != 2:
    raise ValueError(
      f'An edge of block {index} ({edge!r}) must be a pair of a state and an '
      'operation.'
    )
  state, operation = edge
  if not _is_int(state) or not isinstance(operation, str):
    raise ValueError(
      f'An edge of block {index} ({edge!r}) must be an integer and a string.'
    )
  _check_operation(index, operation)
  _check_state(index, state)
  return state, operation


def _check_operation(index: int, operation: str) -> None:
  if operation == primitives.NONE:
    raise ValueError(
      f"Block {index} uses the operation 'none', which a genotype cannot hold."
    )
  known = primitives.operations(primitives.known())
  if operation not in known:
    raise ValueError(
      f'Block {index} uses the unknown operation {operation!r}; known are '
      f'{", ".join(known)}.'
    )


def _check_state(index: int, state: int) -> None:
  if 0 <= state < num_states(index):
    return
  which = 'which is no earlier block or input'
  if state == num_states(index):
    which = 'which is its own output'
  raise ValueError(
    f'Block {index} reads state {state}, {which}; it may read 0 to '
    f'{num_states(index) - 1}.'
  )


def _checked_backbone(backbone: Any) -> tuple[int, ...]:
  """Returns the backbone as a tuple, or raises ValueError."""
  if not isinstance(backbone, (list, tuple)) or not backbone:
    raise ValueError(
      f'`backbone` ({backbone!r}) must be a list of at least one level.'
    )
  for layer, level in enumerate(backbone):
    if not _is_int(level):
      raise ValueError(
        f'`backbone` has {level!r} at layer {layer}; it must be an integer.'
      )
  lattice.path_transitions(backbone)
  return tuple(backbone)


def _check_document(document: Any) -> None:
  """Raises ValueError unless this is a genotype document of our version."""
  if not isinstance(document, Mapping):
    raise ValueError(
      f'A genotype must be a JSON object, not {type(document).__name__}.'
    )
  # Before the keys, which another version may have more or less of.
  _check_values(document, {'format': FORMAT, 'version': VERSION})
  known = ('format', 'version', 'inputs', 'cell', 'backbone')
  unknown = [key for key in document if key not in (*known, 'searched')]
  if unknown:
    raise ValueError(f'The genotype has the unknown key {unknown[0]!r}.')
  _check_values(document, {'inputs': list(INPUTS)})
  for key in known:
    _require_key(document, key)


def _check_values(
  document: Mapping[str, Any], expected: Mapping[str, Any]
) -> None:
  for key, value in expected.items():
    _require_key(document, key)
    if document[key] != value or isinstance(document[key], bool):
      raise ValueError(f'`{key}` ({document[key]!r}) must be {value!r}.')


def _require_key(document: Mapping[str, Any], key: str) -> None:
  if key not in document:
    raise ValueError(f'The genotype lacks the key {key!r}.')


def _readable(document: Mapping[str, Any]) -> str:
  """JSON with one key a line and one block a line."""
  entries = []
  for key, value in document.items():
    text = json.dumps(value)
    if key == 'cell':
      blocks = ',\n    '.join(json.dumps(block) for block in value)
      text = f'[\n    {blocks}\n  ]'
    entries.append(f'  {json.dumps(key)}: {text}')
  return '{\n' + ',\n'.join(entries) + '\n}\n'


# The network of the paper (figure 3; wiring and order of operations from the
# authors' TF1 code, which counts H[l-1] as state 0 and H[l-2] as state 1: here
# the two are swapped). Each pair is (left, right) as in that code, so its
# variables `comb_iter_b/left` and `comb_iter_b/right` map by position.
PUBLISHED = Genotype(
  cell=(
    ((0, 'atrous_conv_5x5'), (1, 'sep_conv_3x3')),
    ((0, 'sep_conv_3x3'), (1, 'atrous_conv_3x3')),
    ((3, 'sep_conv_3x3'), (0, 'sep_conv_3x3')),
    ((4, 'sep_conv_5x5'), (2, 'sep_conv_5x5')),
    ((3, 'sep_conv_5x5'), (5, 'atrous_conv_5x5')),
  ),
  backbone=(0, 0, 0, 1, 2, 1, 2, 2, 3, 3, 2, 1),
)

# F of Auto-DeepLab-S, -M and -L (table 2 of the paper).
PUBLISHED_FILTER_MULTIPLIERS: Mapping[str, int] = types.MappingProxyType(
  {'s': 20, 'm': 32, 'l': 48}
)
