# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The mixed operation: every primitive on an edge, weighted by alpha (Eq. 2).

All edges that leave one state are computed together: they read the same input.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import primitives as primitives_lib
from auto_deeplab.model.ops import cell_arithmetic, constants, statistics
from auto_deeplab.model.ops.arithmetic import Arithmetic
from auto_deeplab.model.primitives import base

# Kernels by primitive, by their names there, and by layer.
Kernels = Mapping[str, Mapping[str, Sequence[tf.Tensor]]]


@dataclasses.dataclass(frozen=True)
class Mixture:
  """What the edges of a cell mix.

  Attributes:
    primitives: in the order of the columns of alpha.
    num_blocks: B.
    filters: channels of a state that pass the primitives.
  """

  primitives: tuple[primitives_lib.Primitive, ...]
  num_blocks: int
  filters: int

  @functools.cached_property
  def computations(self) -> list[base.Computation]:
    return [base.of(primitive) for primitive in self.primitives]

  @functools.cached_property
  def shared(self) -> list[base.Shared]:
    """Those whose map all edges of a state share; last the normalized ones."""
    found = [c for c in self.computations if isinstance(c, base.Shared)]
    return sorted(found, key=lambda each: each.is_normalized)

  @functools.cached_property
  def own(self) -> list[base.Own]:
    """Those with kernels of each edge."""
    return [c for c in self.computations if isinstance(c, base.Own)]

  @property
  def num_edges(self) -> int:
    return len(genotype_lib.edges(self.num_blocks))

  @property
  def edges_of_states(self) -> list[int]:
    """How many edges leave each state: one to each block that may read it."""
    return [self.num_blocks, *range(self.num_blocks, 0, -1)]

  def kernels(self) -> dict[str, tuple[base.Own, str, base.Kernel]]:
    """Returns whose kernels a cell has, by the names of its variables."""
    return {
      f'{own.name}_{part}' if part else own.name: (own, part, kernel)
      for own in self.own
      for part, kernel in own.kernels(self.filters).items()
    }

  def layout(self) -> list[list[list[int]]]:
    """Says where the statistics of a cell's norms lie (`statistics`).

    By state, the norm of the shared maps before those of each own primitive,
    which are as wide as the state's edges together.
    """
    num_normalized = sum(each.is_normalized for each in self.shared)
    shared = [self.filters * num_normalized] if num_normalized else []
    return [
      [shared, *([num_edges * self.filters] * c.num_norms for c in self.own)]
      for num_edges in self.edges_of_states
    ]


@dataclasses.dataclass(frozen=True, eq=False)
class EdgeWeights:
  """What the edges that leave one state are computed with.

  Attributes:
    number: of edges.
    alpha: `[number, num_primitives]`, alpha's weights.
    kernels: of the own primitives; filters of all edges side by side.
    scales: `[number * c]` by own primitive, alpha's weight for each channel.
    linear: `[1, 1, num_shared * c, number * c]`, a 1x1 convolution; channel c
      of a shared map goes to channel c of every edge, times the edge's weight
      of the primitive. None if no primitive is shared.
  """

  number: int
  alpha: tf.Tensor
  kernels: Kernels
  scales: Mapping[str, tf.Tensor]
  linear: tf.Tensor | None


def edge_weights(
  mixture: Mixture, alpha: tf.Tensor, kernels: Mapping[str, tf.Tensor]
) -> list[EdgeWeights]:
  """Parts a cell's weights by the state that the edges leave.

  By one split each: the gradient of a slice would be as large as the whole.

  Args:
    mixture: of the cell.
    alpha: `[num_edges, num_primitives]`.
    kernels: the cell's, by the names of `Mixture.kernels`; the axis before the
      last is the edge.
  """
  counts = mixture.edges_of_states
  widths = [number * mixture.filters for number in counts]
  names = [each.name for each in mixture.computations]
  columns = dict(zip(names, tf.unstack(alpha, axis=1)))
  scales = {
    name: _split(scale, widths, 0)
    for name, scale in _channel_scales(mixture, columns).items()
  }
  alphas = _split(alpha, counts, 0)
  linear: Sequence[tf.Tensor | None] = [None] * len(counts)
  if mixture.shared:
    linear = _split(_linear_kernel(mixture, columns), widths, -1)
  parted = _part_kernels(mixture, kernels, widths)
  return [
    EdgeWeights(
      number,
      alphas[state],
      parted[state],
      {name: parts[state] for name, parts in scales.items()},
      linear[state],
    )
    for state, number in enumerate(counts)
  ]


def _channel_scales(
  mixture: Mixture, columns: Mapping[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
  """Returns alpha's weight for each channel, `[num_edges * c]` by primitive."""
  names = [own.name for own in mixture.own]
  if not names:
    return {}
  weights = tf.stack([columns[name] for name in names])[:, :, None]
  ones = constants.constant(np.ones(mixture.filters), tf.float32)
  shape = constants.constant([-1, mixture.num_edges * mixture.filters])
  return dict(zip(names, tf.unstack(tf.reshape(weights * ones, shape))))


def _linear_kernel(
  mixture: Mixture, columns: Mapping[str, tf.Tensor]
) -> tf.Tensor:
  """Returns `EdgeWeights.linear` of all edges."""
  names, filters = [each.name for each in mixture.shared], mixture.filters
  weights = tf.stack([columns[name] for name in names])[:, None, :, None]
  own = constants.constant(np.eye(filters)[:, None, :], tf.float32)
  shape = [1, 1, len(names) * filters, mixture.num_edges * filters]
  return tf.reshape(weights * own, constants.constant(shape))


def _part_kernels(
  mixture: Mixture,
  kernels: Mapping[str, tf.Tensor],
  widths: Sequence[int],
) -> list[Kernels]:
  """Returns a cell's kernels as convolutions take them, for each state."""
  parted: list[dict[str, dict[str, list[tf.Tensor]]]] = [
    {own.name: {} for own in mixture.own} for _ in widths
  ]
  for name, (own, part, kernel) in mixture.kernels().items():
    layers = [
      _split(layer, widths, kernel.edge_axis)
      for layer in kernel.layers(kernels[name])
    ]
    for state, of_state in enumerate(parted):
      of_state[own.name][part] = [layer[state] for layer in layers]
  return list(parted)


def _split(x: tf.Tensor, sizes: Sequence[int], axis: int) -> list[tf.Tensor]:
  return tf.split(x, constants.constant(sizes), constants.constant(axis))


def mixed_edges(
  x: tf.Tensor,
  mixture: Mixture,
  weights: EdgeWeights,
  moving: Any,
  ops: cell_arithmetic.CellArithmetic,
) -> tuple[tf.Tensor, list[list[statistics.Statistics]]]:
  """Weighted sums of all primitives on the edges that leave one state.

  Args:
    x: `[n, h, w, c]`, the state.
    mixture: of the cell.
    weights: of those edges.
    moving: of the state's norms, as in `Mixture.layout`.
    ops: what to compute with.

  Returns:
    `[n, h, w, num_edges * c]`, of which the k-th c channels are the k-th
    edge's, and the statistics that the norms used, as `moving`.
  """
  state = base.State(x)
  total, used = [], []
  of_shared, *of_own = moving
  if mixture.shared:
    y, of_shared = _shared_edges(state, mixture, weights, of_shared, ops)
    total.append(y)
  used.append(of_shared)
  for own, of_norms in zip(mixture.own, of_own, strict=True):
    edges = base.Edges(
      weights.number,
      weights.kernels[own.name],
      weights.scales[own.name],
      of_norms,
    )
    y, of_norms = own.edges(state, edges, ops)
    total.append(y)
    used.append(of_norms)
  return tf.add_n(total), used


def _shared_edges(
  state: base.State,
  mixture: Mixture,
  weights: EdgeWeights,
  moving: Sequence[statistics.Statistics | None],
  ops: cell_arithmetic.CellArithmetic,
) -> tuple[tf.Tensor, list[statistics.Statistics]]:
  """Mixes the shared maps into each edge, as one 1x1 convolution over them."""
  x = state.x
  kernel = tf.cast(weights.linear, x.dtype)
  plain = [each.map(x) for each in mixture.shared if not each.is_normalized]
  normalized = [each for each in mixture.shared if each.is_normalized]
  if not normalized:
    return _mix(ops, None, kernel, *plain), []
  pooled = base.maps(normalized, x, ops)
  y, used = ops.normalize_then(_mix, pooled, moving[0], kernel, *plain)
  return y, [used]


def _mix(
  ops: Arithmetic,
  normalized: tf.Tensor | None,
  kernel: tf.Tensor,
  *plain: tf.Tensor,
) -> tf.Tensor:
  maps = [*plain] if normalized is None else [*plain, normalized]
  return ops.conv2d(ops.concat(maps), kernel, padding='VALID')
