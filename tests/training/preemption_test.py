# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""SIGTERM is noticed while it is watched for, and no longer."""

import os
import signal

from auto_deeplab.training import preemption


def test_the_signal_is_noticed():
  before = signal.getsignal(signal.SIGTERM)
  with preemption.watching() as watch:
    seen = [watch.is_asked]
    os.kill(os.getpid(), signal.SIGTERM)
    seen.append(watch.is_asked)
  assert seen == [False, True]
  assert signal.getsignal(signal.SIGTERM) == before


def test_the_status_is_none_that_a_crash_or_a_kill_has():
  assert preemption.EXIT_STATUS == 75
