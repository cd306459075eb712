# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Chooses among genotypes by a tournament of short trainings.

  auto-deeplab choose --gin_file=demo_train --search_run_dir=runs/search \
    --num_random=15 --data_dir=DATA --run_dir=runs/choice

The candidates, all at once, make the first steps of a training by this recipe
on half A of the train split; at each of `TournamentConfig.rungs` the half that
does better on half B goes on. The val split stays unseen. Candidates are:

  --genotypes        files that decode wrote
  --search_run_dir   the likeliest genotypes of a search, the decoded one first
  --num_random       genotypes drawn at random from the space of that search, or
                     of --search_recipe

RUN_DIR receives the winner as genotype.json, which train takes, and the bracket
with the CPU-seconds that it took as tournament.json. The same command again
goes on from the newest checkpoint. SIGTERM has it save one at the end of its
step and exit with status 75; so does Ctrl-C, with status 130.
"""

import os

from absl import flags

from auto_deeplab import configs
from auto_deeplab.architecture import candidates as candidates_lib
from auto_deeplab.architecture import decode
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.cli import commands, gin_flags, resume_flags, run_flags

run_flags.require_run_dir()

FOR_MEMORY = (
  'give fewer candidates, raise `TrainConfig.accumulation_steps`, or set '
  '`SegmenterConfig.recompute = True`'
)

_GENOTYPES = flags.DEFINE_list(
  'genotypes', [], 'Genotypes that decode wrote, separated by commas.'
)
_SEARCH_RUN_DIR = flags.DEFINE_string(
  'search_run_dir',
  None,
  'Folder of a search, whose last snapshot gives candidates.',
)
_NUM_LIKELIEST = flags.DEFINE_integer(
  'num_likeliest',
  1,
  'How many genotypes of that search, the likeliest first.',
  lower_bound=1,
)
_NUM_RANDOM = flags.DEFINE_integer(
  'num_random', 0, 'How many candidates are drawn at random.', lower_bound=0
)
_RANDOM_SEED = flags.DEFINE_integer(
  'random_seed',
  0,
  'Seed of the first of them; the next has the next.',
  lower_bound=0,
)
_SEARCH_RECIPE = flags.DEFINE_string(
  'search_recipe',
  None,
  'Recipe of a search, by its name or path: they are drawn from its space.',
)
_TRAIN_SPLIT = flags.DEFINE_string(
  'train_split', 'train', 'Split whose halves are trained and judged on.'
)


def main() -> None:
  """Holds the tournament, and says who won and what comes next."""
  config = gin_flags.load(configs.TournamentExperiment)
  gin_flags.warn_without_recipe('train')
  candidates = _candidates()
  from auto_deeplab.experiments import tournament

  place = run_flags.place(
    train_split=_TRAIN_SPLIT.value, **resume_flags.consents()
  )
  found = tournament.run(config, candidates, place)
  print(
    f'Of {len(candidates)} candidates {found["winner"]} won, in '
    f'{found["cpu_seconds"]:,.0f} CPU-seconds. Next:\n  '
    f'{commands.shown("train")} --genotype={place.run_dir}/genotype.json '
    '--gin_file=RECIPE.gin --data_dir=DATA --run_dir=NEW_RUN'
  )


def _candidates() -> dict[str, genotype_lib.Genotype]:
  """Returns the candidates by name, of equal ones the first."""
  named = [
    *(
      (name, genotype_lib.Genotype.load(path))
      for name, path in candidates_lib.names_of(_GENOTYPES.value).items()
    ),
    *_searched().items(),
    *_random().items(),
  ]
  found: dict[str, genotype_lib.Genotype] = {}
  for name, genotype in named:
    if name in found:
      raise ValueError(f'two candidates are called {name!r}; rename a file.')
    if genotype not in found.values():
      found[name] = genotype
  return found


def _searched() -> dict[str, genotype_lib.Genotype]:
  if _SEARCH_RUN_DIR.value is None:
    return {}
  path = decode.latest_snapshot(_SEARCH_RUN_DIR.value)
  return candidates_lib.named_likeliest(
    decode.load_snapshot(path), _NUM_LIKELIEST.value
  )


def _random() -> dict[str, genotype_lib.Genotype]:
  if not _NUM_RANDOM.value:
    return {}
  recipe = _SEARCH_RECIPE.value
  if recipe is None and _SEARCH_RUN_DIR.value is not None:
    recipe = os.path.join(_SEARCH_RUN_DIR.value, 'config.gin')
  if recipe is None:
    raise ValueError('--num_random needs --search_recipe or --search_run_dir.')
  space = configs.load(configs.SearchExperiment, [recipe]).supernet
  first = _RANDOM_SEED.value
  return candidates_lib.named_random(
    range(first, first + _NUM_RANDOM.value),
    num_layers=space.num_layers,
    num_blocks=space.num_blocks,
    names=space.primitives,
  )
