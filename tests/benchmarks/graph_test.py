# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What counts as an executed node."""

import tensorflow as tf

from benchmarks import graph


def count(function, *arguments):
  concrete = tf.function(function, autograph=False).get_concrete_function(
    *arguments
  )
  return graph.executed_nodes(concrete)


X = tf.TensorSpec([])


@tf.function(autograph=False, experimental_attributes={'_noinline': True})
def sine(x):
  tf.cos(x)  # Of no use.
  return tf.sin(x)


def test_what_nothing_depends_on_is_not_executed():
  # The last one is what a function returns.
  assert count(sine.python_function, X) == {
    'Placeholder': 1,
    'Sin': 1,
    'Identity': 1,
  }


def test_the_body_of_a_function_counts_at_each_call():
  nodes = count(lambda x: sine(sine(x)), X)
  assert (nodes['Sin'], nodes['Cos']) == (2, 0)
  assert not [name for name in nodes if 'Call' in name]


def test_of_a_branch_the_largest_body_counts():
  nodes = count(
    lambda x: tf.switch_case(
      tf.cast(x, tf.int32),
      [lambda: tf.sin(x), lambda: sine(sine(x)), lambda: tf.exp(x)],
    ),
    X,
  )
  assert (nodes['Sin'], nodes['Exp']) == (2, 0)


def test_effects_are_executed():
  variable = tf.Variable(1.0)

  def function(x):
    variable.assign(tf.exp(x))

  assert count(function, X)['Exp'] == 1
