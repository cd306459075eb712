# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Candidates come in the order of their probability, the decoded one first."""

import itertools
from typing import Any

import numpy as np
import pytest

from auto_deeplab.architecture import candidates, decode, lattice
from auto_deeplab.architecture import genotype as genotype_lib

NAMES = ('none', 'skip_connect', 'sep_conv_3x3')


def snapshot(seed, scale=1.0):
  rng = np.random.default_rng(seed)
  alphas, betas = rng.normal(size=(5, 3)), rng.normal(size=(3, 4, 3))
  return decode.Snapshot(0, alphas * scale, betas * scale, NAMES)


def probability(shot, genotype):
  alphas = decode.operation_probabilities(shot.alphas)
  edges = genotype_lib.edges(genotype.num_blocks)
  found = decode.path_probability(shot.betas, genotype.backbone)
  for block, pair in enumerate(genotype.cell):
    for state, name in pair:
      found *= alphas[edges.index((block, state)), NAMES.index(name)]
  return found


def every_genotype():
  def blocks(states):
    for pair in itertools.combinations(range(states), 2):
      for names in itertools.product(NAMES[1:], repeat=2):
        yield tuple(zip(pair, names))

  paths = [
    path
    for path in itertools.product(range(4), repeat=3)
    if all(abs(a - b) < 2 for a, b in itertools.pairwise((0, *path)))
  ]
  assert len(paths) == lattice.num_paths(3)
  for cell in itertools.product(blocks(2), blocks(3)):
    for path in paths:
      yield genotype_lib.Genotype(cell, path)


@pytest.mark.parametrize('seed', range(3))
def test_they_are_those_of_all_in_order(seed):
  shot = snapshot(seed)
  every = sorted(every_genotype(), key=lambda g: -probability(shot, g))
  assert candidates.likeliest(shot, 40) == every[:40]
  assert set(candidates.likeliest(shot, 10_000)) == set(every)


@pytest.mark.parametrize('scale', [0.0, 1.0])
@pytest.mark.parametrize('seed', range(3))
def test_the_first_is_the_decoded_one(seed, scale):
  shot = snapshot(seed, scale)
  assert candidates.likeliest(shot, 3)[0] == shot.decode()


def test_the_likeliest_paths_are_those_of_all(all_paths):
  betas = snapshot(0).betas
  found = candidates.likeliest_paths(betas, 10)
  every = [(decode.path_probability(betas, p), p) for p in all_paths(3)]
  expected = sorted(every, reverse=True)[:10]
  assert [path for _, path in found] == [path for _, path in expected]
  np.testing.assert_allclose(
    np.exp([score for score, _ in found]), [p for p, _ in expected]
  )


def test_none_at_all_is_refused():
  with pytest.raises(ValueError, match=r'`number` \(0\) must be at least 1'):
    candidates.likeliest(snapshot(0), 0)


def test_names_say_where_a_candidate_comes_from():
  space: dict[str, Any] = {
    'num_layers': 3,
    'num_blocks': 1,
    'names': ('skip_connect', 'none'),
  }
  drawn = candidates.named_random([0, 7], **space)
  assert list(drawn) == ['random-00', 'random-07']
  assert drawn['random-07'] == genotype_lib.random_genotype(
    np.random.default_rng(7), **space
  )
  generator = np.random.default_rng(0)
  snapshot = decode.Snapshot(
    1, generator.normal(size=(5, 8)), generator.normal(size=(3, 4, 3))
  )
  named = candidates.named_likeliest(snapshot, 3)
  assert list(named) == ['decoded', 'likely-02', 'likely-03']
  assert [*named.values()] == candidates.likeliest(snapshot, 3)


@pytest.mark.parametrize(
  ('paths', 'names'),
  [
    ((), ()),
    (('/x/a/genotype.json', '/x/b.json'), ('a', 'b')),
    (('/x/v0.5/genotype.json', '/x/v0.6/genotype.json'), ('v0.5', 'v0.6')),
    # Those of two searches, decoded where each of them is.
    (
      ('/x/s1/decoded/genotype.json', '/x/s2/decoded/genotype.json'),
      ('s1-decoded', 's2-decoded'),
    ),
    (('/x/a/genotype.json', '/x/a/genotype.json'), ('a',)),
  ],
)
def test_names_tell_files_apart(paths, names):
  assert tuple(candidates.names_of(paths)) == names
