# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What has no public name is still there, and stays in its one file."""

import ast
import pathlib

import numpy as np
import tensorflow as tf

from auto_deeplab.training import keras_internals
from tests import import_graph

_OWNER = 'auto_deeplab/training/keras_internals.py'

# Of one's own class or module they are nobody else's.
_OWN = {'self', 'cls'}

# Documented, in spite of their names.
_PUBLIC = {'_replace', '_asdict', '_make', '_fields', '_exit'}


def _private_names(file: pathlib.Path) -> list[str]:
  tree = ast.parse(file.read_text())
  found = []
  for node in ast.walk(tree):
    if isinstance(node, ast.ImportFrom) and node.module:
      if node.module.startswith('tensorflow.python'):
        found.append(node.module)
    elif isinstance(node, ast.Attribute) and node.attr.startswith('_'):
      is_own = isinstance(node.value, ast.Name) and node.value.id in _OWN
      is_super = ast.unparse(node.value) == 'super()'
      is_dunder = node.attr.endswith('__') and node.attr != '__internal__'
      if not (is_own or is_super or is_dunder or node.attr in _PUBLIC):
        found.append(f'{ast.unparse(node)}:{node.lineno}')
  return found


def test_one_file_alone_uses_private_names():
  found = {
    file: names
    for file in import_graph.python_files()
    if file.startswith(('auto_deeplab/', 'tools/', 'benchmarks/'))
    if (names := _private_names(import_graph.ROOT / file))
  }
  assert set(found) == {_OWNER}, found


def test_rates_are_those_of_the_schedule():
  schedule = tf.keras.optimizers.schedules.PolynomialDecay(1.0, 10, 0.0)
  for rate, expected in ((schedule, [1.0, 0.7]), (0.5, [0.5, 0.5])):
    optimizer = tf.keras.optimizers.SGD(rate)
    rates = [
      float(keras_internals.learning_rate(optimizer, tf.constant(step)))
      for step in (0, 3)
    ]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)


def test_averages_are_in_the_order_of_the_variables():
  optimizer = tf.keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
  variables = [tf.Variable([1.0, 2.0]), tf.Variable(3.0)]
  optimizer.build(variables)
  gradients = [tf.ones_like(v) for v in variables]
  optimizer.apply_gradients(zip(gradients, variables))
  averages = keras_internals.moving_averages(optimizer)
  first, second = averages
  np.testing.assert_allclose(first, [0.5, 1.5])
  np.testing.assert_allclose(second, 2.5)


def test_layers_make_their_variables_in_a_scratch_graph():
  layer = tf.keras.layers.Dense(2)
  with keras_internals.scratch_graph('build'):
    layer(tf.compat.v1.placeholder(tf.float32, [1, 3]))
  assert tf.executing_eagerly()
  assert layer.kernel.shape == [3, 2]
  assert np.all(np.isfinite(layer.kernel))
  assert np.any(layer.kernel.numpy() != 0)
