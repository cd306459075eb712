# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a supernet would miss most is what is kept."""

import numpy as np
import pytest

from auto_deeplab.architecture import (
  decode,
  discretization,
  lattice,
  perturbation,
)
from auto_deeplab.architecture import genotype as genotype_lib


def snapshot(num_layers=4, num_blocks=2, seed=0):
  generator = np.random.default_rng(seed)
  num_edges = len(genotype_lib.edges(num_blocks))
  return decode.Snapshot(
    7,
    generator.normal(size=(num_edges, 8)),
    generator.normal(size=(num_layers, 4, 3)),
  )


@pytest.mark.parametrize('seed', range(4))
def test_what_is_relied_on_is_found_whatever_the_largest_weights(seed):
  """A loss that falls with the weights of one genotype, and no others."""
  planted = genotype_lib.random_genotype(
    np.random.default_rng(seed), num_layers=4, num_blocks=2
  )
  alpha, beta = discretization.weights(planted)
  asked, tuned = [], []

  def loss(weights):
    asked.append(weights)
    return -float((weights[0] * alpha).sum() + (weights[1] * beta).sum())

  found = perturbation.choose(
    snapshot(seed=seed),
    perturbation.Supernet(loss, lambda weights: tuned.append(weights)),
    seed,
  )
  assert found == planted
  assert found != snapshot(seed=seed).decode()
  assert len(asked) == perturbation.num_losses(snapshot())
  assert len(tuned) == perturbation.num_decisions(snapshot())


def test_what_is_left_stays_a_distribution():
  """While something is left out the others take its share."""
  mask = lattice.legal_mask(4).any(axis=-1)

  def loss(weights):
    alpha, beta = weights
    sums = alpha.sum(axis=-1)
    np.testing.assert_allclose(sums[sums > 0], 1, atol=1e-5)
    np.testing.assert_allclose(beta.sum(axis=-1), mask, atol=1e-5)
    return 0.0

  perturbation.choose(snapshot(), perturbation.Supernet(loss))


def test_none_is_never_kept():
  """Not even where it alone is missed."""

  def loss(weights):
    return -float(weights[0][:, 0].sum())

  names = ('none', 'skip_connect', 'sep_conv_3x3')
  alphas, betas = np.zeros([5, 3]), np.zeros([3, 4, 3])
  found = perturbation.choose(
    decode.Snapshot(1, alphas, betas, names), perturbation.Supernet(loss)
  )
  kept = {name for block in found.cell for _, name in block}
  assert kept <= set(names[1:])
