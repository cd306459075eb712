# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""tools/report.py as a user runs it."""

import re
import subprocess
import sys

from tests.page import made
from tests.tools import tool_runs


def run(cwd, *arguments):
  tool = tool_runs.REPOSITORY / 'tools/report.py'
  done = subprocess.run(
    [sys.executable, str(tool), *arguments],
    cwd=cwd,
    env=tool_runs.environment(),
    capture_output=True,
    text=True,
    check=False,
  )
  return done.returncode, done.stdout, done.stderr


def test_a_page_and_its_figures_are_written(tmp_path):
  made.training(tmp_path / 'a')
  made.training(tmp_path / 'b')
  # Words and flags in any order.
  status, output, errors = run(
    tmp_path, 'a', '--output', 'report.html', 'b', '--figures=figures'
  )
  assert (status, errors) == (0, '')
  first, second = output.splitlines()
  assert re.fullmatch(r'Wrote report\.html \(0\.\d MB\)\.', first)
  page = (tmp_path / 'report.html').read_text(encoding='utf-8')
  assert '<h3>a</h3>' in page
  assert '<h3>b</h3>' in page
  number = len(list((tmp_path / 'figures').glob('*.svg')))
  assert second == f'Wrote {number} figures to figures.'


def test_a_report_of_nothing_is_refused(tmp_path):
  status, _, errors = run(tmp_path, '--output=report.html')
  message = 'report: give at least one RUN; see --help.\n'
  assert (status, errors) == (1, message)
  status, _, errors = run(tmp_path, 'none', '--output=report.html')
  message = 'report: none does not exist, or is no folder.\n'
  assert (status, errors) == (1, message)
  assert not (tmp_path / 'report.html').exists()
