# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The tool lists what can be done, and ends with one line where it cannot."""

import shlex

import pytest

from tests import tiny
from tests.tools import tool_runs


@pytest.fixture
def study(tmp_path):
  def run(**flags):
    return tool_runs.run(
      'study',
      cwd=tmp_path,
      data_dir='DATA',
      study_dir='STUDY',
      gin_file='demo_study',
      gin_bindings='StudyConfig.train_seeds = (0,)',
      **flags,
    )

  return run


def test_each_line_does_one_task(study):
  done = study(list='true')
  assert (done.returncode, done.stderr) == (0, '')
  lines = [shlex.split(line) for line in done.stdout.splitlines()]
  # Searches, tournaments and the random genotypes; the searched ones wait.
  assert len(lines) == 3 + 3 + 32
  for line in lines:
    assert line[0] == 'python'
    assert line[1].endswith('tools/study.py')
    assert line[2:-1] == [
      '--gin_file=demo_study',
      '--gin_bindings=StudyConfig.train_seeds = (0,)',
      '--data_dir=DATA',
      '--study_dir=STUDY',
    ]
  assert lines[0][-1] == '--only=searches/seed-0'
  assert lines[-1][-1] == '--only=trainings/random-31/seed-0'


def test_a_task_that_is_not_there_is_one_line(study):
  done = study(only='trainings/x/seed-0')
  assert done.returncode == 1
  assert done.stderr.startswith(
    "study: 'trainings/x/seed-0' is no task of this"
  )
  assert done.stderr.count('\n') == 1


def test_without_a_data_set_nothing_is_begun(study, tmp_path):
  done = study()
  assert (done.returncode, done.stdout) == (1, '')
  assert done.stderr == (
    'study: DATA/dataset.json does not exist; build_tfrecords makes it.\n'
  )
  assert not (tmp_path / 'STUDY').exists()


def test_a_failure_is_one_line_that_names_what_was_printed(study, tmp_path):
  data_dir = tiny.write_data(tmp_path).rename(tmp_path / 'DATA')
  for shard in data_dir.glob('train*'):
    shard.unlink()
  done = study(only='searches/seed-0')
  assert done.returncode == 1
  assert '0 of 47 tasks done' in done.stdout
  assert done.stderr.startswith('study: searches/seed-0 failed: search: ')
  assert 'DATA' in done.stderr
  assert done.stderr.endswith('(all of it: STUDY/logs/searches/seed-0.log)\n')
