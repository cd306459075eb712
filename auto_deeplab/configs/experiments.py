# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""All of the configuration of a search, a training, an evaluation, a study."""

import dataclasses
from typing import ClassVar

from auto_deeplab.architecture import primitives
from auto_deeplab.configs import rules
from auto_deeplab.configs.evaluation import EvalConfig
from auto_deeplab.configs.inputs import InputConfig
from auto_deeplab.configs.losses import ArchitectureLossConfig, LossConfig
from auto_deeplab.configs.networks import (
  SegmenterConfig,
  SupernetConfig,
  TargetNetworkConfig,
)
from auto_deeplab.configs.optimizers import (
  ArchitectureOptimizerConfig,
  WeightOptimizerConfig,
)
from auto_deeplab.configs.runtime import RuntimeConfig
from auto_deeplab.configs.studies import StudyConfig
from auto_deeplab.configs.tournaments import TournamentConfig


@dataclasses.dataclass(frozen=True)
class SearchConfig:
  """The search's schedule.

  Attributes:
    train_steps: weight steps in all; 40 epochs of half A of Cityscapes'
      2975 images at batch 2 are 29,760.
    arch_start_step: weight steps before the first architecture step; 20
      epochs (14,880) in the paper, earlier leads to bad optima.
    snapshot_interval: steps between two snapshots of alphas and betas; a
      multiple of `RuntimeConfig.steps_per_loop`.
    probe_batches: batches of half B, the same each time, on which each snapshot
      scores the supernet as it is, and as the decoded network alone; 0 skips
      that. Twice as many forward passes as these a snapshot.
    hessian_products: with a vector, at most, for the largest eigenvalue of the
      Hessian of the loss by alphas and betas, at each snapshot on the probe
      batches (`training.curvature`); 8 suffice, 0 skips that. Each takes some
      four passes a batch, and tracing takes minutes.
    early_stop: ends the search when the mean of that eigenvalue over the last
      `early_stop_window` snapshots is so many times that over as many before,
      and decodes the snapshot between the two (Zela et al., ICLR 2020: 1.33
      and 5, an epoch each); 0 does not.
    early_stop_window: snapshots of each mean.
    unrolled: whether alphas and betas follow the second-order gradient of
      DARTS, which looks one weight step ahead; the paper's is of first order.
      An architecture step then costs four forward and backward passes. Only
      with sgd for the weights, and in float32: it takes differences of
      gradients at weights that differ by 0.01 in all.
    target_multiply_adds: of one picture, that the decoded network is to cost,
      counted as `TargetNetworkConfig` says (`architecture.cost`, exact); 0 asks
      for nothing, as the paper. `training.cost_target` says how.
    target_parameters: the same of trainable parameters.
    target_milliseconds: the same of the time that a picture takes on the
      machine of `TargetNetworkConfig.milliseconds_file`. At most one of the
      three.
  """

  # At most one of them is asked for.
  TARGETS: ClassVar[tuple[str, ...]] = (
    'target_multiply_adds',
    'target_parameters',
    'target_milliseconds',
  )

  train_steps: int = 29760
  arch_start_step: int = 14880
  snapshot_interval: int = 1000
  probe_batches: int = 8
  hessian_products: int = 0
  early_stop: float = 0.0
  early_stop_window: int = 5
  unrolled: bool = False
  target_multiply_adds: float = 0.0
  target_parameters: float = 0.0
  target_milliseconds: float = 0.0

  def __post_init__(self):
    rules.require_types(self)
    rules.require_positive(
      self, 'train_steps', 'snapshot_interval', 'early_stop_window'
    )
    rules.require_non_negative(
      self,
      'arch_start_step',
      'probe_batches',
      'hessian_products',
      'early_stop',
      *self.TARGETS,
    )
    given = [name for name in self.TARGETS if getattr(self, name)]
    for name in given[1:]:
      rules.require(False, self, name, f'0 where `{given[0]}` is not')
    rules.require(
      self.probe_batches > 0 or not self.hessian_products,
      self,
      'hessian_products',
      '0 where `probe_batches` is',
    )
    rules.require(
      self.early_stop == 0 or self.early_stop > 1,
      self,
      'early_stop',
      '0 or above 1',
    )
    rules.require(
      self.hessian_products > 0 or not self.early_stop,
      self,
      'early_stop',
      '0 where `hessian_products` is',
    )
    rules.require(
      self.arch_start_step < self.train_steps,
      self,
      'arch_start_step',
      f'less than `train_steps` ({self.train_steps})',
    )


@dataclasses.dataclass(frozen=True)
class SearchExperiment:
  """All of a search's configuration."""

  runtime: RuntimeConfig
  input: InputConfig
  supernet: SupernetConfig
  weight_optimizer: WeightOptimizerConfig
  architecture_optimizer: ArchitectureOptimizerConfig
  schedule: SearchConfig
  architecture_loss: ArchitectureLossConfig = dataclasses.field(
    default_factory=ArchitectureLossConfig
  )
  target_network: TargetNetworkConfig = dataclasses.field(
    default_factory=TargetNetworkConfig
  )

  def __post_init__(self):
    _require_snapshots(self.schedule, self.runtime)
    _require_crop(self.input, self.supernet)
    if self.schedule.hessian_products:
      _require_differentiable(self)
    rules.require(
      bool(self.target_network.milliseconds_file)
      or not self.schedule.target_milliseconds,
      self.schedule,
      'target_milliseconds',
      '0 where `TargetNetworkConfig.milliseconds_file` is not given',
    )
    if self.schedule.unrolled:
      _require_unrollable(self.weight_optimizer, self.runtime)
    if self.supernet.draw_primitives:
      _require_drawable(self)
    if self.architecture_loss.skip_dropout:
      _require_skips(self.architecture_loss, self.supernet)


def _require_snapshots(schedule: SearchConfig, runtime: RuntimeConfig) -> None:
  rules.require(
    schedule.snapshot_interval % runtime.steps_per_loop == 0,
    schedule,
    'snapshot_interval',
    f'a multiple of `steps_per_loop` ({runtime.steps_per_loop})',
  )


def _require_crop(config: InputConfig, supernet: SupernetConfig) -> None:
  """A map of one pixel would leave batch norm nothing but the batch.

  Two pixels a side are four values of one picture, as many as it needs
  (`model.ops.normalization.MIN_NORM_VALUES`).
  """
  stride = 4 * 2 ** min(supernet.num_layers, 3)
  rules.require(
    min(config.crop_size) > stride,
    config,
    'crop_size',
    f'larger than {stride} in a search of {supernet.num_layers} layers, so '
    f'that the map of output stride {stride} has two pixels a side',
  )


def _require_unrollable(
  weights: WeightOptimizerConfig, runtime: RuntimeConfig
) -> None:
  rule = 'where `SearchConfig.unrolled` is True'
  rules.require(
    weights.optimizer == 'sgd', weights, 'optimizer', f"'sgd' {rule}"
  )
  rules.require(
    runtime.precision == 'float32', runtime, 'precision', f"'float32' {rule}"
  )


def _require_differentiable(config: SearchExperiment) -> None:
  """Refuses what has no second derivative, and a mixture that is not there."""
  rule = 'False where `SearchConfig.hessian_products` is not 0'
  for field in ('recompute', 'draw_path'):
    rules.require(
      not getattr(config.supernet, field), config.supernet, field, rule
    )
  # Nothing scales that loss, and its derivatives would be rounded to 0.
  rules.require(
    config.runtime.precision != 'mixed_float16',
    config.runtime,
    'precision',
    "not 'mixed_float16' where `SearchConfig.hessian_products` is not 0",
  )


def _require_drawable(config: SearchExperiment) -> None:
  """Refuses what a draw has no meaning for, or no branch can do."""
  rule = 'False where `SupernetConfig.draw_primitives` is True'
  rules.require(not config.schedule.unrolled, config.schedule, 'unrolled', rule)
  # Replicas cannot meet within a branch; XLA cannot keep what a branch computed
  # for the backward pass.
  for field in ('synchronized_batch_norm', 'use_xla'):
    rules.require(
      not getattr(config.runtime, field), config.runtime, field, rule
    )


def _require_skips(
  loss: ArchitectureLossConfig, supernet: SupernetConfig
) -> None:
  """Refuses a dropout that has nothing to drop, or comes to a draw."""
  rules.require(
    not supernet.draw_primitives,
    loss,
    'skip_dropout',
    '0 where `SupernetConfig.draw_primitives` is True',
  )
  rules.require(
    primitives.SKIP_CONNECT in supernet.primitives,
    loss,
    'skip_dropout',
    f'0 where `SupernetConfig.primitives` has no {primitives.SKIP_CONNECT}',
  )


@dataclasses.dataclass(frozen=True)
class TrainConfig:
  """The retraining's schedule.

  Attributes:
    train_steps: steps in all; 1.5 M on Cityscapes in the paper.
    eval_interval: steps between two evaluations; 0 evaluates at the end only.
    accumulation_steps: into how many micro-batches, one after the other, each
      replica divides its part of `InputConfig.batch_size`; the step moves the
      weights by the sum of their gradients. Batch norm takes the statistics of
      a micro-batch; all else is as for the whole batch, in less memory.
    ema_momentum: of an exponential moving average of the weights, in [0, 1),
      which then is what evaluation and export use; 0 keeps none. Moving
      statistics of batch norm are used as they are.
  """

  train_steps: int = 1_500_000
  eval_interval: int = 0
  accumulation_steps: int = 1
  ema_momentum: float = 0.0

  def __post_init__(self):
    rules.require_types(self)
    rules.require_positive(self, 'train_steps', 'accumulation_steps')
    rules.require_non_negative(self, 'eval_interval')
    rules.require(0 <= self.ema_momentum < 1, self, 'ema_momentum', 'in [0, 1)')
    rules.require_forgetting(
      self, 'ema_momentum', self.train_steps, 'initial weights'
    )


@dataclasses.dataclass(frozen=True)
class TrainExperiment:
  """All of a retraining's configuration."""

  runtime: RuntimeConfig
  input: InputConfig
  segmenter: SegmenterConfig
  loss: LossConfig
  weight_optimizer: WeightOptimizerConfig
  schedule: TrainConfig

  def check_beginning(self) -> None:
    """Refuses moving statistics that would keep what they begin with.

    For a training from scratch, whose statistics begin with 0 and 1.

    Raises:
      ValueError: more than 1 % of that would be left at the end.
    """
    if not self.segmenter.freeze_batch_norm:
      rules.require_forgetting(
        self.segmenter,
        'batch_norm_momentum',
        # Each micro-batch moves the statistics.
        self.schedule.train_steps * self.schedule.accumulation_steps,
        'initial statistics',
      )


@dataclasses.dataclass(frozen=True)
class TournamentExperiment:
  """All of a tournament's configuration: that of a training, and the rungs.

  Each of its trainings is the first steps of one by this recipe, whose
  schedule goes over `TrainConfig.train_steps`.
  """

  runtime: RuntimeConfig
  input: InputConfig
  segmenter: SegmenterConfig
  loss: LossConfig
  weight_optimizer: WeightOptimizerConfig
  training: TrainConfig
  schedule: TournamentConfig

  def __post_init__(self):
    rungs, steps_per_loop = self.schedule.rungs, self.runtime.steps_per_loop
    rules.require(
      rungs[-1] <= self.training.train_steps,
      self.schedule,
      'rungs',
      f'at most `TrainConfig.train_steps` ({self.training.train_steps})',
    )
    rules.require(
      all(rung % steps_per_loop == 0 for rung in rungs),
      self.schedule,
      'rungs',
      f'multiples of `steps_per_loop` ({steps_per_loop})',
    )

  def as_training(self) -> TrainExperiment:
    """Returns the configuration of the training that each begins."""
    return TrainExperiment(
      self.runtime,
      self.input,
      self.segmenter,
      self.loss,
      self.weight_optimizer,
      self.training,
    )


@dataclasses.dataclass(frozen=True)
class EvalExperiment:
  """All of an evaluation's configuration; the network has its training's."""

  evaluation: EvalConfig


@dataclasses.dataclass(frozen=True)
class StudyExperiment:
  """All of a study's configuration; its runs have recipes of their own."""

  study: StudyConfig
