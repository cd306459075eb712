# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints come at their interval, and whole or not at all."""

import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf

from auto_deeplab.runs import checkpoints

# No file may grow beyond a size, as on a disk that is full.
SAVE_WITHOUT_ROOM = """
import resource, sys
import tensorflow as tf
from auto_deeplab.runs import checkpoints
checkpoint = tf.train.Checkpoint(weights=tf.Variable(tf.zeros([100_000])))
checkpoints.write(checkpoint, sys.argv[1], 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
  checkpoints.write(checkpoint, sys.argv[1], 2)
except OSError as e:
  print(e)
"""


class Run:
  """A state that is its step, and what saves it."""

  def __init__(self, folder, saved_step=None, **settings):
    self.step = tf.Variable(saved_step or 0, dtype=tf.int64)
    self.weights = tf.Variable([float(self.step)])
    settings = {'interval': 2, 'keep': 2, **settings}
    self.saver = checkpoints.Saver(
      tf.train.Checkpoint(global_step=self.step, weights=self.weights),
      folder,
      saved_step=saved_step,
      **settings,
    )

  def go_to(self, step):
    self.step.assign(step)
    self.weights.assign([float(step)])
    self.saver.save(step)


def names(folder):
  return sorted(p.name for p in pathlib.Path(folder).iterdir())


def test_saves_are_due_at_multiples(tmp_path):
  run = Run(tmp_path, interval=4)
  assert [step for step in range(1, 9) if run.saver.is_due(step)] == [4, 8]


def test_a_step_is_saved_once(tmp_path):
  run = Run(tmp_path, saved_step=3, keep=9)
  run.go_to(3)
  assert checkpoints.steps(tmp_path) == []
  run.go_to(4)
  written = (tmp_path / 'ckpt-4.index').stat().st_mtime_ns
  run.go_to(4)
  assert (tmp_path / 'ckpt-4.index').stat().st_mtime_ns == written
  run.go_to(9)
  assert checkpoints.steps(tmp_path) == [4, 9]


def test_the_newest_are_kept_and_can_be_read(tmp_path):
  run = Run(tmp_path)
  for step in (2, 4, 6):
    run.go_to(step)
  assert names(tmp_path) == [
    'checkpoint',
    *(
      f'ckpt-{step}.{part}'
      for step in (4, 6)
      for part in ('data-00000-of-00001', 'index')
    ),
  ]
  state = tf.train.get_checkpoint_state(str(tmp_path))
  assert list(state.all_model_checkpoint_paths) == [
    str(tmp_path / 'ckpt-4'),
    str(tmp_path / 'ckpt-6'),
  ]
  assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / 'ckpt-6')
  run.step.assign(0)
  version = tf.Variable(0)
  checkpoint = tf.train.Checkpoint(
    global_step=run.step, weights=run.weights, format_version=version
  )
  checkpoint.read(str(tmp_path / 'ckpt-4')).assert_consumed()
  assert version.numpy() == checkpoints.VERSION
  assert (int(run.step), float(run.weights[0])) == (4, 4.0)


def test_what_a_killed_save_left_is_cleared_away(tmp_path):
  (tmp_path / '.saving').mkdir()
  (tmp_path / '.saving' / 'ckpt-2.index').touch()
  # A kill within the sweep, which takes the index first.
  (tmp_path / 'ckpt-1.data-00000-of-00001').touch()
  assert checkpoints.steps(tmp_path) == []
  Run(tmp_path).go_to(2)
  assert names(tmp_path) == [
    *('checkpoint', 'ckpt-2.data-00000-of-00001', 'ckpt-2.index')
  ]


def test_what_others_put_there_stays(tmp_path):
  run = Run(tmp_path, keep=1)
  (tmp_path / 'ckpt-1.index.bak').touch()
  (tmp_path / 'ckpt-best.index').touch()
  for step in (2, 4):
    run.go_to(step)
  assert {'ckpt-1.index.bak', 'ckpt-best.index'} < set(names(tmp_path))
  assert checkpoints.steps(tmp_path) == [4]


def test_a_full_disk_leaves_the_one_before(tmp_path, repository):
  result = subprocess.run(
    [sys.executable, '-c', SAVE_WITHOUT_ROOM, str(tmp_path)],
    cwd=repository,
    capture_output=True,
    text=True,
    check=False,
  )
  assert result.returncode == 0, result.stderr
  assert result.stdout.startswith(
    f'checkpoint {tmp_path}/ckpt-2 cannot be written: '
  )
  assert result.stdout.endswith('; checkpoints before it are intact.\n')
  assert 'File too large' in result.stdout
  assert names(tmp_path) == ['ckpt-1.data-00000-of-00001', 'ckpt-1.index']
  weights = tf.train.load_variable(
    str(tmp_path / 'ckpt-1'), 'weights/.ATTRIBUTES/VARIABLE_VALUE'
  )
  assert weights.shape == (100_000,)


def test_a_lost_worker_is_no_full_disk(tmp_path, monkeypatch):
  def lose(*_):
    raise tf.errors.UnavailableError(None, None, 'Connection reset by peer')

  run = Run(tmp_path)
  monkeypatch.setattr(tf.train.Checkpoint, 'write', lose)
  with pytest.raises(tf.errors.UnavailableError):
    run.go_to(2)
  assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
  (tmp_path / 'file').touch()
  with pytest.raises(OSError) as error:
    Run(tmp_path / 'file').go_to(2)
  assert str(error.value) == (
    f'checkpoint {tmp_path}/file/ckpt-2 cannot be written: Not a directory; '
    'checkpoints before it are intact.'
  )
