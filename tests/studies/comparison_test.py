# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The statistics of a study find what scores were made of."""

import itertools

import numpy as np
import pytest
from scipy import stats

from auto_deeplab.studies import comparison


def drawn(num_genotypes, num_seeds, between, within, seed=0):
  """Scores whose spreads are known."""
  rng = np.random.default_rng(seed)
  return [
    {s: 0.8 + mean + within * rng.normal() for s in range(num_seeds)}
    for mean in between * rng.normal(size=num_genotypes)
  ]


@pytest.mark.parametrize(
  ('between', 'within'), [(0.03, 0.002), (0.01, 0.01), (0.0, 0.02)]
)
def test_the_spread_is_parted_into_genotypes_and_seeds(between, within):
  found = comparison.spread(drawn(1000, 3, between, within))
  assert found.seeds == pytest.approx(within, rel=0.03)
  assert found.genotypes == pytest.approx(between, rel=0.05, abs=0.004)


def test_what_seeds_do_to_all_genotypes_alike_is_taken_away():
  genotypes, seeds = [0.7, 0.8, 0.9, 0.6], {0: 0.0, 1: -0.1, 2: 0.05}
  scores = [{s: g + e for s, e in seeds.items()} for g in genotypes]
  scores[2] = {0: 0.9}  # The others tell of the seeds.
  scores[3] = {2: 0.65}
  found = comparison.paired(scores)
  for each, genotype, before in zip(found, genotypes, scores, strict=True):
    assert each == pytest.approx(dict.fromkeys(before, genotype))
  assert comparison.spread(scores).seeds == pytest.approx(0)


def test_seeds_that_cannot_be_compared_are_left():
  for scores in ([{0: 0.5}, {1: 0.7}], [{0: 0.5}], []):
    assert comparison.paired(scores) == scores


def test_genotypes_of_one_seed_count_for_the_genotypes():
  scores = drawn(1000, 3, 0.03, 0.01)
  all_seeds = comparison.spread(scores)
  few = [s if i < 100 else {0: s[0]} for i, s in enumerate(scores)]
  assert comparison.spread(few).genotypes == pytest.approx(
    all_seeds.genotypes, rel=0.02
  )


def test_the_spread_needs_genotypes_and_seeds():
  for scores in ([], [{0: 0.5, 1: 0.6}], [{0: 0.5}, {0: 0.6}]):
    with pytest.raises(ValueError, match='two genotypes or more, one of them'):
      comparison.spread(scores)


def test_an_estimate_is_that_of_a_t_test():
  values = [0.7, 0.75, 0.72, 0.78]
  found = comparison.estimate(values)
  known = stats.ttest_1samp(values, 0)
  assert found.mean == pytest.approx(0.7375)
  assert found.standard_error * known.statistic == pytest.approx(found.mean)
  interval = known.confidence_interval(0.95)
  assert found.interval == pytest.approx((interval.low, interval.high))
  assert found.count == 4


def test_an_estimate_of_one_value_is_unsure():
  found = comparison.estimate([0.5])
  assert (found.mean, found.count) == (0.5, 1)
  assert found.standard_error is None
  assert found.interval is None
  with pytest.raises(ValueError, match='nothing to take the mean of'):
    comparison.estimate([])


def test_a_difference_is_that_of_welch():
  arm, other = [0.80, 0.84, 0.83], [0.70, 0.79, 0.74, 0.81, 0.77]
  found = comparison.difference([{0: v} for v in arm], [{0: v} for v in other])
  known = stats.ttest_ind(arm, other, equal_var=False)
  assert found.standard_error * known.statistic == pytest.approx(found.mean)
  interval = known.confidence_interval(0.95)
  assert found.interval == pytest.approx((interval.low, interval.high))


def test_more_seeds_of_a_genotype_do_not_make_it_more_genotypes():
  one = [{0: 0.8}, {0: 0.7}]
  many = [dict.fromkeys(range(8), 0.8), dict.fromkeys(range(8), 0.7)]
  other = [{0: 0.6}, {0: 0.5}]
  found = comparison.difference(many, other)
  assert found == comparison.difference(one, other)


def test_a_difference_of_single_genotypes_is_unsure():
  found = comparison.difference([{0: 0.8}], [{0: 0.6}, {0: 0.5}])
  assert found.mean == pytest.approx(0.25)
  assert found.interval is None
  equal = comparison.difference([{0: 0.5}] * 2, [{0: 0.5}] * 3)
  assert (equal.mean, equal.interval) == (0.0, (0.0, 0.0))
  with pytest.raises(ValueError, match='an arm without scores'):
    comparison.difference([], [{0: 0.5}])


def test_the_best_of_some_is_what_draws_have():
  scores = [0.1, 0.5, 0.2, 0.9]
  assert comparison.best_of(scores, 1) == pytest.approx(np.mean(scores))
  pairs = [max(pair) for pair in itertools.product(scores, repeat=2)]
  assert comparison.best_of(scores, 2) == pytest.approx(np.mean(pairs))
  assert comparison.best_of(scores, 1000) == pytest.approx(0.9)
  assert comparison.best_of([0.3], 7.5) == pytest.approx(0.3)


def test_a_percentile_counts_those_below_and_half_of_the_equal():
  others = [0.1, 0.2, 0.2, 0.3]
  found = [comparison.percentile(v, others) for v in (0.0, 0.1, 0.2, 0.25, 0.9)]
  assert found == [0.0, 12.5, 50.0, 75.0, 100.0]


def test_ranks_alone_make_the_correlation():
  scores = [0.1, 0.2, 0.3, 0.4]
  assert comparison.rank_correlation([1, 10, 100, 1000], scores) == 1
  assert comparison.rank_correlation([4, 3, 2, 1], scores) == -1
  assert comparison.rank_correlation([1], [0.5]) is None
  assert comparison.rank_correlation([1, 1], [0.5, 0.6]) is None
