# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Moving averages of a network's weights: kept in a run, used by all others.

The optimizer keeps them (`optimizers.averages`). In a checkpoint they are under
`averages`, each by the path of its weight within the network, such as
`logits/kernel`; whoever reads a checkpoint for its network takes them where
there are any.
"""

from collections.abc import Mapping

import tensorflow as tf

from auto_deeplab.training import optimizers, variable_paths

PREFIX = 'averages'

Averages = Mapping[str, tf.Variable]


def of(
  optimizer: tf.keras.optimizers.Optimizer, model: tf.keras.Model
) -> dict[str, tf.Variable]:
  """Returns the averages by the paths of their weights; empty without any.

  Args:
    optimizer: built for the trainable variables of the model.
    model: whose weights they are.
  """
  paths = variable_paths.by_variable(model)
  # Without averages, the list of them is empty.
  return {
    paths[weight.ref()]: average
    for weight, average in zip(
      model.trainable_variables, optimizers.averages(optimizer)
    )
  }


def make_for(model: tf.keras.Model, path: str) -> dict[str, tf.Variable]:
  """Returns variables to read the averages of a checkpoint into; see `of`."""
  names = variable_paths.in_checkpoint(path, PREFIX)
  return {
    name: tf.Variable(tf.zeros_like(weight), trainable=False)
    for name, weight in variable_paths.by_path(model).items()
    if name in names
  }


def assign(model: tf.keras.Model, averages: Averages) -> None:
  """Makes the averages the weights of a model."""
  weights = variable_paths.by_path(model)
  for name, average in averages.items():
    weights[name].assign(tf.identity(average))


def lend(
  model: tf.keras.Model, averages: Averages, target: tf.keras.Model
) -> None:
  """Gives another network of the same kind the weights that count.

  They are what a checkpoint gives to whoever loads it: the averages where there
  are any, and of statistics that each replica has for itself, their mean.

  Args:
    model: that is trained.
    averages: of its weights.
    target: takes them, in whatever precision it computes.
  """
  values = {**variable_paths.by_path(model), **averages}
  for path, variable in variable_paths.by_path(target).items():
    variable.assign(tf.identity(values[path]))
