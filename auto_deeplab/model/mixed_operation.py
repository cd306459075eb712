# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The mixed operation: every primitive on an edge, weighted by alpha (Eq. 2).

All edges that leave one state are computed together: they read the same input.
"""

from collections.abc import Callable, Sequence
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.model import (
  channels,
  constants,
  convolutions,
  devices,
  normalization,
  operations,
)
from auto_deeplab.model import gradients as gradients_lib

# The convolutional primitives, in the order in which a state's edges use them.
SEPARABLE = ('sep_conv_3x3', 'sep_conv_5x5')
ATROUS = ('atrous_conv_3x3', 'atrous_conv_5x5')
POOLS = ('max_pool_3x3', 'avg_pool_3x3')
_LINEAR = ('skip_connect', *POOLS)
# A separable operation is two layers of convolutions.
SEPARABLE_DEPTH = 2


def kernel_shapes(num_edges: int, filters: int) -> dict[str, list[int]]:
  """Returns the shapes of a cell's kernels; the last axis but one: the edge."""
  shapes = {}
  for name in SEPARABLE:
    k = genotype_lib.PRIMITIVES[name].kernel_size
    depth, last = SEPARABLE_DEPTH, [num_edges, filters]
    shapes[f'{name}_depthwise'] = [depth, k, k, *last]
    shapes[f'{name}_pointwise'] = [depth, 1, 1, filters, *last]
  for name in ATROUS:
    k = genotype_lib.PRIMITIVES[name].kernel_size
    shapes[name] = [k, k, filters, num_edges, filters]
  return shapes


def fan_in(name: str, shape: Sequence[int]) -> int:
  """Returns k * k * C of a kernel of `kernel_shapes`, also if depthwise."""
  if name in ATROUS:
    return math.prod(shape[:3])
  return math.prod(shape[1:3]) * shape[-1]


def num_norms(num_blocks: int) -> int:
  """Returns how many batch norms of one edge's width a cell has."""
  num_edges = len(genotype_lib.edges(num_blocks))
  num_states = genotype_lib.num_states(num_blocks - 1)
  num_convs = SEPARABLE_DEPTH * len(SEPARABLE) + len(ATROUS)
  # The edges of a state share its pools.
  return num_edges * num_convs + num_states * len(POOLS)


class EdgeWeights(NamedTuple):
  """What the edges that leave one state are computed with.

  Attributes:
    num_edges: of the state.
    alpha: `[num_edges, num_primitives]`, alpha's weights.
    kernels: by the cell's names, a tensor for each layer: if depthwise
      `[k, k, num_edges * c, 1]`, else `[k, k, c, num_edges * c]`.
    scales: `[num_edges * c]` by primitive, alpha's weight for each channel.
    linear: `[1, 1, len(_LINEAR) * c, num_edges * c]`, a 1x1 convolution;
      channel c of a primitive goes to channel c of every edge, times the edge's
      weight of the primitive.
  """

  num_edges: int
  alpha: tf.Tensor
  kernels: dict[str, list[tf.Tensor]]
  scales: dict[str, tf.Tensor]
  linear: tf.Tensor


def edge_weights(
  alpha: tf.Tensor, kernels: dict[str, tf.Tensor], num_blocks: int
) -> list[EdgeWeights]:
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
  filters = kernels[ATROUS[0]].shape[-1]
  sizes = [n * filters for n in counts]
  columns = dict(zip(genotype_lib.PRIMITIVES, tf.unstack(alpha, axis=1)))
  scales = {
    name: _split(scale, sizes, 0)
    for name, scale in _channel_scales(columns, filters).items()
  }
  layers = {
    name: _split_layers(name, kernel, sizes) for name, kernel in kernels.items()
  }
  alphas = _split(alpha, counts, 0)
  linear = _split(_linear_kernel(columns, filters), sizes, -1)
  return [
    EdgeWeights(
      num_edges,
      alphas[state],
      {name: [y[state] for y in parts] for name, parts in layers.items()},
      {name: scale[state] for name, scale in scales.items()},
      linear[state],
    )
    for state, num_edges in enumerate(counts)
  ]


def _channel_scales(
  columns: dict[str, tf.Tensor], filters: int
) -> dict[str, tf.Tensor]:
  """Returns alpha's weight for each channel, `[num_edges * c]` by primitive."""
  names = SEPARABLE + ATROUS
  weights = tf.stack([columns[name] for name in names])[:, :, None]
  scales = weights * constants.constant(np.ones(filters), tf.float32)
  num_edges = weights.shape[1]
  flat = tf.reshape(scales, constants.constant([-1, num_edges * filters]))
  return dict(zip(names, tf.unstack(flat)))


def _linear_kernel(columns: dict[str, tf.Tensor], filters: int) -> tf.Tensor:
  """Returns `EdgeWeights.linear` of all edges."""
  weights = tf.stack([columns[name] for name in _LINEAR])[:, None, :, None]
  own = constants.constant(np.eye(filters)[:, None, :], tf.float32)
  shape = [1, 1, len(_LINEAR) * filters, weights.shape[2] * filters]
  return tf.reshape(weights * own, constants.constant(shape))


def _split(x: tf.Tensor, sizes: Sequence[int], axis: int) -> list[tf.Tensor]:
  return tf.split(x, constants.constant(sizes), constants.constant(axis))


def edge_axis(name: str) -> int:
  """Returns the axis of `EdgeWeights.kernels[name]` along which edges lie."""
  return -2 if name.endswith('_depthwise') else -1


def _split_layers(
  name: str, kernel: tf.Tensor, sizes: Sequence[int]
) -> list[list[tf.Tensor]]:
  """Returns a cell's kernel as convolutions take it, by layer and state."""
  *shape, num_edges, filters = kernel.shape
  axis = edge_axis(name)
  shape += [num_edges * filters, 1] if axis == -2 else [num_edges * filters]
  kernel = tf.reshape(kernel, shape)
  layers = [kernel] if name in ATROUS else tf.unstack(kernel)
  return [_split(layer, sizes, axis) for layer in layers]


def mixed_edges(
  x: tf.Tensor, weights: EdgeWeights, batch_norm: 'BatchNorm'
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
  for name in SEPARABLE:
    scale = weights.scales[name]
    total.append(separable(name, activated, weights.kernels, scale, batch_norm))
  for name in ATROUS:
    rate = genotype_lib.PRIMITIVES[name].atrous_rate
    [kernel] = weights.kernels[name]
    y = convolutions.conv2d(activated, kernel, atrous_rate=rate)
    total.append(batch_norm(y, weights.scales[name]))
  return tf.add_n(total)


def separable(
  name: str,
  x: tf.Tensor,
  kernels: dict[str, list[tf.Tensor]],
  scale: tf.Tensor,
  batch_norm: 'BatchNorm',
) -> tf.Tensor:
  """Both layers of a separable primitive on some edges.

  A step holds every layer's maps until its backward pass, and these two would
  be most of them. Of six maps the size of the output, two are held: what each
  batch norm takes.

  Args:
    name: of the primitive.
    x: `[n, h, w, c]`, the activated state that the edges leave.
    kernels: of those edges, as in `EdgeWeights`.
    scale: `[num_edges * c]`, of the last batch norm.
    batch_norm: the cell's.

  Returns:
    `[n, h, w, num_edges * c]`.
  """
  layers = zip(kernels[f'{name}_depthwise'], kernels[f'{name}_pointwise'])
  x = convolutions.holding_arguments(_first)(x, *next(layers))
  x = batch_norm.then(_second, x, *next(layers))
  return batch_norm(x, scale)


def _first(x: tf.Tensor, depthwise: tf.Tensor, pointwise: tf.Tensor):
  # A copy for each edge: the layer then is of the second one's kind.
  copies = channels.copies(x, depthwise.shape[2] // x.shape[-1])
  return _convolve_separably(copies, depthwise, pointwise)


def _second(x: tf.Tensor, depthwise: tf.Tensor, pointwise: tf.Tensor):
  return _convolve_separably(tf.nn.relu(x), depthwise, pointwise)


def _convolve_separably(
  x: tf.Tensor, depthwise: tf.Tensor, pointwise: tf.Tensor
) -> tf.Tensor:
  """Convolves the channels of each edge by themselves."""
  x = convolutions.depthwise_conv2d(x, depthwise)
  # A group an edge: TensorFlow infers them from the kernel's channels.
  return convolutions.conv2d(x, pointwise)


def _linear_edges(
  x: tf.Tensor, kernel: tf.Tensor, batch_norm: 'BatchNorm'
) -> tf.Tensor:
  """Skip and pooling of some edges, as one 1x1 convolution over the three.

  Args:
    x: `[n, h, w, c]`.
    kernel: `EdgeWeights.linear`.
    batch_norm: the cell's.

  Returns:
    `[n, h, w, num_edges * c]`.
  """
  kernel = tf.cast(kernel, x.dtype)
  return batch_norm.then(_mix, pooled(x, *POOLS), x, kernel)


def _mix(pools: tf.Tensor, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
  return convolutions.conv2d(channels.concat([x, pools]), kernel, 1, 'VALID')


def pooled(x: tf.Tensor, *names: str) -> tf.Tensor:
  """Pools `[n, h, w, c]` by each primitive; their channels lie side by side."""
  primitives = [genotype_lib.PRIMITIVES[name] for name in names]

  def compute(x: tf.Tensor) -> tf.Tensor:
    pools = [operations.pool(x, p.kind, p.kernel_size) for p in primitives]
    return channels.concat(pools)

  if not devices.holds_pools_back():
    return compute(x)
  return convolutions.holding_arguments(compute)(x)


class BatchNorm:
  """The parameter-free batch norms of one pass through a cell, in order.

  Statistics are float32 and lie one after another, in the order of use.

  Attributes:
    norm: what they have in common.
    is_training: whether they take the batch's statistics.
  """

  _biased_share: tf.Tensor  # `expect` sets it.

  def __init__(
    self,
    moving_mean: tf.Tensor,
    moving_variance: tf.Tensor,
    norm: normalization.NormSettings,
    is_training: bool,
  ):
    self.norm = norm
    self.is_training = is_training
    self._moving = (moving_mean, moving_variance)
    self._used = 0
    self._batch: list[tuple[tf.Tensor, tf.Tensor]] = []

  def expect(self, x: tf.Tensor) -> None:
    """Says that maps of the batch, height and width of `x` come next."""
    num_values = tf.cast(tf.size(x), tf.float32) / x.shape[-1]
    # The variance that normalizes, over the one that is kept: n - 1 to n.
    self._biased_share = 1.0 - 1.0 / num_values

  def take(self, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the next moving means and variances, `[size]`."""
    mine = slice(self._used, self._used + size)
    self._used = mine.stop
    mean, variance = (moving[mine] for moving in self._moving)
    return mean, variance

  def put(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
    """Says what was used in the place of what `take` returned last."""
    self._batch.append((mean, variance))

  def __call__(self, x: tf.Tensor, scale: tf.Tensor | None = None) -> tf.Tensor:
    """Normalizes `[n, h, w, c]` and multiplies it by `scale` `[c]`."""
    channels = x.shape[-1]
    if scale is None:
      scale = self._constant(1.0, channels)
    mean = variance = self._constant(0.0, 0)
    if not self.is_training:
      mean, variance = self.take(channels)
    normalize = self._synchronized if self.norm.synchronized else self._fused
    y, mean, variance = normalize(
      self._to_be_normalized(x),
      tf.cast(scale, tf.float32),
      mean,
      variance,
    )
    self.put(mean, variance)
    return tf.cast(y, x.dtype)

  def then(
    self, compute: Callable[..., tf.Tensor], x: tf.Tensor, *arguments: tf.Tensor
  ) -> tf.Tensor:
    """Returns `compute` of normalized `x` and of other arguments.

    The backward pass holds `x` and `arguments`, and makes again what lies
    between; the statistics it keeps.
    """
    is_fused = self.is_training and not self.norm.synchronized
    if not is_fused or convolutions.holds_everything.get():
      return convolutions.holding_arguments(compute)(self(x), *arguments)

    ones, none = self._constant(1.0, x.shape[-1]), self._constant(0.0, 0)
    biased_share = self._biased_share

    @gradients_lib.custom_gradient
    def forward(x: tf.Tensor, *arguments: tf.Tensor):
      y, mean, unbiased, *reserved = self._fused_op(
        self._to_be_normalized(x), ones, none, none
      )
      z = compute(tf.cast(y, x.dtype), *arguments)

      def gradients(dz: tf.Tensor, *_) -> list[tf.Tensor]:
        with tf.control_dependencies([dz]):
          taken = self._to_be_normalized(x)
          variance = unbiased * biased_share
          y, *_ = self._fused_op(taken, ones, mean, variance, is_training=False)
          used = [tf.cast(y, x.dtype), *arguments]
          with tf.GradientTape() as tape:
            tape.watch(used)
            z = compute(*used)
        dy, *others = tape.gradient(z, used, dz)
        dx, *_ = tf.raw_ops.FusedBatchNormGradV3(
          y_backprop=tf.cast(dy, taken.dtype),
          x=taken,
          scale=ones,
          reserve_space_1=reserved[0],
          reserve_space_2=reserved[1],
          reserve_space_3=reserved[2],
          epsilon=self.norm.epsilon,
        )
        return [tf.cast(dx, x.dtype), *others]

      return (z, mean, unbiased), gradients

    z, mean, variance = forward(x, *arguments)
    self.put(mean, variance)
    return z

  def _to_be_normalized(self, x: tf.Tensor) -> tf.Tensor:
    """Returns the map in the dtype that batch norm takes it in."""
    if devices.normalizes_16_bits() and not self.norm.synchronized:
      return x
    return tf.cast(x, tf.float32)

  def _constant(self, value: float, size: int) -> tf.Tensor:
    """Returns `[size]` of the value."""
    return constants.constant(np.full(size, value), tf.float32)

  def _fused(self, x, scale, mean, variance):
    y, mean, variance, *_ = self._fused_op(x, scale, mean, variance)
    return y, mean, variance

  def _fused_op(self, x, scale, mean, variance, is_training=None):
    # Not `tf.compat.v1.nn.fused_batch_norm`, which makes constants.
    return tf.raw_ops.FusedBatchNormV3(
      x=x,
      scale=scale,
      offset=self._constant(0.0, x.shape[-1]),
      mean=mean,
      variance=variance,
      epsilon=self.norm.epsilon,
      is_training=self.is_training if is_training is None else is_training,
    )

  def _synchronized(self, x, scale, mean, variance):
    """The same with statistics over all replicas."""
    if self.is_training:
      mean = tf.reduce_mean(x, axis=[0, 1, 2])
      square = tf.reduce_mean(tf.square(x), axis=[0, 1, 2])
      context = tf.distribute.get_replica_context()
      # None while the variables are made, under the strategy's scope alone.
      if context is not None:
        mean, square = context.all_reduce(
          tf.distribute.ReduceOp.MEAN, [mean, square]
        )
      variance = square - tf.square(mean)
    factor = scale * tf.math.rsqrt(variance + self.norm.epsilon)
    return x * factor - mean * factor, mean, variance

  def statistics(self) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the means and variances that were used."""
    means, variances = zip(*self._batch)
    # No loss depends on them.
    return tuple(tf.stop_gradient(tf.concat(v, 0)) for v in (means, variances))
