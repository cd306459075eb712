# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Axes, sizes and shapes, each once in a graph.

TensorFlow makes a node of every number that an operation is given. A search
cell would have as many of those as of operations.
"""

import numpy as np
import tensorflow as tf

# An attribute of graphs: kept anywhere else, a graph's constants would keep the
# graph for as long as the process lives.
_MADE = '_auto_deeplab_constants'


def constant(value, dtype: tf.DType = tf.int32) -> tf.Tensor:
  """Returns a constant; within a graph the same one for equal values."""
  if tf.executing_eagerly():
    return tf.constant(value, dtype)
  array = np.asarray(value, dtype.as_numpy_dtype)
  graph = tf.compat.v1.get_default_graph()
  if not hasattr(graph, _MADE):
    setattr(graph, _MADE, {})
  made = getattr(graph, _MADE)
  key = (array.tobytes(), array.shape, dtype)
  if key not in made:
    # Others may use it before what is waited for here has run.
    with tf.control_dependencies(None):
      made[key] = tf.constant(array, dtype)
  return made[key]
