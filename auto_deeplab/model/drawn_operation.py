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

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.model import convolutions, mixed_operation, normalization

# Batch norms of each primitive, in the order of alphas. Unlike those of a mixed
# operation they belong to one edge each: its primitive alone moves them.
_NORMS_OF_KIND = {
  'none': 0,
  'max_pool': 1,
  'avg_pool': 1,
  'skip': 0,
  'separable': mixed_operation.SEPARABLE_DEPTH,
  'atrous': 1,
}
_NUM_NORMS_OF = {
  name: _NORMS_OF_KIND[primitive.kind]
  for name, primitive in genotype_lib.PRIMITIVES.items()
}
# Of an edge.
NUM_NORMS = sum(_NUM_NORMS_OF.values())


def drawn_edges(
  x: tf.Tensor,
  weights: mixed_operation.EdgeWeights,
  batch_norm: mixed_operation.BatchNorm,
  choices: Sequence[tf.Tensor],
) -> tf.Tensor:
  """The drawn primitive on each of the edges that leave one state.

  Args:
    x: `[n, h, w, c]`, the state.
    weights: of those edges.
    batch_norm: the cell's.
    choices: of those edges, the number of the primitive, int32 scalars.

  Returns:
    `[n, h, w, num_edges * c]`; the k-th c channels are the k-th edge's.
  """
  kernels = {
    name: [
      tf.split(y, weights.num_edges, mixed_operation.edge_axis(name))
      for y in layers
    ]
    for name, layers in weights.kernels.items()
  }
  draw = _edge_function(
    batch_norm.norm, batch_norm.is_training, (*x.shape.as_list(), x.dtype)
  )
  outputs = []
  alphas = tf.unstack(weights.alpha)
  for edge, (alpha, choice) in enumerate(zip(alphas, choices, strict=True)):
    moving = batch_norm.take(NUM_NORMS * x.shape[-1])
    own = {
      name: [parts[edge] for parts in layers]
      for name, layers in kernels.items()
    }
    y, *statistics = draw(choice, x, alpha, own, *moving)
    batch_norm.put(*statistics)
    outputs.append(y)
  return tf.concat(outputs, axis=-1)


@functools.cache
def _edge_function(
  norm: normalization.NormSettings, is_training: bool, signature
) -> tf.types.experimental.GenericFunction:
  """Returns a function of an edge's tensors, traced once a signature."""
  del signature  # Of the state; part of the cache's key.

  def compute(choice, x, alpha, kernels, mean, variance):
    tensors = (x, kernels, mean, variance)
    settings = (norm, is_training)
    branches = [
      functools.partial(_one_primitive, name, weight, *tensors, *settings)
      for name, weight in zip(genotype_lib.PRIMITIVES, tf.unstack(alpha))
    ]
    return tf.switch_case(choice, branches)

  return tf.function(
    compute, autograph=False, experimental_attributes={'_noinline': True}
  )


def _one_primitive(
  name: str,
  weight: tf.Tensor,
  x: tf.Tensor,
  kernels: dict[str, list[tf.Tensor]],
  mean: tf.Tensor,
  variance: tf.Tensor,
  norm: normalization.NormSettings,
  is_training: bool,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  """Computes one primitive of one edge.

  Args:
    name: of the primitive.
    weight: float32 scalar, the primitive's.
    x: `[n, h, w, c]`, the state.
    kernels: of the edge.
    mean: float32 `[NUM_NORMS * c]`, the moving means of all its primitives.
    variance: likewise.
    norm: of the batch norms.
    is_training: whether they take the batch's statistics.

  Returns:
    `[n, h, w, c]`, and `mean` and `variance` with the batch's statistics in the
    place of this primitive's.
  """
  sizes = [n * x.shape[-1] for n in _NUM_NORMS_OF.values()]
  means, variances = (tf.split(v, sizes) for v in (mean, variance))
  mine = list(_NUM_NORMS_OF).index(name)
  batch_norm = mixed_operation.BatchNorm(
    means[mine], variances[mine], norm, is_training
  )
  # Custom gradients need a branch's own tensors, not those it captures.
  x, kernels = tf.nest.map_structure(tf.identity, (x, kernels))
  batch_norm.expect(x)
  y = _convolved_or_pooled(name, x, weight, kernels, batch_norm)
  if sizes[mine]:
    means[mine], variances[mine] = batch_norm.statistics()
  return y, tf.concat(means, axis=0), tf.concat(variances, axis=0)


def _convolved_or_pooled(
  name: str,
  x: tf.Tensor,
  weight: tf.Tensor,
  kernels: dict[str, list[tf.Tensor]],
  batch_norm: mixed_operation.BatchNorm,
) -> tf.Tensor:
  """Returns the primitive's output times its weight."""
  primitive = genotype_lib.PRIMITIVES[name]
  scale = tf.repeat(weight, x.shape[-1])
  if primitive.kind == 'none':
    return tf.zeros_like(x)
  if primitive.kind == 'skip':
    return x * tf.cast(weight, x.dtype)
  if primitive.kind in ('max_pool', 'avg_pool'):
    return batch_norm(mixed_operation.pooled(x, name), scale)
  activated = tf.nn.relu(x)
  if primitive.kind == 'separable':
    return mixed_operation.separable(
      name, activated, kernels, scale, batch_norm
    )
  [kernel] = kernels[name]
  y = convolutions.conv2d(activated, kernel, atrous_rate=primitive.atrous_rate)
  return batch_norm(y, scale)
