# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""`auto-deeplab` and tools/ have the same verbs, and explain them at once."""

import os
import re
import subprocess
import sys

import pytest

import auto_deeplab
from auto_deeplab.cli import __main__ as command
from auto_deeplab.cli import commands
from tests import import_graph, pages
from tests.tools import tool_runs

_ROOT = import_graph.ROOT
_TOOL = '''\
# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command `auto-deeplab {verb}`, started from a clone."""

from auto_deeplab.cli import program
from auto_deeplab.cli.verbs import {verb}

if __name__ == '__main__':
  program.run({verb})
'''

# Prints the help of each verb, and what importing them all has loaded. A verb
# is loaded in a process of its own, as verbs share names of flags.
_HELPS = """
import os, sys
from auto_deeplab.cli import __main__ as command
for verb in command.VERBS:
  sys.stdout.flush()
  if not os.fork():
    sys.argv = ['auto-deeplab', verb.replace('_', '-'), '--help']
    print('=== ' + verb)
    command.main()
    heavy = {'tensorflow', 'keras', 'orbit', 'official', 'matplotlib'}
    print('loaded:', *sorted(heavy & set(sys.modules)))
    sys.stdout.flush()
    os._exit(0)
  os.wait()
"""


def run(*arguments, cwd=None):
  """Runs Python with the arguments; returns status, output and errors."""
  done = subprocess.run(
    [sys.executable, *arguments],
    cwd=cwd,
    env=tool_runs.environment(),
    capture_output=True,
    text=True,
    check=False,
  )
  return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope='module')
def helps(tmp_path_factory):
  """The help of each verb, by its name."""
  status, text, errors = run('-c', _HELPS, cwd=tmp_path_factory.mktemp('empty'))
  assert (status, errors) == (0, '')
  found = re.split(r'^=== (\w+)\n', text, flags=re.MULTILINE)[1:]
  return dict(zip(found[::2], found[1::2], strict=True))


def test_a_verb_is_a_module_and_a_tool():
  modules = (_ROOT / 'auto_deeplab/cli/verbs').glob('[!_]*.py')
  tools = {path.stem: path.read_text() for path in _ROOT.glob('tools/*.py')}
  assert {path.stem for path in modules} == set(command.VERBS)
  assert tools == {verb: _TOOL.format(verb=verb) for verb in command.VERBS}


@pytest.mark.parametrize('verb', command.VERBS)
def test_the_help_shows_all_flags_and_no_others(helps, verb):
  shown = re.findall(r'^  --(?:\[no\])?(\w+):', helps[verb], re.MULTILINE)
  flags = pages.flags(verb)
  assert sorted(shown) == sorted(flags)
  (usage,) = re.findall(r'^Usage: (.*)$', helps[verb], re.MULTILINE)
  assert usage.startswith(f'auto-deeplab {verb} ')
  needed = {name for name, is_required in flags.items() if is_required}
  words = {word.lower() for word in re.findall(r' ([A-Z_]+) ', usage)}
  assert words | set(re.findall(r'--(\w+)=', usage)) == needed | {'FLAG'}


@pytest.mark.parametrize('verb', command.VERBS)
def test_the_help_waits_for_no_library(helps, verb):
  assert helps[verb].splitlines()[-1] == 'loaded:'


def test_the_help_tells_defaults_and_where_a_flag_belongs(helps):
  own, _, shared = helps['train'].partition('\nThe flags of a configuration')
  line = '  --train_split: Split of the data set that is trained on.\n'
  assert f"{line}    (default: 'train')\n" in own
  assert '--gin_file:' not in own
  assert '  --gin_file: ' in shared
  assert (
    '\nThe flags that search, train and evaluate have in common.\n' in shared
  )
  assert "    (default: 'one_device')\n" in shared
  assert '[]' not in shared


@pytest.mark.parametrize('words', [('-h',), ('train', '--help')])
def test_a_reader_of_the_help_may_leave(words):
  # All of it finds nobody, for the reader has left before.
  reading, writing = os.pipe()
  os.close(reading)
  done = subprocess.run(
    [sys.executable, '-m', 'auto_deeplab.cli', *words],
    env=tool_runs.environment(),
    stdout=writing,
    stderr=subprocess.PIPE,
    check=False,
  )
  os.close(writing)
  assert (done.returncode, done.stderr) == (0, b'')


def test_a_tool_speaks_of_tools():
  status, text, _ = run(str(_ROOT / 'tools/train.py'), '--help')
  assert status == 0
  assert '\n  python tools/train.py --gin_file=demo_train \\\n' in text
  assert '\nUsage: python tools/train.py --data_dir=... --run_dir=...' in text
  assert 'auto-deeplab' not in text


def test_the_overview_names_every_verb(capsys, monkeypatch):
  for arguments in ([], ['--help']):
    monkeypatch.setattr(sys, 'argv', ['auto-deeplab', *arguments])
    command.main()
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split(maxsplit=1) for line in lines if line.startswith('  ')]
    assert tuple(verb for verb, _ in rows) == command.VERBS
    said = (
      'Exports a trained segmenter as a SavedModel, and for other runtimes.'
    )
    assert ['export', said] in rows
    assert all(first.endswith('.') for _, first in rows)


@pytest.mark.parametrize(('alias', 'verb'), command.ALIASES.items())
def test_another_word_for_a_verb_is_as_good(helps, alias, verb):
  status, text, _ = run('-m', 'auto_deeplab.cli', alias, '--help')
  assert (status, text.splitlines()) == (0, helps[verb].splitlines()[:-1])


def test_the_version_is_told(capsys, monkeypatch):
  monkeypatch.setattr(sys, 'argv', ['auto-deeplab', '--version'])
  command.main()
  assert capsys.readouterr().out == f'auto-deeplab {auto_deeplab.__version__}\n'


@pytest.mark.parametrize(
  ('word', 'meant'),
  [
    ('trian', ' did you mean train?'),
    ('inspect_data', ' did you mean inspect_dataset?'),
    ('segment', ' did you mean predict?'),  # Which segments.
    ('xyz', ''),
  ],
)
def test_what_is_no_verb_is_refused(monkeypatch, word, meant):
  monkeypatch.setattr(sys, 'argv', ['auto-deeplab', word])
  with pytest.raises(SystemExit) as ended:
    command.main()
  assert ended.value.code == (
    f'auto-deeplab: there is no verb {word!r};{meant} there are '
    f'{", ".join(command.VERBS)}.'
  )


@pytest.mark.parametrize(
  ('started', 'shown', 'arguments'),
  [
    ('/clone/tools/train.py', 'python tools/x.py', ['/clone/tools/x.py']),
    (
      'auto-deeplab train',
      'auto-deeplab x',
      ['-P', '-m', 'auto_deeplab.cli', 'x'],
    ),
  ],
)
def test_a_verb_proposes_others_as_it_was_started(
  monkeypatch, started, shown, arguments
):
  monkeypatch.setattr(sys, 'argv', [started])
  assert commands.shown('x') == shown
  assert commands.arguments('x') == [sys.executable, *arguments]


def test_errors_name_the_command_before_a_library_is_loaded(tmp_path):
  (tmp_path / 'tensorflow.py').write_text('raise AssertionError')
  arguments = ['--gin_file=trial', '--data_dir=x', '--run_dir=y']
  status, text, errors = run(
    '-m', 'auto_deeplab.cli', 'search', *arguments, cwd=tmp_path
  )
  assert (status, text) == (1, '')
  assert errors.startswith(
    "auto-deeplab search: gin file 'trial' does not exis"
  )
  assert errors.count('\n') == 1
