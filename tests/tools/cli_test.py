# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What ends a tool, in one line: Ctrl-C, and a lack of memory."""

import signal
import subprocess
import sys

import pytest

from tests.tools import tool_runs


def run_tool(tmp_path, body):
  """Runs a tool of this body; returns its exit status and standard error."""
  path = tmp_path / 'tool.py'
  path.write_text(body)
  env = tool_runs.environment()
  env['PYTHONPATH'] += f':{tool_runs.REPOSITORY}/tools'
  result = subprocess.run(
    [sys.executable, str(path)],
    env=env,
    capture_output=True,
    text=True,
    check=False,
  )
  return result.returncode, result.stderr


@pytest.mark.parametrize(
  ('body', 'message'),
  [
    # In the midst of the imports.
    ('import cli\nraise KeyboardInterrupt', 'interrupted.'),
    (
      'import cli, os, signal\n'
      'cli.run(lambda: os.kill(os.getpid(), signal.SIGINT))',
      'interrupted.',
    ),
    (
      'import cli\n'
      'class Saved(KeyboardInterrupt): pass\n'
      'def main(): raise Saved("saved.")\n'
      'cli.run(main, {Saved: 75})',
      'saved.',
    ),
  ],
)
def test_ctrl_c_ends_by_its_signal_after_one_line(tmp_path, body, message):
  # Which shells call status 130.
  expected = -signal.SIGINT, f'tool: {message}\n'
  assert run_tool(tmp_path, body) == expected


_ALLOCATING = """
import cli
import numpy as np

def main():
  np.zeros([1 << 40, 1 << 10])

cli.run(main, for_memory='take less')
"""

_ON_A_DEVICE = """
import cli
import tensorflow as tf

def main():
  tf.function(lambda n: tf.zeros([n, n, 1024]))(tf.constant(1 << 20))

cli.run(main, for_memory='take less')
"""


@pytest.mark.parametrize(
  ('body', 'tensor'),
  [
    (_ALLOCATING, ''),
    (_ON_A_DEVICE, ' for a tensor of shape[1048576,1048576,1024]'),
  ],
)
def test_out_of_memory_is_one_line_with_what_to_do(tmp_path, body, tensor):
  message = f'tool: out of memory{tensor}; take less.\n'
  assert run_tool(tmp_path, body) == (1, message)


def test_a_defect_keeps_its_traceback(tmp_path):
  body = 'import cli\ndef main(): assert False\ncli.run(main)'
  status, stderr = run_tool(tmp_path, body)
  assert status == 1
  assert stderr.startswith('Traceback ')
