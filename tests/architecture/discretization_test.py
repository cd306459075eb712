# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A genotype as weights decodes to itself."""

import numpy as np
import pytest

from auto_deeplab.architecture import decode, discretization, lattice
from auto_deeplab.architecture import genotype as genotype_lib


@pytest.mark.parametrize('num_layers', [1, 2, 5, 12])
@pytest.mark.parametrize('num_blocks', [1, 3, 5])
def test_the_weights_decode_to_the_genotype(num_layers, num_blocks):
  rng = np.random.default_rng(num_layers)
  for _ in range(20):
    genotype = genotype_lib.random_genotype(
      rng, num_layers=num_layers, num_blocks=num_blocks
    )
    alpha, beta = discretization.weights(genotype)
    decoded = decode.decode(9 * alpha, 9 * beta)
    assert decoded.backbone == genotype.backbone
    for found, block in zip(decoded.cell, genotype.cell, strict=True):
      assert set(found) == set(block)


def test_all_else_is_nothing():
  alpha, beta = discretization.weights(genotype_lib.PUBLISHED)
  assert alpha.dtype == beta.dtype == np.float32
  assert set(np.unique(alpha)) == set(np.unique(beta)) == {0, 1}
  assert (alpha.sum(), beta.sum()) == (2 * 5, 12)
  assert beta[~lattice.legal_mask(12)].sum() == 0


def test_columns_are_those_of_the_names():
  genotype = genotype_lib.Genotype(
    cell=(((0, 'skip_connect'), (1, 'sep_conv_3x3')),), backbone=(0, 1)
  )
  names = ('sep_conv_3x3', 'skip_connect')
  alpha, _ = discretization.weights(genotype, names)
  np.testing.assert_array_equal(alpha, [[0, 1], [1, 0]])
  with pytest.raises(ValueError, match=r"'sep_conv_3x3' of the genotype is no"):
    discretization.weights(genotype, ('skip_connect',))
