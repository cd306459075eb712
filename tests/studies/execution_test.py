# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tasks are done in order, once, so many at a time, and can be ended."""

import json
import os
import pathlib
import re
import signal
import sys
import threading
import time

import pytest

from auto_deeplab.studies import execution

# In the place of a verb; the last argument ends with the folder of the task.
_PROGRAM = """
import json, os, pathlib, sys, time
task = '-'.join(sys.argv[-1].split('/')[-2:])
time.sleep(0.05)
cores = sorted(os.sched_getaffinity(0))
pathlib.Path({folder!r}, task).write_text(json.dumps(cores))
{body}
"""


@pytest.fixture
def start(tmp_path):
  """Returns what starts processes that do as their body says."""

  def make(body='pass'):
    program = _PROGRAM.format(folder=str(tmp_path), body=body)
    return lambda verb: [sys.executable, '-c', program, verb]

  return make


def names(tasks):
  return [task.name for task in tasks]


def test_all_is_done_once_and_recorded(study, start):
  ended = []
  left = execution.left(study)
  execution.run(study, left, start(), 1, lambda *end: ended.append(end))
  assert [task for task, _ in ended] == left == study.tasks()
  assert execution.left(study) == []
  for task, record in ended:
    assert record == execution.load_record(study, task)
    assert record.is_done
    assert 0 < record.cpu_seconds < 5
    assert record.command.startswith(f'{task.verb} --')


def test_what_is_needed_comes_first(start, changed):
  study = changed(search_seeds=(1, 2, 3))
  tasks, ended = study.tasks(), []
  execution.run(
    study, tasks, start(), 4, lambda task, _: ended.append(task.name)
  )
  assert sorted(ended) == sorted(names(tasks))
  for task in tasks:
    for need in task.needs:
      assert ended.index(need) < ended.index(task.name)


def test_cores_are_divided_among_the_workers(study, start, tmp_path):
  cores = sorted(os.sched_getaffinity(0))
  tasks = [task for task in study.tasks() if 'random' in task.name]
  execution.run(study, tasks, start('time.sleep(0.3)'), 2)
  found = [json.loads(path.read_text()) for path in tmp_path.glob('random-*')]
  assert len(found) == len(tasks)
  shares = [cores[0::2], cores[1::2] or cores[:1]]
  assert all(share in shares for share in found)
  assert all(share in found for share in shares)


def test_a_failure_is_named_and_keeps_no_other_waiting(study, start):
  bad = 'trainings/random-01/seed-0'
  fails = "sys.exit('no memory' if task == 'random-01-seed-0' else 0)"
  log = f'{study.study_dir}/logs/{bad}.log'
  message = f'{bad} failed: no memory (all of it: {log})'
  with pytest.raises(execution.TaskError, match=f'^{re.escape(message)}$'):
    execution.run(study, study.tasks(), start(fails), 1)
  left = execution.left(study)
  assert names(left) == [bad]
  first_try = execution.load_record(study, left[0])
  assert not first_try.is_done
  execution.run(study, left, start(), 1)
  assert execution.left(study) == []
  both_tries = execution.load_record(study, left[0])
  assert both_tries.cpu_seconds > first_try.cpu_seconds > 0


def test_what_needs_a_failure_is_left_and_each_failure_named(study, start):
  fails = "sys.exit(task in ('searches-seed-7', 'random-00-seed-4'))"
  with pytest.raises(execution.TaskError) as caught:
    execution.run(study, study.tasks(), start(fails), 2)
  failures = str(caught.value).split('; ')
  assert len(failures) == 2
  assert all(' failed: ' in failure for failure in failures)
  assert names(execution.left(study)) == [
    'searches/seed-7',
    'genotypes/magnitude-7',
    'trainings/magnitude-7/seed-0',
    'trainings/magnitude-7/seed-4',
    'trainings/random-00/seed-4',
  ]


def test_what_another_process_has_done_since_is_not_done_again(study, start):
  tasks = execution.left(study, ['searches/seed-7'])
  execution.run(study, tasks, start())
  record = execution.load_record(study, tasks[0])
  ended = []
  execution.run(
    study, tasks, start('sys.exit(1)'), 1, lambda *end: ended.append(end)
  )
  assert ended == [(tasks[0], record)]
  assert execution.load_record(study, tasks[0]) == record


def test_some_are_done_alone(study, start):
  only = ['trainings/random-00/seed-4', 'searches/seed-7']
  left = execution.left(study, only)
  assert names(left) == only[::-1]
  execution.run(study, left, start())
  assert len(execution.left(study)) == len(study.tasks()) - 2
  with pytest.raises(ValueError, match="'trainings/x' is no task of this"):
    execution.left(study, ['trainings/x'])


def test_what_is_needed_and_not_there_is_named(study, start):
  left = execution.left(study, ['genotypes/magnitude-7'])
  assert execution.ready(study, left) == []
  message = 'genotypes/magnitude-7 needs searches/seed-7, which is not done'
  with pytest.raises(ValueError, match=message):
    execution.run(study, left, start())


def test_a_record_of_another_command_is_refused(study, start, changed):
  execution.run(study, execution.left(study, ['searches/seed-7']), start())
  other = changed(search_recipe='camvid_search')
  with pytest.raises(ValueError, match='is of another command, `search '):
    execution.left(other)


@pytest.mark.parametrize(
  'text',
  ['', '{}', '[]', '{"format": "auto_deeplab.study_record", "version": 2}'],
)
def test_a_record_that_cannot_be_read_is_named(study, text):
  path = pathlib.Path(study.study_dir, 'records/searches/seed-7.json')
  path.parent.mkdir(parents=True)
  path.write_text(text)
  with pytest.raises(ValueError, match=f'{path} cannot be read'):
    execution.left(study)


@pytest.mark.parametrize(
  ('number', 'error'),
  [(signal.SIGTERM, execution.Stopped), (signal.SIGINT, KeyboardInterrupt)],
)
def test_a_signal_ends_the_runs_and_keeps_what_they_took(
  study, start, tmp_path, number, error
):
  def send():
    while len(list(tmp_path.glob('random-*'))) < 2:
      time.sleep(0.01)
    os.kill(os.getpid(), number)

  handler = signal.getsignal(number)
  threading.Thread(target=send).start()
  begin = time.monotonic()
  with pytest.raises(error, match='the same command goes on from there'):
    execution.run(study, study.tasks()[3:], start('time.sleep(60)'), 2)
  assert time.monotonic() - begin < 30
  assert signal.getsignal(number) == handler
  records = [execution.load_record(study, task) for task in study.tasks()]
  assert sum(record.cpu_seconds > 0 for record in records) == 2
  assert not any(record.is_done for record in records)
