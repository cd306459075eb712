# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A machine that is taken away: SIGTERM, and what a run answers.

Schedulers send SIGTERM some 30 seconds before they kill. The run saves a
checkpoint at the end of its step and exits with `EXIT_STATUS`. While nothing is
to be lost it ends at once: before the first step as any program does, within an
evaluation, which comes after a checkpoint, with `EXIT_STATUS` as well.
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


class Preempted(Exception):
  """The run was asked to end; the message names what it saved."""


class Asked(Exception):
  """The signal came; nothing is saved yet."""


class Watch:
  """Remembers SIGTERM.

  Attributes:
    is_asked: whether it came.
  """

  def __init__(self) -> None:
    self.is_asked = False
    self._message = ''

  def notice(self, *_: Any) -> None:
    """Handles the signal."""
    self.is_asked = True
    if self._message:
      raise Preempted(self._message)

  @contextlib.contextmanager
  def ending_at_once(self, message: str) -> Iterator[None]:
    """Lets the signal raise `Preempted` with this message, within."""
    self._message = message
    try:
      if self.is_asked:
        raise Preempted(message)
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
  """Yields what notices SIGTERM, which ends the process no more meanwhile.

  Python gives signals to the main thread alone; a run in another one is ended
  by them as before.
  """
  watch = Watch()
  if threading.current_thread() is not threading.main_thread():
    yield watch
    return
  previous = signal.signal(signal.SIGTERM, watch.notice)
  try:
    yield watch
  finally:
    signal.signal(signal.SIGTERM, previous)
