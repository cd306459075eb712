# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The signals are noticed while they are watched for, and no longer."""

import os
import signal
import threading

import pytest
import tensorflow as tf

from auto_deeplab.runs import preemption


@pytest.mark.parametrize(
  ('number', 'error'),
  [
    (signal.SIGTERM, preemption.Preempted),
    (signal.SIGINT, preemption.Interrupted),
  ],
)
def test_a_signal_is_noticed(number, error):
  before = signal.getsignal(number)
  with preemption.watching() as watch:
    seen = [watch.is_asked]
    os.kill(os.getpid(), number)
    seen.append(watch.is_asked)
    assert watch.error is error
  assert seen == [False, True]
  assert signal.getsignal(number) == before


def test_a_second_ctrl_c_is_left_to_the_system():
  with preemption.watching():
    assert signal.getsignal(signal.SIGINT) != signal.SIG_DFL
    os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL


def test_what_the_process_ignores_stays_ignored():
  before = signal.signal(signal.SIGINT, signal.SIG_IGN)
  try:
    with preemption.watching() as watch:
      os.kill(os.getpid(), signal.SIGINT)
    assert not watch.is_asked
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
  finally:
    signal.signal(signal.SIGINT, before)


def test_tracing_does_not_take_it_for_an_error_of_its_own():
  @tf.function
  def traced():
    os.kill(os.getpid(), signal.SIGINT)

  with (
    preemption.watching() as watch,
    pytest.raises(preemption.Interrupted) as error,
    watch.ending_at_once('saved'),
  ):
    traced()
  assert str(error.value) == 'saved'


def test_the_status_is_none_that_a_crash_or_a_kill_has():
  assert preemption.EXIT_STATUS == 75


def ask():
  os.kill(os.getpid(), signal.SIGTERM)


def test_a_data_set_ends_at_the_signal():
  with preemption.watching() as watch:
    seen = []
    with pytest.raises(preemption.Asked):
      for batch in preemption.UntilAsked(range(9), watch):
        seen.append(batch)
        if batch == 3:
          ask()
  assert seen == [0, 1, 2, 3]


@pytest.mark.parametrize('is_asked_before', [False, True])
def test_where_nothing_is_to_be_lost_it_ends_at_once(is_asked_before):
  with preemption.watching() as watch:
    if is_asked_before:
      ask()
    with (
      pytest.raises(preemption.Preempted, match=r'^saved$'),
      watch.ending_at_once('saved'),
    ):
      assert not is_asked_before
      ask()
      pytest.fail('it went on.')
    ask()
    assert watch.is_asked


def test_one_process_asks_itself(mirrored):
  with preemption.watching() as watch:
    assert not watch.is_anyone_asked(mirrored)
    ask()
    assert watch.is_anyone_asked(mirrored)


def test_a_thread_has_no_signals():
  seen = []

  def watch():
    with preemption.watching() as watch:
      seen.append(watch.is_asked)

  thread = threading.Thread(target=watch)
  thread.start()
  thread.join()
  assert seen == [False]
