# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is lost by a retraining, and besides the pixels by a search."""

import dataclasses

from auto_deeplab.configs import rules

CLASS_WEIGHTS = ('none', 'median_frequency')


@dataclasses.dataclass(frozen=True)
class LossConfig:
  """What the pixels of a retraining lose, which count, and how much.

  The paper is silent; DeepLab's code has hard pixel mining, off by default.

  Attributes:
    kind: what a pixel loses, a key of `training.objectives.KINDS`, which is
      where an unknown one is refused.
    hard_pixel_fraction: share, in (0, 1], of the valid pixels that counts:
      those of the greatest loss in each replica's batch; 1 takes all of them.
    hard_pixel_warmup_steps: steps in which that share falls from 1.
    class_weights: one of `CLASS_WEIGHTS`; 'median_frequency' weighs a class by
      the median of the classes' shares in the training split's pixels over its
      own (`data.input.class_weights`).
  """

  kind: str = 'cross_entropy'
  hard_pixel_fraction: float = 1.0
  hard_pixel_warmup_steps: int = 0
  class_weights: str = 'none'

  def __post_init__(self):
    rules.require_types(self)
    rules.require(
      0 < self.hard_pixel_fraction <= 1,
      self,
      'hard_pixel_fraction',
      'in (0, 1]',
    )
    rules.require_non_negative(self, 'hard_pixel_warmup_steps')
    rules.require(
      self.class_weights in CLASS_WEIGHTS,
      self,
      'class_weights',
      f'one of {CLASS_WEIGHTS}',
    )


@dataclasses.dataclass(frozen=True)
class ArchitectureLossConfig:
  """What an architecture step adds to the loss of its pixels.

  All of it is off by default, and none of it is of the paper. Weights are of
  the last step; they grow from 0 at `SearchConfig.arch_start_step`, linearly.
  `training.architecture_loss` has the formulas.

  Attributes:
    beta_decay: weight of the mean over the edges of logsumexp alpha (Ye et al.,
      CVPR 2022), which keeps alphas small and near each other.
    entropy: weight of the mean entropy, in nats, of softmax alpha and of
      softmax beta, each (after DiNTS, He et al., CVPR 2021): drives both to a
      decision.
    topology: weight of the mean entropy, in nats, of the level that each layer
      lies at: drives all that flows onto one path.
    skip_dropout: probability, in [0, 1), at the first step that an edge goes
      without its `skip_connect`, falling to 0 at the last step, linearly (after
      P-DARTS, Chen et al., ICCV 2019). Of the steps of the weights as well; not
      where primitives are drawn.
  """

  beta_decay: float = 0.0
  entropy: float = 0.0
  topology: float = 0.0
  skip_dropout: float = 0.0

  def __post_init__(self):
    rules.require_types(self)
    rules.require_non_negative(self, 'beta_decay', 'entropy', 'topology')
    rules.require(0 <= self.skip_dropout < 1, self, 'skip_dropout', 'in [0, 1)')
