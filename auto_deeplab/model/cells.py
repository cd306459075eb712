# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The final cell, of a genotype; `search_cell` has the one of a search.

State 0 is H[l-2], state 1 is H[l-1], state b + 2 the output of block b, and a
block is the sum of its edges, in both.
"""

from collections.abc import Sequence

import tensorflow as tf

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import lattice
from auto_deeplab.model import primitives
from auto_deeplab.model.ops import layers, normalization, sizes


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
        primitives.make_layer(
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
