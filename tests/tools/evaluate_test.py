# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""`tools/evaluate.py` as a user runs it."""

import json
import shutil

import numpy as np
import pytest

from auto_deeplab.data import tfrecord
from auto_deeplab.training import evaluator, experiment
from tests.tools import tool_runs
from tests.training import tiny

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A data set, and a training of one step."""
  path = tmp_path_factory.mktemp('evaluate_tool')
  tiny.write_data(path)
  config = tiny.train_config(schedule={'train_steps': 1})
  place = experiment.Place(str(path / 'data'), str(path / 'run'))
  experiment.run_training(config, tiny.GENOTYPE, place)
  return path


def test_prints_and_writes_the_scores(folder):
  result = tool_runs.run('evaluate', cwd=folder, data_dir='data', run_dir='run')
  assert result.returncode == 0, result.stderr
  assert result.stderr == ''
  report = json.loads((folder / 'run' / 'evaluation-val.json').read_text())
  assert (report.pop('step'), report.pop('split')) == (1, 'val')
  matrix = np.array(report.pop('confusion_matrix'))
  names = tfrecord.load_info(folder / 'data').class_names
  assert report == pytest.approx(evaluator.summarize(matrix, names))
  *scores, written, following = result.stdout.splitlines()
  assert [line.split() for line in scores] == [
    [name, f'{value:.4f}'] for name, value in report.items()
  ]
  assert written == 'Wrote run/evaluation-val.json. Next:'
  assert following == (
    '  python tools/export.py --run_dir=run --output_dir=run/saved_model'
  )


def test_a_missing_run_is_refused(folder):
  result = tool_runs.run('evaluate', cwd=folder, data_dir='data', run_dir='no')
  message = (
    "evaluate: no/config.gin does not exist; is 'no' the folder of a run?"
  )
  tool_runs.assert_refused(result, message, folder / 'no')


def test_a_checkpoint_of_another_configuration_is_refused(folder, tmp_path):
  run_dir = shutil.copytree(
    folder / 'run',
    tmp_path / 'run',
    ignore=shutil.ignore_patterns('evaluation-*'),
  )
  config = run_dir / 'config.gin'
  config.write_text(
    config.read_text().replace('aspp_filters = 8', 'aspp_filters = 16')
  )
  result = tool_runs.run(
    'evaluate', cwd=folder, data_dir='data', run_dir=run_dir
  )
  assert result.returncode == 1
  (line,) = result.stderr.splitlines()
  assert line.startswith(
    f'evaluate: checkpoint {run_dir}/checkpoints/ckpt-1 does not fit this '
    'configuration, or is damaged: '
  )
  assert not list(run_dir.glob('*evaluation*'))
