# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Retraining: the segmenter of a genotype, from scratch."""

from collections.abc import Iterator
from typing import Any

import orbit
import tensorflow as tf

from auto_deeplab.training import (
  distribution,
  gradient_step,
  networks,
  optimizers,
)


class Trainer(orbit.StandardTrainer):
  """Plain supervised training of one network.

  Attributes:
    model: the network.
    step: moves the network's weights.
    global_step: int64 variable, counts the steps made.
    log: what the steps of a loop returned.
  """

  def __init__(
    self,
    model: tf.keras.Model,
    step: gradient_step.GradientStep,
    dataset: distribution.Batches,
    global_step: tf.Variable,
  ):
    """Initializes the trainer.

    Args:
      model: built.
      step: over its trainable variables.
      dataset: batches for the step.
      global_step: int64, counts the steps made.
    """
    options = orbit.StandardTrainerOptions(
      use_tf_function=False, use_tf_while_loop=False
    )
    super().__init__(dataset, options)
    self.global_step = global_step
    self.model = model
    self.step = step
    self.log = gradient_step.StepLog({'train': step.variables})
    self._step_number = 0

  def checkpointed(self) -> dict[str, Any]:
    """Returns what a checkpoint holds besides the step, by name."""
    return networks.checkpointed(self.model, self.step.optimizer)

  def train_loop_begin(self) -> None:
    self._step_number = int(self.global_step.numpy())

  def train_step(self, iterator: Iterator) -> None:
    values = self.step(next(iterator))
    self.log.add(self._step_number, 'train', values)
    self._step_number += 1
    self.global_step.assign(self._step_number)

  def train_loop_end(self) -> dict[str, float]:
    rate = optimizers.last_learning_rate(self.step.optimizer)
    return self.log.flush() | {'train/learning_rate': float(rate)}
