# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Whole runs that meet what a long one meets, in a process."""

import os
import socket

import pytest

from auto_deeplab.training import experiment, run_lock
from tests.training import tiny

pytestmark = pytest.mark.slow


def search(data_dir, run_dir, **parts):
  place = experiment.Place(str(data_dir), str(run_dir))
  return experiment.run_search(tiny.search_config(**parts), place)


def train(data_dir, run_dir, **parts):
  place = experiment.Place(str(data_dir), str(run_dir))
  return experiment.run_training(
    tiny.train_config(**parts), tiny.GENOTYPE, place
  )


@pytest.mark.parametrize('run', [search, train])
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
