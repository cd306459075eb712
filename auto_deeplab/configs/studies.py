# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a study compares."""

import dataclasses

from auto_deeplab.configs import rules

# What `decode --method` takes: the largest alphas and betas, as in the paper;
# of many genotypes that which does best with the weights of the search; or what
# these weights would miss most.
DECODE_METHODS = ('magnitude', 'evaluation', 'perturbation')


@dataclasses.dataclass(frozen=True)
class StudyConfig:
  """Genotypes of several origins, all trained by one recipe.

  Attributes:
    train_recipe: name or path of the recipe of each training.
    train_settings: bindings that are stronger than it.
    search_recipe: of each search; random genotypes have its layers, blocks and
      primitives.
    search_settings: bindings that are stronger than it.
    num_random: random genotypes, drawn from all that the lattice and the cell
      allow (`architecture.genotype.random_genotype`).
    num_repeated: how many of them are trained with every seed, and not with
      the first alone: what they tell of the seeds is needed to judge the rest.
    train_seeds: seeds of the trainings; searched genotypes have them all.
    search_seeds: seeds of the searches, one search each; there may be none.
    methods: of `DECODE_METHODS`, by which each search is decoded; each makes an
      arm of as many genotypes as there are searches.
    tournament_recipe: recipe of each tournament of short trainings.
    tournament_settings: bindings that are stronger than it.
    tournament_candidates: random genotypes in each, none of those above.
    tournament_seeds: seeds of the tournaments, a winner each; may be empty.
    with_published: whether the published cell is an arm, on as many layers of
      the published path as the search has. It has five blocks.
  """

  train_recipe: str = 'demo_train'
  train_settings: tuple[str, ...] = ()
  search_recipe: str = 'demo_search'
  search_settings: tuple[str, ...] = ()
  num_random: int = 32
  num_repeated: int = 8
  train_seeds: tuple[int, ...] = (0, 1, 2)
  search_seeds: tuple[int, ...] = (0, 1, 2)
  methods: tuple[str, ...] = ('magnitude',)
  tournament_recipe: str = 'demo_train'
  tournament_settings: tuple[str, ...] = ()
  tournament_candidates: int = 16
  tournament_seeds: tuple[int, ...] = ()
  with_published: bool = False

  def __post_init__(self):
    rules.require_types(self)
    rules.require_non_negative(self, 'num_random', 'num_repeated')
    rules.require(
      self.num_repeated <= self.num_random,
      self,
      'num_repeated',
      f'at most `num_random` ({self.num_random})',
    )
    rules.require_positive(self, 'tournament_candidates')
    for field in ('train_settings', 'search_settings', 'tournament_settings'):
      rules.require_list(self, field, str, 'a list of bindings')
    rules.require_list(self, 'methods', str, 'a list of names')
    rules.require(
      set(self.methods) <= set(DECODE_METHODS),
      self,
      'methods',
      f'of {DECODE_METHODS}',
    )
    for field in ('train_seeds', 'search_seeds', 'tournament_seeds'):
      rules.require_list(self, field, int, 'a list of integers, 0 or more')
      seeds = getattr(self, field)
      rules.require(
        all(seed >= 0 for seed in seeds) and len(set(seeds)) == len(seeds),
        self,
        field,
        '0 or more each, without repetition',
      )
    rules.require(
      len(self.train_seeds) > 0, self, 'train_seeds', 'at least one'
    )
