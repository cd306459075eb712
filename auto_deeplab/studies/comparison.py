# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What scores of several genotypes and seeds say, and how surely.

Scores are shares, such as a mean IoU; so are all differences of them.
"""

from collections.abc import Mapping, Sequence
import dataclasses

import numpy as np
from scipy import stats

# The score of each seed.
Scores = Mapping[int, float]


@dataclasses.dataclass(frozen=True)
class Spread:
  """How far scores lie apart, as standard deviations.

  Attributes:
    genotypes: between genotypes, without what the seeds add.
    seeds: between the seeds of one genotype.
  """

  genotypes: float
  seeds: float


@dataclasses.dataclass(frozen=True)
class Estimate:
  """A mean of independent values.

  Attributes:
    mean: the mean.
    count: number of values.
    standard_error: of the mean; None of fewer than two values.
    interval: within which the true mean lies at 95 %, by Student's t; likewise.
  """

  mean: float
  count: int
  standard_error: float | None = None
  interval: tuple[float, float] | None = None


def spread(scores: Sequence[Scores]) -> Spread:
  """Parts the spread of architectures from that of seeds.

  One-way analysis of variance: the variance between the means of genotypes is
  that of genotypes and, by the number of seeds, that of seeds.

  Args:
    scores: of each genotype; those of a single seed count for the genotypes
      alone.

  Raises:
    ValueError: fewer than two genotypes, or none with two seeds.
  """
  repeated = [list(s.values()) for s in scores if len(s) > 1]
  if len(scores) < 2 or not repeated:
    raise ValueError(
      'the spread needs two genotypes or more, one of them with two seeds.'
    )
  freedom = sum(len(values) - 1 for values in repeated)
  within = sum(np.var(values) * len(values) for values in repeated) / freedom
  # With the first seed alone, so that all means are as noisy.
  means = [next(iter(s.values())) for s in scores]
  between = max(0.0, float(np.var(means, ddof=1)) - within)
  return Spread(float(np.sqrt(between)), float(np.sqrt(within)))


def estimate(values: Sequence[float]) -> Estimate:
  """Estimates a mean.

  Raises:
    ValueError: there is no value.
  """
  if not len(values):
    raise ValueError('there is nothing to take the mean of.')
  mean, count = float(np.mean(values)), len(values)
  if count < 2:
    return Estimate(mean, count)
  variance = float(np.var(values, ddof=1)) / count
  return _with_interval(mean, count, variance, count - 1)


def difference(arm: Sequence[Scores], other: Sequence[Scores]) -> Estimate:
  """Estimates by how much the genotypes of one arm score above another's.

  Of independent genotypes, whose number and not that of their seeds decides
  how sure it is (Welch): trainings of one genotype with several seeds tell of
  that genotype alone.

  Args:
    arm: scores of each genotype.
    other: likewise.

  Raises:
    ValueError: an arm is empty.
  """
  means = [
    [float(np.mean([*s.values()])) for s in side] for side in (arm, other)
  ]
  for side in means:
    if not side:
      raise ValueError('an arm without scores cannot be compared.')
  mean = float(np.mean(means[0]) - np.mean(means[1]))
  counts = [len(side) for side in means]
  if min(counts) < 2:
    return Estimate(mean, min(counts))
  parts = [float(np.var(side, ddof=1)) / len(side) for side in means]
  terms = [part**2 / (count - 1) for part, count in zip(parts, counts)]
  # Where nothing varies, any number of degrees of freedom will do.
  freedom = sum(parts) ** 2 / sum(terms) if any(terms) else 1
  return _with_interval(mean, min(counts), sum(parts), freedom)


def _with_interval(
  mean: float, count: int, variance: float, freedom: float
) -> Estimate:
  """Returns an estimate whose mean has this variance."""
  error = float(np.sqrt(variance))
  half = float(stats.t.ppf(0.975, freedom)) * error
  return Estimate(mean, count, error, (mean - half, mean + half))


def best_of(scores: Sequence[float], number: float) -> float:
  """Returns the mean of the largest of some draws, with replacement.

  What a random search of as many trainings ends with, if it is told the scores
  themselves.

  Args:
    scores: to draw from, at least one.
    number: of draws, 1 or more; between two whole numbers the formula goes on.
  """
  shares = np.arange(len(scores) + 1) / len(scores)
  return float(np.sum(np.sort(scores) * np.diff(shares**number)))


def percentile(score: float, others: Sequence[float]) -> float:
  """Returns the share of others that lie below, those that are equal half.

  Args:
    score: of one genotype.
    others: of at least one.

  Returns:
    In [0, 100].
  """
  return float(stats.percentileofscore(others, score, kind='mean'))


def rank_correlation(
  proxy: Sequence[float], scores: Sequence[float]
) -> float | None:
  """Returns Kendall's tau: 1 if the proxy ranks as the scores do, 0 by chance.

  None of fewer than two values, or where all values of a side are equal.
  """
  if min(len(set(proxy)), len(set(scores))) < 2:
    return None
  return float(stats.kendalltau(proxy, scores).statistic)
