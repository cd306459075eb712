# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A node of the supernet's lattice: one cell, and what brings inputs to it."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import lattice
from auto_deeplab.model.ops import channels, layers, normalization, sizes
from auto_deeplab.model.search import search_cell


class Projection(tf.keras.layers.Layer):
  """Brings a node's input to the node's size and width.

  From the finer level: ReLU, 3x3 of stride 2, BN. From the coarser: bilinear,
  then as from the same: ReLU, 1x1, BN.
  """

  def __init__(
    self,
    direction: int,
    filters: int,
    norm: normalization.NormSettings,
    **kwargs,
  ):
    super().__init__(**kwargs)
    if direction == lattice.DOWN:
      self.conv = layers.ConvBn(filters, 3, norm, strides=2)
    else:
      self.conv = layers.ConvBn(filters, 1, norm)
    self.is_strided = direction == lattice.DOWN

  def call(self, x: tf.Tensor, size, training=None) -> tf.Tensor:
    """`[n, h, w, c]` -> `[n, *size, filters]`."""
    if not self.is_strided:
      x = sizes.resize_aligned(x, size)
    return self.conv(tf.nn.relu(x), training=training)


class Node(tf.keras.layers.Layer):
  """One cell of the lattice with the projections of its inputs."""

  def __init__(
    self,
    directions: Sequence[int],
    config: configs.SupernetConfig,
    filters: int,
    norm: normalization.NormSettings,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.projections = [Projection(d, filters, norm) for d in directions]
    self.previous_projection = Projection(lattice.SAME, filters, norm)
    self.cell = _cell(config, filters, norm)

  def call(
    self,
    inputs: list[tf.Tensor],
    previous: tf.Tensor,
    architecture: search_cell.Architecture,
    beta_weights: Sequence[tf.Tensor],
    size,
    training=None,
  ) -> tf.Tensor:
    """Computes H[l, s].

    Args:
      inputs: the source of each incoming transition, `[n, h', w', c']`.
      previous: H[l-2] at this level, or the nearest there is.
      architecture: what weighs the primitives.
      beta_weights: of each transition, its probability, scalar.
      size: (height, width) of this level.
      training: whether batch norm takes the statistics of the batch.

    Returns:
      `[n, *size, num_blocks * filters]`.
    """
    stacked = channels.concat_batches(
      [p(x, size, training=training) for p, x in zip(self.projections, inputs)]
    )
    previous = self.previous_projection(previous, size, training=training)
    outputs = self.cell(stacked, previous, architecture, training=training)
    parts = tf.split(outputs, len(inputs), axis=0)
    return tf.add_n(
      [tf.cast(w, y.dtype) * y for w, y in zip(beta_weights, parts)]
    )


class PathNode(tf.keras.layers.Layer):
  """The same of a path that a step draws: one input, and H[l-2] from anywhere.

  As a decoded network has it. Where all paths are computed, H[l-2] is the one
  at this level, which a path need not have been at.
  """

  def __init__(
    self,
    layer: int,
    level: int,
    config: configs.SupernetConfig,
    norm: normalization.NormSettings,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.level = level
    self.sources = [source for source, _ in lattice.incoming(layer, level)]
    # Before layer 2 it is the stem, or what that has halved once.
    self.earlier = [
      earlier
      for earlier in lattice.reachable_levels(max(layer - 2, -1))
      if abs(earlier - level) <= 2
    ]
    filters = lattice.block_filters(level, config.filter_multiplier)
    # Lists, not dicts by level: Keras trains those, then fails to save them.
    self.projections = [
      Projection(level - source + lattice.SAME, filters, norm)
      for source in self.sources
    ]
    self.previous_projections = [
      Projection(lattice.SAME, filters, norm) for _ in self.earlier
    ]
    self.cell = _cell(config, filters, norm)

  def make_variables(
    self, sources: Mapping[int, int], earlier: Mapping[int, int]
  ) -> None:
    """Makes all variables, of what a first call would not compute as well.

    Args:
      sources: channels of H[l-1] by level.
      earlier: channels of H[l-2] by level.
    """
    for channels_at, levels, projections in (
      (sources, self.sources, self.projections),
      (earlier, self.earlier, self.previous_projections),
    ):
      for level, projection in zip(levels, projections):
        projection(tf.zeros([1, 4, 4, channels_at[level]]), (2, 2))
    with tf.name_scope(f'{self.name}/{self.cell.name}'):
      self.cell.build(None)

  def call(
    self,
    last: tf.Tensor,
    before: tf.Tensor,
    levels: tuple[int, int],
    architecture: search_cell.Architecture,
    weight: tf.Tensor | float,
    size,
    training=None,
  ) -> tf.Tensor:
    """Computes H[l, s].

    Args:
      last: H[l-1].
      before: H[l-2].
      levels: of both.
      architecture: what weighs the primitives.
      weight: of the transition, scalar.
      size: (height, width) of this level.
      training: whether batch norm takes the statistics of the batch.

    Returns:
      `[n, *size, num_blocks * filters]`.
    """
    project = self.projections[self.sources.index(levels[0])]
    project_previous = self.previous_projections[self.earlier.index(levels[1])]
    y = self.cell(
      project(last, size, training=training),
      project_previous(before, size, training=training),
      architecture,
      training=training,
    )
    return tf.cast(weight, y.dtype) * y


def _cell(
  config: configs.SupernetConfig, filters: int, norm: normalization.NormSettings
) -> search_cell.SearchCell:
  return search_cell.SearchCell(
    config.num_blocks,
    filters,
    norm,
    names=config.primitives,
    # Called one by one, cells would hand out all that is inside every branch,
    # which takes longer than to compute the one branch that was drawn again.
    recompute=config.recompute or config.draw_path,
    channel_divisor=config.channel_divisor,
    is_drawn=config.draw_primitives,
  )
