# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The outer loop of a run: steps, records, checkpoints, evaluations.

A loop ends at a multiple of `steps_per_loop`, checkpoints and evaluations come
at multiples of their intervals, wherever the run was resumed. A checkpoint is
saved before each evaluation, so that none is of weights that a kill loses.

The steps of a loop, and the evaluation, are orbit's (`orbit.AbstractTrainer`,
`orbit.AbstractEvaluator`); docs/design.md says why its controller is not.
"""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import errno
import os
import time
from typing import Any, NoReturn, Protocol

import orbit
import tensorflow as tf

from auto_deeplab.runs import preemption
from auto_deeplab.runs import progress as progress_lib
from auto_deeplab.runs import run as run_lib
from auto_deeplab.training import distribution, gradient_step

# What is done after each loop, before a checkpoint is saved; True ends the run.
Action = Callable[[], bool | None]


class Trainer(Protocol):
  """What is trained: an `orbit.StandardTrainer` with a log."""

  log: gradient_step.StepLog
  train_dataset: Any

  def train(self, num_steps: tf.Tensor) -> dict[str, float]:
    """Makes steps, and returns what `metrics.jsonl` has of them."""

  def train_loop_end(self) -> Any:
    """Checks what the steps returned, and empties the log."""


def run(
  label: str,
  run: run_lib.Run,
  trainer: Trainer,
  strategy: tf.distribute.Strategy,
  *,
  num_steps: int,
  actions: Sequence[Action] = (),
  evaluator: orbit.AbstractEvaluator | None = None,
  eval_interval: int = 0,
) -> dict[str, float]:
  """Trains up to a step, from wherever the run is.

  Args:
    label: names the run in its progress.
    run: opened and resumed; receives all that is left behind.
    trainer: what is trained; its steps are those of the run.
    strategy: that the trainer was built for.
    num_steps: the step to end at.
    actions: called after each loop.
    evaluator: evaluates at the end, and at multiples of `eval_interval`.
    eval_interval: in steps; 0 evaluates at the end only.

  Returns:
    The last scores; empty without evaluator.

  Raises:
    preemption.Preempted: SIGTERM or Ctrl-C came, and the run is saved.
    ValueError: a loss or a gradient is not finite.
    OSError: the disk is full.
  """
  progress = progress_lib.Progress(label, run.step, num_steps)
  with (
    contextlib.closing(progress),
    preemption.watching() as watch,
    _naming_full_disk(run.summaries),
    run.keeping_what_is_not_finite(),
  ):
    loop = _Loop(run, trainer, strategy, num_steps, actions, progress, watch)
    if evaluator is not None:
      loop.evaluate_with(evaluator, eval_interval)
    return loop.go()


@contextlib.contextmanager
def _naming_full_disk(summaries: os.PathLike[str]) -> Iterator[None]:
  """Turns what TensorFlow raises on writing summaries into an OSError."""
  try:
    yield
  except tf.errors.OpError as e:
    for code in (errno.ENOSPC, errno.EDQUOT):
      if os.strerror(code) in str(e):
        raise OSError(code, os.strerror(code), str(summaries)) from e
    raise


class _Loop:
  """What is done between the steps."""

  def __init__(
    self,
    run: run_lib.Run,
    trainer: Trainer,
    strategy: tf.distribute.Strategy,
    num_steps: int,
    actions: Sequence[Action],
    progress: progress_lib.Progress,
    watch: preemption.Watch,
  ):
    self._run = run
    self._trainer = trainer
    self._strategy = strategy
    self._num_steps = num_steps
    self._actions = actions
    self._progress = progress
    self._watch = watch
    self._evaluator: orbit.AbstractEvaluator | None = None
    self._eval_interval = num_steps
    self._first_step = run.step
    self._is_alone = not distribution.has_several_workers(strategy)
    if self._is_alone:
      trainer.train_dataset = preemption.UntilAsked(
        trainer.train_dataset, watch
      )
    # The last scores are shown, and may be asked of another split than before.
    # Of several workers, a kill may have come between the rows of two.
    keep_scores = self._is_alone and run.step < num_steps
    trainer.log.go_on_from(run.forget_what_comes_again(keep_scores))

  def evaluate_with(
    self, evaluator: orbit.AbstractEvaluator, interval: int
  ) -> None:
    """Has the loop evaluate at multiples of an interval, and at its end."""
    self._evaluator = evaluator
    self._eval_interval = interval or self._num_steps

  def go(self) -> dict[str, float]:
    """Trains to the end; returns the last scores."""
    scores = self._run.scores()
    if self._is_eval_due() and not scores:
      scores = self._evaluate()
    while self._run.step < self._num_steps:
      is_ended = self._train()
      if self._is_eval_due():
        scores = self._evaluate()
      if is_ended:
        break
    self._run.save()
    return scores

  def _train(self) -> bool:
    """Makes the steps up to the next multiple of an interval.

    Returns:
      Whether an action ends the run.
    """
    start, step = time.monotonic(), self._run.step
    number = min(n - step % n for n in self._intervals())
    number = min(number, self._num_steps - step)
    try:
      values = self._trainer.train(tf.constant(number))
    except preemption.Asked:
      self._trainer.train_loop_end()  # What is not finite is not saved.
      self._end()
    rate = number / (time.monotonic() - start)
    self._run.record(values, steps_per_second=rate)
    self._progress.update(self._run.step, values)
    is_ended = any([action() for action in self._actions])  # All of them.
    self._run.save_if_due()
    if not is_ended and self._watch.is_anyone_asked(self._strategy):
      self._end()
    return is_ended

  def _intervals(self) -> list[int]:
    intervals = [self._run.runtime.steps_per_loop]
    return intervals + ([self._eval_interval] if self._evaluator else [])

  def _is_eval_due(self) -> bool:
    step = self._run.step
    is_multiple = step > 0 and step % self._eval_interval == 0
    is_due = is_multiple or step == self._num_steps
    return self._evaluator is not None and is_due

  def _evaluate(self) -> dict[str, float]:
    assert self._evaluator is not None
    self._run.save()
    with contextlib.ExitStack() as stack:
      if self._is_alone:  # Others would wait for this one.
        stack.enter_context(self._watch.ending_at_once(self._saved()))
      scores = dict(self._evaluator.evaluate(tf.constant(-1)) or {})
      self._progress.show_scores(self._run.step, scores)
      self._run.record_scores(scores)
    return scores

  def _end(self) -> NoReturn:
    """Saves what there is, and says so."""
    step = self._run.step
    if step == self._first_step:
      raise self._watch.error(
        'asked to end before a step was made; the same command begins there '
        'again.'
      )
    is_whole = any(step % n == 0 for n in self._intervals())
    if is_whole or step == self._num_steps:
      self._run.save()
    else:
      self._run.save_in_loop(self._trainer.log.columns)
    raise self._watch.error(self._saved())

  def _saved(self) -> str:
    return (
      f'asked to end; {self._run.saved_path()} is saved, the same command goes '
      'on from there.'
    )
