# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The door of a run: nothing is left behind before it is claimed."""

import json

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.runs import provenance
from auto_deeplab.runs import run as run_lib
from tests import tiny

DEFINITION = {'dataset.json': '{}'}
STRATEGY = tf.distribute.OneDeviceStrategy('/cpu:0')


def make(path, definition=None, **runtime):
  place = run_lib.Place(data_dir='', run_dir=str(path))
  runtime = {'steps_per_loop': 2, 'checkpoint_interval': 2, **runtime}
  config = tiny.train_config(runtime=runtime)
  return run_lib.Run(place, config, definition or DEFINITION)


def resume(run):
  """Gives the run a state that is one number; returns its steps, and it."""
  step = tf.Variable(0, dtype=tf.int64)
  model = tf.keras.Sequential([tf.keras.layers.Dense(1, use_bias=False)])
  model.build([1, 1])
  run.resume(step, model=model)
  return step, model.variables[0]


def rows(run):
  text = (run.path / 'metrics.jsonl').read_text()
  return [json.loads(line) for line in text.splitlines()]


def test_a_run_that_is_not_claimed_leaves_nothing(tmp_path):
  with make(tmp_path / 'run').opened(STRATEGY) as run:
    assert (run.first_step, run.checkpoint) == (0, None)
    resume(run)
    assert [path.name for path in run.path.iterdir()] == ['lock']
  assert list(tmp_path.iterdir()) == []


def test_the_folder_of_another_run_is_refused_before_it_is_opened(tmp_path):
  with make(tmp_path).opened(STRATEGY) as run:
    resume(run)
    run.claim()
  files = sorted(path.name for path in tmp_path.iterdir())
  assert files == ['config.gin', 'dataset.json', 'starts.jsonl']
  make(tmp_path)
  with pytest.raises(ValueError, match=r'dataset\.json differs from what'):
    make(tmp_path, {'dataset.json': '[]'})
  with pytest.raises(ValueError, match=r'has `RuntimeConfig\.seed = '):
    make(tmp_path, seed=99)


def test_each_claim_keeps_the_command(tmp_path):
  for steps in (0, 2):
    with make(tmp_path).opened(STRATEGY) as run:
      step, _ = resume(run)
      run.claim()
      step.assign(2)
      run.save()
    assert provenance.load(tmp_path)[-1].step == steps
  assert len(provenance.load(tmp_path)) == 2


def test_one_process_has_it_open(tmp_path):
  second = make(tmp_path)
  with (
    make(tmp_path).opened(STRATEGY),
    pytest.raises(ValueError, match='is in use by another run'),
    second.opened(STRATEGY),
  ):
    pytest.fail('two have opened it.')
  with second.opened(STRATEGY):
    assert (tmp_path / 'lock').exists()
  assert not (tmp_path / 'lock').exists()


def test_it_goes_on_from_what_it_saved(tmp_path):
  with make(tmp_path).opened(STRATEGY) as run:
    step, number = resume(run)
    for value in (1, 2, 3):
      step.assign(value)
      number.assign([[10.0 * value]])
      run.save_if_due()
    assert run.step == 3
    assert run.checkpoint == str(tmp_path / 'checkpoints/ckpt-2')
  with make(tmp_path).opened(STRATEGY) as run:
    assert run.first_step == 2
    _, number = resume(run)
    assert (run.step, number.numpy().item()) == (2, 20.0)


def test_what_it_records_is_forgotten_where_it_comes_again(tmp_path):
  with make(tmp_path).opened(STRATEGY) as run:
    step, _ = resume(run)
    for value in (2, 4):
      step.assign(value)
      run.record({'loss': value / 8}, steps_per_second=1.0)
      run.save()
      run.record_scores({'mean_iou': value / 10})
    step.assign(5)
    run.save_in_loop({'loss': [0.5]})
    run.record_row({'genotype': 'x'})
    assert run.forget_what_comes_again(keep_scores=True) == {'loss': [0.5]}
    assert run.scores() == {}
    step.assign(4)
    assert run.forget_what_comes_again(keep_scores=True) == {}
    assert run.scores() == {'mean_iou': 0.4}
    step.assign(3)
    run.forget_what_comes_again(keep_scores=True)
    assert rows(run) == [
      {'step': 2, 'loss': 0.25},
      {'step': 2, 'eval/mean_iou': 0.2},
    ]
  # The best one was of step 4, which is still to come.
  assert list((tmp_path / 'best').iterdir()) == []


def test_tensorboard_has_its_numbers_and_scores(tmp_path):
  with make(tmp_path).opened(STRATEGY) as run:
    step, _ = resume(run)
    step.assign(2)
    run.record_pictures({'lattice': np.zeros((6, 4, 3), np.uint8)})
    run.record({'train/loss': 0.5}, steps_per_second=3.0)
    run.save()
    run.record_scores({'mean_iou': 0.25})
  found = {
    (folder.name, value.tag): tf.make_ndarray(value.tensor).tolist()
    for folder in (tmp_path / 'summaries', tmp_path / 'summaries/eval')
    for file in folder.glob('events*')
    for event in tf.compat.v1.train.summary_iterator(str(file))
    for value in event.summary.value
  }
  # TensorFlow's format of pictures: width, height, and a PNG each.
  width, height, picture = found.pop(('summaries', 'lattice'))
  assert (width, height) == (b'4', b'6')
  assert tf.io.decode_png(picture).shape == (6, 4, 3)
  assert found == {
    ('summaries', 'train/loss'): 0.5,
    ('summaries', 'steps_per_second'): 3.0,
    ('eval', 'mean_iou'): 0.25,
  }
