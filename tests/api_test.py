# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The Python way in: what it gives, what it costs, and its page of programs."""

import dataclasses
import pathlib
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import auto_deeplab as adl
from auto_deeplab import api, configs
from auto_deeplab.architecture import genotype as genotype_lib
from tests import import_graph, tiny
from tests.computing import process_settings  # noqa: F401
from tests.experiments import runs

PAGE = (import_graph.ROOT / 'docs/api.md').read_text(encoding='utf-8')
PROGRAMS = re.findall(r'^```python\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL)


def modules_after(statement: str) -> set[str]:
  """Modules that a statement imports in a fresh process, by their tops."""
  program = f"""
import sys
before = set(sys.modules)
{statement}
print(*(set(sys.modules) - before))
"""
  done = subprocess.run(
    [sys.executable, '-c', program],
    cwd=import_graph.ROOT,
    check=True,
    capture_output=True,
    text=True,
  )
  return {name.partition('.')[0] for name in done.stdout.split()}


def test_importing_the_package_loads_no_other():
  loaded = modules_after('import auto_deeplab')
  assert loaded - set(sys.stdlib_module_names) == {'auto_deeplab'}


def test_tensorflow_is_loaded_by_the_first_name_that_needs_it():
  loaded = modules_after('import auto_deeplab as adl; adl.Genotype')
  assert 'numpy' in loaded
  assert 'tensorflow' not in loaded
  assert 'tensorflow' in modules_after(
    'import auto_deeplab as adl; adl.segmenter'
  )


def test_dir_help_and_the_page_have_every_name():
  assert adl.__all__ == sorted(adl.__all__)
  assert set(adl.__all__) <= set(dir(adl))
  for name in adl.__all__:
    assert f'adl.{name} ' in (adl.__doc__ or '')
    assert f'`adl.{name}' in PAGE


def test_the_names_are_those_of_their_homes():
  for name in ('decode', 'load', 'segmenter', 'supernet'):
    assert getattr(adl, name) is getattr(api, name)
  assert adl.Genotype is genotype_lib.Genotype


def test_another_name_is_refused_as_by_any_module():
  with pytest.raises(AttributeError) as error:
    adl.segmentor  # noqa: B018
  assert (
    str(error.value) == "module 'auto_deeplab' has no attribute 'segmentor'"
  )


@pytest.mark.parametrize('size, multiplier', [('s', 20), ('m', 32), ('l', 48)])
def test_a_size_is_that_of_the_paper(size, multiplier):
  model = adl.segmenter(size)
  assert model.genotype == genotype_lib.PUBLISHED
  assert model.num_classes == 19
  assert model.config == configs.SegmenterConfig(filter_multiplier=multiplier)


def test_keywords_are_settings():
  model = adl.segmenter(
    's', 5, filter_multiplier=4, dropout_rate=0.0, seed=7, drop_path_steps=9
  )
  assert model.num_classes == 5
  assert model.config == configs.SegmenterConfig(
    filter_multiplier=4, dropout_rate=0.0
  )
  settings = model.get_config()
  assert (settings['seed'], settings['drop_path_steps']) == (7, 9)
  supernet = adl.supernet(5, num_layers=2, filter_multiplier=4, seed=7)
  assert supernet.config == configs.SupernetConfig(
    num_layers=2, filter_multiplier=4
  )
  assert supernet.get_config()['seed'] == 7


def test_a_genotype_comes_as_itself_or_as_its_file(tmp_path):
  tiny.GENOTYPE.save(tmp_path / 'genotype.json')
  paths = (tmp_path / 'genotype.json', str(tmp_path / 'genotype.json'))
  for network in (tiny.GENOTYPE, *paths):
    model = adl.segmenter(network, 3)
    assert model.genotype == tiny.GENOTYPE
    assert model.config == configs.SegmenterConfig()


@pytest.mark.parametrize(
  'arguments, error_type, message',
  [
    (
      ('xl',),
      FileNotFoundError,
      "`network` ('xl') must be one of ('s', 'm', 'l'), a genotype, or the "
      'path of a genotype.json; there is no such file.',
    ),
    (
      ('s', 1),
      ValueError,
      '`num_classes` (1) must be a whole number of at least 2.',
    ),
    (
      ('s', 2.5),
      ValueError,
      '`num_classes` (2.5) must be a whole number of at least 2.',
    ),
    (
      (3,),
      TypeError,
      "`network` (3) must be one of ('s', 'm', 'l'), a genotype, or a path.",
    ),
    (
      ('/',),
      ValueError,
      "`network` ('/') is a folder; of the run folder of a search take "
      '`adl.decode`, of that of a training `adl.load`.',
    ),
  ],
)
def test_what_is_no_network_is_refused(arguments, error_type, message):
  with pytest.raises(error_type) as error:
    adl.segmenter(*arguments)
  assert str(error.value) == message


def test_no_schedule_of_no_steps():
  with pytest.raises(ValueError, match=r'^`drop_path_steps` \(0\) must be'):
    adl.segmenter('s', drop_path_steps=0)


def test_an_unknown_setting_is_named():
  with pytest.raises(TypeError, match="argument 'filters'"):
    adl.segmenter('s', filters=4)
  with pytest.raises(TypeError, match="argument 'filters'"):
    adl.supernet(filters=4)


def test_a_supernet_is_decoded():
  supernet = adl.supernet(3, num_layers=2, num_blocks=1)
  # Of each edge the seventh primitive, and always to the coarser level.
  supernet.alphas.assign(tf.one_hot([6, 6], 8))
  supernet.betas.assign(tf.broadcast_to([0.0, 0.0, 9.0], [2, 4, 3]))
  assert adl.decode(supernet) == adl.Genotype(
    cell=(((0, 'atrous_conv_3x3'), (1, 'atrous_conv_3x3')),), backbone=(1, 2)
  )


@pytest.fixture(scope='module')
def run_dirs(tmp_path_factory) -> tuple[pathlib.Path, pathlib.Path]:
  """Folders of a search and of a training, as tools leave them."""
  root = tmp_path_factory.mktemp('runs')
  data_dir = tiny.write_data(root)
  search, train = root / 'demo/search', root / 'demo/train'
  runs.search(data_dir, search, schedule={'train_steps': 2})
  runs.train(data_dir, train, schedule={'train_steps': 1})
  return search, train


@pytest.mark.slow
def test_a_training_is_loaded(run_dirs):
  _, train = run_dirs
  trained = adl.load(train)
  assert (trained.step, trained.genotype) == (1, tiny.GENOTYPE)
  assert trained.model.num_classes == trained.dataset_info.num_classes
  best = adl.load(train, checkpoint='best')
  for value, other in zip(trained.model.variables, best.model.variables):
    np.testing.assert_array_equal(value, other)


@pytest.mark.slow
def test_a_search_is_decoded_and_not_loaded(run_dirs):
  search, _ = run_dirs
  genotype = adl.decode(search)
  assert (genotype.num_layers, genotype.num_blocks) == (2, 1)
  with pytest.raises(ValueError) as error:
    adl.load(search)
  assert str(error.value) == (
    f'{search} is the folder of a search, which has no trained segmenter. '
    f"Decode it, by `adl.decode('{search}')` or auto-deeplab decode "
    f'--run_dir={search}, train the genotype, and load that training.'
  )


@pytest.fixture
def names_of(run_dirs, tmp_path, monkeypatch):
  """Runs a program of the page in a folder with runs/; gives its names."""
  (tmp_path / 'runs').symlink_to(run_dirs[1].parents[1])
  monkeypatch.chdir(tmp_path)

  def run(number: int) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(PROGRAMS[number], names)
    return names

  return run


@pytest.mark.slow
def test_the_page_calls_a_segmenter(names_of):
  names = names_of(0)
  assert names['model'].count_params() > 10_147_427  # The trainable ones.
  assert names['logits'].dtype == tf.float32
  assert names['logits'].shape == (1, 65, 65, 19)
  assert names['labels'].shape == (1, 65, 65)


@pytest.mark.slow
def test_the_page_trains_a_segmenter(names_of):
  names = names_of(1)
  # Two epochs of two steps, as the optimizer that was loaded knows.
  assert names['model'].optimizer.iterations == 4
  logits = names['model'](names['images'])
  np.testing.assert_allclose(names['logits'], logits, atol=1e-5)


@pytest.mark.slow
def test_the_page_searches(names_of):
  names = names_of(2)
  assert np.abs(names['supernet'].alphas).max() > 0.005  # Adam has moved them.
  assert names['genotype'] == adl.decode(names['supernet'])
  assert names['genotype'] == adl.Genotype.load('genotype.json')
  assert names['model'].genotype == names['genotype']


@pytest.mark.slow
def test_the_page_uses_a_trained_network(names_of, capsys):
  assert names_of(3)['labels'].shape == (1, 120, 160)
  last_line = capsys.readouterr().out.splitlines()[-1]
  assert last_line.startswith('After 1 steps: [')


def test_the_page_has_its_four_programs():
  assert len(PROGRAMS) == 4


def test_the_fields_that_the_page_names_are_settings():
  fields = {
    field.name
    for config in (configs.SegmenterConfig, configs.SupernetConfig)
    for field in dataclasses.fields(config)
  }
  keywords = {'num_classes', 'name', 'seed', 'drop_path_steps'}
  calls = ' '.join(re.findall(r'adl\.(?:segmenter|supernet)\((.*?)\)', PAGE))
  assert set(re.findall(r'(\w+)=', calls)) <= fields | keywords


def test_a_run_is_a_chain_of_commands(monkeypatch, tmp_path):
  seen = []

  def run(chain, hours, start, tell, show):
    del tell, show
    seen.append((chain, hours, start('train')[1:]))

  monkeypatch.setattr(api.execution, 'run', run)
  monkeypatch.setattr(api, 'load', seen.append)
  adl.run(tmp_path, 3, 'out', val_fraction=0.2, skip_invalid=True)
  chain = api.chain_lib.Chain(
    str(tmp_path), 'out', ('--val_fraction=0.2', '--skip_invalid')
  )
  command = ['-P', '-m', 'auto_deeplab.cli', 'train']
  assert seen == [(chain, 3, command), 'out/train']
