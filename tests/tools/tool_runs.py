# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs a tool as a user does."""

import os
import pathlib
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).parents[2]


def environment() -> dict[str, str]:
  """Without what the Makefile sets: the tool itself keeps TensorFlow quiet."""
  env = {k: v for k, v in os.environ.items() if k != 'TF_CPP_MIN_LOG_LEVEL'}
  return {**env, 'PYTHONPATH': str(REPOSITORY)}


def run(
  tool: str, *, cwd: pathlib.Path, **flags
) -> subprocess.CompletedProcess:
  """Runs a tool in a folder; a list is a flag that is given several times."""
  arguments = []
  for name, value in flags.items():
    values = value if isinstance(value, list) else [value]
    arguments += [f'--{name}={v}' for v in values]
  return subprocess.run(
    [sys.executable, str(REPOSITORY / 'tools' / f'{tool}.py'), *arguments],
    cwd=cwd,
    env=environment(),
    capture_output=True,
    text=True,
    check=False,
  )


def assert_refused(
  result: subprocess.CompletedProcess, message: str, run_dir: pathlib.Path
) -> None:
  """Looks for one line, exit status 1, and no run folder."""
  assert result.stderr == f'{message}\n'
  assert result.returncode == 1
  assert result.stdout == ''
  assert not run_dir.exists()
