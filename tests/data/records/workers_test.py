# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the processes that share out tasks: how they work, and end."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from auto_deeplab.data.records import workers

PATIENCE_SECONDS = 60


def square(task, advance):
  advance(2)
  return task * task


def refuse(task, advance):
  raise ValueError(f'task {task} cannot be done')


def die(task, advance):
  os.kill(os.getpid(), signal.SIGKILL)


def last_for_hours(task, advance):
  """Writes the number of its process, and goes on until it is stopped."""
  pathlib.Path(task).write_text(str(os.getpid()))
  while True:
    advance(1)
    time.sleep(0.01)


@pytest.mark.parametrize('count', [1, 2])
def test_all_tasks_are_done_and_counted(count):
  seen: list[int] = []
  with workers.Workers(count) as pool:
    for _ in range(2):
      results = pool.run(square, range(5), seen.append)
      assert sorted(results) == [0, 1, 4, 9, 16]
      assert seen[-1] == 10


@pytest.mark.parametrize('count', [1, 2])
def test_an_error_comes_back(count):
  with (
    workers.Workers(count) as pool,
    pytest.raises(ValueError, match=r'^task 7 cannot be done$'),
  ):
    list(pool.run(refuse, [7], lambda _: None))


def test_a_process_that_was_killed_is_an_error():
  with (
    workers.Workers(2) as pool,
    pytest.raises(ChildProcessError, match='A worker process was killed, perh'),
  ):
    list(pool.run(die, [1], lambda _: None))


def _wait_for_pid(path):
  end = time.monotonic() + PATIENCE_SECONDS
  while not (path.exists() and path.read_text()):
    assert time.monotonic() < end
    time.sleep(0.05)
  return int(path.read_text())


def test_leaving_stops_what_runs(tmp_path):
  paths = [str(tmp_path / name) for name in 'abc']
  with pytest.raises(KeyboardInterrupt), workers.Workers(2) as pool:

    def interrupt(count):
      if count:
        raise KeyboardInterrupt

    list(pool.run(last_for_hours, paths, interrupt))
  assert not (tmp_path / 'c').exists()


def test_processes_end_with_a_parent_that_is_killed(tmp_path, repository):
  program = f"""
from tests.data.records import workers_test
from auto_deeplab.data.records import workers
if __name__ == '__main__':
  pool = workers.Workers(2)
  path = {str(tmp_path / 'pid')!r}
  list(pool.run(workers_test.last_for_hours, [path], lambda _: None))
"""
  (tmp_path / 'program.py').write_text(program)
  parent = subprocess.Popen(
    [sys.executable, str(tmp_path / 'program.py')],
    env={**os.environ, 'PYTHONPATH': str(repository)},
  )
  worker = _wait_for_pid(tmp_path / 'pid')
  parent.kill()
  parent.wait()
  end = time.monotonic() + PATIENCE_SECONDS
  while _is_running(worker):
    assert time.monotonic() < end
    time.sleep(0.05)


def _is_running(pid):
  try:
    status = pathlib.Path(f'/proc/{pid}/status').read_text()
  except OSError:
    return False
  return '\nState:\tZ' not in status


def test_an_interrupt_while_workers_start_is_heard_afterwards():
  """Also where another thread is told of it, which does not hold it back."""
  seen = []

  def start():
    with workers._holding_back_interrupts():
      thread = threading.Thread(target=interrupt)
      thread.start()
      thread.join()
      seen.append('started')

  def interrupt():
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

  with pytest.raises(KeyboardInterrupt):
    start()
  assert seen == ['started']
