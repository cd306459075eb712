# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The outer loop: orbit's, with our checkpoints, metrics and progress.

A loop ends at a multiple of `steps_per_loop`, checkpoints and evaluations come
at multiples of their intervals, wherever the run was resumed. A checkpoint is
saved before each evaluation, so that none is of weights that a kill loses.
"""

from collections.abc import Callable, Sequence
import contextlib
import io
from typing import Any

import orbit
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.training import run_folder, saver

Action = Callable[[dict[str, Any]], None]


def run(
  label: str,
  trainer: orbit.StandardTrainer,
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
    trainer: with a `global_step`.
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
  """
  global_step = trainer.global_step
  first_step = int(global_step.numpy())
  progress = run_folder.Progress(label, first_step, num_steps)
  # The last scores are shown, and may be asked of another split than before. Of
  # several workers, a kill may have come between the rows of two.
  folder.forget_metrics_after(
    first_step,
    keep_scores=first_step < num_steps
    and not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy),
  )
  scores = folder.scores_of(first_step)

  def record(output: dict[str, Any]) -> None:
    step = int(global_step.numpy())
    folder.append_metrics(step, output)
    progress.update(step, output)

  def record_scores(output: dict[str, Any]) -> None:
    scores.update(output)
    folder.append_scores(int(global_step.numpy()), output)

  # Orbit prints each loop on standard output; `progress` says it better.
  with (
    contextlib.closing(progress),
    contextlib.redirect_stdout(io.StringIO()),
  ):
    controller = orbit.Controller(
      global_step=global_step,
      trainer=trainer,
      evaluator=evaluator,
      strategy=strategy,
      steps_per_loop=lambda step: (
        _next_multiple(step, runtime.steps_per_loop) - step
      ),
      checkpoint_manager=manager,
      summary_dir=str(folder.summaries),
      eval_summary_dir=str(folder.summaries / 'eval'),
      train_actions=[record, *actions],
      eval_actions=[record_scores],
    )
    if evaluator is None:
      controller.train(num_steps)
    else:
      interval = eval_interval or num_steps
      _train_and_evaluate(controller, num_steps, interval, scores)
  return scores


def _train_and_evaluate(
  controller: orbit.Controller,
  num_steps: int,
  eval_interval: int,
  scores: dict[str, float],
) -> None:
  """Trains from one evaluation to the next; `scores` are the present ones."""
  step = int(controller.global_step.numpy())
  while True:
    is_due = step == num_steps or (step and step % eval_interval == 0)
    if is_due and not scores:
      controller.evaluate()
    if step >= num_steps:
      return
    scores.clear()
    step = min(num_steps, _next_multiple(step, eval_interval))
    controller.train(step)


def _next_multiple(step: int, interval: int) -> int:
  return step + interval - step % interval
