# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""`tools/train.py` as a user runs it."""

import json
import re

import pytest

from auto_deeplab import configs
from auto_deeplab.runs import run_folder
from tests import tiny
from tests.tools import tool_runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A data set, a recipe and a genotype."""
  path = tmp_path_factory.mktemp('train_tool')
  tiny.write_data(path)
  config = tiny.train_config(schedule={'train_steps': 2})
  (path / 'recipe.gin').write_text(configs.to_gin(config))
  tiny.GENOTYPE.save(path / 'genotype.json')
  return path


def test_prints_progress_and_what_comes_next_and_nothing_else(folder):
  result = tool_runs.run(
    'train',
    cwd=folder,
    gin_file='recipe.gin',
    genotype='genotype.json',
    data_dir='data',
    run_dir='run',
  )
  assert result.returncode == 0, result.stderr
  first, last = result.stdout.splitlines()
  assert re.fullmatch(
    r'Wrote run/checkpoints; mIoU on val is 0\.\d{4}\. Next:', first
  )
  assert last == (
    '  python tools/export.py --run_dir=run --output_dir=run/saved_model'
  )
  *begun, one, two, scores = result.stderr.splitlines()
  assert len(begun) == 2  # `opening_test` holds what they say.
  assert all(line.startswith('train: ') for line in begun)
  assert one.startswith('train 1/2 | ')
  assert two.startswith('train 2/2 | ')
  assert re.fullmatch(
    r'train 2/2 \| eval mean_iou 0\.\d{4} pixel_accuracy 0\.\d{4} .*', scores
  )
  names = {path.name for path in (folder / 'run').iterdir()}
  assert names == {
    'best',
    'checkpoints',
    'config.gin',
    'dataset.json',
    'genotype.json',
    'metrics.jsonl',
    'start.json',
    'starts.jsonl',
    'summaries',
  }


def test_a_changed_configuration_is_shown_as_a_diff(folder):
  run_dir = folder / 'begun'
  config = tiny.train_config(schedule={'train_steps': 2})
  run_folder.RunFolder(run_dir).claim(config, {})
  text = (run_dir / 'config.gin').read_text()
  result = tool_runs.run(
    'train',
    cwd=folder,
    gin_file='recipe.gin',
    gin_bindings='InputConfig.batch_size = 4',
    genotype='genotype.json',
    data_dir='data',
    run_dir='begun',
  )
  assert result.returncode == 1
  message, old, new, _, *lines = result.stderr.splitlines()
  assert message == (
    'train: begun/config.gin has `InputConfig.batch_size = 2`, this run has '
    '`InputConfig.batch_size = 4`; take another run folder, or the '
    'configuration that the run was started with. --allow_config_change goes '
    'on with this one.'
  )
  assert (old, new) == ('--- begun/config.gin', '+++ this run')
  assert lines == ['-InputConfig.batch_size = 2', '+InputConfig.batch_size = 4']
  assert (run_dir / 'config.gin').read_text() == text


def test_a_genotype_of_another_version_is_refused(folder):
  document = json.loads((folder / 'genotype.json').read_text())
  text = json.dumps(document | {'version': 2})
  (folder / 'other.json').write_text(text)
  result = tool_runs.run(
    'train',
    cwd=folder,
    gin_file='recipe.gin',
    genotype='other.json',
    data_dir='data',
    run_dir='new',
  )
  assert result.stderr.startswith('train: other.json: ')
  assert '2' in result.stderr
  tool_runs.assert_refused(result, result.stderr.strip(), folder / 'new')


def test_an_unknown_binding_is_refused(folder):
  result = tool_runs.run(
    'train',
    cwd=folder,
    gin_bindings='InputConfig.batch_sise = 2',
    data_dir='data',
    run_dir='new',
  )
  message = (
    'train: `InputConfig.batch_sise` is no setting; did you mean '
    '`InputConfig.batch_size`?'
  )
  tool_runs.assert_refused(result, message, folder / 'new')


def test_a_missing_run_to_begin_with_is_refused(folder):
  result = tool_runs.run(
    'train',
    cwd=folder,
    gin_file='recipe.gin',
    genotype='genotype.json',
    data_dir='data',
    run_dir='new',
    init_run_dir='nowhere',
  )
  message = 'train: --init_run_dir (nowhere) does not exist.'
  tool_runs.assert_refused(result, message, folder / 'new')
