# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The final cell and the search cell, side by side.

State 0 is H[l-2], state 1 is H[l-1], state b + 2 the output of block b, and a
block is the sum of its edges, in both.
"""

from collections.abc import Callable, Iterator, Sequence
import functools
import itertools
from typing import NamedTuple

import tensorflow as tf

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import lattice
from auto_deeplab.model import (
  channels,
  constants,
  convolutions,
  drawn_operation,
  layers,
  mixed_operation,
  normalization,
  operations,
  sizes,
)


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
    norm: normalization.NormSettings,
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
      layers.ConvBn(filters, 1, norm) if project_previous else None
    )
    self.projection = layers.ConvBn(filters, 1, norm)
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
    scales: Sequence[tf.Tensor] | None = None,
  ) -> tf.Tensor:
    """Computes the cell.

    Args:
      inputs: `[n, h, w, c]`, the raw output of the cell before, upsampled if
        the direction is UP.
      previous: `[n, h', w', c']`, the raw output of the cell before that.
      training: whether batch norm takes the statistics of the batch.
      scales: `[n, 1, 1, 1]` for each operation, block by block: what drop path
        multiplies it by, 0 or more; None keeps everything.

    Returns:
      `[n, h, w, blocks * filters]`; h and w halved if the direction is DOWN.
    """
    if self.resize_previous:
      size = sizes.spatial_size(inputs)
      previous = sizes.resize_aligned(previous, size)
    if self.previous_projection is not None:
      previous = self.previous_projection(
        tf.nn.relu(previous), training=training
      )
    states = [
      previous,
      self.projection(tf.nn.relu(inputs), training=training),
    ]
    remaining = iter(scales or ())
    for sources, block in zip(self.edges, self.operations):
      outputs = []
      for source, operation in zip(sources, block):
        y = operation(states[source], training=training)
        if scales is not None:
          y *= tf.cast(next(remaining), y.dtype)
        outputs.append(y)
      states.append(tf.add_n(outputs))
    return tf.concat(states[genotype_lib.NUM_INPUTS :], axis=-1)


class SearchCell(tf.keras.layers.Layer):
  """The cell of one node: all edges, all primitives (Eq. 1 to 3).

  Its weights are shared by the node's incoming transitions, which pass it as
  one batch; batch norm takes its statistics over all of them. The batch norms
  have neither scale nor offset, as in DARTS: alpha alone weighs an operation,
  and takes the place of the scale.

  Edges are kept in the order of the state they leave, so that the edges of one
  state are neighbours: they read the same input, and their convolutions of one
  kind run as one wider convolution. One variable holds one kind for all edges.

  The arithmetic is a function of tensors (`_relaxed_cell`) that is traced, and
  made ready to run, once for all cells with the same shapes, however many
  layers there are.
  """

  def __init__(
    self,
    num_blocks: int,
    filters: int,
    norm: normalization.NormSettings,
    *,
    recompute: bool = False,
    channel_divisor: int = 1,
    is_drawn: bool = False,
    **kwargs,
  ):
    """Initializes the cell; `build` adds the variables.

    Args:
      num_blocks: B.
      filters: channels of a state.
      norm: of the batch norms.
      recompute: whether to compute the inside again in the backward pass.
      channel_divisor: k; the first 1/k of a state's channels go through the
        operations, the others past them (PC-DARTS).
      is_drawn: whether an edge computes its likeliest primitive alone.
      **kwargs: of the Keras layer.
    """
    super().__init__(**kwargs)
    self.num_blocks = num_blocks
    self.filters = filters
    self.settings = _Settings(
      num_blocks, filters // channel_divisor, norm, recompute, is_drawn
    )
    self.alpha_rows = _alpha_rows(num_blocks)

  def build(self, input_shape):
    settings = self.settings
    shapes = mixed_operation.kernel_shapes(
      len(self.alpha_rows), settings.mixed_filters
    )
    self.kernels = {
      name: self._add_kernel(name, shape) for name, shape in shapes.items()
    }
    if settings.is_drawn:
      num_norms = len(self.alpha_rows) * drawn_operation.NUM_NORMS
    else:
      num_norms = mixed_operation.num_norms(self.num_blocks)
    size = num_norms * settings.mixed_filters
    self.moving_mean = self._add_statistic('moving_mean', size, 'zeros')
    self.moving_variance = self._add_statistic('moving_variance', size, 'ones')
    super().build(input_shape)

  def _add_kernel(self, name: str, shape: Sequence[int]) -> tf.Variable:
    bound = mixed_operation.fan_in(name, shape) ** -0.5
    initializer = tf.keras.initializers.RandomUniform(-bound, bound)
    return self.add_weight(name, shape, initializer=initializer)

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
    moved: str | None = None,
    choices: tf.Tensor | None = None,
  ) -> tf.Tensor:
    """Computes the continuous relaxation of the cell.

    Args:
      inputs: `[t * n, h, w, filters]`, the projected H[l-1] of t transitions.
      previous: `[n, h, w, filters]`, the projected H[l-2]. The transitions
        share it, so its edges are computed once.
      alpha_weights: `[num_edges, num_primitives]`, softmax of alpha, or one-hot
        if the primitives are drawn.
      training: whether batch norm takes the statistics of the batch.
      moved: as of `Supernet.call`.
      choices: int32 `[num_edges]`, where the largest of `alpha_weights` lie, if
        primitives are drawn; None looks for them.

    Returns:
      `[t * n, h, w, num_blocks * filters]`.
    """
    is_training = bool(training)
    drawn = []
    if self.settings.is_drawn:
      if choices is None:
        choices = tf.argmax(alpha_weights, axis=-1, output_type=tf.int32)
      drawn = [choices]
    moving = tf.nest.map_structure(
      tf.convert_to_tensor, (self.moving_mean, self.moving_variance)
    )
    arguments = (
      inputs,
      tf.cast(previous, inputs.dtype),
      tf.gather(alpha_weights, self.alpha_rows),
      {
        name: tf.cast(kernel, inputs.dtype)
        for name, kernel in self.kernels.items()
      },
      *moving,
      *drawn,
    )
    if self.settings.norm.synchronized:
      # Replicas cannot meet within a function; without that, share the graph.
      compute = _make_relaxed_cell(self.settings, is_training, moved)
    else:
      # Of any batch, so that one trace serves any number of transitions.
      state = tf.TensorSpec([None, *inputs.shape[1:]], inputs.dtype)
      compute = _shared_function(self.settings, is_training, moved, state)
    outputs, mean, variance = compute(*arguments)
    outputs = tf.ensure_shape(outputs, [inputs.shape[0], *outputs.shape[1:]])
    if is_training:
      share = constants.constant(1 - self.settings.norm.momentum, tf.float32)
      self.moving_mean.assign_sub((moving[0] - mean) * share)
      self.moving_variance.assign_sub((moving[1] - variance) * share)
    return outputs


def _alpha_rows(num_blocks: int) -> list[int]:
  """Returns the rows of alpha, by the state that their edges leave."""
  edges = genotype_lib.edges(num_blocks)
  # The sort is stable.
  return sorted(range(len(edges)), key=lambda row: edges[row][1])


class _Settings(NamedTuple):
  """What decides the arithmetic of a search cell, besides its tensors."""

  num_blocks: int
  mixed_filters: int
  norm: normalization.NormSettings
  recompute: bool
  is_drawn: bool


@functools.cache
def _shared_function(
  settings: _Settings,
  is_training: bool,
  moved: str | None,
  state: tf.TensorSpec,
) -> tf.types.experimental.GenericFunction:
  """Returns a function of `_make_relaxed_cell`, traced once for all cells.

  Args:
    settings: of the cell.
    is_training: whether batch norm takes the statistics of the batch.
    moved: as of `Supernet.call`.
    state: `[None, h, w, filters]`, of H[l-1] and H[l-2].
  """
  num_edges = len(genotype_lib.edges(settings.num_blocks))
  shapes = mixed_operation.kernel_shapes(num_edges, settings.mixed_filters)
  kernels = {
    name: tf.TensorSpec(shape, state.dtype) for name, shape in shapes.items()
  }
  alpha = tf.TensorSpec([num_edges, len(genotype_lib.PRIMITIVES)], tf.float32)
  statistic = tf.TensorSpec([None], tf.float32)
  drawn = [tf.TensorSpec([num_edges], tf.int32)] if settings.is_drawn else []
  return tf.function(
    _make_relaxed_cell(settings, is_training, moved),
    input_signature=[
      state,
      state,
      alpha,
      kernels,
      statistic,
      statistic,
      *drawn,
    ],
    autograph=False,
    # Put in the place of each call, the cells would make most of a graph of a
    # hundred thousand nodes, and of the memory that it takes.
    experimental_attributes={'_noinline': True},
  )


def _make_relaxed_cell(
  settings: _Settings, is_training: bool, moved: str | None
) -> Callable[..., tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
  """Returns `_relaxed_cell` as a function of its tensors alone."""

  def compute(inputs, previous, alpha, kernels, *others):
    # A function that is not put in the place of its call has all gradients
    # computed, whether someone asks for them or not.
    if moved == 'weights':
      alpha = tf.stop_gradient(alpha)
    if moved == 'architecture':
      kernels = {name: tf.stop_gradient(k) for name, k in kernels.items()}
    with convolutions.holding_everything(settings.recompute):
      return _relaxed_cell(
        inputs,
        previous,
        alpha,
        kernels,
        *others,
        settings=settings,
        is_training=is_training,
      )

  if not settings.recompute:
    return compute

  def recomputed(inputs, previous, alpha, kernels, mean, variance, *choices):
    # `choices` not among the tensors, which are made to wait for the gradient:
    # the host, which branches by them, would wait as well.
    return tf.recompute_grad(lambda *tensors: compute(*tensors, *choices))(
      inputs, previous, alpha, kernels, mean, variance
    )

  return recomputed


def _relaxed_cell(
  inputs: tf.Tensor,
  previous: tf.Tensor,
  alpha: tf.Tensor,
  kernels: dict[str, tf.Tensor],
  moving_mean: tf.Tensor,
  moving_variance: tf.Tensor,
  choices: tf.Tensor | None = None,
  *,
  settings: _Settings,
  is_training: bool,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  """Computes `SearchCell.call` from tensors; edges by the state they leave.

  But `choices` are in the order of alphas, which no operation need change.

  Returns:
    The cell's output, and the means and variances of its batch norms.
  """
  num_blocks, num_mixed = settings.num_blocks, settings.mixed_filters
  batch_norm = mixed_operation.BatchNorm(
    moving_mean, moving_variance, settings.norm, is_training
  )
  drawn: Iterator[tf.Tensor] | None = None
  if choices is not None:
    by_row = tf.unstack(choices)
    drawn = iter([by_row[row] for row in _alpha_rows(num_blocks)])
  num_transitions = tf.shape(inputs)[0] // tf.shape(previous)[0]
  blocks = [_Block() for _ in range(num_blocks)]
  states = [previous, inputs]
  for state, weights in enumerate(
    mixed_operation.edge_weights(alpha, kernels, num_blocks)
  ):
    if state >= genotype_lib.NUM_INPUTS:
      states.append(blocks[state - genotype_lib.NUM_INPUTS].output())
    else:
      batch_norm.expect(states[state])
    mixed, rest = states[state], None
    if num_mixed < mixed.shape[-1]:
      mixed, rest = tf.split(
        mixed, [num_mixed, mixed.shape[-1] - num_mixed], -1
      )
    if drawn is None:
      mixed = mixed_operation.mixed_edges(mixed, weights, batch_norm)
    else:
      mine = list(itertools.islice(drawn, weights.num_edges))
      mixed = drawn_operation.drawn_edges(mixed, weights, batch_norm, mine)
    if state == 0:
      mixed, rest = (
        x if x is None else channels.repeated_batch(x, num_transitions)
        for x in (mixed, rest)
      )
    parts = tf.split(mixed, weights.num_edges, constants.constant(-1))
    for block, part in zip(blocks[-weights.num_edges :], parts):
      block.add(part, rest)
  states.append(blocks[-1].output())
  outputs = channels.concat(states[genotype_lib.NUM_INPUTS :])
  return outputs, *batch_norm.statistics()


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
