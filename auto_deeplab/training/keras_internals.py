# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What Keras and TensorFlow know, and have no public name for.

The one file that uses names which a release may take away without a word: each
function says what is missing, and its test fails where a release has moved it.
"""

from collections.abc import Iterator
import contextlib

import tensorflow as tf


def learning_rate(
  optimizer: tf.keras.optimizers.Optimizer, step: tf.Tensor
) -> tf.Tensor:
  """Returns the learning rate of a step, counted from 0, float32 scalar.

  The public property is that of the last step that was applied: not of one that
  a loss scale skipped, and after a checkpoint is restored of none.
  """
  rate = optimizer._learning_rate
  if isinstance(rate, tf.keras.optimizers.schedules.LearningRateSchedule):
    return rate(step)
  return tf.convert_to_tensor(rate)


def moving_averages(
  optimizer: tf.keras.optimizers.Optimizer,
) -> list[tf.Variable]:
  """Returns the averages that `use_ema` keeps, in the order of the variables.

  Publicly they can be written over the variables, and no more: they could be
  neither evaluated beside them nor found in a checkpoint by name.
  """
  return list(optimizer._model_variables_moving_average)


@contextlib.contextmanager
def scratch_graph(name: str) -> Iterator[None]:
  """A graph in which layers make their variables, and which is thrown away.

  As Keras' `Model.build` has it, which knows no arguments of a call. A
  `tf.function` would hold the initializers of all variables, and trace the
  network a second time without them; the variables of a `tf.Graph` would be
  those of TensorFlow 1.
  """
  with tf.__internal__.FuncGraph(name).as_default():
    yield
