# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The lock goes with its process."""

import os
import socket
import subprocess
import sys

import pytest

from auto_deeplab.training import run_lock

HOLDER = """
import sys
from auto_deeplab.training import run_lock
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
