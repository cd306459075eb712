# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What counts as an executed node, and how many a step of a search has."""

import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.model import supernet as supernet_lib
from auto_deeplab.training import gradient_step, networks, optimizers
from benchmarks import graph


def count(function, *arguments):
  concrete = tf.function(function, autograph=False).get_concrete_function(
    *arguments
  )
  return graph.executed_nodes(concrete)


X = tf.TensorSpec([])


def plain_sine(x):
  tf.cos(x)  # Of no use.
  return tf.sin(x)


@pytest.fixture
def sine():
  """A function that is called, and not put in the place of its call."""
  attributes = {'_noinline': True}
  return tf.function(plain_sine, experimental_attributes=attributes)


def test_what_nothing_depends_on_is_not_executed():
  # The last one is what a function returns.
  assert count(plain_sine, X) == {
    'Placeholder': 1,
    'Sin': 1,
    'Identity': 1,
  }


def test_the_body_of_a_function_counts_at_each_call(sine):
  nodes = count(lambda x: sine(sine(x)), X)
  assert (nodes['Sin'], nodes['Cos']) == (2, 0)
  assert not [name for name in nodes if 'Call' in name]


def test_of_a_branch_the_largest_body_counts(sine):
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


def nodes_of_steps(**settings):
  """Nodes of a weight and an architecture step of a small search."""
  config = configs.SupernetConfig(
    num_layers=2, filter_multiplier=2, stem_filters=(4, 4, 8), **settings
  )
  supernet = supernet_lib.Supernet(config, num_classes=3)
  networks.build(supernet, configs.InputConfig((33, 33), batch_size=2))
  batch = {
    'image': tf.TensorSpec([2, 33, 33, 3]),
    'label': tf.TensorSpec([2, 33, 33], tf.int32),
  }
  cases = {
    'weights': (supernet.weight_variables, configs.WeightOptimizerConfig()),
    'architecture': (
      supernet.arch_variables,
      configs.ArchitectureOptimizerConfig(),
    ),
  }
  counts = {}
  for moved, (variables, optimizer) in cases.items():
    step = gradient_step.GradientStep(
      tf.distribute.get_strategy(),
      lambda images, moved=moved: supernet(images, training=True, moved=moved),
      variables,
      optimizers.make_optimizer(optimizer, train_steps=10),
      optimizer.weight_decay,
    )
    counts[moved] = count(step, batch).total()
  return counts


def test_the_nodes_of_a_search_step_do_not_grow():
  nodes = nodes_of_steps()
  assert nodes['weights'] < 6750
  assert nodes['architecture'] < 5050
