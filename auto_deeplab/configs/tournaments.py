# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How a tournament of short trainings goes."""

import dataclasses

from auto_deeplab.configs import rules

CRITERIA = ('loss', 'mean_iou')


@dataclasses.dataclass(frozen=True)
class TournamentConfig:
  """Successive halving (Jamieson and Talwalkar, AISTATS 2016).

  Attributes:
    rungs: the steps at which those that are left are judged; the best of the
      last one wins.
    keep: share of them that goes on from a rung, rounded up, in (0, 1).
    judge_batches: batches of half B, the same for all and each time.
    criterion: one of `CRITERIA`, what they are judged by there.
  """

  rungs: tuple[int, ...] = (50, 100, 200)
  keep: float = 0.5
  judge_batches: int = 8
  criterion: str = 'loss'

  def __post_init__(self):
    rules.require_list(self, 'rungs', int, 'a list of steps')
    rules.require_types(self)
    rules.require(
      len(self.rungs) > 0
      and self.rungs[0] > 0
      and all(a < b for a, b in zip(self.rungs, self.rungs[1:])),
      self,
      'rungs',
      'one step or more, above 0 and ascending',
    )
    rules.require(0 < self.keep < 1, self, 'keep', 'in (0, 1)')
    rules.require_positive(self, 'judge_batches')
    rules.require(
      self.criterion in CRITERIA, self, 'criterion', f'one of {CRITERIA}'
    )
