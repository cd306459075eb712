# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How far a chain is, by what its plan expected and its runs have written."""

import dataclasses
import math
import os
import pathlib
import time
from typing import Any

from auto_deeplab.planning import plan, planner
from auto_deeplab.planning.chain import Chain
from auto_deeplab.runs import metrics_file

# Stopped when the time is up, with what they have by then.
STOPPABLE = ('search', 'train')
_SCORE = f'{metrics_file.SCORE}mean_iou'


@dataclasses.dataclass(frozen=True)
class Standing:
  """How far the chain is.

  Attributes:
    share: of the time it takes, in [0, 1].
    seconds_left: to its end.
    score: the last mIoU on val; None before the first.
    rate: steps a second of the search or the training that runs; None before
      the second loop of them.
  """

  share: float
  seconds_left: float
  score: float | None
  rate: float | None = None

  def __str__(self) -> str:
    return f'{self.share:.0%} done, {self.details}'

  @property
  def details(self) -> str:
    """All but the share, for the side of a bar."""
    parts = [f'{self.seconds_left / 60:.0f} min left']
    if self.rate is not None:
      parts.insert(0, f'{self.rate:.3g} steps/s')
    if self.score is not None:
      parts.append(f'mIoU {self.score:.3f}')
    return ', '.join(parts)


class Pace:
  """Steps a second, from what a run tells while it goes on.

  Attributes:
    line_seconds: between the last two lines that it told; 0 before these. As
      long it may take to end where it is asked to.
  """

  def __init__(self, chain: Chain, name: str, began: float):
    """Initializes the pace.

    Args:
      chain: of the run.
      name: of its step, 'search' or 'train'.
      began: when it began, by the clock of `rate`.
    """
    self._chain, self._name = chain, name
    self._began = began
    self.line_seconds = 0.0
    # What was made, and in how long, evaluations left out.
    self._steps, self._seconds = 0, 0.0
    self._scores = 0
    # When it was seen to have made how many steps: the first and the last.
    self._begin: tuple[float, int] | None = None
    self._last = began, steps_done(chain, name)

  def rate(self, now: float) -> float | None:
    """Returns the steps a second since the first that were made here.

    Evaluations are left out: one within few steps would say little of more.

    Args:
      now: a clock's seconds.
    """
    done = steps_done(self._chain, self._name)
    if done > self._last[1]:
      scores = num_scores(self._chain, self._name)
      # Of lines that come every few seconds, the time of a look would tell a
      # pace that is far too low or too high.
      told = max(now - _age(self._chain, self._name), self._last[0])
      if self._begin and scores == self._scores:
        self.line_seconds = told - self._last[0]
        self._steps += done - self._last[1]
        self._seconds += self.line_seconds
      self._last, self._scores = (told, done), scores
      # What came before took the start, and the first step its tracing.
      self._begin = self._begin or self._last
    return self._steps / self._seconds if self._seconds else None

  def steps_by(self, end: float, now: float) -> int | None:
    """Returns the steps that will be made; None before there is a rate.

    Args:
      end: when it has to have ended.
      now: as of `rate`.
    """
    rate = self.rate(now)
    if rate is None:
      return None
    # It has made some since it last told, and will be evaluated.
    left = (1 - plan.EVALUATION_SHARE) * (end - self._last[0])
    return self._last[1] + max(int(rate * left), 0)

  @property
  def starting(self) -> float:
    """Seconds from the begin to the first steps; 0 before these."""
    return self._begin[0] - self._began if self._begin else 0.0


def of(
  chain: Chain,
  name: str,
  seconds: float,
  allowed: float = math.inf,
) -> Standing | None:
  """Returns how far the chain is; None before there is a plan.

  Args:
    chain: of the step.
    name: of the step that runs.
    seconds: for which it has.
    allowed: that are left of the hours.
  """
  expected = expected_seconds(chain)
  if not expected or name not in expected:
    return None
  names = list(expected)
  before = sum(expected[n] for n in names[: names.index(name)])
  after = sum(expected[n] for n in names[names.index(name) + 1 :])
  share = share_of_steps(chain, name)
  own = expected[name]
  left = own * (1 - share) if share else max(own - seconds, 0.0)
  left = min(left + after, max(allowed, 0.0))
  done = before + own * (share or min(seconds / max(own, 1e-9), 0.99))
  return Standing(
    min(done / max(done + left, 1e-9), 1.0), left, last_score(chain)
  )


def expected_seconds(chain: Chain) -> dict[str, float]:
  """Seconds a step, of the plan and, where there is one, the second plan."""
  expected: dict[str, float] = {}
  for folder in ('plan', 'train_plan'):
    path = f'{chain.out}/{folder}'
    if os.path.exists(f'{path}/{planner.PLAN}'):
      expected |= planner.load_seconds(path)
  return expected


def total_steps(chain: Chain, name: str) -> int | None:
  """The steps that a search or a training is to make; None of others."""
  config = pathlib.Path(chain.out, name, 'config.gin')
  if name not in STOPPABLE or not config.exists():
    return None
  return next(
    int(line.partition('=')[2])
    for line in config.read_text().splitlines()
    if line.partition('.')[2].startswith('train_steps =')
  )


def share_of_steps(chain: Chain, name: str) -> float:
  """How much of its steps a search or a training has made; 0 of others."""
  total = total_steps(chain, name)
  return min(steps_done(chain, name) / total, 1.0) if total else 0.0


def slowness(chain: Chain, name: str, seconds: float) -> float:
  """How many times as long a step takes as was expected; 1 or more.

  Args:
    chain: of the step.
    name: of the step that runs.
    seconds: for which it has; of one that goes on with what it had before,
      less than its steps took, so that it seems no slower than it is.
  """
  share = share_of_steps(chain, name)
  expected = share * expected_seconds(chain).get(name, 0.0)
  # The first steps say more of the start than of the pace.
  return max(seconds / expected, 1.0) if share > 0.1 and expected else 1.0


def steps_done(chain: Chain, name: str) -> int:
  """The steps that a search or a training has told of; 0 of others."""
  if name not in STOPPABLE:
    return 0
  rows = _rows(chain, name)
  return rows[-1]['step'] if rows else 0


def num_scores(chain: Chain, name: str) -> int:
  """How often a training was evaluated."""
  return sum(_SCORE in row for row in _rows(chain, name))


def _age(chain: Chain, name: str) -> float:
  """Returns for how many seconds a run has told nothing."""
  path = pathlib.Path(chain.out, name, 'metrics.jsonl')
  return max(time.time() - path.stat().st_mtime, 0.0)


def _rows(chain: Chain, name: str) -> list[dict[str, Any]]:
  path = pathlib.Path(chain.out, name, 'metrics.jsonl')
  return metrics_file.MetricsFile(path).rows_with('step')


def last_score(chain: Chain) -> float | None:
  """Returns the last mIoU on val of the training."""
  scores = [row[_SCORE] for row in _rows(chain, 'train') if _SCORE in row]
  return scores[-1] if scores else None
