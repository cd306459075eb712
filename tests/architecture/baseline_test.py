# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A baseline has the size and the cost of what it is compared with."""

import numpy as np
import pytest

from auto_deeplab.architecture import baseline
from auto_deeplab.architecture.genotype import (
  PUBLISHED,
  Genotype,
  random_genotype,
)


@pytest.mark.parametrize(
  'reference',
  [
    PUBLISHED,
    random_genotype(np.random.default_rng(9), num_layers=5, num_blocks=3),
  ],
)
def test_size_and_cost_are_equal(reference):
  target = baseline.multiply_adds(reference)
  for seed in range(3):
    drawn = baseline.draw(reference, seed)
    assert drawn.num_layers == reference.num_layers
    assert drawn.num_blocks == reference.num_blocks
    assert baseline.multiply_adds(drawn) == pytest.approx(
      target, rel=baseline.TOLERANCE
    )


def test_the_seed_decides():
  first, again, other = (baseline.draw(PUBLISHED, seed) for seed in (1, 1, 2))
  assert first == again != other


def test_a_cost_that_no_draw_has_is_refused(monkeypatch):
  monkeypatch.setattr(baseline, '_MAX_DRAWS', 20)
  free = Genotype(
    (((0, 'skip_connect'), (1, 'skip_connect')),) * 5, (1, 2, 3) + (3,) * 9
  )
  with pytest.raises(ValueError) as error:
    baseline.draw(free, 0)
  assert str(error.value) == (
    f'none of 20 random genotypes costs {baseline.multiply_adds(free):,} '
    'multiply-adds, or up to 2% more or less.'
  )


def test_a_negative_seed_is_refused():
  with pytest.raises(ValueError, match=r'`seed` \(-1\) must not be negative\.'):
    baseline.draw(PUBLISHED, -1)
