# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What alphas and betas say of a search."""

import numpy as np
import pytest

from auto_deeplab.architecture import decode, lattice, primitives, signals
from auto_deeplab.architecture import genotype as genotype_lib

SKIP, CONV = 'skip_connect', 'sep_conv_3x3'
GENOTYPE = genotype_lib.Genotype(
  cell=(((0, SKIP), (1, CONV)), ((0, SKIP), (2, SKIP))), backbone=(0, 1, 1)
)


def snapshot(alphas, betas=None, names=primitives.PAPER):
  betas = np.zeros([3, 4, 3]) if betas is None else betas
  return decode.Snapshot(0, alphas, betas, names)


def test_shares_are_those_of_the_kept_edges():
  shares = signals.shares(GENOTYPE)
  assert list(shares) == [name for name in primitives.PAPER if name != 'none']
  assert {name: share for name, share in shares.items() if share} == {
    SKIP: 0.75,
    CONV: 0.25,
  }


@pytest.mark.parametrize(
  ('operations', 'is_collapsed'),
  [
    ((SKIP, SKIP, SKIP, SKIP), True),
    ((SKIP, SKIP, CONV, CONV), True),
    ((SKIP, CONV, CONV, CONV), False),
    ((CONV, CONV, CONV, CONV), False),
  ],
)
def test_half_of_skips_is_a_collapse(operations, is_collapsed):
  a, b, c, d = operations
  genotype = genotype_lib.Genotype(
    cell=(((0, a), (1, b)), ((0, c), (2, d))), backbone=(0, 0)
  )
  assert signals.is_collapsed(genotype) == is_collapsed


def test_changes_are_counted():
  assert signals.changes(GENOTYPE, GENOTYPE) == (0, 0)
  other = genotype_lib.Genotype(
    # The order within a block has no meaning; here state 0 has a convolution,
    # and state 2 gives way to state 1.
    cell=(((1, CONV), (0, CONV)), ((0, SKIP), (1, SKIP))),
    backbone=(1, 1, 2),
  )
  assert signals.changes(GENOTYPE, other) == (2, 2)
  assert signals.changes(other, GENOTYPE) == (2, 2)


def test_margins_are_the_lead_over_the_second():
  alphas = np.full([2, 8], -50.0)
  # `none` is far ahead and no choice: of the rest 0.3 leads 0.1.
  alphas[:, :3] = np.log([[0.6, 0.3, 0.1]])
  betas = np.full([1, 4, 3], -50.0)
  betas[0, 0, lattice.SAME], betas[0, 0, lattice.DOWN] = np.log([0.9, 0.1])
  margins = signals.margins(snapshot(alphas, betas))
  assert margins['margin/alpha'] == pytest.approx(0.2)
  assert margins['margin/beta'] == pytest.approx(0.8)


def test_equal_logits_have_no_margin_and_a_single_choice_all():
  assert signals.margins(snapshot(np.zeros([2, 8]))) == {
    'margin/alpha': 0,
    'margin/beta': pytest.approx(0),
  }
  alone = snapshot(np.zeros([2, 2]), names=('none', SKIP))
  assert signals.margins(alone)['margin/alpha'] == 1


def test_the_first_snapshot_has_nothing_to_differ_from():
  first = snapshot(np.eye(8)[[1, 2]] * 9)
  assert not any('changed' in key for key in signals.describe(first))
  then = snapshot(np.eye(8)[[1, 3]] * 9)
  found = signals.describe(then, first)
  assert (found['changed/edges'], found['changed/layers']) == (1, 0)
  assert found['share/skip_connect'] == 0.5
  assert all(isinstance(value, float) for value in found.values())
