# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A run as a scheduler or a person ends it: SIGTERM, and Ctrl-C."""

import signal
import subprocess
import sys

import pytest

from auto_deeplab import configs
from tests import tiny
from tests.tools import tool_runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A data set, and a recipe that takes longer than the test."""
  path = tmp_path_factory.mktemp('long_runs')
  tiny.write_data(path)
  config = tiny.search_config(
    runtime={'steps_per_loop': 10, 'checkpoint_interval': 10_000},
    schedule={'train_steps': 10_000, 'snapshot_interval': 10_000},
  )
  (path / 'search.gin').write_text(configs.to_gin(config))
  return path


@pytest.mark.parametrize(
  ('number', 'status', 'run_dir'),
  [(signal.SIGTERM, 75, 'run'), (signal.SIGINT, -signal.SIGINT, 'other')],
)
def test_a_signal_saves_and_says_so(folder, number, status, run_dir):
  process = subprocess.Popen(
    [
      sys.executable,
      str(tool_runs.REPOSITORY / 'tools/search.py'),
      *('--gin_file=search.gin', '--data_dir=data', f'--run_dir={run_dir}'),
    ],
    cwd=folder,
    env=tool_runs.environment(),
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  assert process.stderr is not None
  while not (line := process.stderr.readline()).startswith('search 10/'):
    assert line.startswith('search: ')
  process.send_signal(number)
  stdout, stderr = process.communicate(timeout=300)
  assert process.returncode == status, stderr
  (checkpoint,) = (folder / run_dir / 'checkpoints').glob('ckpt-*.index')
  assert stdout == ''
  assert stderr.splitlines()[-1] == (
    f'search: asked to end; {run_dir}/checkpoints/{checkpoint.stem} is saved, '
    'the same command goes on from there.'
  )
  assert not (folder / run_dir / 'lock').exists()
