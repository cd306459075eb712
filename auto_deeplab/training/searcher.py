# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The search: weights on trainA, alphas and betas on trainB, in turn."""

from collections.abc import Iterator
import contextlib

import orbit
import tensorflow as tf

from auto_deeplab.architecture import decode
from auto_deeplab.model import supernet as supernet_lib
from auto_deeplab.training import gradient_step, unrolled_step

Batch = gradient_step.Batch
ArchitectureStep = gradient_step.GradientStep | unrolled_step.UnrolledStep


class Searcher(orbit.StandardTrainer):
  """Alternating search (section 4.2 of the paper).

  Step t (counted from 0) moves the weights with batch t of trainA; from
  `arch_start_step` on it then moves alphas and betas with batch t of trainB.
  An unrolled architecture step looks ahead along the weight step t, and so
  comes before it.

  Attributes:
    supernet: what is searched.
    weight_step: moves its weights.
    architecture_step: moves alphas and betas.
    global_step: int64 variable, counts the steps made.
    log: what the steps of a loop returned.
  """

  def __init__(
    self,
    supernet: supernet_lib.Supernet,
    weight_step: gradient_step.GradientStep,
    architecture_step: ArchitectureStep,
    dataset: tf.distribute.DistributedDataset,
    global_step: tf.Variable,
    arch_start_step: int,
  ):
    """Initializes the searcher.

    Args:
      supernet: built, within the strategy's scope.
      weight_step: over `supernet.weight_variables`.
      architecture_step: over `supernet.arch_variables`.
      dataset: pairs (batch of trainA, batch of trainB).
      global_step: int64, counts the steps made.
      arch_start_step: the first step that moves alphas and betas.
    """
    # The steps are compiled; the loop around them runs on the host, which
    # knows the step and so needs no conditional in a graph.
    options = orbit.StandardTrainerOptions(
      use_tf_function=False, use_tf_while_loop=False
    )
    super().__init__(dataset, options)
    self.supernet = supernet
    self.global_step = global_step
    self.weight_step = weight_step
    self.architecture_step = architecture_step
    self._arch_start_step = arch_start_step
    self.log = gradient_step.StepLog(
      {
        'weights': weight_step.variables,
        'architecture': architecture_step.variables,
      }
    )
    self._step = 0

  def train_loop_begin(self) -> None:
    self._step = int(self.global_step.numpy())

  def train_step(self, iterator: Iterator) -> None:
    batch_a, batch_b = next(iterator)
    has_begun = self._step >= self._arch_start_step
    for name, values in self._move(batch_a, batch_b, has_begun):
      self.log.add(self._step, name, values)
    self._step += 1
    self.global_step.assign(self._step)

  def _move(
    self, batch_a: Batch, batch_b: Batch, moves_architecture: bool
  ) -> Iterator[tuple[str, dict[str, tf.Tensor]]]:
    """Makes the steps, and yields the values of each with its name."""
    step = self.architecture_step
    if moves_architecture and isinstance(step, unrolled_step.UnrolledStep):
      yield 'architecture', step(batch_b, batch_a)
    yield 'weights', self.weight_step(batch_a)
    if moves_architecture and isinstance(step, gradient_step.GradientStep):
      yield 'architecture', step(batch_b)

  def train_loop_end(self) -> dict[str, float]:
    alphas, betas = (v.numpy() for v in self.supernet.arch_variables)
    return self.log.flush() | decode.entropies(alphas, betas)

  def state(self) -> list[tf.Variable]:
    """Returns all that the steps move, each variable once."""
    found = [
      *self.supernet.variables,
      *self.weight_step.state(),
      *self.architecture_step.state(),
    ]
    return list({id(variable): variable for variable in found}.values())

  def rehearse(self) -> None:
    """Traces and runs both steps once, then puts every variable back.

    So an error of shape or memory shows before the first step, not when the
    architecture steps begin hours later.
    """
    batch_a, batch_b = next(iter(self.train_dataset))
    with self._undoing():
      list(self._move(batch_a, batch_b, moves_architecture=True))

  @contextlib.contextmanager
  def _undoing(self) -> Iterator[None]:
    """Puts all state back, on each replica to what it was there."""
    local = self.weight_step.strategy.experimental_local_results
    parts = [part for variable in self.state() for part in local(variable)]
    saved = [part.numpy() for part in parts]
    try:
      yield
    finally:
      for part, value in zip(parts, saved):
        part.assign(value)
