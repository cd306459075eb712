# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a search and a training are both put together from."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.data.input import input_pipeline
from auto_deeplab.runs import run as run_lib
from auto_deeplab.training import distribution, gradient_step, optimizers


def start(
  runtime: configs.RuntimeConfig, place: run_lib.Place
) -> tf.distribute.Strategy:
  """Makes the strategy, sets seeds, determinism and precision."""
  # First: multi-worker collectives must start before any other op.
  strategy = distribution.make_strategy(place.distribution, place.tpu_address)
  distribution.leave_graphs_to_cpu_kernels()
  tf.keras.utils.set_random_seed(runtime.seed)
  if runtime.deterministic:
    tf.config.experimental.enable_op_determinism()
  distribution.set_precision(runtime.precision)
  return strategy


def distribute(
  strategy: tf.distribute.Strategy,
  config: configs.SearchExperiment
  | configs.TrainExperiment
  | configs.TournamentExperiment,
  place: run_lib.Place,
  first_step: int,
  half: str | None = None,
) -> distribution.Batches:
  """Returns the batches from a step on, of a half or of the whole split."""
  distribution.replica_batch_size(strategy, config.input.batch_size)

  def make_dataset(context: tf.distribute.InputContext) -> tf.data.Dataset:
    return input_pipeline.train_dataset(
      place.data_dir,
      place.train_split,
      config.input,
      seed=config.runtime.seed,
      half=half,
      start_step=first_step,
      input_context=context,
    )

  return distribution.distribute(strategy, make_dataset)


def make_step(
  strategy: tf.distribute.Strategy,
  forward: Callable[..., tf.Tensor],
  variables: Sequence[tf.Variable],
  optimizer: configs.OptimizerConfig,
  train_steps: int,
  *,
  ema_momentum: float = 0.0,
  **settings: Any,
) -> gradient_step.GradientStep:
  """Makes what moves variables as an optimizer's configuration says.

  Args:
    strategy: within whose scope this is called.
    forward: images, uint8 `[n, h, w, 3]`, -> logits.
    variables: what the step moves.
    optimizer: the configuration.
    train_steps: the length of its schedule.
    ema_momentum: of the averages that the optimizer keeps; 0 keeps none.
    **settings: further arguments of `gradient_step.GradientStep`.
  """
  return gradient_step.GradientStep(
    strategy,
    forward,
    variables,
    optimizers.make_optimizer(optimizer, train_steps, ema_momentum),
    weight_decay=optimizers.coupled_weight_decay(optimizer),
    clip_norm=optimizer.clip_norm,
    **settings,
  )


def size(variables: Sequence[tf.Variable]) -> int:
  """Returns how many numbers variables hold."""
  return sum(variable.shape.num_elements() for variable in variables)
