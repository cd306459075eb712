# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The best checkpoint outlives the newest ones."""

import json

import pytest
import tensorflow as tf

from auto_deeplab.runs import best, checkpoints
from tests import counting


def write(folder, step):
  checkpoint = tf.train.Checkpoint(step=tf.Variable(step))
  return checkpoints.write(checkpoint, folder / 'checkpoints', step)


def read(prefix):
  return tf.train.load_variable(prefix, 'step/.ATTRIBUTES/VARIABLE_VALUE')


def names(folder):
  return sorted(path.name for path in folder.iterdir())


def test_the_first_of_the_best_is_kept(tmp_path):
  keeper = best.Best(tmp_path / 'best')
  assert keeper.load() is None
  nan = float('nan')
  for step, score in enumerate((nan, 0.25, 0.5, 0.5, 0.375, nan)):
    keeper.update(write(tmp_path, step), step, score)
  assert keeper.load() == {'step': 2, 'mean_iou': 0.5, 'checkpoint': 'ckpt-2'}
  assert names(tmp_path / 'best') == [
    *('best.json', 'ckpt-2.data-00000-of-00001', 'ckpt-2.index')
  ]
  assert best.path_of(tmp_path) == str(tmp_path / 'best' / 'ckpt-2')
  assert read(best.path_of(tmp_path)) == 2


def test_one_beyond_the_resumed_step_is_forgotten(tmp_path):
  keeper = best.Best(tmp_path / 'best')
  keeper.forget_after(0)
  keeper.update(write(tmp_path, 4), 4, 0.5)
  keeper.forget_after(4)
  assert keeper.load() is not None
  keeper.forget_after(3)
  assert names(tmp_path / 'best') == []
  with pytest.raises(FileNotFoundError) as error:
    best.path_of(tmp_path)
  assert str(error.value) == (
    f'{tmp_path}/best/best.json does not exist; has the training made an '
    'evaluation yet?'
  )


@pytest.mark.parametrize('text', ['{"step": 4', '{"step": 4}', '[]'])
def test_a_damaged_file_is_named(tmp_path, text):
  (tmp_path / 'best').mkdir()
  (tmp_path / 'best' / 'best.json').write_text(text)
  with pytest.raises(ValueError) as error:
    best.path_of(tmp_path)
  assert str(error.value).startswith(
    f'{tmp_path}/best/best.json is damaged, or of another version: '
  )


def test_a_training_keeps_its_best(tmp_path):
  # The score is the sum of the numbers so far, so the last is the best.
  scores = counting.run(tmp_path)
  kept = json.loads((tmp_path / 'best' / 'best.json').read_text())
  assert kept == {**scores, 'step': 10, 'checkpoint': 'ckpt-10'}
  counting.run(tmp_path / 'search', evaluates=False)
  assert not (tmp_path / 'search' / 'best').exists()
