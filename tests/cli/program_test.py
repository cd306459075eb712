# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What ends a verb, in one line: Ctrl-C, a lack of memory, an exit status."""

import signal
import subprocess
import sys

import pytest

from tests.tools import tool_runs


def run_tool(tmp_path, body):
  """Runs a tool of this body; returns its exit status and standard error."""
  path = tmp_path / 'tool.py'
  path.write_text(body)
  result = subprocess.run(
    [sys.executable, str(path)],
    env=tool_runs.environment(),
    capture_output=True,
    text=True,
    check=False,
  )
  return result.returncode, result.stderr


# A module with a `main` is a verb.
_RUN = """
import os, signal, sys
from auto_deeplab.cli import program
{}
program.run(sys.modules[__name__])
"""


@pytest.mark.parametrize(
  ('body', 'message'),
  [
    # In the midst of the imports.
    ('raise KeyboardInterrupt', 'interrupted.'),
    ('def main(): os.kill(os.getpid(), signal.SIGINT)', 'interrupted.'),
    (
      'class Saved(KeyboardInterrupt): exit_status = 75\n'
      'def main(): raise Saved("saved.")',
      'saved.',
    ),
  ],
)
def test_ctrl_c_ends_by_its_signal_after_one_line(tmp_path, body, message):
  # Which shells call status 130.
  expected = -signal.SIGINT, f'tool: {message}\n'
  assert run_tool(tmp_path, _RUN.format(body)) == expected


def test_an_exception_may_have_its_exit_status(tmp_path):
  body = (
    'class Saved(BaseException): exit_status = 75\n'
    'def main(): raise Saved("saved.")'
  )
  assert run_tool(tmp_path, _RUN.format(body)) == (75, 'tool: saved.\n')


@pytest.mark.parametrize('encoding', ['utf-8:strict', 'ascii:strict'])
def test_a_name_that_is_no_text_ends_nothing(tmp_path, monkeypatch, encoding):
  monkeypatch.setenv('PYTHONIOENCODING', encoding)
  body = r"def main(): print('caf\udce9')"
  assert run_tool(tmp_path, _RUN.format(body)) == (0, '')


def test_an_argument_that_is_no_flag_is_refused(tmp_path):
  body = 'sys.argv.append("foo")\ndef main(): pass'
  message = 'tool: unexpected argument: foo; see --help.\n'
  assert run_tool(tmp_path, _RUN.format(body)) == (1, message)


_ALLOCATING = """
FOR_MEMORY = 'take less'

def main():
  import numpy as np

  np.zeros([1 << 40, 1 << 10])
"""

_ON_A_DEVICE = """
FOR_MEMORY = 'take less'

def main():
  import tensorflow as tf

  tf.function(lambda n: tf.zeros([n, n, 1024]))(tf.constant(1 << 20))
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
  assert run_tool(tmp_path, _RUN.format(body)) == (1, message)


def test_a_defect_keeps_its_traceback(tmp_path):
  body = 'def main(): assert False'
  status, stderr = run_tool(tmp_path, _RUN.format(body))
  assert status == 1
  assert stderr.startswith('Traceback ')


_WORDS = """
import sys
from absl import flags
from auto_deeplab.cli import program
{}
FLAG = flags.DEFINE_string('data_dir', None, 'A folder.')
def main(others=()): print(FLAG.value, *others, file=sys.stderr)
sys.argv[1:] = {}
program.run(sys.modules[__name__])
"""


def test_a_verb_may_name_its_first_word(tmp_path):
  body = _WORDS.format("POSITIONAL = 'data_dir'", ['here'])
  assert run_tool(tmp_path, body) == (0, 'here\n')


@pytest.mark.parametrize(
  'words',
  [
    ['--verbosity', '0', 'here'],  # What follows a flag is its value,
    ['--alsologtostderr', 'here'],  # unless that has none.
    ['--nologtostderr', 'here'],
    ['--verbosity=0', 'here'],
  ],
)
def test_its_first_word_may_stand_after_flags(tmp_path, words):
  body = _WORDS.format("POSITIONAL = 'data_dir'", words)
  assert run_tool(tmp_path, body) == (0, 'here\n')


def test_a_verb_may_pass_on_what_it_does_not_know(tmp_path):
  settings = "PASSES_ON, POSITIONAL = True, 'data_dir'"
  body = _WORDS.format(settings, ['here', '--a=1', '--b'])
  assert run_tool(tmp_path, body) == (0, 'here --a=1 --b\n')
  body = _WORDS.format(settings, ['here', 'there'])
  message = 'tool: unexpected argument: there; see --help.\n'
  assert run_tool(tmp_path, body) == (1, message)


_TYPED = """
import sys
from absl import flags
from auto_deeplab.cli import program
POSITIONAL = 'data_dir'
PLACE = flags.DEFINE_string('data_dir', None, 'A folder.')
NUMBER = flags.DEFINE_integer('number', None, 'A number.', required=True)
def main(): raise ValueError({})
sys.argv[1:] = {}
program.run(sys.modules[__name__])
"""


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['--number=2', 'here'], '2 here'),
    (['here'], '--number is missing; see --help.'),
    (['--number=2', '--data_dir'], 'Missing value for flag --data_dir'),
    (['--numbr=2'], 'there is no flag --numbr; did you mean --number; see'),
  ],
)
def test_a_wrong_flag_is_one_line(tmp_path, arguments, message):
  body = _TYPED.format("f'{NUMBER.value} {PLACE.value}'", arguments)
  status, errors = run_tool(tmp_path, body)
  assert status == 1
  assert errors.startswith(f'tool: {message}')
  assert errors.count('\n') == 1


def test_an_error_names_flags_as_they_are_typed(tmp_path):
  error = '`number` = 7 helps; `number` (8), not `batch_size` = 2.'
  body = _TYPED.format(repr(error), ['--number=8'])
  expected = '--number=7 helps; --number (8), not `batch_size` = 2.'
  assert run_tool(tmp_path, body) == (1, f'tool: {expected}\n')
