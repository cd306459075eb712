# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The lock goes with its process."""

import errno
import fcntl
import os
import pathlib
import socket
import subprocess
import sys

import pytest

from auto_deeplab.runs import run_lock

HOLDER = """
import sys
from auto_deeplab.runs import run_lock
lock = run_lock.RunLock(sys.argv[1])
lock.acquire()
print('taken', flush=True)
sys.stdin.read()
"""


def test_one_at_a_time(tmp_path):
  path = tmp_path / 'run' / 'lock'
  first, second = run_lock.RunLock(path), run_lock.RunLock(path)
  first.acquire()
  first.acquire()
  with pytest.raises(ValueError) as error:
    second.acquire()
  assert str(error.value) == (
    f'{path.parent} is in use by another run (process {os.getpid()} on '
    f'{socket.gethostname()}); end that one, or take another run folder.'
  )
  first.release()
  second.acquire()
  second.release()
  second.release()


def test_a_killed_process_holds_nothing(tmp_path, repository):
  path = tmp_path / 'lock'
  holder = subprocess.Popen(
    [sys.executable, '-c', HOLDER, str(path)],
    cwd=repository,
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  )
  assert holder.stdout is not None
  assert holder.stdout.readline() == 'taken\n'
  lock = run_lock.RunLock(path)
  with pytest.raises(ValueError, match=f'process {holder.pid} on '):
    lock.acquire()
  holder.kill()
  holder.communicate()
  lock.acquire()
  lock.release()


def test_nothing_is_left_of_a_run_that_did_not_begin(tmp_path):
  path = tmp_path / 'runs' / 'new' / 'lock'
  with run_lock.holding(path):
    assert path.exists()
  assert list(tmp_path.iterdir()) == []


def test_a_run_that_began_stays(tmp_path):
  path = tmp_path / 'runs' / 'new' / 'lock'
  with run_lock.holding(path):
    (path.parent / 'config.gin').touch()
  assert [p.name for p in path.parent.iterdir()] == ['config.gin']


def test_a_lock_that_is_removed_while_one_waits_is_none(tmp_path, monkeypatch):
  path = tmp_path / 'lock'
  flock = fcntl.flock
  removed: list[pathlib.Path] = []

  def flock_late(file, operation):
    if not removed:
      removed.append(pathlib.Path(file.name))
      path.unlink()
    flock(file, operation)

  monkeypatch.setattr(fcntl, 'flock', flock_late)
  with run_lock.holding(path):
    assert removed == [path]
    with pytest.raises(ValueError, match='is in use by another run'):
      run_lock.RunLock(path).acquire()


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
  def refuse(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

  monkeypatch.setattr(fcntl, 'flock', refuse)
  path = tmp_path / 'lock'
  with pytest.raises(OSError) as error:
    run_lock.RunLock(path).acquire()
  assert str(error.value) == f"[Errno 37] No locks available: '{path}'"
