# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Several networks that are trained at once, step by step on equal batches.

So a batch is read and augmented once for all, one process loads TensorFlow and
traces each network once, and what they learn from is the same.
"""

from collections.abc import Iterator, Mapping, Sequence
import math
import sys
from typing import Any

import numpy as np
import orbit
import tensorflow as tf

from auto_deeplab.training import distribution, gradient_step


class Networks(tf.Module):
  """The networks of rivals, for a checkpoint that holds them all."""

  def __init__(self, models: Mapping[str, tf.keras.Model]):
    super().__init__()
    self.networks = dict(models)

  @property
  def variables(self) -> Sequence[tf.Variable]:
    """Those of all networks."""
    return [v for model in self.networks.values() for v in model.variables]


class Rivals(orbit.StandardTrainer):
  """Trains those that are left.

  Attributes:
    models: all networks, by name.
    steps: what moves each.
    global_step: int64 variable, counts the steps made.
    losses: of the last loop, the mean of each.
    log: empty; what the steps return is in `losses`.
  """

  def __init__(
    self,
    models: Mapping[str, tf.keras.Model],
    steps: Mapping[str, gradient_step.GradientStep],
    dataset: distribution.Batches,
    global_step: tf.Variable,
  ):
    """Initializes the trainer.

    Args:
      models: by name, built.
      steps: by the same names, over their trainable variables.
      dataset: batches for the steps.
      global_step: int64, counts the steps made.
    """
    options = orbit.StandardTrainerOptions(
      use_tf_function=False, use_tf_while_loop=False
    )
    super().__init__(dataset, options)
    self.global_step = global_step
    self.models = dict(models)
    self.steps = dict(steps)
    self._names = tuple(steps)
    self.losses: dict[str, float] = {}
    self.log = gradient_step.StepLog({})
    self._rows: list[dict[str, tf.Tensor]] = []

  @property
  def left(self) -> tuple[str, ...]:
    """Names of the networks that are trained on."""
    return self._names

  def go_on_with(self, names: Sequence[str]) -> None:
    """Trains no others from here on."""
    self._names = tuple(name for name in self._names if name in names)

  def leave_out_the_diverged(self) -> None:
    """Trains on without those that a checkpoint has as zeros.

    One that diverges in the loop in which the run is asked to end is told of in
    no row of the metrics; but no other network is 0 everywhere.
    """
    self.go_on_with(
      [
        name
        for name in self._names
        if any(np.any(v.numpy()) for v in self.models[name].variables)
      ]
    )

  def checkpointed(self) -> dict[str, Any]:
    """Returns what a checkpoint holds besides the step, by name."""
    optimizers = {name: step.optimizer for name, step in self.steps.items()}
    return {'model': Networks(self.models), 'optimizers': optimizers}

  def train_step(self, iterator: Iterator) -> None:
    batch = next(iterator)
    self._rows.append(
      {name: self.steps[name](batch)['loss'] for name in self._names}
    )
    self.global_step.assign_add(1)

  def train_loop_end(self) -> dict[str, float]:
    """Takes the means, and leaves out what has diverged.

    Raises:
      ValueError: none is left.
    """
    rows, self._rows = self._rows, []
    self.losses = {
      name: sum(float(row[name]) for row in rows) / len(rows)
      for name in self._names
    }
    for name, loss in tuple(self.losses.items()):
      if not math.isfinite(loss):
        self._drop(name)
    if not self.losses:
      raise ValueError(
        f'no network has a finite loss at step {int(self.global_step)}; a '
        'smaller learning rate, gradient clipping or float32 are what to try.'
      )
    best = min(self.losses.values())
    return {'train/least_loss': best, 'train/left': float(len(self.losses))}

  def _drop(self, name: str) -> None:
    del self.losses[name]
    print(
      f'choose: {name} has diverged and is out; the others go on.',
      file=sys.stderr,
      flush=True,
    )
    # No checkpoint may hold what is not finite.
    for variable in self.models[name].variables:
      variable.assign(tf.zeros_like(variable))
    self.go_on_with(tuple(self.losses))
