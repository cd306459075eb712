# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How the steps of a chain are done, and how they end."""

import os
import signal
import sys
import threading
import time

import pytest

from auto_deeplab import configs
from auto_deeplab.planning import chain as chain_lib
from auto_deeplab.planning import execution
from tests import tiny
from tests.planning import made_chain


@pytest.fixture
def chain(tmp_path):
  return made_chain.make(tmp_path)


@pytest.fixture
def do(chain, monkeypatch, tmp_path):
  """Runs a chain of two steps, of these programs; returns what was told."""
  monkeypatch.setattr(execution, '_LEAST_SECONDS', 1.0)
  monkeypatch.setattr(execution, '_POLL_SECONDS', 0.05)

  def done(train='', export='', hours=1.0, needed=('train', 'export'), **more):
    programs = more | {'train': train, 'export': export}

    def steps(self, hours):
      return [
        chain_lib.Step(
          verb,
          verb,
          (),
          os.path.exists(f'{tmp_path}/{verb}.done'),
          verb in needed,
        )
        for verb in programs
      ]

    monkeypatch.setattr(chain_lib.Chain, 'steps', steps)
    lines: list[str] = []

    def start(verb):
      return [sys.executable, '-c', programs[verb]]

    execution.run(chain, hours, start, lines.append)
    return lines

  return done


def test_each_step_is_done_once_by_a_command_that_is_shown(do, tmp_path):
  assert do('', '') == ['+ auto-deeplab train ', '+ auto-deeplab export ']
  made_chain.write(f'{tmp_path}/train.done')
  assert do('', '') == ['+ auto-deeplab export ']


def test_what_is_shown_does_not_say_what_comes_next(do, monkeypatch):
  monkeypatch.setattr(execution, '_SHOWN', ('export',))
  lines = do('print("a")', 'print("Wrote b. Next:\\n  c --d=e")')
  assert lines[1:] == ['+ auto-deeplab export ', 'Wrote b.']


def test_a_step_that_fails_is_named_with_its_last_words(do, chain):
  with pytest.raises(execution.StepError) as caught:
    do('print("a"); import sys; sys.exit("it broke")')
  log = f'{chain.out}/logs/train.log'
  assert str(caught.value) == f'train failed: it broke (all of it: {log})'


def test_what_can_be_done_without_is_named_where_it_fails(do, chain):
  lines = do('raise SystemExit("it broke")', needed=('export',))
  log = f'{chain.out}/logs/train.log'
  assert lines == [
    '+ auto-deeplab train ',
    f'train failed: it broke (all of it: {log}) Going on without.',
    '+ auto-deeplab export ',
  ]


@pytest.mark.parametrize('is_made', [True, False])
def test_a_model_is_there_until_a_new_one_is(do, chain, is_made):
  file, old = f'{chain.out}/saved_model/saved_model.pb', 'old'
  made_chain.write(file, old)
  program = 'raise SystemExit("it broke")'
  if is_made:
    program = (
      f'import os; os.mkdir({os.path.dirname(file)!r}); '
      f'open({file!r}, "w").write("new")'
    )
  lines = do(export=program, needed=())
  with open(file) as read:
    assert read.read() == ('new' if is_made else old)
  assert ('Going on without' in lines[-1]) == (not is_made)
  assert not os.path.exists(f'{chain.out}/saved_model.before')


def test_a_model_that_a_kill_left_aside_is_put_back(do, chain, tmp_path):
  made_chain.write(f'{chain.out}/saved_model.before/saved_model.pb', 'old')
  made_chain.write(f'{tmp_path}/export.done')
  do()
  assert os.path.exists(f'{chain.out}/saved_model/saved_model.pb')
  assert not os.path.exists(f'{chain.out}/saved_model.before')


_ENDLESS = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
time.sleep(60)
"""


# The second, as one that has done all and only tidies up, has no handler.
@pytest.mark.parametrize('program', [_ENDLESS, 'import time; time.sleep(60)'])
def test_a_training_ends_with_the_hours_and_the_rest_is_done(do, program):
  begin = time.monotonic()
  lines = do(program, hours=0.5 / 3600)
  assert time.monotonic() - begin < 20
  assert lines == [
    '+ auto-deeplab train ',
    'The time for train is up at 0% of its steps; going on with what it has. '
    'The same command with more hours goes on with it.',
    '+ auto-deeplab export ',
  ]


@pytest.mark.parametrize(
  ('step', 'has_known', 'told'),
  [
    (
      None,
      True,
      'has 0% of the steps of its architecture, too few to choose a '
      'network: going on with that of the plan ({}).',
    ),
    (
      690,
      True,
      'has 48% of the steps of its architecture, too few to choose a '
      'network: going on with that of the plan ({}).',
    ),
    (690, False, 'is up at 0% of its steps; going on with what it has.'),
    (700, True, 'is up at 0% of its steps; going on with what it has.'),
  ],
)
def test_a_search_that_is_cut_is_used_where_it_tells(
  do, chain, step, has_known, told
):
  made_chain.plan(chain)
  if has_known:
    tiny.GENOTYPE.save(f'{chain.out}/plan/genotype.json')
  if step is not None:
    made_chain.snapshot(chain, step)
  lines = do(search=_ENDLESS, hours=0.5 / 3600, needed=('search', 'train'))
  assert lines[0] == '+ auto-deeplab search '
  assert lines[1].endswith(told.format(chain.known))
  assert lines[2] == '+ auto-deeplab train '
  assert os.path.exists(chain.known) == ('plan' in told)


# 50 steps a second of ten thousand; once its schedule is shorter, all of it.
_TOO_SLOW = """
import os, signal, sys, time
out, done = {out!r}, {done!r}
if os.path.exists(out + '/train/shorter.gin'):
  sys.exit(open(done, 'w').close())
signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
os.makedirs(out + '/train')
open(out + '/train/config.gin', 'w').write('TrainConfig.train_steps = 10000')
for step in range(10000):
  with open(out + '/train/metrics.jsonl', 'a') as file:
    print('{{"step": %d}}' % step, file=file)
  time.sleep(0.02)
"""


def test_a_training_that_is_too_slow_is_given_what_it_can_do(
  do, chain, monkeypatch, tmp_path
):
  monkeypatch.setattr(execution, '_LOOK_SECONDS', 0.1)
  program = _TOO_SLOW.format(out=chain.out, done=f'{tmp_path}/train.done')
  lines = do(program, hours=20 / 3600)
  config = configs.load(configs.TrainExperiment, [chain.shorter])
  steps = config.schedule.train_steps
  assert 100 < steps < 1000
  train = '+ auto-deeplab train '
  assert lines == [
    train,
    f'At its pace {steps} steps of train fit into the hours, fewer than '
    f'planned: its schedule ends there now ({chain.shorter}).',
    train,
    '+ auto-deeplab export ',
  ]


@pytest.mark.parametrize(
  ('number', 'error'),
  [
    (signal.SIGTERM, execution.Stopped),
    (signal.SIGINT, KeyboardInterrupt),
  ],
)
def test_what_asks_it_to_end_reaches_the_step(do, number, error):
  timer = threading.Timer(2, lambda: os.kill(os.getpid(), number))
  timer.start()
  with pytest.raises(error, match='the same command goes on from there'):
    do(_ENDLESS)


@pytest.mark.parametrize('hours', [0, -1, float('inf')])
def test_hours_have_to_be_some(do, hours):
  with pytest.raises(ValueError, match=r'^`hours` \(.*\) must be greater'):
    do('', hours=hours)
