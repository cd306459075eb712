# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The final cell and the search cell, side by side.

State 0 is H[l-2], state 1 is H[l-1], state b + 2 the output of block b, and a
block is the sum of its edges, in both.
"""

from collections.abc import Callable, Sequence
import functools
from typing import NamedTuple

import tensorflow as tf

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import lattice
from auto_deeplab.model import operations


class Cell(tf.keras.layers.Layer):
  """A cell of a genotype (method, section 2, "A cell").

  Attributes:
    direction: how the path arrives: `lattice.UP` takes inputs that are
      upsampled already, `DOWN` strides within the cell.
    resize_previous: whether H[l-2] lies at another level than the inputs.
  """

  def __init__(
    self,
    blocks: Sequence[genotype_lib.Block],
    filters: int,
    direction: int,
    norm: operations.NormSettings,
    *,
    project_previous: bool = True,
    resize_previous: bool = True,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.direction = direction
    self.resize_previous = resize_previous
    self.edges = [[state for state, _ in block] for block in blocks]
    self.previous_projection = (
      operations.ConvBn(filters, 1, norm) if project_previous else None
    )
    self.projection = operations.ConvBn(filters, 1, norm)
    self.operations = [
      [
        operations.make_operation(
          name,
          filters,
          norm,
          strides=self._strides(state),
        )
        for state, name in block
      ]
      for block in blocks
    ]

  def _strides(self, state: int) -> int:
    is_input = state < genotype_lib.NUM_INPUTS
    return 2 if self.direction == lattice.DOWN and is_input else 1

  def call(
    self,
    inputs: tf.Tensor,
    previous: tf.Tensor,
    training=None,
    keep_prob: tf.Tensor | None = None,
    seed: tf.Tensor | None = None,
  ) -> tf.Tensor:
    """Computes the cell.

    Args:
      inputs: `[n, h, w, c]`, the raw output of the cell before, upsampled if
        the direction is UP.
      previous: `[n, h', w', c']`, the raw output of the cell before that.
      training: whether batch norm takes the statistics of the batch.
      keep_prob: of drop path, scalar; None keeps everything.
      seed: int32 `[2]`, of drop path.

    Returns:
      `[n, h, w, blocks * filters]`; h and w halved if the direction is DOWN.
    """
    if self.resize_previous:
      size = operations.spatial_size(inputs)
      previous = operations.resize_aligned(previous, size)
    if self.previous_projection is not None:
      previous = self.previous_projection(
        tf.nn.relu(previous), training=training
      )
    states = [
      previous,
      self.projection(tf.nn.relu(inputs), training=training),
    ]
    num_operations = 0
    for sources, block in zip(self.edges, self.operations):
      outputs = []
      for source, operation in zip(sources, block):
        y = operation(states[source], training=training)
        if keep_prob is not None:
          y = operations.random_scale_by_sample(
            y, keep_prob, operations.fold_in(seed, num_operations)
          )
        num_operations += 1
        outputs.append(y)
      states.append(tf.add_n(outputs))
    return tf.concat(states[genotype_lib.NUM_INPUTS :], axis=-1)


# The convolutional primitives, in the order in which a state's edges use them.
_SEPARABLE = ('sep_conv_3x3', 'sep_conv_5x5')
_ATROUS = ('atrous_conv_3x3', 'atrous_conv_5x5')
_POOLS = ('max_pool_3x3', 'avg_pool_3x3')
_LINEAR = ('skip_connect', *_POOLS)
# A separable operation is two layers of convolutions.
_DEPTH = 2


class SearchCell(tf.keras.layers.Layer):
  """The cell of one node: all edges, all primitives (Eq. 1 to 3).

  Its weights are shared by the node's incoming transitions, which pass it as
  one batch; batch norm takes its statistics over all of them. The batch norms
  have neither scale nor offset, as in DARTS: alpha alone weighs an operation,
  and takes the place of the scale.

  Edges are kept in the order of the state they leave, so that the edges of one
  state are neighbours: they read the same input, and their convolutions of one
  kind run as one wider convolution. One variable holds one kind for all edges.

  The arithmetic is a function of tensors (`_relaxed_cell`) that is traced once
  for all cells with the same shapes, however many layers there are.
  """

  def __init__(
    self,
    num_blocks: int,
    filters: int,
    norm: operations.NormSettings,
    recompute: bool = False,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.num_blocks = num_blocks
    self.filters = filters
    self.norm = norm
    self.recompute = recompute
    edges = genotype_lib.edges(num_blocks)
    # Row of alpha of each edge, in our order; the sort is stable.
    self.alpha_rows = sorted(range(len(edges)), key=lambda row: edges[row][1])

  def build(self, input_shape):
    c, e = self.filters, len(self.alpha_rows)
    self.kernels = {}
    for name in _SEPARABLE:
      k = genotype_lib.PRIMITIVES[name].kernel_size
      self._add_kernel(f'{name}_depthwise', [_DEPTH, k, k, e, c], k * k * c)
      self._add_kernel(f'{name}_pointwise', [_DEPTH, 1, 1, c, e, c], c)
    for name in _ATROUS:
      k = genotype_lib.PRIMITIVES[name].kernel_size
      self._add_kernel(name, [k, k, c, e, c], k * k * c)
    num_norms = e * (_DEPTH * len(_SEPARABLE) + len(_ATROUS))
    num_norms += len(_POOLS) * genotype_lib.num_states(self.num_blocks - 1)
    self.moving_mean = self._add_statistic(
      'moving_mean', num_norms * c, 'zeros'
    )
    self.moving_variance = self._add_statistic(
      'moving_variance', num_norms * c, 'ones'
    )
    super().build(input_shape)

  def _add_kernel(self, name: str, shape: list[int], fan_in: int) -> None:
    bound = fan_in**-0.5
    initializer = tf.keras.initializers.RandomUniform(-bound, bound)
    self.kernels[name] = self.add_weight(name, shape, initializer=initializer)

  def _add_statistic(self, name: str, size: int, initializer) -> tf.Variable:
    return self.add_weight(
      name,
      [size],
      dtype=tf.float32,
      # Also within a call under a mixed-precision policy.
      experimental_autocast=False,
      initializer=initializer,
      trainable=False,
      synchronization=tf.VariableSynchronization.ON_READ,
      aggregation=tf.VariableAggregation.MEAN,
    )

  def call(
    self,
    inputs: tf.Tensor,
    previous: tf.Tensor,
    alpha_weights: tf.Tensor,
    training=None,
  ) -> tf.Tensor:
    """Computes the continuous relaxation of the cell.

    Args:
      inputs: `[t * n, h, w, filters]`, the projected H[l-1] of t transitions.
      previous: `[n, h, w, filters]`, the projected H[l-2]. The transitions
        share it, so its edges are computed once.
      alpha_weights: `[num_edges, num_primitives]`, softmax of alpha.
      training: whether batch norm takes the statistics of the batch.

    Returns:
      `[t * n, h, w, num_blocks * filters]`.
    """
    is_training = bool(training)
    arguments = (
      inputs,
      tf.cast(previous, inputs.dtype),
      tf.gather(alpha_weights, self.alpha_rows),
      {
        name: tf.cast(kernel, inputs.dtype)
        for name, kernel in self.kernels.items()
      },
      tf.convert_to_tensor(self.moving_mean),
      tf.convert_to_tensor(self.moving_variance),
    )
    settings = (self.num_blocks, self.norm, is_training, self.recompute)
    if self.norm.synchronized:
      # Replicas cannot meet within a function; without that, share the graph.
      compute = _make_relaxed_cell(*settings)
    else:
      shapes = (tuple(x.shape.as_list()) for x in (inputs, previous))
      compute = _shared_function(settings, (*shapes, inputs.dtype))
    outputs, mean, variance = compute(*arguments)
    if is_training:
      self._move(self.moving_mean, mean)
      self._move(self.moving_variance, variance)
    return outputs

  def _move(self, moving: tf.Variable, value: tf.Tensor) -> None:
    moving.assign_sub((moving - value) * (1 - self.norm.momentum))


@functools.cache
def _shared_function(settings, signature):
  """Returns a function of `_make_relaxed_cell`, traced once a signature."""
  del signature  # Of the tensors; part of the cache's key.
  return tf.function(_make_relaxed_cell(*settings), autograph=False)


def _make_relaxed_cell(
  num_blocks: int,
  norm: operations.NormSettings,
  is_training: bool,
  recompute: bool,
) -> Callable[..., tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
  """Returns `_relaxed_cell` as a function of its tensors alone."""

  def compute(*tensors):
    return _relaxed_cell(
      *tensors, num_blocks=num_blocks, norm=norm, is_training=is_training
    )

  return tf.recompute_grad(compute) if recompute else compute


def _relaxed_cell(
  inputs: tf.Tensor,
  previous: tf.Tensor,
  alpha: tf.Tensor,
  kernels: dict[str, tf.Tensor],
  moving_mean: tf.Tensor,
  moving_variance: tf.Tensor,
  *,
  num_blocks: int,
  norm: operations.NormSettings,
  is_training: bool,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  """Computes `SearchCell.call` from tensors; edges by the state they leave.

  Returns:
    The cell's output, and the means and variances of its batch norms.
  """
  batch_norm = _BatchNorm(moving_mean, moving_variance, norm, is_training)
  num_transitions = tf.shape(inputs)[0] // tf.shape(previous)[0]
  sums: list[list[tf.Tensor]] = [[] for _ in range(num_blocks)]
  states = [previous, inputs]
  for state, weights in enumerate(_edge_weights(alpha, kernels, num_blocks)):
    if state >= genotype_lib.NUM_INPUTS:
      states.append(tf.add_n(sums[state - genotype_lib.NUM_INPUTS]))
    contributions = _mixed_edges(states[state], weights, batch_norm)
    if state == 0:
      contributions = tf.tile(contributions, [num_transitions, 1, 1, 1])
    readers = sums[-weights.num_edges :]
    for block, contribution in zip(
      readers, tf.split(contributions, weights.num_edges, axis=-1)
    ):
      block.append(contribution)
  states.append(tf.add_n(sums[-1]))
  outputs = tf.concat(states[genotype_lib.NUM_INPUTS :], axis=-1)
  return outputs, *batch_norm.statistics()


class _EdgeWeights(NamedTuple):
  """What the edges that leave one state are computed with.

  Attributes:
    num_edges: of the state.
    kernels: by the cell's names; the axis before the last is the edge.
    scales: `[num_edges * c]` by primitive, alpha's weight for each channel.
    linear: `[len(_LINEAR), c, num_edges, c]`; channel c of a primitive goes to
      channel c of every edge, times the edge's weight of the primitive.
  """

  num_edges: int
  kernels: dict[str, tf.Tensor]
  scales: dict[str, tf.Tensor]
  linear: tf.Tensor


def _edge_weights(
  alpha: tf.Tensor, kernels: dict[str, tf.Tensor], num_blocks: int
) -> list[_EdgeWeights]:
  """Parts a cell's weights by the state that the edges leave.

  By one split each: the gradient of a slice would be as large as the whole.

  Args:
    alpha: `[num_edges, num_primitives]`.
    kernels: the cell's; the axis before the last is the edge.
    num_blocks: B.
  """
  # State 0 and 1 have an edge to every block, the output of block b to those
  # after it.
  counts = [num_blocks, *range(num_blocks, 0, -1)]
  filters = kernels[_ATROUS[0]].shape[-1]
  columns = dict(zip(genotype_lib.PRIMITIVES, tf.unstack(alpha, axis=1)))
  linear = tf.stack([columns[name] for name in _LINEAR])
  linear = linear[:, None, :, None] * tf.eye(filters)[:, None, :]
  parts = {
    name: tf.split(kernel, counts, axis=-2) for name, kernel in kernels.items()
  }
  scales = {
    name: tf.split(
      tf.repeat(columns[name], filters), [n * filters for n in counts]
    )
    for name in _SEPARABLE + _ATROUS
  }
  return [
    _EdgeWeights(
      num_edges,
      {name: part[state] for name, part in parts.items()},
      {name: scale[state] for name, scale in scales.items()},
      linear_part,
    )
    for state, (num_edges, linear_part) in enumerate(
      zip(counts, tf.split(linear, counts, axis=2))
    )
  ]


def _mixed_edges(
  x: tf.Tensor, weights: _EdgeWeights, batch_norm: '_BatchNorm'
) -> tf.Tensor:
  """Weighted sums of all primitives on the edges that leave one state.

  Args:
    x: `[n, h, w, c]`, the state.
    weights: of those edges.
    batch_norm: the cell's.

  Returns:
    `[n, h, w, num_edges * c]`; the k-th c channels are the k-th edge's.
  """
  total = [_linear_edges(x, weights.linear, batch_norm)]
  activated = tf.nn.relu(x)
  # A copy for each edge: the first layer then is of the second one's kind.
  copies = tf.tile(activated, [1, 1, 1, weights.num_edges])
  for name in _SEPARABLE:
    depthwise = tf.unstack(weights.kernels[f'{name}_depthwise'])
    pointwise = tf.unstack(weights.kernels[f'{name}_pointwise'])
    y = _convolve_separably(copies, depthwise[0], pointwise[0])
    y = tf.nn.relu(batch_norm(y))
    y = _convolve_separably(y, depthwise[1], pointwise[1])
    total.append(batch_norm(y, weights.scales[name]))
  for name in _ATROUS:
    rate = genotype_lib.PRIMITIVES[name].atrous_rate
    y = _convolve(activated, weights.kernels[name], rate)
    total.append(batch_norm(y, weights.scales[name]))
  return tf.add_n(total)


def _convolve_separably(
  x: tf.Tensor, depthwise: tf.Tensor, pointwise: tf.Tensor
) -> tf.Tensor:
  """Convolves the channels of each edge by themselves.

  Args:
    x: `[n, h, w, num_edges * c]`.
    depthwise: `[k, k, num_edges, c]`.
    pointwise: `[1, 1, c, num_edges, c]`.
  """
  k = depthwise.shape[0]
  x = operations.depthwise_conv2d(x, tf.reshape(depthwise, [k, k, -1, 1]))
  # A group an edge: TensorFlow infers them from the kernel's channels.
  return _convolve(x, pointwise)


def _convolve(x: tf.Tensor, kernel: tf.Tensor, atrous_rate=1) -> tf.Tensor:
  """Convolves with the kernels `[k, k, c, num_edges, c]` of some edges."""
  k, _, c, num_edges, filters = kernel.shape
  kernel = tf.reshape(kernel, [k, k, c, num_edges * filters])
  return operations.conv2d(x, kernel, atrous_rate=atrous_rate)


def _linear_edges(
  x: tf.Tensor, kernel: tf.Tensor, batch_norm: '_BatchNorm'
) -> tf.Tensor:
  """Skip and pooling of some edges, as one 1x1 convolution over the three.

  Args:
    x: `[n, h, w, c]`.
    kernel: `_EdgeWeights.linear`.
    batch_norm: the cell's.

  Returns:
    `[n, h, w, num_edges * c]`.
  """
  parts = [x]
  for name in _POOLS:
    primitive = genotype_lib.PRIMITIVES[name]
    pooled = operations.pool(x, primitive.kind, primitive.kernel_size)
    parts.append(batch_norm(pooled))
  num_parts, filters, num_edges, _ = kernel.shape
  shape = [1, 1, num_parts * filters, num_edges * filters]
  kernel = tf.cast(tf.reshape(kernel, shape), x.dtype)
  return operations.conv2d(tf.concat(parts, axis=-1), kernel, 1, 'VALID')


class _BatchNorm:
  """The parameter-free batch norms of one pass through a cell, in order.

  Statistics are float32 and lie one after another, in the order of use.
  """

  def __init__(
    self,
    moving_mean: tf.Tensor,
    moving_variance: tf.Tensor,
    norm: operations.NormSettings,
    is_training: bool,
  ):
    self._moving = (moving_mean, moving_variance)
    self._norm = norm
    self._is_training = is_training
    self._used = 0
    self._batch: list[tuple[tf.Tensor, tf.Tensor]] = []

  def __call__(self, x: tf.Tensor, scale: tf.Tensor | None = None) -> tf.Tensor:
    """Normalizes `[n, h, w, c]` and multiplies it by `scale` `[c]`."""
    channels = x.shape[-1]
    mine = slice(self._used, self._used + channels)
    self._used = mine.stop
    if scale is None:
      scale = tf.ones([channels])
    normalize = self._synchronized if self._norm.synchronized else self._fused
    y, mean, variance = normalize(
      # Batch norm in bfloat16 is slower on CPUs, and less exact everywhere.
      tf.cast(x, tf.float32),
      tf.cast(scale, tf.float32),
      *(moving[mine] for moving in self._moving),
    )
    self._batch.append((mean, variance))
    return tf.cast(y, x.dtype)

  def _fused(self, x, scale, moving_mean, moving_variance):
    return tf.compat.v1.nn.fused_batch_norm(
      x,
      scale,
      tf.zeros_like(scale),
      mean=None if self._is_training else moving_mean,
      variance=None if self._is_training else moving_variance,
      epsilon=self._norm.epsilon,
      is_training=self._is_training,
    )

  def _synchronized(self, x, scale, mean, variance):
    """The same with statistics over all replicas."""
    if self._is_training:
      mean = tf.reduce_mean(x, axis=[0, 1, 2])
      square = tf.reduce_mean(tf.square(x), axis=[0, 1, 2])
      context = tf.distribute.get_replica_context()
      mean, square = context.all_reduce(
        tf.distribute.ReduceOp.MEAN, [mean, square]
      )
      variance = square - tf.square(mean)
    factor = scale * tf.math.rsqrt(variance + self._norm.epsilon)
    return x * factor - mean * factor, mean, variance

  def statistics(self) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the means and variances that were used."""
    means, variances = zip(*self._batch)
    return tf.concat(means, axis=0), tf.concat(variances, axis=0)
