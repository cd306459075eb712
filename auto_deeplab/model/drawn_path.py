# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A path through the lattice that a step draws: its cells alone are computed.

The host draws it, in NumPy, and calls the cells one by one. A graph with a
branch for every node would take minutes to trace, and would have all that a
path leaves out moved by a gradient of zeros.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from auto_deeplab.architecture import lattice


def along_largest(logits: np.ndarray) -> tuple[int, ...]:
  """Returns the levels of the path that takes each node's largest transition.

  Args:
    logits: `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]`: betas, with the noise of
      a draw or without; or 1 along a path and 0 elsewhere.
  """
  mask = lattice.legal_mask(len(logits))
  directions = np.where(mask, logits, -np.inf).argmax(axis=-1)
  level, levels = 0, []
  for of_layer in directions:
    level = lattice.target_level(level, int(of_layer[level]))
    levels.append(level)
  return tuple(levels)


def weights(
  logits: tf.Tensor, path: Sequence[int], temperature: float
) -> list[tf.Tensor]:
  """Returns what weighs the transition to each layer, scalars.

  1 in value, with the gradient of the softmax over the transitions of the node
  that it leaves (straight-through, as of drawn primitives).

  Args:
    logits: float32 `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]`, betas with the
      noise of the draw.
    path: the level of each layer.
    temperature: of the softmax.
  """
  mask = lattice.legal_mask(len(path))
  legal = tf.where(mask, logits / temperature, np.float32(-1e9))
  places = [
    (t.column, t.source_level, t.direction)
    for t in lattice.path_transitions(path)
  ]
  soft = tf.gather_nd(tf.nn.softmax(legal, axis=-1), places)
  # In this order the sum is exactly 1.
  return tf.unstack(1 + (soft - tf.stop_gradient(soft)))
