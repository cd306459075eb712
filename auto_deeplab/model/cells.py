# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The final cell and the search cell, side by side.

State 0 is H[l-2], state 1 is H[l-1], state b + 2 the output of block b, and a
block is the sum of its edges, in both.
"""

from collections.abc import Sequence

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
    merge_separable: bool = False,
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
          merge_separable=merge_separable,
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


# The convolutional primitives, in the order in which `MixedEdges` adds them.
_CONVOLUTIONS = tuple(
  name
  for name, primitive in genotype_lib.PRIMITIVES.items()
  if primitive.kind in ('separable', 'atrous')
)


class MixedEdges(tf.keras.layers.Layer):
  """The mixed operations of all edges that leave one state.

  Edges that leave a state share its input, so their convolutions of one kind
  are one wider convolution: the k-th group of `filters` output channels
  belongs to the k-th edge. Pooling and skip are computed once.
  """

  def __init__(
    self,
    num_edges: int,
    filters: int,
    norm: operations.NormSettings,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.num_edges = num_edges
    self.filters = filters
    width = num_edges * filters
    self.convs = []
    self.bns = []
    for name in _CONVOLUTIONS:
      primitive = genotype_lib.PRIMITIVES[name]
      size = primitive.kernel_size
      if primitive.kind == 'atrous':
        convs = [
          operations.Conv2D(width, size, atrous_rate=primitive.atrous_rate)
        ]
      else:
        convs = [
          GroupedSeparableConv2D(filters, size, num_edges, is_split=False),
          GroupedSeparableConv2D(filters, size, num_edges, is_split=True),
        ]
      self.convs.append(convs)
      # Without scale and offset, as in DARTS: alpha alone weighs an operation.
      self.bns.append([norm.layer(affine=False) for _ in convs])
    self.pool_bns = [norm.layer(affine=False) for _ in range(2)]

  def call(
    self, x: tf.Tensor, weights: tf.Tensor, training=None
  ) -> list[tf.Tensor]:
    """Computes the weighted sum of the primitives on every edge.

    Args:
      x: `[n, h, w, filters]`.
      weights: `[num_edges, num_primitives]`, softmax of alpha.
      training: whether batch norm takes the statistics of the batch.

    Returns:
      One `[n, h, w, filters]` an edge.
    """
    weights = tf.cast(weights, self.compute_dtype)
    by_name = dict(zip(genotype_lib.PRIMITIVES, tf.unstack(weights, axis=1)))
    total = self._linear(x, by_name, training)
    activated = tf.nn.relu(x)
    for name, convs, bns in zip(_CONVOLUTIONS, self.convs, self.bns):
      y = activated
      for index, (conv, bn) in enumerate(zip(convs, bns)):
        y = conv(tf.nn.relu(y) if index else y)
        y = tf.cast(bn(y, training=training), self.compute_dtype)
      total += y * tf.repeat(by_name[name], self.filters)
    return tf.split(total, self.num_edges, axis=-1)

  def _linear(self, x: tf.Tensor, by_name, training) -> tf.Tensor:
    """Pooling and skip of all edges, as one 1x1 convolution over the three."""
    names = ('max_pool_3x3', 'avg_pool_3x3')
    parts = [x]
    kernels = [by_name['skip_connect']]
    for name, bn in zip(names, self.pool_bns):
      primitive = genotype_lib.PRIMITIVES[name]
      pooled = operations.pool(x, primitive.kind, primitive.kernel_size)
      pooled = bn(pooled, training=training)
      parts.append(tf.cast(pooled, self.compute_dtype))
      kernels.append(by_name[name])
    eye = tf.eye(self.filters, dtype=self.compute_dtype)
    # [3, filters, num_edges, filters]: channel c of a part goes to channel c
    # of every edge, times the edge's weight of that part.
    kernel = tf.einsum('pe,cd->pced', tf.stack(kernels), eye)
    shape = [1, 1, len(parts) * self.filters, self.num_edges * self.filters]
    return tf.nn.conv2d(
      tf.concat(parts, axis=-1), tf.reshape(kernel, shape), 1, 'VALID'
    )


class GroupedSeparableConv2D(tf.keras.layers.Layer):
  """Separable convolutions of several edges, as one (grouped) convolution.

  Each edge has a depthwise kernel and a pointwise kernel of its own; they run
  as their product (`operations.separable_kernel`), which is exact.
  """

  def __init__(
    self,
    filters: int,
    kernel_size: int,
    num_edges: int,
    is_split: bool,
    **kwargs,
  ):
    """Initializes the layer.

    Args:
      filters: channels of one edge, in and out.
      kernel_size: side of the depthwise kernel in pixels.
      num_edges: number of edges.
      is_split: whether the input holds the edges' own channels one after
        another; else all edges read the same `filters` channels.
      **kwargs: of the Keras layer.
    """
    super().__init__(**kwargs)
    self.filters = filters
    self.kernel_size = kernel_size
    self.num_edges = num_edges
    self.is_split = is_split

  def build(self, input_shape):
    k, c, e = self.kernel_size, self.filters, self.num_edges
    bound = (k * k * c) ** -0.5
    self.depthwise_kernel = self.add_weight(
      'depthwise_kernel',
      [k, k, c, e, 1],
      initializer=tf.keras.initializers.RandomUniform(-bound, bound),
    )
    bound = c**-0.5
    self.pointwise_kernel = self.add_weight(
      'pointwise_kernel',
      [1, 1, c, e, c],
      initializer=tf.keras.initializers.RandomUniform(-bound, bound),
    )
    super().build(input_shape)

  def call(self, x: tf.Tensor) -> tf.Tensor:
    """`[n, h, w, c]` -> `[n, h, w, num_edges * filters]`."""
    kernel = operations.separable_kernel(
      tf.convert_to_tensor(self.depthwise_kernel),
      tf.convert_to_tensor(self.pointwise_kernel),
    )
    k, c = self.kernel_size, self.filters
    # With `filters` input channels against num_edges * filters channels of x,
    # TensorFlow infers num_edges groups.
    kernel = tf.reshape(kernel, [k, k, c, self.num_edges * c])
    return tf.nn.conv2d(x, kernel, 1, 'SAME')


class SearchCell(tf.keras.layers.Layer):
  """The cell of one node: all edges, all primitives.

  Its weights are shared by the node's incoming transitions, which pass it as
  one batch; batch norm takes its statistics over all of them.
  """

  def __init__(
    self,
    num_blocks: int,
    filters: int,
    norm: operations.NormSettings,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.num_blocks = num_blocks
    edges = genotype_lib.edges(num_blocks)
    num_states = genotype_lib.num_states(num_blocks - 1)
    # Rows of alpha that belong to the edges leaving each state, by block.
    self.rows = [
      [row for row, (_, source) in enumerate(edges) if source == state]
      for state in range(num_states)
    ]
    self.edges_from = [
      MixedEdges(len(rows), filters, norm) for rows in self.rows
    ]

  def call(
    self,
    inputs: tf.Tensor,
    previous: tf.Tensor,
    alpha_weights: tf.Tensor,
    training=None,
  ) -> tf.Tensor:
    """Computes the continuous relaxation of the cell (Eq. 1 to 3).

    Args:
      inputs: `[t * n, h, w, filters]`, the projected H[l-1] of t transitions.
      previous: `[n, h, w, filters]`, the projected H[l-2]. The transitions
        share it, so its edges are computed once.
      alpha_weights: `[num_edges, num_primitives]`, softmax of alpha.
      training: whether batch norm takes the statistics of the batch.

    Returns:
      `[t * n, h, w, num_blocks * filters]`.
    """
    num_transitions = tf.shape(inputs)[0] // tf.shape(previous)[0]
    if inputs.shape[0] is not None and previous.shape[0] is not None:
      num_transitions = inputs.shape[0] // previous.shape[0]
    sums: list[list[tf.Tensor]] = [[] for _ in range(self.num_blocks)]
    outputs: list[tf.Tensor] = []
    for state, (rows, edges) in enumerate(zip(self.rows, self.edges_from)):
      if state == 0:
        x = previous
      elif state == 1:
        x = inputs
      else:
        outputs.append(tf.add_n(sums[state - genotype_lib.NUM_INPUTS]))
        x = outputs[-1]
      weights = tf.gather(alpha_weights, rows)
      contributions = edges(x, weights, training=training)
      if state == 0:
        contributions = [
          tf.tile(c, [num_transitions, 1, 1, 1]) for c in contributions
        ]
      first_block = self.num_blocks - len(rows)
      for offset, contribution in enumerate(contributions):
        sums[first_block + offset].append(contribution)
    outputs.append(tf.add_n(sums[-1]))
    return tf.concat(outputs, axis=-1)
