# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The outer loop: orbit's, with our checkpoints, metrics and progress."""

from collections.abc import Callable, Sequence
import contextlib
import io
from typing import Any

import orbit
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.training import run_folder

Action = Callable[[dict[str, Any]], None]


def run(
  label: str,
  trainer: orbit.StandardTrainer,
  manager: tf.train.CheckpointManager,
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
    evaluator: evaluates at the end, and each `eval_interval` steps.
    eval_interval: in steps; 0 evaluates at the end only.

  Returns:
    The last scores; empty without evaluator.
  """
  global_step = trainer.global_step
  progress = run_folder.Progress(label, int(global_step.numpy()), num_steps)
  scores: dict[str, float] = {}

  def record(output: dict[str, Any]) -> None:
    step = int(global_step.numpy())
    folder.append_metrics(step, output)
    progress.update(step, output)

  def record_scores(output: dict[str, Any]) -> None:
    scores.update(output)
    row = {f'eval/{key}': value for key, value in output.items()}
    folder.append_metrics(int(global_step.numpy()), row)

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
      steps_per_loop=runtime.steps_per_loop,
      checkpoint_manager=manager,
      summary_dir=str(folder.summaries),
      eval_summary_dir=str(folder.summaries / 'eval'),
      train_actions=[record, *actions],
      eval_actions=[record_scores],
    )
    _run_controller(controller, num_steps, eval_interval)
    if evaluator is not None and not scores:
      controller.evaluate()
  return scores


def _run_controller(
  controller: orbit.Controller, num_steps: int, eval_interval: int
) -> None:
  if controller.evaluator is None or not eval_interval:
    controller.train(num_steps)
  else:
    controller.train_and_evaluate(num_steps, eval_interval=eval_interval)
