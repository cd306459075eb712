# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The continuous relaxation of a cell, as a function of tensors (Eq. 1 to 3).

State 0 is H[l-2], state 1 is H[l-1], state b + 2 the output of block b, and a
block is the sum of its edges, as in the final cell (`cells`).
"""

from collections.abc import Callable, Iterator
import functools
import itertools
from typing import Any, NamedTuple

import tensorflow as tf

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.model.ops import (
  arithmetic,
  cell_arithmetic,
  channels,
  constants,
  normalization,
  recomputation,
  statistics,
)
from auto_deeplab.model.search import (
  drawn_operation,
  mixed_operation,
)

Statistics = statistics.Statistics

# What a step may move alone.
MOVED = WEIGHTS, ARCHITECTURE, TWICE = (
  'weights',
  'architecture',
  'architecture_twice',
)


def alpha_rows(num_blocks: int) -> list[int]:
  """Returns the rows of alpha, by the state that their edges leave."""
  edges = genotype_lib.edges(num_blocks)
  # The sort is stable.
  return sorted(range(len(edges)), key=lambda row: edges[row][1])


class Settings(NamedTuple):
  """What decides the arithmetic of a search cell, besides its tensors."""

  mixture: mixed_operation.Mixture
  norm: normalization.NormSettings
  recompute: bool
  is_drawn: bool

  def layout(self) -> Any:
    """Says where the statistics of the norms lie (`statistics`)."""
    if self.is_drawn:
      return drawn_operation.layout(self.mixture)
    return self.mixture.layout()


@functools.cache
def shared_function(
  settings: Settings,
  is_training: bool,
  moved: str | None,
  state: tf.TensorSpec,
) -> tf.types.experimental.GenericFunction:
  """Returns a function of `make_relaxed_cell`, traced once for all cells.

  Args:
    settings: of the cell.
    is_training: whether batch norm takes the statistics of the batch.
    moved: as of `search_cell.Architecture`.
    state: `[None, h, w, filters]`, of H[l-1] and H[l-2].
  """
  mixture = settings.mixture
  kernels = {
    name: tf.TensorSpec(
      kernel.shape(mixture.num_edges, mixture.filters), state.dtype
    )
    for name, (*_, kernel) in mixture.kernels().items()
  }
  alpha = [mixture.num_edges, len(mixture.primitives)]
  statistic = tf.TensorSpec([None], tf.float32)
  choices = tf.TensorSpec([mixture.num_edges], tf.int32)
  return tf.function(
    make_relaxed_cell(settings, is_training, moved),
    input_signature=[
      state,
      state,
      tf.TensorSpec(alpha, tf.float32),
      kernels,
      statistic,
      statistic,
      *([choices] if settings.is_drawn else []),
    ],
    autograph=False,
    # Put in the place of each call, the cells would make most of a graph of a
    # hundred thousand nodes, and of the memory that it takes.
    experimental_attributes={'_noinline': True},
  )


def make_relaxed_cell(
  settings: Settings, is_training: bool, moved: str | None
) -> Callable[..., tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
  """Returns `_relaxed_cell` as a function of its tensors alone.

  They are the inputs, the previous state, alpha, the kernels, the moving means
  and variances, and where primitives are drawn the choices.
  """

  def make(mode: arithmetic.Arithmetic, *choices: tf.Tensor):
    def compute(inputs, previous, alpha, kernels, mean, variance):
      # A function that is not put in the place of its call has all gradients
      # computed, whether someone asks for them or not.
      if moved == WEIGHTS:
        alpha = tf.stop_gradient(alpha)
      if moved in (ARCHITECTURE, TWICE):
        kernels = {name: tf.stop_gradient(k) for name, k in kernels.items()}
      outputs, used = _relaxed_cell(
        _CellWeights(settings, alpha, kernels, Statistics(mean, variance)),
        inputs,
        previous,
        mode,
        is_training,
        *choices,
      )
      # No loss depends on them.
      return outputs, *map(tf.stop_gradient, (used.mean, used.variance))

    return compute

  def kept(inputs, previous, alpha, kernels, mean, variance, *choices):
    # A gradient that makes its map again cannot be differentiated.
    mode = arithmetic.Arithmetic(holds_all=moved == TWICE)
    compute = make(mode, *choices)
    return compute(inputs, previous, alpha, kernels, mean, variance)

  def recomputed(inputs, previous, alpha, kernels, mean, variance, *choices):
    # `choices` not among the tensors, which are made to wait for the gradient:
    # the host, which branches by them, would wait as well.
    first = make(arithmetic.FORWARD, *choices)
    second = make(arithmetic.HOLDING_ALL, *choices)
    compute = recomputation.recomputed(first, second)
    return compute(inputs, previous, alpha, kernels, mean, variance)

  return recomputed if settings.recompute else kept


class _CellWeights(NamedTuple):
  """What one cell computes with, besides its states.

  Attributes:
    settings: of the cell.
    alpha: float32 `[num_edges, num_primitives]`, by the state edges leave.
    kernels: by the names of `Mixture.kernels`.
    moving: of all norms.
  """

  settings: Settings
  alpha: tf.Tensor
  kernels: dict[str, tf.Tensor]
  moving: Statistics


def _relaxed_cell(
  weights: _CellWeights,
  inputs: tf.Tensor,
  previous: tf.Tensor,
  mode: arithmetic.Arithmetic,
  is_training: bool,
  choices: tf.Tensor | None = None,
) -> tuple[tf.Tensor, Statistics]:
  """Computes `SearchCell.call` from tensors; edges by the state they leave.

  But `choices` are in the order of alphas, which no operation need change.

  Returns:
    The cell's output, and the statistics that its batch norms used.
  """
  settings, mixture = weights.settings, weights.settings.mixture
  layout = settings.layout()
  moving = statistics.nothing(layout)
  if settings.is_drawn or not is_training:
    moving = statistics.split(weights.moving, layout)
  parted = mixed_operation.edge_weights(mixture, weights.alpha, weights.kernels)
  drawn = _by_state(mixture, choices)
  num_transitions = tf.shape(inputs)[0] // tf.shape(previous)[0]
  blocks = [_Block() for _ in range(mixture.num_blocks)]
  states = [previous, inputs]
  used: list[Any] = []
  of_norms: Any
  for state, of_edges in enumerate(parted):
    if state < genotype_lib.NUM_INPUTS:
      # The blocks are as large as H[l-1].
      ops = cell_arithmetic.of_batch(
        states[state], mode, settings.norm, is_training
      )
    else:
      states.append(blocks[state - genotype_lib.NUM_INPUTS].output())
    x, rest = _parted_channels(states[state], mixture.filters)
    if settings.is_drawn:
      mixed, of_norms = drawn_operation.drawn_edges(
        x, mixture, of_edges, moving[state], drawn[state], ops
      )
    else:
      mixed, of_norms = mixed_operation.mixed_edges(
        x, mixture, of_edges, moving[state], ops
      )
    used.append(of_norms)
    if state == 0:
      mixed, rest = (
        y if y is None else channels.repeated_batch(y, num_transitions)
        for y in (mixed, rest)
      )
    edges = tf.split(mixed, of_edges.number, constants.constant(-1))
    for block, edge in zip(blocks[-of_edges.number :], edges):
      block.add(edge, rest)
  states.append(blocks[-1].output())
  outputs = channels.concat(states[genotype_lib.NUM_INPUTS :])
  return outputs, statistics.join(used, layout)


def _by_state(
  mixture: mixed_operation.Mixture, choices: tf.Tensor | None
) -> list[list[tf.Tensor]]:
  """Returns the choices of the edges that leave each state, scalars."""
  if choices is None:
    return []
  by_row = tf.unstack(choices)
  rows: Iterator[int] = iter(alpha_rows(mixture.num_blocks))
  return [
    [by_row[row] for row in itertools.islice(rows, number)]
    for number in mixture.edges_of_states
  ]


def _parted_channels(
  x: tf.Tensor, num_mixed: int
) -> tuple[tf.Tensor, tf.Tensor | None]:
  """Returns the first channels, and the others if there are any."""
  if num_mixed == x.shape[-1]:
    return x, None
  mixed, rest = tf.split(x, [num_mixed, x.shape[-1] - num_mixed], -1)
  return mixed, rest


class _Block:
  """Sums what the edges of one block bring."""

  def __init__(self) -> None:
    self._mixed: list[tf.Tensor] = []
    self._rest: list[tf.Tensor] = []

  def add(self, mixed: tf.Tensor, rest: tf.Tensor | None) -> None:
    """Adds an edge: its operations' output, and the channels past them."""
    self._mixed.append(mixed)
    if rest is not None:
      self._rest.append(rest)

  def output(self) -> tf.Tensor:
    """Returns the block's output, the mixed channels last.

    So the next operations take others: what PC-DARTS shuffles channels for,
    without a copy.
    """
    mixed = tf.add_n(self._mixed)
    if not self._rest:
      return mixed
    return channels.concat([tf.add_n(self._rest), mixed])
