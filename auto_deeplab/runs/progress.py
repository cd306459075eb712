# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run says while it goes on: a bar on a terminal, else plain lines."""

from collections.abc import Mapping
import sys
import time

import tqdm

from auto_deeplab.runs import best, metrics_file


class Progress:
  """Shows steps, rate, time left and scores."""

  def __init__(self, label: str, first_step: int, num_steps: int):
    self._label = label
    self._first_step = first_step
    self._step = first_step
    self._num_steps = num_steps
    self._start = time.monotonic()
    self._scores: dict[str, str] = {}
    self._bar = None
    if sys.stderr.isatty():
      self._bar = tqdm.tqdm(
        total=num_steps, initial=first_step, desc=label, unit='step'
      )

  def update(self, step: int, values: Mapping[str, float]) -> None:
    """Reports that `step` steps are done."""
    shown = {key: f'{value:.4g}' for key, value in values.items()}
    if self._bar is not None:
      self._bar.set_postfix(shown | self._scores, refresh=False)
      self._bar.update(step - self._step)
    else:
      print(self._line(step, shown), file=sys.stderr, flush=True)
    self._step = step

  def _line(self, step: int, shown: Mapping[str, str]) -> str:
    rate = (step - self._first_step) / (time.monotonic() - self._start)
    left = (self._num_steps - step) / rate if rate else float('inf')
    parts = [
      f'{self._label} {step}/{self._num_steps}',
      f'{rate:.2f} steps/s',
      f'{left:.0f} s left',
      *(f'{key} {value}' for key, value in shown.items()),
    ]
    return ' | '.join(parts)

  def show_scores(self, step: int, scores: Mapping[str, float]) -> None:
    """Reports an evaluation in a line; the bar keeps the score of the best."""
    # Those of single classes are in `metrics.jsonl`.
    shown = [f'{k} {v:.4f}' for k, v in scores.items() if '/' not in k]
    head = f'{self._label} {step}/{self._num_steps}'
    line = ' | '.join([head, ' '.join(['eval', *shown])])
    if self._bar is None:
      print(line, file=sys.stderr, flush=True)
      return
    self._scores = {f'{metrics_file.SCORE}{best.SCORE}': f'{scores[best.SCORE]:.4f}'}
    self._bar.write(line, file=sys.stderr)

  def close(self) -> None:
    """Ends the bar."""
    if self._bar is not None:
      self._bar.close()
