# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The runs of a study, and where each lies.

STUDY/config.gin                             what is compared
STUDY/genotypes/random-00/genotype.json      drawn with seed 0
STUDY/searches/seed-0/                       the run of a search
STUDY/genotypes/magnitude-0/genotype.json    decoded from it
STUDY/trainings/random-00/seed-0/            the run of a training
STUDY/records/TASK.json                      what a task took
STUDY/logs/TASK.log                          what it printed
"""

from collections.abc import Iterator
import dataclasses
import os
import pathlib

import numpy as np

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib


@dataclasses.dataclass(frozen=True)
class Task:
  """One command of a study.

  Attributes:
    name: also its folder below that of the study.
    verb: of the command.
    arguments: that follow the verb.
    needs: names of the tasks that have to end before.
  """

  name: str
  verb: str
  arguments: tuple[str, ...]
  needs: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Study:
  """What is compared, and where.

  Attributes:
    config: what is compared.
    data_dir: folder of the data set.
    study_dir: folder of all results.
  """

  config: configs.StudyConfig
  data_dir: str
  study_dir: str

  def random_names(self) -> list[str]:
    """Names of the random genotypes, in the order of their seeds."""
    return [f'random-{seed:02d}' for seed in range(self.config.num_random)]

  def searched_names(self) -> list[str]:
    """Names of the searched genotypes, in the order of their searches."""
    return [f'magnitude-{seed}' for seed in self.config.search_seeds]

  def seeds_of(self, name: str) -> tuple[int, ...]:
    """Seeds with which a genotype is trained."""
    seeds = self.config.train_seeds
    names = self.random_names()
    if name in names[self.config.num_repeated :]:
      return seeds[:1]
    return seeds

  def genotype_path(self, name: str) -> pathlib.Path:
    """Returns where a genotype is kept."""
    return pathlib.Path(self.study_dir, 'genotypes', name, 'genotype.json')

  def run_dir(self, name: str, seed: int) -> pathlib.Path:
    """Returns the folder of a training."""
    return pathlib.Path(self.study_dir, _training(name, seed))

  def load_searched(self) -> configs.SearchExperiment:
    """Returns the configuration that the searches have in common."""
    return configs.load(
      configs.SearchExperiment,
      [self.config.search_recipe],
      self.config.search_settings,
    )

  def load_trained(self) -> configs.TrainExperiment:
    """Returns the configuration that the trainings have in common."""
    return configs.load(
      configs.TrainExperiment,
      [self.config.train_recipe],
      self.config.train_settings,
    )

  def tasks(self) -> list[Task]:
    """Returns all tasks, in an order in which they can be done.

    Trainings of the first seed come first, so that a study that is stopped has
    seen all genotypes.
    """
    return [*self._searches(), *self._trainings()]

  def draw(self) -> None:
    """Writes the random genotypes that are not there yet."""
    space = self.load_searched().supernet
    for seed, name in enumerate(self.random_names()):
      path = self.genotype_path(name)
      if not path.exists():
        genotype_lib.random_genotype(
          np.random.default_rng(seed),
          num_layers=space.num_layers,
          num_blocks=space.num_blocks,
          names=space.primitives,
        ).save(path, {'random_seed': seed})

  def _searches(self) -> Iterator[Task]:
    for seed, name in zip(self.config.search_seeds, self.searched_names()):
      run_dir = os.path.join(self.study_dir, _search(seed))
      yield Task(
        _search(seed),
        'search',
        (
          *_recipe(
            self.config.search_recipe, self.config.search_settings, seed
          ),
          f'--data_dir={self.data_dir}',
          f'--run_dir={run_dir}',
        ),
      )
      yield Task(
        _genotype(name),
        'decode',
        (
          f'--run_dir={run_dir}',
          f'--output_dir={self.genotype_path(name).parent}',
        ),
        needs=(_search(seed),),
      )

  def _trainings(self) -> Iterator[Task]:
    names = [*self.searched_names(), *self.random_names()]
    for seed in self.config.train_seeds:
      for name in names:
        if seed in self.seeds_of(name):
          yield Task(
            _training(name, seed),
            'train',
            (
              *_recipe(
                self.config.train_recipe, self.config.train_settings, seed
              ),
              f'--genotype={self.genotype_path(name)}',
              f'--data_dir={self.data_dir}',
              f'--run_dir={self.run_dir(name, seed)}',
            ),
            needs=(_genotype(name),) if name in self.searched_names() else (),
          )


def _recipe(name: str, settings: tuple[str, ...], seed: int) -> list[str]:
  """Returns the flags of a recipe, with a seed of its own."""
  bindings = [*settings, f'RuntimeConfig.seed = {seed}']
  return [f'--gin_file={name}', *(f'--gin_bindings={b}' for b in bindings)]


def _search(seed: int) -> str:
  return f'searches/seed-{seed}'


def _genotype(name: str) -> str:
  return f'genotypes/{name}'


def _training(name: str, seed: int) -> str:
  return f'trainings/{name}/seed-{seed}'
