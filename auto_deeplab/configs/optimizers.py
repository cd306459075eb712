# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Optimizers and their schedules."""

import dataclasses

from auto_deeplab.configs import rules

OPTIMIZERS = ('sgd', 'adam', 'adamw')
SCHEDULES = ('constant', 'cosine', 'poly')


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
  """An optimizer and its schedule.

  Attributes:
    optimizer: one of `OPTIMIZERS`.
    learning_rate: the largest rate, after the warm-up.
    schedule: one of `SCHEDULES`, over the run's `train_steps`.
    end_learning_rate: the rate at the last step (cosine, poly).
    power: exponent of poly; 0.9 in DeepLab.
    warmup_steps: steps of linear rise from 0.
    momentum: of sgd.
    beta_1: of adam and adamw.
    beta_2: of adam and adamw.
    weight_decay: for sgd and adam wd/2 * sum(w^2) is part of the loss, for
      adamw it is decoupled. Batch norm and biases are left out.
    clip_norm: largest global norm of the gradient; 0 does not clip.
  """

  optimizer: str = 'sgd'
  learning_rate: float = 0.05
  schedule: str = 'constant'
  end_learning_rate: float = 0.0
  power: float = 0.9
  warmup_steps: int = 0
  momentum: float = 0.9
  beta_1: float = 0.9
  beta_2: float = 0.999
  weight_decay: float = 0.0
  clip_norm: float = 0.0

  def __post_init__(self):
    rules.require_types(self)
    rules.require(
      self.optimizer in OPTIMIZERS, self, 'optimizer', f'one of {OPTIMIZERS}'
    )
    rules.require(
      self.schedule in SCHEDULES, self, 'schedule', f'one of {SCHEDULES}'
    )
    rules.require_positive(self, 'learning_rate', 'power')
    rules.require_non_negative(
      self, 'end_learning_rate', 'warmup_steps', 'weight_decay', 'clip_norm'
    )
    for field in ('momentum', 'beta_1', 'beta_2'):
      rules.require(0 <= getattr(self, field) < 1, self, field, 'in [0, 1)')


@dataclasses.dataclass(frozen=True)
class WeightOptimizerConfig(OptimizerConfig):
  """Of the network's weights, in the search and in retraining.

  The defaults are the search's: SGD, momentum 0.9, cosine 0.025 -> 0.001,
  weight decay 3e-4.
  """

  learning_rate: float = 0.025
  schedule: str = 'cosine'
  end_learning_rate: float = 0.001
  weight_decay: float = 3e-4


@dataclasses.dataclass(frozen=True)
class ArchitectureOptimizerConfig(OptimizerConfig):
  """Of alphas and betas: Adam 0.003, weight decay 1e-3 (betas: our choice)."""

  optimizer: str = 'adam'
  learning_rate: float = 0.003
  weight_decay: float = 1e-3
