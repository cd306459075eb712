# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Axes, sizes and shapes, each once in a graph.

TensorFlow makes a node of every number that an operation is given. A search
cell would have as many of those as of operations.
"""

import weakref

import numpy as np
import tensorflow as tf

_made: weakref.WeakKeyDictionary[tf.Graph, dict] = weakref.WeakKeyDictionary()


def constant(value, dtype: tf.DType = tf.int32) -> tf.Tensor:
  """Returns a constant; within a graph the same one for equal values."""
  if tf.executing_eagerly():
    return tf.constant(value, dtype)
  array = np.asarray(value, dtype.as_numpy_dtype)
  made = _made.setdefault(tf.compat.v1.get_default_graph(), {})
  key = (array.tobytes(), array.shape, dtype)
  if key not in made:
    # Others may use it before what is waited for here has run.
    with tf.control_dependencies(None):
      made[key] = tf.constant(array, dtype)
  return made[key]
