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


def paired(scores: Sequence[Scores]) -> list[Scores]:
  """Returns the scores as if all trainings had had the first seed.

  A seed decides the first weights and the order of the pictures, and helps or
  hurts all genotypes by something that they have in common. Where some have
  more seeds than others, their means would differ by that. It is estimated by
  least squares, from the genotypes with several seeds, as one number a seed.

  Args:
    scores: of each genotype, those of all arms. Where seeds have no genotype in
      common, by which they could be compared, they come back as they are.
  """
  seeds = sorted({seed for each in scores for seed in each})
  if len(seeds) < 2:
    return list(scores)
  rows = [
    (genotype, seeds.index(seed), score)
    for genotype, each in enumerate(scores)
    for seed, score in each.items()
  ]
  # A column a genotype, and one each seed but the first.
  design = np.zeros([len(rows), len(scores) + len(seeds)])
  for row, (genotype, seed, _) in enumerate(rows):
    design[row, [genotype, len(scores) + seed]] = 1
  design = np.delete(design, len(scores), axis=1)
  values = [row[-1] for row in rows]
  found, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
  if rank < design.shape[1]:
    return list(scores)
  effects = dict(zip(seeds, [0.0, *found[len(scores) :].tolist()]))
  return [
    {seed: score - effects[seed] for seed, score in each.items()}
    for each in scores
  ]


def spread(scores: Sequence[Scores]) -> Spread:
  """Parts the spread of architectures from that of seeds.

  Analysis of variance: the variance between the scores of genotypes is that of
  genotypes and that of seeds. What seeds do to all genotypes alike is no part
  of it (`paired`), where there are enough of both to tell.

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
  common = max(map(len, repeated)) - 1
  if freedom > common:
    repeated = [list(s.values()) for s in paired(scores) if len(s) > 1]
    freedom -= common
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
