# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A machine that is taken away: SIGTERM, and what a run answers.

Schedulers send SIGTERM some 30 seconds before they kill. The run saves a
checkpoint at the end of its step and exits with `EXIT_STATUS`.
"""

from collections.abc import Iterator
import contextlib
import os
import signal
from typing import Any

# 75 of sysexits.h: a failure that goes away, try again. No crash (1), no kill
# (137) and no SIGTERM that nobody minded (143) ends so: where a scheduler sees
# it, the run is saved and wants to be started again.
EXIT_STATUS = os.EX_TEMPFAIL


class Preempted(Exception):
  """The run was asked to end; the message names what it saved."""


class Watch:
  """Remembers SIGTERM.

  Attributes:
    is_asked: whether it came.
  """

  def __init__(self) -> None:
    self.is_asked = False

  def notice(self, *_: Any) -> None:
    """Handles the signal."""
    self.is_asked = True


@contextlib.contextmanager
def watching() -> Iterator[Watch]:
  """Yields what notices SIGTERM, which ends the process no more meanwhile."""
  watch = Watch()
  previous = signal.signal(signal.SIGTERM, watch.notice)
  try:
    yield watch
  finally:
    signal.signal(signal.SIGTERM, previous)
