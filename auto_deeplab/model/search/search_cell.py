# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The search cell as a layer: its variables, and how they move.

`relaxed_cell` has its arithmetic, a function of tensors.
"""

from collections.abc import Callable, Sequence
import dataclasses

import tensorflow as tf

from auto_deeplab.architecture import primitives
from auto_deeplab.model.ops import constants, normalization, statistics
from auto_deeplab.model.primitives import base
from auto_deeplab.model.search import mixed_operation, relaxed_cell

Statistics = statistics.Statistics


@dataclasses.dataclass(frozen=True, eq=False)
class Architecture:
  """What the cells of one pass take from the architecture.

  Attributes:
    alpha_weights: float32 `[num_edges, num_primitives]`, softmax of alpha, or
      one-hot if the primitives are drawn.
    choices: int32 `[num_edges]`, where the largest of these lie, if primitives
      are drawn; None looks for them.
    moved: 'weights' or 'architecture' if the step moves these alone: the cells
      then take the others as constants. None takes all gradients;
      'architecture_twice' those of alphas and betas, and theirs.

  Raises:
    ValueError: if `moved` is another word.
  """

  alpha_weights: tf.Tensor
  choices: tf.Tensor | None = None
  moved: str | None = None

  def __post_init__(self):
    if self.moved not in (None, *relaxed_cell.MOVED):
      raise ValueError(
        f'`moved` ({self.moved!r}) must be one of '
        f'{", ".join(relaxed_cell.MOVED)}, or None.'
      )


class SearchCell(tf.keras.layers.Layer):
  """The cell of one node: all edges, all primitives (Eq. 1 to 3).

  Its weights are shared by the node's incoming transitions, which pass it as
  one batch; batch norm takes its statistics over all of them. The batch norms
  have neither scale nor offset, as in DARTS: alpha alone weighs an operation,
  and takes the place of the scale.

  Edges are kept in the order of the state they leave, so that the edges of one
  state are neighbours: they read the same input, and their convolutions of one
  kind run as one wider convolution. One variable holds one kind for all edges.

  The arithmetic is a function of tensors (`relaxed_cell`) that is traced, and
  made ready to run, once for all cells with the same shapes, however many
  layers there are.
  """

  def __init__(
    self,
    num_blocks: int,
    filters: int,
    norm: normalization.NormSettings,
    *,
    names: Sequence[str] = primitives.PAPER,
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
      names: of the primitives, in the order of alphas.
      recompute: whether to compute the inside again in the backward pass.
      channel_divisor: k; the first 1/k of a state's channels go through the
        operations, the others past them (PC-DARTS).
      is_drawn: whether an edge computes its likeliest primitive alone.
      **kwargs: of the Keras layer.
    """
    super().__init__(**kwargs)
    self.filters = filters
    mixture = mixed_operation.Mixture(
      tuple(map(primitives.get, names)), num_blocks, filters // channel_divisor
    )
    self.settings = relaxed_cell.Settings(mixture, norm, recompute, is_drawn)
    self.alpha_rows = relaxed_cell.alpha_rows(num_blocks)

  def build(self, input_shape):
    mixture = self.settings.mixture
    self.kernels = {
      name: self._add_kernel(name, kernel)
      for name, (*_, kernel) in mixture.kernels().items()
    }
    size = statistics.size(self.settings.layout())
    self.moving_mean = self._add_statistic('moving_mean', size, 'zeros')
    self.moving_variance = self._add_statistic('moving_variance', size, 'ones')
    super().build(input_shape)

  def _add_kernel(self, name: str, kernel: base.Kernel) -> tf.Variable:
    mixture = self.settings.mixture
    bound = kernel.fan_in(mixture.filters) ** -0.5
    return self.add_weight(
      name,
      kernel.shape(mixture.num_edges, mixture.filters),
      initializer=tf.keras.initializers.RandomUniform(-bound, bound),
    )

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
    architecture: Architecture,
    training=None,
  ) -> tf.Tensor:
    """Computes the continuous relaxation of the cell.

    Args:
      inputs: `[t * n, h, w, filters]`, the projected H[l-1] of t transitions.
      previous: `[n, h, w, filters]`, the projected H[l-2]. The transitions
        share it, so its edges are computed once.
      architecture: what weighs the primitives.
      training: whether batch norm takes the statistics of the batch.

    Returns:
      `[t * n, h, w, num_blocks * filters]`.
    """
    moving = Statistics(
      *map(tf.convert_to_tensor, (self.moving_mean, self.moving_variance))
    )
    compute = self._function(inputs, bool(training), architecture.moved)
    outputs, mean, variance = compute(
      inputs,
      tf.cast(previous, inputs.dtype),
      tf.gather(architecture.alpha_weights, self.alpha_rows),
      {
        name: tf.cast(kernel, inputs.dtype)
        for name, kernel in self.kernels.items()
      },
      moving.mean,
      moving.variance,
      *self._choices(architecture),
    )
    if training:
      share = constants.constant(1 - self.settings.norm.momentum, tf.float32)
      self.moving_mean.assign_sub((moving.mean - mean) * share)
      self.moving_variance.assign_sub((moving.variance - variance) * share)
    return tf.ensure_shape(outputs, [inputs.shape[0], *outputs.shape[1:]])

  def _choices(self, architecture: Architecture) -> list[tf.Tensor]:
    """Returns those of drawn primitives, nothing if all are mixed."""
    if not self.settings.is_drawn:
      return []
    if architecture.choices is not None:
      return [architecture.choices]
    weights = architecture.alpha_weights
    return [tf.argmax(weights, axis=-1, output_type=tf.int32)]

  def _function(
    self, inputs: tf.Tensor, is_training: bool, moved: str | None
  ) -> Callable[..., tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
    """Returns what computes the cell of tensors."""
    if self.settings.norm.synchronized:
      # Replicas cannot meet within a function; without that, share the graph.
      return relaxed_cell.make_relaxed_cell(self.settings, is_training, moved)
    # Of any batch, so that one trace serves any number of transitions.
    state = tf.TensorSpec([None, *inputs.shape[1:]], inputs.dtype)
    return relaxed_cell.shared_function(
      self.settings, is_training, moved, state
    )
