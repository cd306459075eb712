# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A damaged checkpoint is named, and passed over only if the user says so.

One of a newer version is named as well, and never passed over.
"""

import pytest
import tensorflow as tf

from auto_deeplab.runs import checkpoints


@pytest.fixture
def folder(tmp_path):
  """Checkpoints of the steps 2, 4 and 6."""
  step = tf.Variable(0, dtype=tf.int64)
  weights = tf.Variable(tf.zeros([1000]))
  checkpoint = tf.train.Checkpoint(global_step=step, weights=weights)
  keeper = checkpoints.Saver(checkpoint, tmp_path, interval=2, keep=3)
  for number in (2, 4, 6):
    step.assign(number)
    keeper.save(number)
  return tmp_path


def damage(folder, step, part='data-00000-of-00001'):
  path = folder / f'ckpt-{step}.{part}'
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 1
  path.write_bytes(data)


def test_whole_ones_pass(folder, tmp_path_factory):
  checkpoints.require_whole(folder)
  checkpoints.require_whole(tmp_path_factory.mktemp('empty'))
  assert checkpoints.newest_step(folder) == 6


@pytest.mark.parametrize('part', ['data-00000-of-00001', 'index'])
def test_a_damaged_one_is_named_with_what_to_do(folder, part):
  damage(folder, 6, part)
  before = sorted(folder.iterdir())
  with pytest.raises(ValueError) as error:
    checkpoints.require_whole(folder)
  message = str(error.value)
  assert message.startswith(f'checkpoint {folder}/ckpt-6 is damaged: ')
  assert message.endswith(
    '; --skip_damaged_checkpoints goes on from ckpt-4, the one before it that '
    'is whole.'
  )
  assert len(message.splitlines()) == 1
  assert sorted(folder.iterdir()) == before


def test_it_is_set_aside_where_the_user_says_so(folder, capsys):
  damage(folder, 6)
  damage(folder, 4, 'index')
  checkpoints.require_whole(folder, skip_damaged=True)
  lines = capsys.readouterr().err.splitlines()
  for line, step in zip(lines, (6, 4), strict=True):
    assert line.startswith(f'checkpoint {folder}/ckpt-{step} is damaged: ')
    assert line.endswith(
      f'; it is set aside as damaged-ckpt-{step}, the run goes on from ckpt-2.'
    )
  assert checkpoints.newest_step(folder) == 2
  assert tf.train.latest_checkpoint(str(folder)) == str(folder / 'ckpt-2')
  assert (folder / 'damaged-ckpt-6.index').exists()
  checkpoints.require_whole(folder)


@pytest.mark.parametrize('skip_damaged', [False, True])
def test_where_none_is_whole_nothing_begins_anew(folder, skip_damaged):
  for step in (2, 4, 6):
    damage(folder, step)
  with pytest.raises(ValueError) as error:
    checkpoints.require_whole(folder, skip_damaged)
  message = str(error.value)
  assert message.startswith(f'checkpoint {folder}/ckpt-6 is damaged: ')
  assert message.endswith('; none before it is whole.')
  assert checkpoints.steps(folder) == [2, 4, 6]


def test_one_of_a_newer_version_is_named(folder, monkeypatch):
  monkeypatch.setattr(checkpoints, 'VERSION', 2)
  state = tf.train.Checkpoint(model=tf.Module(), global_step=tf.Variable(8))
  path = checkpoints.write(state, folder, 8)
  monkeypatch.undo()
  checkpoints.require_whole(folder, skip_damaged=True)
  for read in (
    lambda: checkpoints.newest_step(folder),
    lambda: checkpoints.restore(state, path),
  ):
    with pytest.raises(ValueError) as error:
      read()
    assert str(error.value) == (
      f'checkpoint {path} is of version 2, and this auto_deeplab reads version '
      '1: install a newer one.'
    )


def test_one_without_a_version_is_of_the_first(tmp_path):
  step = tf.Variable(8, dtype=tf.int64)
  state = tf.train.Checkpoint(model=tf.Module(), global_step=step)
  path = state.write(str(tmp_path / 'ckpt-8'))
  step.assign(0)
  checkpoints.restore(state, path)
  assert (int(step.numpy()), checkpoints.newest_step(tmp_path)) == (8, 8)
