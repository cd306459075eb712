# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The loss of a retraining."""

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
