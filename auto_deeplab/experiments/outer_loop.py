# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The outer loop: orbit's, with our checkpoints, metrics and progress.

A loop ends at a multiple of `steps_per_loop`, checkpoints and evaluations come
at multiples of their intervals, wherever the run was resumed. A checkpoint is
saved before each evaluation, so that none is of weights that a kill loses.
"""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import errno
import io
import os
from typing import Any, NoReturn, Protocol

import orbit
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.runs import (
  best,
  checkpoints,
  post_mortem,
  preemption,
  run_folder,
  saver,
)
from auto_deeplab.training import (
  distribution,
  gradient_step,
)

Action = Callable[[dict[str, Any]], None]


class Trainer(Protocol):
  """What is trained: an `orbit.StandardTrainer` with these besides."""

  global_step: tf.Variable
  log: gradient_step.StepLog
  train_dataset: Any

  def train_loop_end(self) -> Any:
    """Checks what the steps returned, and empties the log."""


def run(
  label: str,
  trainer: Trainer,
  manager: saver.Saver,
  strategy: tf.distribute.Strategy,
  *,
  runtime: configs.RuntimeConfig,
  folder: run_folder.RunFolder,
  num_steps: int,
  actions: Sequence[Action] = (),
  evaluator: orbit.StandardEvaluator | None = None,
  eval_interval: int = 0,
) -> dict[str, float]:
  """Trains up to a step, from wherever the trainer's `global_step` is.

  Args:
    label: names the run in its progress.
    trainer: what is trained.
    manager: saves checkpoints.
    strategy: that the trainer was built for.
    runtime: steps a loop.
    folder: receives metrics and summaries.
    num_steps: the step to end at.
    actions: called with the trainer's output after each loop, before a
      checkpoint is saved.
    evaluator: evaluates at the end, and at multiples of `eval_interval`.
    eval_interval: in steps; 0 evaluates at the end only.

  Returns:
    The last scores; empty without evaluator.

  Raises:
    preemption.Preempted: SIGTERM or Ctrl-C came, and the run is saved.
    ValueError: a loss or a gradient is not finite.
    OSError: the disk is full.
  """
  first_step = int(trainer.global_step.numpy())
  # Orbit prints each loop on standard output; `progress` says it better.
  with (
    contextlib.closing(
      run_folder.Progress(label, first_step, num_steps)
    ) as progress,
    contextlib.redirect_stdout(io.StringIO()),
    preemption.watching() as watch,
  ):
    loop = _Loop(
      trainer,
      manager,
      strategy,
      runtime.steps_per_loop,
      folder,
      progress,
      watch,
      num_steps,
    )
    with _naming_full_disk(folder), loop.keeping_what_is_not_finite():
      if evaluator is None:
        loop.train(actions)
      else:
        loop.train_and_evaluate(actions, evaluator, eval_interval or num_steps)
  return loop.scores


@contextlib.contextmanager
def _naming_full_disk(folder: run_folder.RunFolder) -> Iterator[None]:
  """Turns what TensorFlow raises on writing summaries into an OSError."""
  try:
    yield
  except tf.errors.OpError as e:
    for code in (errno.ENOSPC, errno.EDQUOT):
      if os.strerror(code) in str(e):
        path = str(folder.summaries)
        raise OSError(code, os.strerror(code), path) from e
    raise


class _Loop:
  """Orbit's controller, and what is done between its inner loops.

  Attributes:
    scores: of the last evaluation, while its step lasts.
  """

  def __init__(
    self,
    trainer: Trainer,
    manager: saver.Saver,
    strategy: tf.distribute.Strategy,
    steps_per_loop: int,
    folder: run_folder.RunFolder,
    progress: run_folder.Progress,
    watch: preemption.Watch,
    num_steps: int,
  ):
    self._trainer = trainer
    self._manager = manager
    self._strategy = strategy
    self._folder = folder
    self._progress = progress
    self._watch = watch
    self._num_steps = num_steps
    # A loop ends at the multiples of these.
    self._intervals = [steps_per_loop]
    self._is_alone = not distribution.has_several_workers(strategy)
    if self._is_alone:
      trainer.train_dataset = preemption.UntilAsked(
        trainer.train_dataset, watch
      )
    self._first_step = first_step = self._step()
    # The last scores are shown, and may be asked of another split than before.
    # Of several workers, a kill may have come between the rows of two.
    folder.forget_metrics_after(
      first_step, keep_scores=self._is_alone and first_step < num_steps
    )
    trainer.log.go_on_from(folder.load_unfinished_loop(first_step))
    self.scores = folder.scores_of(first_step)
    self._best = best.Best(folder.best)
    self._best.forget_after(first_step)

  def _step(self) -> int:
    return int(self._trainer.global_step.numpy())

  @contextlib.contextmanager
  def keeping_what_is_not_finite(self) -> Iterator[None]:
    """Keeps the state for a post mortem."""
    try:
      yield
    except gradient_step.NotFiniteError as e:
      checkpoint, folder = self._manager.checkpoint, self._folder.post_mortem
      newest = checkpoints.newest(self._folder.checkpoints)
      raise post_mortem.keep(checkpoint, folder, self._step(), e, newest) from e

  def train(self, actions: Sequence[Action]) -> None:
    """Trains to the end."""
    self._train(self._controller(actions), self._num_steps)

  def train_and_evaluate(
    self,
    actions: Sequence[Action],
    evaluator: orbit.StandardEvaluator,
    interval: int,
  ) -> None:
    """Trains to the end; evaluates at multiples of `interval` and there."""
    self._intervals.append(interval)
    controller = self._controller(actions, evaluator)
    step = self._step()
    is_due = step == self._num_steps or (step and step % interval == 0)
    if is_due and not self.scores:
      self._evaluate(controller)
    while step < self._num_steps:
      self.scores = {}
      step = min(self._num_steps, step + _steps_to_multiple(step, interval))
      self._train(controller, step)
      self._evaluate(controller)

  def _train(self, controller: orbit.Controller, step: int) -> None:
    try:
      controller.train(step)
    except preemption.Asked:
      self._trainer.train_loop_end()  # What is not finite is not saved.
      self._end()

  def _controller(
    self,
    actions: Sequence[Action],
    evaluator: orbit.StandardEvaluator | None = None,
  ) -> orbit.Controller:
    summaries = self._folder.summaries
    return orbit.Controller(
      global_step=self._trainer.global_step,
      trainer=self._trainer,
      evaluator=evaluator,
      strategy=self._strategy,
      steps_per_loop=lambda step: min(
        _steps_to_multiple(int(step), n) for n in self._intervals
      ),
      checkpoint_manager=self._manager,
      summary_dir=str(summaries),
      eval_summary_dir=str(summaries / 'eval'),
      train_actions=[self._record, *actions, self._end_if_asked],
      eval_actions=[self._record_scores],
    )

  def _evaluate(self, controller: orbit.Controller) -> None:
    with contextlib.ExitStack() as stack:
      if self._is_alone:  # Others would wait for this one.
        stack.enter_context(self._watch.ending_at_once(self._saved()))
      controller.evaluate()

  def _is_whole(self) -> bool:
    """Whether a loop was to end at this step."""
    step = self._step()
    is_multiple = any(step % interval == 0 for interval in self._intervals)
    return is_multiple or step == self._num_steps

  def _record(self, output: dict[str, Any]) -> None:
    self._folder.append_metrics(self._step(), output)
    self._progress.update(self._step(), output)

  def _record_scores(self, output: dict[str, Any]) -> None:
    self.scores = dict(output)
    self._progress.show_scores(self._step(), output)
    # Of several workers the first one keeps it, from whose folder all resume.
    if self._folder.saves == self._folder.checkpoints:
      path = self._folder.saves / f'ckpt-{self._step()}'
      self._best.update(path, self._step(), output[best.SCORE])
    self._folder.append_scores(self._step(), output)

  def _end_if_asked(self, _: dict[str, Any]) -> None:
    if self._watch.is_anyone_asked(self._strategy):
      self._end()

  def _end(self) -> NoReturn:
    if self._step() == self._first_step:
      raise self._watch.error(
        'asked to end before a step was made; the same command begins there '
        'again.'
      )
    if not self._is_whole():
      columns = self._trainer.log.columns
      self._folder.save_unfinished_loop(self._step(), columns)
    self._manager.save(check_interval=False)
    raise self._watch.error(self._saved())

  def _saved(self) -> str:
    path = self._folder.saves / f'ckpt-{self._step()}'
    return (
      f'asked to end; {path} is saved, the same command goes on from there.'
    )


def _steps_to_multiple(step: int, interval: int) -> int:
  return interval - step % interval
