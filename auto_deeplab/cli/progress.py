# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How far a tool has come: a bar on a terminal, else a line now and then."""

import sys
import time

import tqdm

_SECONDS_A_LINE = 10


class Progress:
  """Tells of one thing after the other, each of so many pictures."""

  def __init__(self):
    self._what, self._done = '', 0
    self._bar = tqdm.tqdm(disable=True)
    self._last_line = 0.0

  def __call__(self, what: str, done: int, total: int) -> None:
    """Tells that `done` of `total` pictures are done."""
    if what != self._what or done < self._done:
      self._begin(what, total)
    if done == self._done:
      return
    self._bar.update(done - self._done)
    self._done = done
    if done == total:
      self._bar.close()
    is_due = time.monotonic() - self._last_line >= _SECONDS_A_LINE
    if self._bar.disable and (is_due or done == total):
      self._last_line = time.monotonic()
      print(f'{what}: {done}/{total} pictures', flush=True)

  def _begin(self, what: str, total: int) -> None:
    self._what, self._done = what, 0
    self._bar = tqdm.tqdm(
      total=total,
      desc=what,
      unit=' pictures',
      disable=not sys.stderr.isatty(),
    )
    self._last_line = time.monotonic()
