# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which step comes next, how it ends, and how far it is."""

import dataclasses
import json
import os
import pathlib
import signal
import sys
import threading
import time

import numpy as np
import pytest

from auto_deeplab import configs
from auto_deeplab.architecture import decode
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.cli import __main__ as command
from auto_deeplab.planning import chain as chain_lib
from auto_deeplab.planning import execution, standing
from tests import pages, tiny
from tests.page import made

_SECONDS = {'search': 100.0, 'decode': 10.0, 'train': 200.0, 'export': 90.0}


@pytest.fixture
def chain(tmp_path):
  (tmp_path / 'pictures').mkdir()
  return chain_lib.Chain(
    str(tmp_path / 'pictures'), str(tmp_path / 'out'), ('--val_fraction=0.2',)
  )


def write(path, text=''):
  os.makedirs(os.path.dirname(path), exist_ok=True)
  with open(path, 'w') as file:
    file.write(text)


def plan(chain, with_search=True):
  """Writes what the planner leaves."""
  stages = [{'verb': v, 'seconds': s} for v, s in _SECONDS.items()]
  document = {'plan': {'stages': stages}}
  write(f'{chain.out}/plan/plan.json', json.dumps(document))
  write(f'{chain.out}/plan/train.gin', 'TrainConfig.train_steps = 40\n')
  if with_search:
    settings = 'train_steps = 1000', 'arch_start_step = 400'
    text = ''.join(f'SearchConfig.{line}\n' for line in settings)
    write(f'{chain.out}/plan/search.gin', text)


def names(chain):
  return [step.name for step in chain.steps(1) if not step.is_done]


def test_pictures_are_converted_with_the_flags_that_are_passed_on(chain):
  convert = chain.steps(1)[0]
  assert convert.arguments == (
    '--dataset=folder',
    '--val_fraction=0.2',
    f'--data_dir={chain.pictures}',
    f'--output_dir={chain.out}/data',
  )
  other = chain_lib.Chain('a', 'b', ('--dataset=coco',)).steps(1)[0]
  assert other.arguments[0] == '--dataset=coco'


def test_pictures_without_val_are_converted_again(chain):
  made.dataset(pathlib.Path(chain.out, 'data'))
  path = f'{chain.out}/data/dataset.json'
  with open(path) as file:
    document = json.load(file)
  write(f'{chain.out}/contact_sheet.png')
  os.utime(path, (0, 0))
  assert names(chain)[:2] == ['build_tfrecords', 'plan']
  os.utime(f'{chain.out}/contact_sheet.png', (0, 0))
  shard = document['splits']['train']['shards'][0] | {'name': 'b'}
  document['splits']['val'] = document['splits']['train'] | {'shards': [shard]}
  write(path, json.dumps(document))
  assert names(chain)[0] == 'inspect_dataset'


def test_tfrecords_are_taken_as_they_are(chain):
  write(f'{chain.pictures}/dataset.json')
  assert names(chain)[0] == 'inspect_dataset'
  assert chain.data_dir == chain.pictures


def test_a_search_is_a_step_where_it_is_planned(chain):
  plan(chain, with_search=False)
  assert names(chain)[-4:] == ['train', 'evaluate', 'export', 'report']
  assert 'search' not in names(chain)
  plan(chain)
  assert names(chain)[2:5] == ['search', 'decode', 'train_plan']


def test_folders_say_what_is_done(chain):
  plan(chain)
  write(f'{chain.out}/data/dataset.json')
  write(f'{chain.out}/contact_sheet.png')
  assert names(chain)[0] == 'search'
  write(f'{chain.out}/search/architecture/step-00000900.npz')
  assert names(chain)[0] == 'search'
  write(f'{chain.out}/search/architecture/step-00001000.npz')
  assert names(chain)[0] == 'decode'
  write(f'{chain.out}/decoded/genotype.json')
  assert names(chain)[0] == 'train_plan'
  write(f'{chain.out}/train_plan/plan.json')
  write(f'{chain.out}/train_plan/train.gin', 'TrainConfig.train_steps = 50\n')
  (train,) = (s for s in chain.steps(1) if s.name == 'train')
  assert f'--gin_file={chain.out}/train_plan/train.gin' in train.arguments
  assert f'--genotype={chain.out}/decoded/genotype.json' in train.arguments


def snapshot(chain, step):
  alphas, betas = np.zeros((2, 8)), np.zeros((5, 4, 3))
  searched = decode.Snapshot(step, alphas, betas)
  decode.save_snapshot(f'{chain.out}/search', searched)


def test_a_search_shows_the_architecture_steps_of_its_newest_snapshot(chain):
  plan(chain)
  assert chain.searched_share() == 0
  for step, share in (300, 0), (400, 0), (700, 0.5), (1000, 1):
    snapshot(chain, step)
    assert chain.searched_share() == share


def test_where_a_search_is_given_up_the_network_of_the_plan_is_trained(chain):
  plan(chain)
  tiny.GENOTYPE.save(f'{chain.out}/plan/genotype.json')
  snapshot(chain, 300)
  assert 'search' in names(chain)
  chain.give_up_search()
  assert {'search', 'decode'}.isdisjoint(names(chain))
  steps = {step.name: step for step in chain.steps(1)}
  given = f'--genotype={chain.out}/known/genotype.json'
  for name in 'train_plan', 'train':
    assert given in steps[name].arguments
  assert genotype_lib.Genotype.load(chain.known) == tiny.GENOTYPE
  # What was decoded by hand after all counts.
  decoded = f'{chain.out}/decoded/genotype.json'
  tiny.GENOTYPE.save(decoded)
  steps = {step.name: step for step in chain.steps(1)}
  assert f'--genotype={decoded}' in steps['train'].arguments


def test_a_search_that_ended_by_itself_is_done(chain):
  plan(chain)
  snapshot(chain, 500)
  snapshot(chain, 600)
  assert 'search' in names(chain)
  stop = decode.EarlyStop(600, 500)
  decode.save_early_stop(f'{chain.out}/search', stop)
  assert 'search' not in names(chain)
  assert chain.searched_share() == 1


def test_what_is_of_another_checkpoint_is_not_done(chain, monkeypatch):
  plan(chain, with_search=False)
  run_dir, model = f'{chain.out}/train', f'{chain.out}/saved_model'
  monkeypatch.setattr(chain_lib.checkpoints, 'newest_step', lambda _: 40)
  write(f'{run_dir}/metrics.jsonl', '{"step": 40, "eval/mean_iou": 0.5}\n')
  write(f'{run_dir}/evaluation-val-20.json', '{"mean_iou": 0.5}')
  write(f'{model}/assets.extra/metadata.json', '{"step": 20}')
  assert names(chain)[-3:] == ['evaluate', 'export', 'report']
  assert 'train' not in names(chain)
  write(f'{run_dir}/evaluation-val-40.json', '{"mean_iou": 0.5}')
  write(f'{model}/assets.extra/metadata.json', '{"step": 40}')
  assert {'evaluate', 'export'}.isdisjoint(names(chain))


def test_what_is_torn_is_done_again(chain, monkeypatch):
  plan(chain, with_search=False)
  run_dir, model = f'{chain.out}/train', f'{chain.out}/saved_model'
  monkeypatch.setattr(chain_lib.checkpoints, 'newest_step', lambda _: 40)
  write(f'{run_dir}/evaluation-val-40.json', '{"mean_i')
  write(f'{model}/assets.extra/metadata.json', '{"step"')
  assert {'evaluate', 'export'} <= set(names(chain))
  assert chain.score() is None


def test_of_a_training_that_was_cut_the_best_is_used(chain, monkeypatch):
  plan(chain, with_search=False)
  run_dir = f'{chain.out}/train'
  monkeypatch.setattr(chain_lib.checkpoints, 'newest_step', lambda _: 30)
  found = {'step': 20, 'checkpoint': 'ckpt-20', 'mean_iou': 0.5}
  write(f'{run_dir}/best/best.json', json.dumps(found))
  write(f'{run_dir}/evaluation-val-30.json', '{"mean_iou": 0.4}')
  steps = {step.name: step for step in chain.steps(1)}
  for name in ('evaluate', 'export'):
    assert '--checkpoint=best' in steps[name].arguments
    assert not steps[name].is_done
  write(f'{run_dir}/evaluation-val-20.json', '{"mean_iou": 0.5}')
  assert 'evaluate' not in names(chain)
  # One that has come to its end is at its best, whatever the scores say.
  monkeypatch.setattr(chain_lib.checkpoints, 'newest_step', lambda _: 40)
  write(f'{run_dir}/metrics.jsonl', '{"step": 40, "eval/mean_iou": 0.4}\n')
  assert not any('best' in a for s in chain.steps(1) for a in s.arguments)


def test_a_training_whose_steps_do_not_fit_gets_a_shorter_schedule(
  chain, monkeypatch
):
  plan(chain, with_search=False)
  chain.shorten(30)
  (train,) = (s for s in chain.steps(1) if s.name == 'train')
  recipes = [
    f'--gin_file={chain.out}/{n}.gin' for n in ('plan/train', 'train/shorter')
  ]
  assert [a for a in train.arguments if 'gin' in a] == recipes
  assert not train.is_done
  monkeypatch.setattr(chain_lib.checkpoints, 'newest_step', lambda _: 30)
  metrics = '{"step": 30, "eval/mean_iou": 0.4}\n'
  write(f'{chain.out}/train/metrics.jsonl', metrics)
  assert 'train' not in names(chain)


def test_a_shorter_schedule_is_shorter_in_all(chain, tmp_path):
  chain.shorten(300)
  config = configs.load(configs.TrainExperiment, [chain.shorter])
  assert config.schedule.train_steps == 300
  # As a plan of so many steps has them.
  assert config.weight_optimizer.warmup_steps == 300 // 16
  momentum = config.segmenter.batch_norm_momentum
  assert momentum == pytest.approx(1 - 20 / 300, abs=1e-4)


def test_a_training_goes_on_where_its_schedule_was_deleted(chain):
  plan(chain, with_search=False)
  write(f'{chain.out}/train/config.gin', 'TrainConfig.train_steps = 30\n')
  (train,) = (s for s in chain.steps(1) if s.name == 'train')
  assert '--allow_config_change' in train.arguments


def test_without_a_search_no_plan_of_one_counts(chain):
  plan(chain, with_search=False)
  write(f'{chain.out}/train_plan/train.gin', 'TrainConfig.train_steps = 50\n')
  (train,) = (s for s in chain.steps(1) if s.name == 'train')
  assert f'--gin_file={chain.out}/plan/train.gin' in train.arguments


def test_other_pictures_are_not_taken_for_those_that_were_converted(chain):
  chain.note_pictures()
  made.dataset(pathlib.Path(chain.out, 'data'))
  other = dataclasses.replace(chain, convert_flags=('--dataset=coco',))
  other.note_pictures()  # Without val they are converted again.
  path = f'{chain.out}/data/dataset.json'
  with open(path) as file:
    document = json.load(file)
  shard = document['splits']['train']['shards'][0] | {'name': 'b'}
  document['splits']['val'] = document['splits']['train'] | {'shards': [shard]}
  write(path, json.dumps(document))
  other.note_pictures()
  with pytest.raises(ValueError, match=r'^.*/data was converted by .*coco'):
    chain.note_pictures()
  os.rmdir(chain.pictures)
  other.note_pictures()  # They are not needed any more.


def test_pictures_that_are_not_there_are_named(chain):
  os.rmdir(chain.pictures)
  with pytest.raises(FileNotFoundError, match=r'/pictures is no folder\.$'):
    chain.note_pictures()


def test_the_score_is_that_of_what_was_exported(chain):
  assert chain.score() is None
  write(f'{chain.out}/train/evaluation-val-20.json', '{"mean_iou": 0.5}')
  write(f'{chain.out}/train/evaluation-val-30.json', '{"mean_iou": 0.4}')
  assert chain.score() is None
  write(f'{chain.out}/saved_model/assets.extra/metadata.json', '{"step": 20}')
  assert chain.score() == 0.5


def test_a_page_is_made_of_all_of_it_at_the_end(chain):
  step = chain.steps(1)[-1]
  assert (step.verb, step.is_needed) == ('report', False)
  assert step.arguments == (
    chain.out,
    f'--data_dir={chain.data_dir}',
    f'--output={chain.out}/report.html',
  )


def test_a_step_gives_the_flags_that_its_verb_has(chain):
  chain = chain_lib.Chain(chain.pictures, chain.out)
  plan(chain)
  for step in chain.steps(1):
    assert step.verb in command.VERBS
    given = {
      word[2:].partition('=')[0]
      for word in step.arguments
      if word.startswith('--')
    }
    flags = pages.flags(step.verb)
    assert {n for n, is_required in flags.items() if is_required} <= given
    assert given <= flags.keys()


def test_it_says_how_far_it_is(chain):
  plan(chain)
  write(
    f'{chain.out}/train/config.gin',
    'TrainConfig.train_steps = 40\nTrainConfig.eval_interval = 1\n',
  )
  write(
    f'{chain.out}/train/metrics.jsonl',
    '{"step": 10, "eval/mean_iou": 0.25}\n{"step": 20}\n',
  )
  found = standing.of(chain, 'train', 90)
  # Half of 200 seconds, after 110 and before 90.
  assert found == standing.Standing(210 / 400, 190, 0.25)
  assert str(found) == '52% done, 3 min left, mIoU 0.250'
  assert dataclasses.replace(found, rate=0.5).details == (
    '0.5 steps/s, 3 min left, mIoU 0.250'
  )
  # It will not go on for longer than it may.
  found = standing.of(chain, 'train', 90, 60)
  assert found is not None
  assert found.seconds_left == 60
  assert standing.of(chain, 'inspect_dataset', 90) is None


def test_it_says_how_much_slower_than_planned_it_is(chain):
  plan(chain)
  write(f'{chain.out}/train/config.gin', 'TrainConfig.train_steps = 40\n')
  write(f'{chain.out}/train/metrics.jsonl', '{"step": 20}\n')
  # Half of 200 seconds.
  assert standing.slowness(chain, 'train', 150) == 1.5
  assert standing.slowness(chain, 'train', 50) == 1.0
  assert standing.slowness(chain, 'export', 150) == 1.0
  write(f'{chain.out}/train/metrics.jsonl', '{"step": 2}\n')
  assert standing.slowness(chain, 'train', 150) == 1.0


def test_its_rate_is_that_of_the_steps_made_here(chain, monkeypatch):
  monkeypatch.setattr(standing, '_age', lambda *_: 0.0)
  metrics = f'{chain.out}/train/metrics.jsonl'
  write(metrics, '{"step": 100}\n')
  pace = standing.Pace(chain, 'train', 10.0)
  assert pace.rate(10.0) is None
  assert pace.steps_by(90.0, 10.0) is None
  write(metrics, '{"step": 110}\n')
  # What came before took the start.
  assert pace.rate(40.0) is None
  write(metrics, '{"step": 130}\n')
  assert pace.rate(50.0) == 2.0
  assert (pace.starting, pace.line_seconds) == (30, 10)
  # A twenty-fifth of the time is for evaluations.
  assert pace.steps_by(100.0, 50.0) == 130 + 2 * 48
  assert pace.steps_by(40.0, 50.0) == 130
  # Between two lines it makes steps that it has not told of yet.
  assert pace.rate(58.0) == 2.0
  assert pace.steps_by(100.0, 58.0) == 130 + 2 * 48
  # Between these two it was evaluated.
  write(metrics, '{"step": 130, "eval/mean_iou": 0.5}\n{"step": 150}\n')
  assert pace.rate(100.0) == 2.0
  assert standing.Pace(chain, 'export', 10.0).rate(50.0) is None


def test_its_rate_is_by_when_it_told_and_not_by_when_one_looked(chain):
  metrics = f'{chain.out}/train/metrics.jsonl'
  pace = standing.Pace(chain, 'train', 0.0)
  # Told 3 s and 1 s before somebody looks, 10 s later.
  for step, age, now in (10, 3.0, 20.0), (130, 1.0, 30.0):
    write(metrics, f'{{"step": {step}}}\n')
    told = time.time() - age
    os.utime(metrics, (told, told))
    rate = pace.rate(now)
  assert rate == pytest.approx(10.0, rel=0.05)
  assert pace.line_seconds == pytest.approx(12.0, rel=0.05)


def test_before_there_is_a_plan_nobody_knows(chain):
  assert standing.of(chain, 'train', 1) is None


# Doing it --------------------------------------------------------------------


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
  write(f'{tmp_path}/train.done')
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
  write(file, old)
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
  write(f'{chain.out}/saved_model.before/saved_model.pb', 'old')
  write(f'{tmp_path}/export.done')
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
  plan(chain)
  if has_known:
    tiny.GENOTYPE.save(f'{chain.out}/plan/genotype.json')
  if step is not None:
    snapshot(chain, step)
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
