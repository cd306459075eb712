# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The notebook: what it names is there, and it runs from first cell to last."""

import configparser
import json
import re
import shutil
import sys

import nbformat
import pytest

import auto_deeplab as adl
from auto_deeplab import configs, environment
from tests import import_graph, pages

_PATH = import_graph.ROOT / 'docs/notebooks/quickstart.ipynb'
_NOTEBOOK = nbformat.read(_PATH, as_version=4)
_COMMAND = re.compile(r'^!auto-deeplab (\w+)(.*)$', re.MULTILINE)
_BINDING = re.compile(r"--gin_bindings='([^']+)'")
_KINDS = {'search': configs.SearchExperiment, 'train': configs.TrainExperiment}
# Of the samples, the search, the lattice, the cell, the training, what the
# network and what its export predict.
_NUM_PICTURES = 7


def _sources(kind: str) -> list[str]:
  return [c.source for c in _NOTEBOOK.cells if c.cell_type == kind]


def _commands() -> list[tuple[str, str]]:
  """Verbs with their arguments, in order."""
  text = pages.as_commands('\n'.join(_sources('code')))
  return _COMMAND.findall(text)


def test_it_is_valid_and_holds_no_outputs():
  nbformat.validate(_NOTEBOOK)
  cells = [c for c in _NOTEBOOK.cells if c.cell_type == 'code']
  assert [c for c in cells if c.outputs or c.execution_count] == []


def test_its_first_cell_names_the_versions_of_the_package():
  named = re.findall(r'`([\w-]+ ~= [\d.]+)`', _sources('markdown')[0])
  assert len(named) == 3
  parser = configparser.ConfigParser()
  parser.read(import_graph.ROOT / 'setup.cfg')
  lines = parser['options']['install_requires'].splitlines()
  for requirement in named:
    assert f"{requirement} ; python_version >= '3.12'" in lines


def test_its_commands_are_the_chain_with_flags_that_exist():
  commands = _commands()
  assert [verb for verb, _ in commands] == [
    'build_tfrecords',
    'inspect_dataset',
    'search',
    'decode',
    'train',
    'evaluate',
    'export',
  ]
  for verb, arguments in commands:
    assert set(re.findall(r'--(\w+)', arguments)) <= pages.flags(verb).keys()


@pytest.mark.parametrize('verb', list(_KINDS))
def test_its_settings_are_those_of_the_recipe(verb):
  arguments = dict(_commands())[verb]
  (recipe,) = re.findall(r'--gin_file=(\w+)', arguments)
  bindings = _BINDING.findall(arguments)
  assert bindings
  configs.load(_KINDS[verb], [recipe], bindings)


@pytest.fixture(scope='module')
def executed(tmp_path_factory):
  """The folder of an execution, and the notebook with its outputs."""
  if environment.tensorflow_version() != '2.20':
    pytest.skip('the notebook is for TensorFlow 2.20, as Colab has it.')
  assert shutil.which('auto-deeplab', path=f'{sys.exec_prefix}/bin'), (
    'the command is not installed: run `make setup`'
  )
  import nbclient

  folder = tmp_path_factory.mktemp('notebook')
  notebook = nbformat.from_dict(_NOTEBOOK)
  with pytest.MonkeyPatch.context() as patch:
    # Without a backend of ours the pictures come inline.
    patch.delenv('MPLBACKEND', raising=False)
    patch.setenv('PYTHONPATH', str(import_graph.ROOT))
    nbclient.NotebookClient(
      notebook,
      timeout=1200,  # Seconds a cell.
      resources={'metadata': {'path': str(folder)}},
    ).execute()
  return folder, notebook


def _outputs(notebook, kind: str):
  return [
    output
    for cell in notebook.cells
    if cell.cell_type == 'code'
    for output in cell.outputs
    if output.output_type == kind
  ]


@pytest.mark.chain
def test_it_runs_on_this_python_and_this_package(executed):
  _, notebook = executed
  text = ''.join(o.text for o in _outputs(notebook, 'stream'))
  version = sys.version.split()[0]
  assert f'Auto-DeepLab {adl.__version__} on Python {version}\n' in text


@pytest.mark.chain
def test_it_finds_a_genotype_and_shows_it(executed):
  folder, notebook = executed
  genotype = adl.Genotype.load(folder / 'runs/quickstart/decoded/genotype.json')
  assert (genotype.num_layers, genotype.num_blocks) == (5, 3)
  shown = '\n'.join([str(genotype.backbone), *map(str, genotype.cell)])
  assert shown in ''.join(o.text for o in _outputs(notebook, 'stream'))


@pytest.mark.chain
def test_it_trains_a_network_that_segments(executed):
  folder, _ = executed
  (path,) = folder.glob('runs/quickstart/train/evaluation-val-*.json')
  scores = json.loads(path.read_text())
  # 0.85 was reached; a network that says "ground" everywhere has 0.06.
  assert scores['mean_iou'] > 0.6


@pytest.mark.chain
def test_its_pictures_are_inline(executed):
  _, notebook = executed
  shown = _outputs(notebook, 'display_data')
  pictures = [output for output in shown if 'image/png' in output.data]
  assert len(pictures) == _NUM_PICTURES
