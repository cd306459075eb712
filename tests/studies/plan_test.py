# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The tasks of a study."""

import pathlib
import re

import pytest

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib


def test_each_genotype_is_trained_with_its_seeds(study):
  assert [task.name for task in study.tasks()] == [
    'searches/seed-7',
    'genotypes/magnitude-7',
    'trainings/magnitude-7/seed-0',
    'trainings/random-00/seed-0',
    'trainings/random-01/seed-0',
    'trainings/random-02/seed-0',
    'trainings/magnitude-7/seed-4',
    'trainings/random-00/seed-4',
    'trainings/random-01/seed-4',
  ]


def test_a_searched_genotype_waits_for_its_search(study):
  needs = {task.name: task.needs for task in study.tasks()}
  assert needs['genotypes/magnitude-7'] == ('searches/seed-7',)
  assert needs['trainings/magnitude-7/seed-4'] == ('genotypes/magnitude-7',)
  assert needs['searches/seed-7'] == needs['trainings/random-00/seed-0'] == ()


def test_candidates_of_tournaments_are_others(changed):
  study = changed(tournament_seeds=(0, 1), tournament_candidates=3)
  study.draw()
  folder = pathlib.Path(study.study_dir)
  files = [
    *folder.glob('candidates/*.json'),
    *folder.glob('genotypes/*/*.json'),
  ]
  assert len(files) == 2 * 3 + 3
  assert len({genotype_lib.Genotype.load(file) for file in files}) == len(files)


def test_a_search_is_decoded_by_each_method(changed):
  study = changed(
    methods=('magnitude', 'evaluation'),
    tournament_seeds=(5,),
    tournament_candidates=2,
  )
  assert study.arms() == {
    'random': ['random-00', 'random-01', 'random-02'],
    'magnitude': ['magnitude-7'],
    'evaluation': ['evaluation-7'],
    'tournament': ['tournament-5'],
  }
  search, magnitude, evaluation, tournament = study.tasks()[:4]
  folder = f'{study.study_dir}/genotypes/evaluation-7'
  assert magnitude.needs == evaluation.needs == (search.name,)
  assert evaluation.arguments == (
    f'--run_dir={study.study_dir}/searches/seed-7',
    f'--output_dir={folder}',
    '--method=evaluation',
    '--data_dir=DATA',
  )
  assert (tournament.verb, tournament.needs) == ('choose', ())
  assert tournament.arguments[2] == (
    f'--genotypes={study.study_dir}/candidates/tournament-5-00.json,'
    f'{study.study_dir}/candidates/tournament-5-01.json'
  )
  assert study.tasks_behind('evaluation-7') == [search, evaluation]
  assert study.tasks_behind('tournament-5') == [tournament]


def test_commands_have_recipe_settings_and_seed(changed):
  study = changed(train_settings=('TrainConfig.train_steps = 5',))
  tasks = {task.name: task for task in study.tasks()}
  training = tasks['trainings/magnitude-7/seed-4']
  root = study.study_dir
  assert training.verb == 'train'
  assert training.arguments == (
    '--gin_file=demo_train',
    '--gin_bindings=TrainConfig.train_steps = 5',
    '--gin_bindings=RuntimeConfig.seed = 4',
    f'--genotype={root}/genotypes/magnitude-7/genotype.json',
    '--data_dir=DATA',
    f'--run_dir={root}/trainings/magnitude-7/seed-4',
  )
  assert tasks['searches/seed-7'].arguments[:2] == (
    '--gin_file=demo_search',
    '--gin_bindings=RuntimeConfig.seed = 7',
  )
  assert study.load_trained().schedule.train_steps == 5


def test_random_genotypes_are_those_of_the_search_space(changed):
  study = changed(
    search_settings=(
      'SupernetConfig.num_layers = 7',
      'SupernetConfig.num_blocks = 2',
      "SupernetConfig.primitives = ('none', 'skip_connect')",
    ),
  )
  study.draw()
  drawn = [
    genotype_lib.Genotype.load(study.genotype_path(name))
    for name in study.random_names()
  ]
  assert len(set(drawn)) == 3
  for genotype in drawn:
    assert (genotype.num_layers, genotype.num_blocks) == (7, 2)
    names = {name for block in genotype.cell for _, name in block}
    assert names == {'skip_connect'}


def test_recipes_stay_what_they_were(changed, tmp_path):
  recipe = tmp_path / 'mine.gin'
  recipe.write_text('SearchConfig.train_steps = 30000\n')
  study = changed(search_recipe=str(recipe), tournament_seeds=(1,))
  study.hold_to_recipes()
  study.hold_to_recipes()
  kept = pathlib.Path(study.study_dir, 'recipes')
  assert sorted(path.name for path in kept.iterdir()) == [
    'choose.gin',
    'search.gin',
    'train.gin',
  ]
  recipe.write_text(
    'SearchConfig.train_steps = 30000\nSupernetConfig.num_layers = 7\n'
  )
  message = (
    f'{kept}/search.gin has `SupernetConfig.num_layers = 12`, and {recipe} has '
    '`SupernetConfig.num_layers = 7` now'
  )
  with pytest.raises(ValueError, match=re.escape(message)):
    study.hold_to_recipes()


def test_more_genotypes_and_seeds_are_no_other_recipe(study, changed):
  study.hold_to_recipes()
  changed(num_random=9, train_seeds=(0, 4, 5)).hold_to_recipes()


def test_more_random_genotypes_leave_those_that_are_there(study, changed):
  study.draw()
  before = study.genotype_path('random-02').stat().st_mtime_ns
  more = changed(num_random=5)
  more.draw()
  assert study.genotype_path('random-02').stat().st_mtime_ns == before
  assert more.genotype_path('random-04').exists()


@pytest.mark.parametrize(
  ('fields', 'message'),
  [
    (
      {'num_random': -1, 'num_repeated': -1},
      r'random` \(-1\) must be at least',
    ),
    ({'num_repeated': 33}, r'repeated` \(33\) must be at most `num_random`'),
    ({'train_seeds': ()}, r'train_seeds` \(\(\)\) must be at least one'),
    ({'train_seeds': (1, 1)}, 'must be 0 or more each, without repetition'),
    ({'search_seeds': (-1,)}, 'must be 0 or more each, without repetition'),
    ({'search_seeds': (True,)}, 'must be a list of integers'),
    ({'train_seeds': 3}, 'must be a list of integers'),
    ({'train_settings': 'A.b = 1'}, 'must be a list of bindings'),
    ({'train_recipe': 3}, 'must be of type str'),
  ],
)
def test_a_configuration_is_checked(fields, message):
  with pytest.raises(ValueError, match=message):
    configs.StudyConfig(**fields)
