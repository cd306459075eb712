# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The supernet: every path of the lattice at once, weighed by alpha and beta.

Eq. 6 and 7 of the paper. Node (layer, level) at output stride s computes

  H[l, s] = sum over incoming transitions of
            beta * Cell(projection(H[l-1, s']), H[l-2, s])

where beta is a softmax over the source node's legal outgoing transitions.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import lattice
from auto_deeplab.model import cells, deeplab, operations


class _Projection(tf.keras.layers.Layer):
  """Brings a node's input to the node's size and width.

  From the finer level: ReLU, 3x3 of stride 2, BN. From the coarser: bilinear,
  then as from the same: ReLU, 1x1, BN.
  """

  def __init__(
    self,
    direction: int,
    filters: int,
    norm: operations.NormSettings,
    **kwargs,
  ):
    super().__init__(**kwargs)
    if direction == lattice.DOWN:
      self.conv = operations.ConvBn(filters, 3, norm, strides=2)
    else:
      self.conv = operations.ConvBn(filters, 1, norm)
    self.is_strided = direction == lattice.DOWN

  def call(self, x: tf.Tensor, size, training=None) -> tf.Tensor:
    """`[n, h, w, c]` -> `[n, *size, filters]`."""
    if not self.is_strided:
      x = operations.resize_aligned(x, size)
    return self.conv(tf.nn.relu(x), training=training)


class _Node(tf.keras.layers.Layer):
  """One cell of the lattice with the projections of its inputs."""

  def __init__(
    self,
    directions: Sequence[int],
    num_blocks: int,
    filters: int,
    norm: operations.NormSettings,
    recompute: bool,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.projections = [_Projection(d, filters, norm) for d in directions]
    self.previous_projection = _Projection(lattice.SAME, filters, norm)
    self.cell = cells.SearchCell(num_blocks, filters, norm, recompute)

  def call(
    self,
    inputs: list[tf.Tensor],
    previous: tf.Tensor,
    alpha_weights: tf.Tensor,
    beta_weights: tf.Tensor,
    size,
    training=None,
  ) -> tf.Tensor:
    """Computes H[l, s].

    Args:
      inputs: the source of each incoming transition, `[n, h', w', c']`.
      previous: H[l-2] at this level, or the nearest there is.
      alpha_weights: `[num_edges, num_primitives]`, softmax of alpha.
      beta_weights: `[num_transitions]`, the transitions' probabilities.
      size: (height, width) of this level.
      training: whether batch norm takes the statistics of the batch.

    Returns:
      `[n, *size, num_blocks * filters]`.
    """
    stacked = tf.concat(
      [p(x, size, training=training) for p, x in zip(self.projections, inputs)],
      axis=0,
    )
    previous = self.previous_projection(previous, size, training=training)
    outputs = self.cell(stacked, previous, alpha_weights, training=training)
    weights = tf.cast(beta_weights, outputs.dtype)
    parts = tf.split(outputs, len(inputs), axis=0)
    return tf.add_n([w * y for w, y in zip(tf.unstack(weights), parts)])


class Supernet(tf.keras.Model):
  """The continuous network of the search.

  Attributes:
    alphas: float32 variable `[num_edges, num_primitives]`.
    betas: float32 variable `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]`, indexed
      by the source of a transition (`architecture.lattice`).
  """

  def __init__(
    self,
    config: configs.SupernetConfig,
    num_classes: int,
    *,
    synchronized_batch_norm: bool = False,
    seed: int = 0,
    **kwargs,
  ):
    """Builds the layers; the weights follow with the first call.

    Args:
      config: the search space.
      num_classes: classes of the logits.
      synchronized_batch_norm: whether statistics are taken over all replicas.
      seed: of the initial alphas and betas.
      **kwargs: of the Keras model.
    """
    super().__init__(**kwargs)
    if num_classes < 2:
      raise ValueError(f'`num_classes` ({num_classes}) must be at least 2.')
    self.config = config
    norm = operations.NormSettings(
      config.batch_norm_momentum,
      config.batch_norm_epsilon,
      synchronized_batch_norm,
    )
    self.stem = deeplab.Stem(config.stem_filters, norm)
    # Lists, not dicts by (layer, level): Keras trains those, then fails to
    # save them.
    self.nodes = [
      [
        _Node(
          [direction for _, direction in lattice.incoming(layer, level)],
          config.num_blocks,
          lattice.block_filters(level, config.filter_multiplier),
          norm,
          config.recompute,
          name=f'node_{layer}_{level}',
        )
        for level in lattice.reachable_levels(layer)
      ]
      for layer in range(config.num_layers)
    ]
    self.heads = [
      deeplab.SearchHead(
        level,
        config.num_blocks
        * lattice.block_filters(level, config.filter_multiplier),
        num_classes,
        norm,
        name=f'head_{level}',
      )
      for level in lattice.reachable_levels(config.num_layers - 1)
    ]
    self._add_architecture_variables(seed)

  def _add_architecture_variables(self, seed: int) -> None:
    def add(name: str, shape: tuple[int, ...], offset: int) -> tf.Variable:
      initializer = tf.keras.initializers.RandomNormal(
        stddev=self.config.init_stddev, seed=seed + offset
      )
      return self.add_weight(
        name,
        shape,
        dtype=tf.float32,
        # Also within a call under a mixed-precision policy.
        experimental_autocast=False,
        initializer=initializer,
      )

    num_edges = len(genotype_lib.edges(self.config.num_blocks))
    mask = lattice.legal_mask(self.config.num_layers)
    self.alphas = add('alphas', (num_edges, len(genotype_lib.PRIMITIVES)), 0)
    self.betas = add('betas', mask.shape, 1)

  @property
  def arch_variables(self) -> list[tf.Variable]:
    """Alphas and betas: what the architecture step trains."""
    return [self.alphas, self.betas]

  @property
  def weight_variables(self) -> list[tf.Variable]:
    """All other trainable variables: what the weight step trains."""
    arch = {id(v) for v in self.arch_variables}
    return [v for v in self.trainable_variables if id(v) not in arch]

  def alpha_weights(self) -> tf.Tensor:
    """Returns softmax of alpha over primitives, float32."""
    return tf.nn.softmax(self.alphas, axis=-1)

  def transition_probabilities(self) -> tf.Tensor:
    """Returns softmax of beta over legal directions, 0 elsewhere, float32."""
    mask = lattice.legal_mask(self.config.num_layers)
    # Rows that no path reaches have no legal entry: they become zero.
    masked = tf.where(mask, self.betas, np.float32(-1e9))
    return tf.nn.softmax(masked, axis=-1) * mask.astype(np.float32)

  def call(self, images: tf.Tensor, training=None) -> tf.Tensor:
    """Computes the logits: the sum of the four levels' upsampled logits.

    Args:
      images: float `[n, h, w, 3]` in [-1, 1]; any h and w of at least 4.
      training: whether batch norm takes the statistics of the batch.

    Returns:
      float32 `[n, h, w, num_classes]`.
    """
    operations.check_map_size(images)
    outputs = self._lattice(images, training)
    size = operations.spatial_size(images)
    return tf.add_n(
      [
        operations.resize_aligned(head(x, training=training), size)
        for head, x in zip(self.heads, outputs)
      ]
    )

  def _lattice(self, images: tf.Tensor, training) -> list[tf.Tensor]:
    """Returns the last layer's outputs, finest level first."""
    alpha_weights = self.alpha_weights()
    probabilities = self.transition_probabilities()
    half, stem = self.stem(images, training=training)
    sizes = [operations.spatial_size(stem)]
    for _ in range(lattice.NUM_LEVELS - 1):
      sizes.append(operations.halved(sizes[-1]))
    before, last = [half], [stem]
    for layer, nodes in enumerate(self.nodes):
      outputs = []
      for level, node in enumerate(nodes):
        incoming = lattice.incoming(layer, level)
        betas = [probabilities[layer, source, d] for source, d in incoming]
        outputs.append(
          node(
            [last[source] for source, _ in incoming],
            # The nearest size where H[l-2] has no such level.
            before[min(level, len(before) - 1)],
            alpha_weights,
            tf.stack(betas),
            sizes[level],
            training=training,
          )
        )
      before, last = last, outputs
    return last
