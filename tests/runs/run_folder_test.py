# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A run folder belongs to one run."""

import pytest

from auto_deeplab import configs
from auto_deeplab.runs import run_folder
from tests import tiny

COPIES = {'dataset.json': '{}'}


@pytest.fixture
def folder(tmp_path):
  return run_folder.RunFolder(tmp_path / 'run')


def test_a_claimed_folder_holds_the_configuration(folder):
  config = tiny.search_config(runtime={'seed': 3})
  folder.claim(config, COPIES)
  assert folder.load_config(configs.SearchExperiment) == config
  assert (folder.path / 'dataset.json').read_text() == '{}'
  folder.claim(config, COPIES)


def test_a_changed_value_is_named(folder):
  folder.claim(tiny.train_config(), {})
  with pytest.raises(ValueError) as error:
    folder.claim(tiny.train_config(input={'batch_size': 4}), {})
  assert str(error.value) == (
    f'{folder.config} has `InputConfig.batch_size = 2`, this run has '
    '`InputConfig.batch_size = 4`; take another run folder, or the '
    'configuration that the run was started with. --allow_config_change goes '
    'on with this one.'
  )
  (note,) = error.value.__notes__
  lines = note.splitlines()
  assert lines[:2] == [f'--- {folder.config}', '+++ this run']
  assert lines[2].startswith('@@ ')
  assert lines[3:] == [
    *('-InputConfig.batch_size = 2', '+InputConfig.batch_size = 4')
  ]


def test_a_change_that_is_allowed_is_shown_and_the_old_one_kept(folder, capsys):
  first, second, third = (
    tiny.train_config(input={'batch_size': size}) for size in (2, 4, 8)
  )
  folder.claim(first, {})
  text = folder.config.read_text()
  changing = run_folder.RunFolder(folder.path, allows_change=True).of_worker(0)
  changing.check(second, {})
  assert folder.config.read_text() == text
  changing.claim(second, {}, step=6)
  assert folder.load_config(configs.TrainExperiment) == second
  old = folder.path / 'config-until-6.gin'
  assert old.read_text() == text
  lines = capsys.readouterr().err.splitlines()
  assert lines[0] == (
    f'the configuration changes at step 6; {old} keeps the old one:'
  )
  assert lines[-2:] == [
    *('-InputConfig.batch_size = 2', '+InputConfig.batch_size = 4')
  ]
  # No step was made by the second one.
  changing.claim(third, {}, step=6)
  assert old.read_text() == text
  changing.claim(third, {}, step=8)
  assert capsys.readouterr().err.count('changes at step') == 1


def test_other_primitives_are_another_search(folder):
  names = ('none', 'skip_connect', 'sep_conv_3x3')
  folder.claim(tiny.search_config(supernet={'primitives': names}), {})
  changing = run_folder.RunFolder(folder.path, allows_change=True)
  others = ('none', 'sep_conv_3x3', 'skip_connect')
  with pytest.raises(ValueError) as error:
    changing.check(tiny.search_config(supernet={'primitives': others}), {})
  assert str(error.value) == (
    f'{folder.config} searches among the primitives {names}, this run among '
    f'{others}: that is another search; take another run folder.'
  )


def test_a_search_never_becomes_a_training(folder):
  folder.claim(tiny.search_config(), {})
  changing = run_folder.RunFolder(folder.path, allows_change=True)
  with pytest.raises(ValueError, match='it is of another kind of run'):
    changing.check(tiny.train_config(), {})


def test_another_file_is_named(folder):
  folder.claim(tiny.train_config(), COPIES)
  with pytest.raises(ValueError) as error:
    folder.check(tiny.train_config(), {'dataset.json': '[]'})
  assert str(error.value) == (
    f'{folder.path}/dataset.json differs from what this run was asked to use; '
    'take another run folder.'
  )


def test_a_file_of_another_version_is_named(folder):
  folder.claim(tiny.train_config(), {'genotype.json': '{"version": 2}'})
  with pytest.raises(ValueError) as error:
    folder.check(tiny.train_config(), {'genotype.json': '{"version": 1}'})
  assert str(error.value) == (
    f'{folder.path}/genotype.json is of version 2, and this auto_deeplab reads '
    'version 1; go on with the one that wrote it.'
  )


def test_the_folder_of_a_search_takes_no_training(folder):
  folder.claim(tiny.search_config(), {})
  with pytest.raises(ValueError) as error:
    folder.check(tiny.train_config(), {})
  assert str(error.value) == (
    f'{folder.config} has no TrainConfig: it is of another kind of run; take '
    'another run folder.'
  )


def test_a_check_writes_nothing(folder):
  folder.check(tiny.train_config(), COPIES)
  assert not folder.path.exists()


def test_a_folder_without_configuration_is_named(folder):
  with pytest.raises(FileNotFoundError) as error:
    folder.load_config(configs.TrainExperiment)
  assert str(error.value) == (
    f"{folder.config} does not exist; is '{folder.path}' the folder of a run?"
  )


def test_a_damaged_configuration_is_named(folder):
  folder.path.mkdir()
  folder.config.write_text('TrainConfig.train_steps = (1')
  with pytest.raises(ValueError, match=f'^{folder.config}: '):
    folder.load_config(configs.TrainExperiment)
