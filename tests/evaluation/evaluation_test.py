# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Evaluations of a training, as `tools/evaluate.py` asks for them."""

import json
import shutil

import numpy as np
from PIL import Image
import pytest

from auto_deeplab import configs
from auto_deeplab.evaluation import evaluation, metrics, picture_scores
from auto_deeplab.experiments import train
from auto_deeplab.runs import run as run_lib
from tests import tiny
from tests.experiments import runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Data with and without labels, and a training of two steps."""
  path = tmp_path_factory.mktemp('evaluation')
  tiny.write_data(path)
  tiny.write_unlabelled_data(path)
  config = tiny.train_config(
    runtime={'checkpoint_interval': 1}, schedule={'train_steps': 2}
  )
  place = run_lib.Place(str(path / 'data'), str(path / 'run'))
  train.run(config, tiny.GENOTYPE, place)
  return path


def _place(folder, data='data', split='val'):
  return run_lib.Place(
    str(folder / data), str(folder / 'run'), eval_split=split
  )


def _name_newest(folder, step):
  """Lets the folder be as the training left it at a step."""
  (folder / 'run/checkpoints/checkpoint').write_text(
    f'model_checkpoint_path: "ckpt-{step}"\n'
    f'all_model_checkpoint_paths: "ckpt-{step}"\n'
  )


def test_the_training_s_own_scores_come_back(folder):
  found = evaluation.run(_place(folder))
  rows = (folder / 'run/metrics.jsonl').read_text().splitlines()
  (scores,) = (r for r in map(json.loads, rows) if 'eval/mean_iou' in r)
  assert scores.pop('step') == found.step == 2
  assert {k.removeprefix('eval/'): v for k, v in scores.items()} == (
    pytest.approx(found.scores)
  )


@pytest.mark.parametrize(
  ('precision', 'distribution'),
  [
    ('float32', 'one_device'),
    ('mixed_bfloat16', 'one_device'),
    # Where each replica has moving statistics of its own.
    ('float32', 'mirrored'),
  ],
)
def test_a_training_scores_its_checkpoint_as_evaluate_does(
  data_dir, tmp_path, precision, distribution
):
  run_dir = tmp_path / 'run'
  scores = runs.train(
    data_dir,
    run_dir,
    {'distribution': distribution},
    runtime={
      'precision': precision,
      'steps_per_loop': 15,
      'checkpoint_interval': 15,
    },
    schedule={'train_steps': 30},
    weight_optimizer={'learning_rate': 0.05},
  )
  # Of a few classes, or it is equal by chance.
  assert sum(key.startswith('iou/') for key in scores) > 3
  place = run_lib.Place(str(data_dir), str(run_dir))
  assert evaluation.run(place).scores == scores
  (row,) = (r for r in runs.metrics(run_dir) if 'eval/mean_iou' in r)
  assert row == {'step': 30} | {f'eval/{k}': v for k, v in scores.items()}


def test_predictions_are_those_that_are_scored(folder, tmp_path):
  config = configs.EvalConfig(scales=(0.75, 1.0), use_flip=True)
  found = evaluation.run(_place(folder), config, predictions_dir=tmp_path)
  assert found.config == config
  paths = sorted(tmp_path.iterdir())
  labels = sorted((folder / 'pictures/labels/val').iterdir())
  assert found.num_predictions == 3
  assert [p.name for p in paths] == [p.name for p in labels]
  matrix = sum(
    metrics.confusion_matrix(
      np.asarray(Image.open(label)), np.asarray(Image.open(path)), 7
    )
    for label, path in zip(labels, paths)
  )
  np.testing.assert_array_equal(matrix, found.confusion_matrix)


def test_a_split_without_labels_is_refused_unless_predictions_are_written(
  folder, tmp_path
):
  place = _place(folder, 'unlabelled', 'test')
  message = (
    '`split` (test) of the data set folder has no labels to compare with; its '
    'predictions can be written (evaluate.py --write_predictions).'
  )
  with pytest.raises(ValueError) as error:
    evaluation.run(place)
  assert str(error.value) == message
  with pytest.raises(ValueError) as error:
    next(evaluation.follow(place, configs.EvalConfig()))
  assert str(error.value) == message
  with pytest.raises(ValueError) as error:
    train.run(tiny.train_config(), tiny.GENOTYPE, place)
  assert str(error.value) == message
  found = evaluation.run(place, predictions_dir=tmp_path)
  assert (found.scores, found.num_predictions) == ({}, 3)
  assert len(list(tmp_path.iterdir())) == 3


def test_a_training_is_followed_to_its_last_step(folder):
  _name_newest(folder, 1)
  steps = []
  for found in evaluation.follow(_place(folder), configs.EvalConfig()):
    steps.append(found.step)
    _name_newest(folder, 2)
  assert steps == [1, 2]
  assert found.scores == evaluation.run(_place(folder)).scores


def test_patience_ends(folder):
  _name_newest(folder, 1)
  following = evaluation.follow(
    _place(folder), configs.EvalConfig(patience_seconds=0.5)
  )
  assert next(following).step == 1
  with pytest.raises(TimeoutError) as error:
    next(following)
  assert str(error.value) == (
    f'{folder}/run/checkpoints got no new checkpoint for 0.5 seconds '
    '(`EvalConfig.patience_seconds`).'
  )
  _name_newest(folder, 2)


_MANY = configs.EvalConfig(scales=(0.5, 1), use_flip=True)


@pytest.mark.parametrize(
  ('step', 'config', 'name'),
  [
    (800, configs.EvalConfig(), 'evaluation-val-800'),
    (900, configs.EvalConfig(), 'evaluation-val-900'),
    # The scores are the same.
    (800, configs.EvalConfig(patience_seconds=1.0), 'evaluation-val-800'),
    (800, _MANY, 'evaluation-val-800-scales=0.5,1.0-use_flip=True'),
    (
      800,
      configs.EvalConfig(window_size=(65, 97), window_stride=(33, 33)),
      'evaluation-val-800-window_size=65,97-window_stride=33,33',
    ),
  ],
)
def test_scores_of_another_step_or_setting_are_another_file(
  tmp_path, step, config, name
):
  matrix = np.zeros([2, 2], np.int64)
  scores = {'mean_iou': 0.5}
  found = evaluation.Evaluation(step, 'val', config, scores, matrix)
  assert evaluation.write(found, tmp_path) == tmp_path / f'{name}.json'
  report = json.loads((tmp_path / f'{name}.json').read_text())
  assert (report['step'], report['mean_iou']) == (step, 0.5)


@pytest.mark.parametrize(('worker', 'suffix'), [(0, ''), (2, '-worker=2')])
def test_pictures_of_another_setting_or_worker_are_another_file(
  tmp_path, worker, suffix
):
  matrix = np.eye(2, dtype=np.int64)
  scores = picture_scores.score('a.png', matrix, ('a', 'b'))
  found = evaluation.Evaluation(
    800,
    'val',
    _MANY,
    {'mean_iou': 1.0},
    matrix,
    pictures=(scores,),
    worker=worker,
  )
  evaluation.write(found, tmp_path)
  name = f'val-800-scales=0.5,1.0-use_flip=True{suffix}'
  (row,) = (tmp_path / f'pictures-{name}.jsonl').read_text().splitlines()
  assert json.loads(row)['name'] == 'a.png'
  assert evaluation.examples_dir(found, tmp_path).name == f'examples-{name}'


def test_examples_are_of_the_pictures_that_are_scored(folder):
  found = evaluation.run(_place(folder), num_examples=1)
  assert len(found.pictures) == 3
  (worst,), (best,) = found.worst, found.best
  assert worst.scores == found.pictures[0]
  assert best.scores == found.pictures[-1]
  assert evaluation.run(_place(folder)).worst == ()


@pytest.mark.parametrize(
  ('path', 'is_own'),
  [
    ('run/checkpoints/ckpt-2', True),
    ('run/best/ckpt-2', True),
    ('other/checkpoints/ckpt-2', False),
    ('run/post_mortem/ckpt-2', False),
  ],
)
def test_scores_of_a_foreign_checkpoint_are_another_file(
  folder, tmp_path, path, is_own
):
  target = folder / path
  if not target.parent.exists():
    shutil.copytree(folder / 'run/checkpoints', target.parent)
  found = evaluation.run(_place(folder), checkpoint=str(target))
  name = evaluation.write(found, tmp_path).name
  if is_own:
    assert name == 'evaluation-val-2.json'
  else:
    shown = str(target.resolve())[1:].replace('/', '_')
    assert name == f'evaluation-val-2-checkpoint={shown}.json'


def test_rows_of_another_setting_are_in_another_file(tmp_path):
  matrix = np.zeros([2, 2], np.int64)
  for step, config in ((1, configs.EvalConfig()), (2, _MANY)):
    evaluation.append(
      evaluation.Evaluation(step, 'val', config, {'mean_iou': 0.5}, matrix),
      tmp_path,
    )
  rows = {path.name: path.read_text() for path in tmp_path.iterdir()}
  assert rows == {
    'evaluation-val.jsonl': '{"step": 1, "mean_iou": 0.5}\n',
    'evaluation-val-scales=0.5,1.0-use_flip=True.jsonl': (
      '{"step": 2, "mean_iou": 0.5}\n'
    ),
  }


def test_a_table_has_a_line_a_class():
  scores = {'mean_iou': 0.5, 'iou/sky': 0.25, 'boundary_iou/sky': 0.125}
  assert evaluation.table(scores | {'iou/traffic light': 1.0}).splitlines() == [
    'mean_iou                 0.5000',
    'class                    iou    boundary_iou',
    'sky                      0.2500 0.1250',
    'traffic light            1.0000 -',
  ]
