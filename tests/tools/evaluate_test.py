# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""`tools/evaluate.py` as a user runs it."""

import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.evaluation import evaluation, metrics
from auto_deeplab.experiments import train
from auto_deeplab.reporting import examples
from auto_deeplab.runs import run as run_lib
from tests import tiny
from tests.tools import tool_runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A data set, and a training of one step."""
  path = tmp_path_factory.mktemp('evaluate_tool')
  tiny.write_data(path)
  tiny.write_unlabelled_data(path)
  config = tiny.train_config(schedule={'train_steps': 1})
  place = run_lib.Place(str(path / 'data'), str(path / 'run'))
  train.run(config, tiny.GENOTYPE, place)
  return path


def test_prints_and_writes_the_scores(folder):
  result = tool_runs.run('evaluate', cwd=folder, data_dir='data', run_dir='run')
  assert result.returncode == 0, result.stderr
  assert result.stderr == ''
  report = json.loads((folder / 'run' / 'evaluation-val-1.json').read_text())
  assert (report.pop('step'), report.pop('split')) == (1, 'val')
  assert configs.EvalConfig(**report.pop('config')) == configs.EvalConfig()
  matrix = np.array(report.pop('confusion_matrix'))
  assert report['mean_iou'] == pytest.approx(metrics.mean_iou(matrix))
  *scores, drawn, written, following = result.stdout.splitlines()
  assert scores == evaluation.table(report).splitlines()
  assert drawn == (
    'The worst pictures and the best are drawn in run/examples-val-1.'
  )
  assert written == 'Wrote run/evaluation-val-1.json. Next:'
  assert following == (
    '  python tools/export.py --run_dir=run --output_dir=run/saved_model'
  )


def test_tells_the_scores_of_each_picture_and_shows_some(folder):
  result = tool_runs.run(
    'evaluate', cwd=folder, data_dir='data', run_dir='run', write_examples=1
  )
  assert result.returncode == 0, result.stderr
  text = (folder / 'run/pictures-val-1.jsonl').read_text()
  rows = [json.loads(line) for line in text.splitlines()]
  images = {path.name for path in (folder / 'pictures/images/val').iterdir()}
  assert {row['name'] for row in rows} == images
  scores = [row['mean_iou'] for row in rows]
  assert scores == sorted(scores)
  report = json.loads((folder / 'run/evaluation-val-1.json').read_text())
  matrix = np.array(report['confusion_matrix'])
  assert sum(row['pixels'] for row in rows) == matrix.sum()
  right = sum(row['pixels'] * row['pixel_accuracy'] for row in rows)
  assert right == pytest.approx(np.trace(matrix))
  shown = examples.read(folder / 'run/examples-val-1').pictures
  assert [e.kind for e in shown] == ['worst', 'best']
  assert [e.name for e in shown] == [rows[0]['name'], rows[-1]['name']]


def test_follows_a_training_to_its_end(folder):
  result = tool_runs.run(
    'evaluate', cwd=folder, data_dir='data', run_dir='run', continuous=True
  )
  assert result.returncode == 0, result.stderr
  (row,) = (folder / 'run/evaluation-val.jsonl').read_text().splitlines()
  assert json.loads(row)['step'] == 1
  assert result.stdout == (
    f'step 1: mIoU {json.loads(row)["mean_iou"]:.4f}, in '
    'run/evaluation-val-1.json\n'
  )


def test_writes_predictions_of_pictures_without_labels(folder):
  result = tool_runs.run(
    'evaluate',
    cwd=folder,
    data_dir='unlabelled',
    run_dir='run',
    split='test',
    write_predictions='results',
    gin_file=tool_runs.REPOSITORY / 'gin_configs/multi_scale.gin',
  )
  assert result.returncode == 0, result.stderr
  assert result.stdout == 'Wrote 3 predictions of step 1 to results.\n'
  assert len(list((folder / 'results').iterdir())) == 3 + 1  # A legend.
  assert not list((folder / 'run').glob('evaluation-test*'))


def test_what_was_exported_has_the_scores_of_the_run(folder):
  result = tool_runs.run(
    'export', cwd=folder, run_dir='run', output_dir='model', format='tflite'
  )
  assert result.returncode == 0, result.stderr
  scores = []
  for place in (
    {'run_dir': 'run'},
    {'model_dir': 'model'},
    {'model_dir': 'model.tflite'},
  ):
    result = tool_runs.run('evaluate', cwd=folder, data_dir='data', **place)
    assert result.returncode == 0, result.stderr
    scores.append(re.split('The worst|Wrote', result.stdout)[0])
  assert scores[0].startswith('mean_iou')
  assert scores[1] == scores[2] == scores[0]


@pytest.mark.parametrize(
  ('places', 'message'),
  [
    ({}, 'one of --run_dir and --model_dir is to be given.'),
    (
      {'run_dir': 'run', 'model_dir': 'model'},
      'one of --run_dir and --model_dir is to be given.',
    ),
    (
      {'model_dir': 'model', 'continuous': True},
      '--model_dir takes neither --checkpoint nor --continuous.',
    ),
  ],
)
def test_takes_a_run_or_an_export(folder, places, message):
  result = tool_runs.run('evaluate', cwd=folder, data_dir='data', **places)
  assert (result.returncode, result.stderr) == (1, f'evaluate: {message}\n')


def test_following_takes_no_checkpoint(folder):
  result = tool_runs.run(
    'evaluate',
    cwd=folder,
    data_dir='data',
    run_dir='run',
    continuous=True,
    checkpoint='run/checkpoints/ckpt-1',
  )
  assert result.returncode == 1
  assert result.stderr == (
    'evaluate: --continuous takes neither --checkpoint nor '
    '--write_predictions.\n'
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


def test_a_checkpoint_of_a_newer_version_is_refused(folder, tmp_path):
  run_dir = shutil.copytree(folder / 'run', tmp_path / 'run')
  path = run_dir / 'checkpoints/ckpt-1'
  newer = tf.train.Checkpoint(format_version=tf.Variable(2))
  newer.write(str(path))
  result = tool_runs.run(
    'evaluate', cwd=folder, data_dir='data', run_dir=run_dir
  )
  assert result.returncode == 1
  assert result.stderr == (
    f'evaluate: checkpoint {path} is of version 2, and this auto_deeplab reads '
    'version 1: install a newer one.\n'
  )
