# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""tools/run.py as a user runs it."""

import subprocess
import sys

from tests.tools import tool_runs


def run(tmp_path, *arguments):
  tool = tool_runs.REPOSITORY / 'tools/run.py'
  done = subprocess.run(
    [sys.executable, str(tool), *arguments],
    cwd=tmp_path,
    env=tool_runs.environment(),
    capture_output=True,
    text=True,
    check=False,
  )
  return done.returncode, done.stdout, done.stderr


def test_a_flag_that_no_verb_has_is_refused_at_once(tmp_path):
  status, output, errors = run(tmp_path, 'here', '--output_dir=o', '--hour=2')
  message = 'run: --hour is a flag neither of this nor of build_tfrecords.\n'
  assert (status, output, errors) == (1, '', message)
  assert not (tmp_path / 'o').exists()


def test_a_folder_that_cannot_be_converted_ends_it(tmp_path):
  (tmp_path / 'here').mkdir()
  status, output, errors = run(tmp_path, 'here', '--output_dir=o', '--seed=3')
  assert status == 1
  assert output.startswith(
    '+ python tools/build_tfrecords.py --dataset=folder --seed=3 '
    '--data_dir=here --output_dir=o/data\n'
  )
  assert errors.endswith('run: build_tfrecords failed, see above.\n')


def test_a_folder_that_is_not_there_is_named(tmp_path):
  status, output, errors = run(tmp_path, 'here', '--output_dir=o')
  assert (status, output) == (1, '')
  assert errors == 'run: here is no folder.\n'
  assert not (tmp_path / 'o').exists()
