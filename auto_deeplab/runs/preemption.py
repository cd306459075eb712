# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A run that is asked to end: SIGTERM or Ctrl-C, and what it answers.

Schedulers send SIGTERM some 30 seconds before they kill. The run saves a
checkpoint at the end of its step and exits with `EXIT_STATUS`. While nothing is
to be lost it ends at once: before the first step as any program does, within an
evaluation, which comes after a checkpoint, with `EXIT_STATUS` as well.

Ctrl-C (SIGINT) saves likewise, but comes from a person, who does not want the
run to be started again: it ends as programs do that are interrupted. A second
one ends it at once, before it has saved.
"""

from collections.abc import Iterable, Iterator
import contextlib
import os
import signal
import threading
from typing import Any

import tensorflow as tf

from auto_deeplab.training import distribution

# 75 of sysexits.h: a failure that goes away, try again. No crash (1), no kill
# (137) and no SIGTERM that nobody minded (143) ends so: where a scheduler sees
# it, the run is saved and wants to be started again.
EXIT_STATUS = os.EX_TEMPFAIL


class Preempted(BaseException):
  """The run was asked to end; the message names what it saved.

  No `Exception`: the signal may come while TensorFlow traces, which would take
  one for an error in what it traces, and word it anew.

  Attributes:
    exit_status: what a program that raises it exits with.
  """

  exit_status = EXIT_STATUS


class Interrupted(Preempted, KeyboardInterrupt):
  """The same, by Ctrl-C."""


class Asked(Exception):
  """The signal came; nothing is saved yet."""


class Watch:
  """Remembers SIGTERM and Ctrl-C.

  Attributes:
    is_asked: whether one of them came.
    error: what to raise then.
  """

  def __init__(self) -> None:
    self.is_asked = False
    self.error: type[Preempted] = Preempted
    self._message = ''

  def notice(self, number: int, _: Any) -> None:
    """Handles the signal."""
    self.is_asked = True
    if number == signal.SIGINT:
      self.error = Interrupted
      # By the system, for Python hears of a signal between two steps only.
      signal.signal(signal.SIGINT, signal.SIG_DFL)
    if self._message:
      raise self.error(self._message)

  @contextlib.contextmanager
  def ending_at_once(self, message: str) -> Iterator[None]:
    """Lets the signal raise `error` with this message, within."""
    self._message = message
    try:
      if self.is_asked:
        raise self.error(message)
      yield
    finally:
      self._message = ''

  def is_anyone_asked(self, strategy: tf.distribute.Strategy) -> bool:
    """Returns whether the signal came to any worker; all have to ask."""
    asked = float(self.is_asked)
    return distribution.sum_over_workers(strategy, asked) > 0


class UntilAsked:
  """A data set that raises `Asked` in the place of a batch after the signal."""

  def __init__(self, dataset: Iterable[Any], watch: Watch):
    """Initializes the data set.

    Args:
      dataset: of the steps' batches.
      watch: which notices the signal.
    """
    self._dataset = dataset
    self._watch = watch

  def __iter__(self) -> Iterator[Any]:
    for batch in self._dataset:
      if self._watch.is_asked:
        raise Asked
      yield batch


@contextlib.contextmanager
def watching() -> Iterator[Watch]:
  """Yields what notices the signals, which end the process no more meanwhile.

  Python gives signals to the main thread alone; a run in another one is ended
  by them as before. What the process ignores, as Ctrl-C where a script starts
  it in the background, it goes on to ignore.
  """
  watch = Watch()
  if threading.current_thread() is not threading.main_thread():
    yield watch
    return
  signals = [
    number
    for number in (signal.SIGTERM, signal.SIGINT)
    if signal.getsignal(number) != signal.SIG_IGN
  ]
  previous = [signal.signal(number, watch.notice) for number in signals]
  try:
    yield watch
  finally:
    for number, handler in zip(signals, previous):
      signal.signal(number, handler)
