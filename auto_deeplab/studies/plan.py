# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The runs of a study, and where each lies.

STUDY/recipes/train.gin                      of all trainings; search, choose
STUDY/genotypes/random-00/genotype.json      drawn with seed 0
STUDY/searches/seed-0/                       the run of a search
STUDY/genotypes/magnitude-0/genotype.json    decoded from it by a method
STUDY/candidates/tournament-0-03.json        one of those of a tournament
STUDY/genotypes/tournament-0/genotype.json   won it; the run of the tournament
STUDY/trainings/random-00/seed-0/            the run of a training
STUDY/records/TASK.json                      what a task took
STUDY/logs/TASK.log                          what it printed
"""

from collections.abc import Iterator
import dataclasses
import itertools
import os
import pathlib

import numpy as np

from auto_deeplab import configs
from auto_deeplab.architecture import artifact
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


# The arms that are no method of decoding.
RANDOM, TOURNAMENT, PUBLISHED = 'random', 'tournament', 'published'

# Random genotypes have the seeds below; each tournament has as many from its
# own multiple on.
_SEEDS_OF_TOURNAMENT = 10_000


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

  def arms(self) -> dict[str, list[str]]:
    """Returns the names of the genotypes of each arm.

    Random ones in the order of their seeds, searched ones in that of their
    searches.
    """
    config = self.config
    arms = {RANDOM: [f'{RANDOM}-{i:02d}' for i in range(config.num_random)]}
    for method in config.methods:
      arms[method] = [f'{method}-{seed}' for seed in config.search_seeds]
    arms[TOURNAMENT] = [
      f'{TOURNAMENT}-{seed}' for seed in config.tournament_seeds
    ]
    arms[PUBLISHED] = [PUBLISHED] * config.with_published
    return {name: genotypes for name, genotypes in arms.items() if genotypes}

  def random_names(self) -> list[str]:
    """Names of the random genotypes."""
    return self.arms().get(RANDOM, [])

  def seeds_of(self, name: str) -> tuple[int, ...]:
    """Seeds with which a genotype is trained."""
    seeds = self.config.train_seeds
    if name in self.random_names()[self.config.num_repeated :]:
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
    return [*self._choices(), *self._trainings()]

  def tasks_behind(self, name: str) -> list[Task]:
    """Returns the tasks that a genotype is the result of, in order."""
    tasks = {task.name: task for task in self._choices()}
    task = tasks.get(_genotype(name))
    if task is None:
      return []
    return [*(tasks[need] for need in task.needs), task]

  def hold_to_recipes(self) -> None:
    """Writes the recipes where the study begins; afterwards they stay.

    A file may be changed under its name, and a record has no more than that.

    Raises:
      ValueError: a recipe is not what the study began with.
    """
    config = self.config
    self._hold('search', config.search_recipe, self.load_searched())
    self._hold('train', config.train_recipe, self.load_trained())
    if config.tournament_seeds:
      tournament = configs.load(
        configs.TournamentExperiment,
        [config.tournament_recipe],
        config.tournament_settings,
      )
      self._hold('choose', config.tournament_recipe, tournament)

  def _hold(self, verb: str, recipe: str, now: configs.Experiment) -> None:
    path = pathlib.Path(self.study_dir, 'recipes', f'{verb}.gin')
    if not path.exists():
      with artifact.writing(path) as file:
        file.write(configs.to_gin(now).encode())
    then = configs.load(type(now), [str(path)])
    if then != now:
      old, new = next(
        lines
        for lines in zip(*(configs.to_gin(e).splitlines() for e in (then, now)))
        if lines[0] != lines[1]
      )
      raise ValueError(
        f'{path} has `{old}`, and {recipe} has `{new}` now; take another '
        'folder, or the recipe that the study began with.'
      )

  def draw(self) -> None:
    """Writes the genotypes that need no search and are not there yet."""
    space = self.load_searched().supernet
    if self.config.with_published:
      published = dataclasses.replace(
        genotype_lib.PUBLISHED,
        backbone=genotype_lib.PUBLISHED.backbone[: space.num_layers],
      )
      published.save(self.genotype_path(PUBLISHED))
    drawn = {
      self.genotype_path(name): seed
      for seed, name in enumerate(self.random_names())
    }
    for tournament in self.config.tournament_seeds:
      first = _SEEDS_OF_TOURNAMENT * (1 + tournament)
      for number, path in enumerate(self._candidates(tournament)):
        drawn[path] = first + number
    for path, seed in drawn.items():
      if not path.exists():
        genotype_lib.random_genotype(
          np.random.default_rng(seed),
          num_layers=space.num_layers,
          num_blocks=space.num_blocks,
          names=space.primitives,
        ).save(path, {'random_seed': seed})

  def _candidates(self, tournament: int) -> list[pathlib.Path]:
    """Returns where the candidates of a tournament are kept."""
    folder = pathlib.Path(self.study_dir, 'candidates')
    return [
      folder / f'{TOURNAMENT}-{tournament}-{number:02d}.json'
      for number in range(self.config.tournament_candidates)
    ]

  def _choices(self) -> Iterator[Task]:
    """Yields what genotypes are the results of: searches and tournaments."""
    config = self.config
    for seed in config.search_seeds:
      run_dir = os.path.join(self.study_dir, _search(seed))
      recipe = _recipe(config.search_recipe, config.search_settings, seed)
      data = f'--data_dir={self.data_dir}'
      yield Task(
        _search(seed), 'search', (*recipe, data, f'--run_dir={run_dir}')
      )
      for method in config.methods:
        name = f'{method}-{seed}'
        output = f'--output_dir={self.genotype_path(name).parent}'
        arguments = [f'--run_dir={run_dir}', output]
        if method != 'magnitude':
          arguments += [f'--method={method}', data]
        yield Task(
          _genotype(name), 'decode', tuple(arguments), needs=(_search(seed),)
        )
    for seed in config.tournament_seeds:
      name = f'{TOURNAMENT}-{seed}'
      candidates = ','.join(map(str, self._candidates(seed)))
      yield Task(
        _genotype(name),
        'choose',
        (
          *_recipe(config.tournament_recipe, config.tournament_settings, seed),
          f'--genotypes={candidates}',
          f'--data_dir={self.data_dir}',
          f'--run_dir={self.genotype_path(name).parent}',
        ),
      )

  def _trainings(self) -> Iterator[Task]:
    arms = self.arms()
    drawn = arms.pop(RANDOM, [])
    names = [*itertools.chain(*arms.values()), *drawn]
    made = {task.name for task in self._choices()}
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
            needs=(_genotype(name),) if _genotype(name) in made else (),
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
