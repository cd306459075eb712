# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How far a chain is: a bar on a terminal, else a line now and then."""

import dataclasses
import sys
import time

import tqdm

from auto_deeplab.planning import standing


class Progress:
  """One bar over all, and above it what each tool says."""

  SECONDS_A_LINE = 20

  def __init__(self):
    self._bar: tqdm.tqdm | None = None
    self._share = 0.0
    self._last_line = time.monotonic()

  def tell(self, line: str) -> None:
    """Prints a line."""
    if self._bar is None:
      print(line, flush=True)
    else:
      self._bar.write(line)

  def show(self, name: str, found: standing.Standing) -> None:
    """Shows how far all is, while the step `name` runs.

    Steps that take another time than expected do not send it back, and what
    still runs is not all of it.
    """
    self._share = max(self._share, min(found.share, 0.99))
    found = dataclasses.replace(found, share=self._share)
    if sys.stderr.isatty():
      if self._bar is None:
        self._bar = tqdm.tqdm(
          total=1.0, bar_format='{percentage:3.0f} % |{bar:30}| {desc}'
        )
      self._bar.set_description_str(f'{name}: {found.details}', refresh=False)
      self._bar.n = found.share
      self._bar.refresh()
    elif time.monotonic() - self._last_line >= self.SECONDS_A_LINE:
      self._last_line = time.monotonic()
      print(f'{name}: {found}', flush=True)

  def __enter__(self) -> 'Progress':
    return self

  def __exit__(self, *_: object) -> None:
    """Leaves the bar as it is, for what is printed next."""
    if self._bar is not None:
      self._bar.close()
      self._bar = None
