# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Whole runs that meet what a long one meets, in a process."""

import os
import socket

import pytest

from auto_deeplab.runs import checkpoints, run_lock
from tests.experiments import runs

pytestmark = pytest.mark.slow


@pytest.mark.parametrize('run', [runs.search, runs.train])
def test_a_folder_takes_one_run_at_a_time(data_dir, tmp_path, run):
  run_dir = tmp_path / 'run'
  with run_lock.holding(run_dir / 'lock'):
    with pytest.raises(ValueError) as error:
      run(data_dir, run_dir)
    assert str(error.value) == (
      f'{run_dir} is in use by another run (process {os.getpid()} on '
      f'{socket.gethostname()}); end that one, or take another run folder.'
    )
    assert [p.name for p in run_dir.iterdir()] == ['lock']
  assert not run_dir.exists()


def test_a_damaged_checkpoint_and_a_changed_configuration(data_dir, tmp_path):
  each_step = {'runtime': {'checkpoint_interval': 1}}
  two, three = (
    each_step | {'schedule': {'train_steps': steps}} for steps in (2, 3)
  )
  scores = runs.train(data_dir, tmp_path, **two)
  data = tmp_path / 'checkpoints' / 'ckpt-2.data-00000-of-00001'
  data.write_bytes(data.read_bytes()[:-9] + b'123456789')
  with pytest.raises(ValueError, match=r'ckpt-2 is damaged: .* from ckpt-1, '):
    runs.train(data_dir, tmp_path, **two)
  skip = {'skip_damaged_checkpoints': True}
  assert runs.train(data_dir, tmp_path, skip, **two) == scores
  with pytest.raises(ValueError, match=r'has `TrainConfig\.train_steps = 2`'):
    runs.train(data_dir, tmp_path, **three)
  runs.train(data_dir, tmp_path, {'allow_config_change': True}, **three)
  assert checkpoints.steps(tmp_path / 'checkpoints') == [1, 2, 3]
  assert (tmp_path / 'config-until-2.gin').exists()
  rows = runs.metrics(tmp_path)
  steps = [row['step'] for row in rows if 'train/loss' in row]
  assert steps == [1, 2, 3]
