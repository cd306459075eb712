# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The chain of `auto-deeplab demo`: its commands, and how it ends."""

import os
import signal
import subprocess
import sys
import time

import pytest

from auto_deeplab import configs
from auto_deeplab.cli.verbs import demo
from tests import pages
from tests.tools import tool_runs


@pytest.mark.parametrize('dataset', ['synthetic', 'camvid'])
def test_a_step_gives_the_flags_that_its_verb_has(dataset, tmp_path):
  steps = demo.steps(dataset, 'pictures', 'out')
  assert [verb for verb, *_ in steps] == [
    'build_tfrecords',
    'search',
    'decode',
    'train',
    'evaluate',
    'export',
    'predict',
    'report',
  ]
  for verb, *arguments in steps:
    given = {
      word[2:].partition('=')[0] for word in arguments if word.startswith('--')
    }
    flags = pages.flags(verb)
    assert {name for name, is_required in flags.items() if is_required} <= given
    assert given <= flags.keys()


@pytest.mark.parametrize('dataset', ['synthetic', 'camvid'])
def test_the_recipes_of_a_chain_are_found(dataset, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  kinds = {'search': configs.SearchExperiment, 'train': configs.TrainExperiment}
  for verb, *arguments in demo.steps(dataset, 'pictures', 'out'):
    if verb in kinds:
      (recipe,) = (a[11:] for a in arguments if a.startswith('--gin_file='))
      assert configs.load(kinds[verb], [recipe]) != configs.load(kinds[verb])


# A folder tools/ of which the demo is real and the first verb does as told.
_DEMO = 'from auto_deeplab.cli import program\n' + (
  'from auto_deeplab.cli.verbs import demo\nprogram.run(demo)\n'
)


@pytest.fixture
def start(tmp_path):
  """Starts the demo, with a first verb of this program."""

  def started(program):
    (tmp_path / 'demo.py').write_text(_DEMO)
    (tmp_path / 'build_tfrecords.py').write_text(program)
    return subprocess.Popen(
      [sys.executable, str(tmp_path / 'demo.py')],
      cwd=tmp_path,
      env=tool_runs.environment(),
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )

  return started


_STEP = (
  '+ python tools/build_tfrecords.py --dataset=synthetic '
  '--data_dir=runs/demo/data/pictures --output_dir=runs/demo/data\n'
)


@pytest.mark.parametrize(
  ('program', 'status'),
  [
    ('import sys; sys.exit(75)', 75),
    ('import os; os.kill(os.getpid(), 9)', 137),
  ],
)
def test_it_ends_as_the_verb_that_fails(start, program, status):
  with start(program) as process:
    assert process.communicate() == (_STEP, '')
  assert process.returncode == status


# Saves, and ends as a search does.
_SAVING = """
import signal, sys, time
def save(number, _):
  time.sleep(1)  # A second more than it takes to give a process up.
  print('saved', flush=True)
  if number == signal.SIGTERM:
    sys.exit(75)
  signal.signal(number, signal.SIG_DFL)
  signal.raise_signal(number)
signal.signal(signal.SIGINT, save)
signal.signal(signal.SIGTERM, save)
print('ready', flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
  ('number', 'ends', 'message'),
  [
    (signal.SIGTERM, 75, ''),
    (signal.SIGINT, -signal.SIGINT, 'demo: interrupted.\n'),
  ],
)
def test_a_verb_that_is_asked_to_end_may_save(start, number, ends, message):
  with start(_SAVING) as process:
    assert process.stdout.readline() == _STEP
    assert process.stdout.readline() == 'ready\n'
    time.sleep(0.2)
    children = subprocess.run(
      ['ps', '-o', 'pid=', '--ppid', str(process.pid)],
      capture_output=True,
      text=True,
      check=True,
    )
    process.send_signal(number)
    if number == signal.SIGINT:  # As a terminal does, to both.
      os.kill(int(children.stdout), number)
    assert process.communicate() == ('saved\n', message)
  assert process.returncode == ends


def test_camvid_has_to_be_there(tmp_path):
  result = tool_runs.run(
    'demo', cwd=tmp_path, dataset='camvid', data_dir='nowhere'
  )
  tool_runs.assert_refused(
    result,
    "demo: --data_dir (nowhere) must be CamVid in SegNet's layout, the folder "
    'of val.txt.',
    tmp_path / 'runs',
  )
