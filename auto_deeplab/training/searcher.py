# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The search: weights on trainA, alphas and betas on trainB, in turn."""

import collections
from collections.abc import Iterator
import functools
from typing import Any

import orbit
import tensorflow as tf

from auto_deeplab.architecture import decode
from auto_deeplab.model import supernet as supernet_lib
from auto_deeplab.training import (
  cost_target,
  distribution,
  gradient_step,
  optimizers,
  undoing,
  unrolled_step,
)

Batch = gradient_step.Batch
ArchitectureStep = gradient_step.GradientStep | unrolled_step.UnrolledStep


class Searcher(orbit.StandardTrainer):
  """Alternating search (section 4.2 of the paper).

  Step t (counted from 0) moves the weights with batch t of trainA; from
  `arch_start_step` on it then moves alphas and betas with batch t of trainB.
  An unrolled architecture step looks ahead along the weight step t, and so
  comes before it.

  Before `arch_start_step` nothing of trainB is read but the first batch that is
  needed then: each loop ends with an architecture step on it, for its loss,
  which is undone.

  Attributes:
    supernet: what is searched.
    weight_step: moves its weights.
    architecture_step: moves alphas and betas.
    global_step: int64 variable, counts the steps made.
    target: what steers it to a cost, if anything does.
    log: what the steps of a loop returned.
  """

  def __init__(
    self,
    supernet: supernet_lib.Supernet,
    weight_step: gradient_step.GradientStep,
    architecture_step: ArchitectureStep,
    dataset_a: distribution.Batches,
    dataset_b: distribution.Batches,
    global_step: tf.Variable,
    arch_start_step: int,
    target: cost_target.CostTarget | None = None,
  ):
    """Initializes the searcher.

    Args:
      supernet: built, within the strategy's scope.
      weight_step: over `supernet.weight_variables`.
      architecture_step: over `supernet.arch_variables`.
      dataset_a: batches of trainA, from the present step on.
      dataset_b: batches of trainB, from the first step on that moves alphas and
        betas, or from the present one if that has passed.
      global_step: int64, counts the steps made.
      arch_start_step: the first step that moves alphas and betas.
      target: steers to a cost, after each of these; None asks for none.
    """
    # The steps are compiled; the loop around them runs on the host, which
    # knows the step and so needs no conditional in a graph.
    options = orbit.StandardTrainerOptions(
      use_tf_function=False, use_tf_while_loop=False
    )
    super().__init__(dataset_a, options)
    self.supernet = supernet
    self.global_step = global_step
    self.weight_step = weight_step
    self.architecture_step = architecture_step
    self._dataset_b = dataset_b
    self._iterator_b: Iterator[Batch] | None = None
    # Of trainA the last batch. (An attribute that is a dict would be wrapped.)
    self._last_a: collections.deque[Batch] = collections.deque(maxlen=1)
    self._arch_start_step = arch_start_step
    self.target = target
    self.log = gradient_step.StepLog(
      {
        'weights': weight_step.variables,
        'architecture': architecture_step.variables,
      }
    )
    self._step = 0

  def checkpointed(self) -> dict[str, Any]:
    """Returns what a checkpoint holds besides the step, by name."""
    return {
      'model': self.supernet,
      'weight_optimizer': self.weight_step.optimizer,
      'architecture_optimizer': self.architecture_step.optimizer,
    } | (self.target.checkpointed() if self.target else {})

  def train_loop_begin(self) -> None:
    self._step = int(self.global_step.numpy())

  def train_step(self, iterator: Iterator) -> None:
    batch_a = next(iterator)
    self._last_a.append(batch_a)
    has_begun = self._step >= self._arch_start_step
    batch_b = self._next_b() if has_begun else None
    for name, values in self._move(batch_a, batch_b):
      self.log.add(self._step, name, values)
    if has_begun and self.target is not None:
      self.target.steer()
    self._step += 1
    self.global_step.assign(self._step)

  def _next_b(self) -> Batch:
    # Not before it is needed, so that nothing is decoded in vain.
    if self._iterator_b is None:
      self._iterator_b = iter(self._dataset_b)
    return next(self._iterator_b)

  @functools.cached_property
  def _first_b(self) -> Batch:
    """The first batch; its iterator, and what that has read ahead, go."""
    return next(iter(self._dataset_b))

  def _move(
    self, batch_a: Batch, batch_b: Batch | None
  ) -> Iterator[tuple[str, dict[str, tf.Tensor]]]:
    """Makes the steps, and yields the values of each with its name."""
    looks_ahead = isinstance(self.architecture_step, unrolled_step.UnrolledStep)
    if batch_b is not None and looks_ahead:
      yield 'architecture', self._move_architecture(batch_a, batch_b)
    yield 'weights', self.weight_step(batch_a)
    if batch_b is not None and not looks_ahead:
      yield 'architecture', self._move_architecture(batch_a, batch_b)

  def _move_architecture(
    self, batch_a: Batch, batch_b: Batch
  ) -> dict[str, tf.Tensor]:
    step = self.architecture_step
    if isinstance(step, unrolled_step.UnrolledStep):
      return step(batch_b, batch_a)
    return step(batch_b)

  def train_loop_end(self) -> dict[str, float]:
    alphas, betas = (v.numpy() for v in self.supernet.arch_variables)
    values = self.log.flush() | decode.entropies(alphas, betas)
    for name, step in (
      ('weights', self.weight_step),
      ('architecture', self.architecture_step),
    ):
      rate = optimizers.last_learning_rate(step.optimizer)
      values[f'{name}/learning_rate'] = float(rate)
    # No architecture step has been made yet, but one of the weights has.
    if self._step <= self._arch_start_step and self._last_a:
      values |= self._loss_on_b(self._last_a[0])
    return values

  def _loss_on_b(self, batch_a: Batch) -> dict[str, float]:
    """Returns the loss of an architecture step, which is made and undone.

    It is on the same batch each time, so what it shows is the weights' doing.
    """
    step = self.architecture_step
    moved = [*step.state(), *self.supernet.non_trainable_variables]
    with undoing.undoing(self.weight_step.strategy, moved):
      values = self._move_architecture(batch_a, self._first_b)
    log = gradient_step.StepLog({'architecture': step.variables})
    log.add(self._step, 'architecture', values)
    return {'architecture/loss': log.flush()['architecture/loss']}

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
    batch_a = next(iter(self.train_dataset))
    with undoing.undoing(self.weight_step.strategy, self.state()):
      list(self._move(batch_a, self._first_b))
