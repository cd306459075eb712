# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The drawn operation: of all primitives on an edge, one is computed.

A step draws which one, once for all cells: alpha's weights are one-hot and have
the gradient of a Gumbel-softmax (`Supernet.alpha_weights`). The others cost
nothing: the graph branches when it runs. It is the host that branches. So an
edge is told the number of its primitive, which is there, as all int32 are: from
the weights alone, each edge would make the host wait for the device.
"""

from collections.abc import Sequence
import functools

import tensorflow as tf

from auto_deeplab.model.ops import (
  arithmetic,
  cell_arithmetic,
  normalization,
  statistics,
)
from auto_deeplab.model.primitives import base
from auto_deeplab.model.search import (
  mixed_operation,
)

Statistics = statistics.Statistics


def layout(mixture: mixed_operation.Mixture) -> list[list[int]]:
  """Says where the statistics of a cell's norms lie (`statistics`).

  By state and edge, in one piece for all norms of an edge: unlike those of a
  mixed operation they belong to one edge each, and the drawn primitive moves
  its own alone.
  """
  size = statistics.size(_layout_of_edge(mixture))
  return [[size] * number for number in mixture.edges_of_states]


def _layout_of_edge(mixture: mixed_operation.Mixture) -> list[list[int]]:
  return [[mixture.filters] * c.num_norms for c in mixture.computations]


def drawn_edges(
  x: tf.Tensor,
  mixture: mixed_operation.Mixture,
  weights: mixed_operation.EdgeWeights,
  moving: Sequence[Statistics],
  choices: Sequence[tf.Tensor],
  ops: cell_arithmetic.CellArithmetic,
) -> tuple[tf.Tensor, list[Statistics]]:
  """The drawn primitive on each of the edges that leave one state.

  Args:
    x: `[n, h, w, c]`, the state.
    mixture: of the cell.
    weights: of those edges.
    moving: of the state's edges, as in `layout`; in training, too.
    choices: of those edges, the number of the primitive, int32 scalars.
    ops: what to compute with.

  Returns:
    `[n, h, w, num_edges * c]`, of which the k-th c channels are the k-th
    edge's, and the statistics that the edges used.
  """
  kernels = {
    own.name: {
      part: [
        tf.split(layer, weights.number, kernel.edge_axis)
        for layer in weights.kernels[own.name][part]
      ]
      for part, kernel in own.kernels(mixture.filters).items()
    }
    for own in mixture.own
  }
  draw = _edge_function(
    mixture, ops.mode, ops.norm, ops.is_training, (*x.shape.as_list(), x.dtype)
  )
  outputs, used = [], []
  edges = zip(tf.unstack(weights.alpha), moving, choices, strict=True)
  for edge, (alpha, of_edge, choice) in enumerate(edges):
    own_kernels = {
      name: {
        part: [layer[edge] for layer in layers]
        for part, layers in parts.items()
      }
      for name, parts in kernels.items()
    }
    y, *found = draw(
      choice, x, alpha, own_kernels, of_edge.mean, of_edge.variance
    )
    outputs.append(y)
    used.append(Statistics(*found))
  return tf.concat(outputs, axis=-1), used


@functools.cache
def _edge_function(
  mixture: mixed_operation.Mixture,
  mode: arithmetic.Arithmetic,
  norm: normalization.NormSettings,
  is_training: bool,
  signature,
) -> tf.types.experimental.GenericFunction:
  """Returns a function of an edge's tensors, traced once a signature."""
  del signature  # Of the state; part of the cache's key.

  def compute(choice, x, alpha, kernels, mean, variance):
    def one_primitive(index, weight):
      # Custom gradients need a branch's own tensors, not those it captures.
      own_x, own = tf.nest.map_structure(tf.identity, (x, kernels))
      ops = cell_arithmetic.of_batch(own_x, mode, norm, is_training)
      moving = Statistics(mean, variance)
      return _one_primitive(mixture, index, weight, own_x, own, moving, ops)

    branches = [
      functools.partial(one_primitive, index, weight)
      for index, weight in enumerate(tf.unstack(alpha))
    ]
    return tf.switch_case(choice, branches)

  return tf.function(
    compute, autograph=False, experimental_attributes={'_noinline': True}
  )


def _one_primitive(
  mixture: mixed_operation.Mixture,
  index: int,
  weight: tf.Tensor,
  x: tf.Tensor,
  kernels: mixed_operation.Kernels,
  moving: Statistics,
  ops: cell_arithmetic.CellArithmetic,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  """Computes one primitive of one edge.

  Args:
    mixture: of the cell.
    index: of the primitive.
    weight: float32 scalar, the primitive's.
    x: `[n, h, w, c]`, the state.
    kernels: of the edge, by own primitive.
    moving: of all norms of the edge.
    ops: what to compute with.

  Returns:
    `[n, h, w, c]`, and the means and variances of all norms, with the batch's
    in the place of this primitive's.
  """
  of_edge = _layout_of_edge(mixture)
  parted = statistics.split(moving, of_edge)
  computation = mixture.computations[index]
  y, parted[index] = computation.alone(
    base.State(x),
    weight,
    kernels.get(computation.name, {}),
    parted[index],
    ops,
  )
  used = statistics.join(parted, of_edge)
  return y, used.mean, used.variance
