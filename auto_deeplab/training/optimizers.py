# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Optimizers and schedules, built by the Model Garden from our settings."""

from collections.abc import Sequence

from official.modeling import optimization
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.training import keras_internals


class MomentumSGD(tf.keras.optimizers.SGD):
  """Keras' SGD with dense gradients, by one op a variable instead of ten.

  A network has a thousand variables: their updates were half of a step's graph
  and of the time until its first step.
  """

  def build(self, var_list: Sequence[tf.Variable]) -> None:
    """Makes the momentums, as Keras' method does."""
    super().build(var_list)
    local = tf.distribute.get_strategy().experimental_local_results
    slots = {
      # Within an update a replica's own part stands for a variable.
      part.ref(): slot
      for variable, slot in zip(var_list, self.momentums)
      for part in (variable, *local(variable))
    }
    # No attribute: Keras would look for what it holds, to save it.
    self._slot_of = lambda variable: slots[variable.ref()]

  def apply_gradients(self, *args, **kwargs) -> tf.Variable | None:
    """Moves all variables, as Keras' method does."""
    self._settings: dict[tuple[str, tf.DType], tuple[tf.Tensor, ...]] = {}
    return super().apply_gradients(*args, **kwargs)

  def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
    """Moves one variable, as Keras' method does."""
    slot = self._slot_of(variable)
    rate, momentum = self._settings_for(variable)
    tf.raw_ops.ResourceApplyKerasMomentum(
      var=variable.handle,
      accum=slot.handle,
      lr=rate,
      grad=gradient,
      momentum=momentum,
    )

  def _settings_for(self, variable: tf.Variable) -> tuple[tf.Tensor, ...]:
    """Returns learning rate and momentum, read once for all on its device."""
    key = (variable.device, variable.dtype)
    if key not in self._settings:
      self._settings[key] = tuple(
        tf.cast(tf.convert_to_tensor(value), variable.dtype)
        for value in (self.learning_rate, self.momentum)
      )
    return self._settings[key]


def make_optimizer(
  config: configs.OptimizerConfig, train_steps: int, ema_momentum: float = 0.0
) -> tf.keras.optimizers.Optimizer:
  """Builds an optimizer with its learning rate schedule.

  Weight decay of sgd and adam is not here but part of the gradients
  (`objectives.add_weight_decay`, see `coupled_weight_decay`), and neither is
  clipping, which comes after it (`gradient_step`).

  Args:
    config: settings.
    train_steps: length of the schedule.
    ema_momentum: of the moving average of the variables that it keeps
      (`averages`); 0 keeps none.

  Returns:
    A Keras optimizer; a loss scaling one under the mixed_float16 policy.
  """
  factory = optimization.OptimizerFactory(
    optimization.OptimizationConfig(
      {
        'optimizer': {
          'type': f'{config.optimizer}_experimental',
          f'{config.optimizer}_experimental': _optimizer_settings(config),
        },
        'learning_rate': _schedule_settings(config, train_steps),
        'warmup': _warmup_settings(config),
      }
    )
  )
  rate = factory.build_learning_rate()
  if config.optimizer == 'sgd':
    optimizer = MomentumSGD(rate, **_optimizer_settings(config))
  else:
    optimizer = factory.build_optimizer(rate, use_legacy_optimizer=False)
  if config.optimizer == 'adamw':
    optimizer.exclude_from_weight_decay(var_names=['/gamma', '/beta', '/bias'])
  # The Model Garden has averages for legacy optimizers alone; these are Keras'.
  optimizer.use_ema = ema_momentum > 0
  optimizer.ema_momentum = ema_momentum
  if tf.keras.mixed_precision.global_policy().name == 'mixed_float16':
    optimizer = tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
  return optimizer


def coupled_weight_decay(config: configs.OptimizerConfig) -> float:
  """Returns the weight decay that belongs into the gradients."""
  return 0.0 if config.optimizer == 'adamw' else config.weight_decay


def learning_rate(optimizer: tf.keras.optimizers.Optimizer) -> tf.Tensor:
  """Returns the learning rate of the coming step.

  Keras' property of this name tells that of the last step, and after a
  checkpoint is restored not even that.
  """
  return _learning_rate(optimizer, optimizer.iterations)


def last_learning_rate(optimizer: tf.keras.optimizers.Optimizer) -> tf.Tensor:
  """Returns the learning rate of the last step; before any, of the first.

  Of a step that was skipped, too, which Keras' property does not tell.
  """
  step = tf.maximum(tf.convert_to_tensor(optimizer.iterations) - 1, 0)
  return _learning_rate(optimizer, step)


def _learning_rate(
  optimizer: tf.keras.optimizers.Optimizer, step: tf.Tensor
) -> tf.Tensor:
  return keras_internals.learning_rate(_unscaled(optimizer), step)


def _unscaled(
  optimizer: tf.keras.optimizers.Optimizer,
) -> tf.keras.optimizers.Optimizer:
  """Returns the optimizer itself where another one scales the loss for it."""
  if isinstance(optimizer, tf.keras.mixed_precision.LossScaleOptimizer):
    return optimizer.inner_optimizer
  return optimizer


def averages(
  optimizer: tf.keras.optimizers.Optimizer,
) -> list[tf.Variable]:
  """Returns the moving averages, in the order of what it was built for.

  Empty where the optimizer keeps none.
  """
  optimizer = _unscaled(optimizer)
  if not optimizer.use_ema:
    return []
  return keras_internals.moving_averages(optimizer)


def _optimizer_settings(config: configs.OptimizerConfig) -> dict:
  settings: dict = {
    # The Model Garden's adamw would clip by default.
    'global_clipnorm': None,
    # Where Keras sees a GPU, it would make a compiled function a variable.
    'jit_compile': False,
  }
  if config.optimizer == 'sgd':
    return settings | {'momentum': config.momentum}
  settings |= {'beta_1': config.beta_1, 'beta_2': config.beta_2}
  if config.optimizer == 'adamw':
    settings['weight_decay'] = config.weight_decay
  return settings


def _schedule_settings(
  config: configs.OptimizerConfig, train_steps: int
) -> dict:
  rate = config.learning_rate
  if config.schedule == 'constant':
    return {'type': 'constant', 'constant': {'learning_rate': rate}}
  common = {'initial_learning_rate': rate, 'decay_steps': train_steps}
  if config.schedule == 'cosine':
    alpha = config.end_learning_rate / rate
    return {'type': 'cosine', 'cosine': common | {'alpha': alpha}}
  poly = common | {
    'end_learning_rate': config.end_learning_rate,
    'power': config.power,
  }
  return {'type': 'polynomial', 'polynomial': poly}


def _warmup_settings(config: configs.OptimizerConfig) -> dict:
  if not config.warmup_steps:
    return {}
  return {
    'type': 'linear',
    'linear': {'warmup_steps': config.warmup_steps, 'warmup_learning_rate': 0},
  }
