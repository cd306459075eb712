# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The folder of a run: what a search or a training leaves behind.

    RUN/config.gin       every value of the configuration
    RUN/dataset.json     the data set's table, of a training also
    RUN/genotype.json    the network it trains
    RUN/checkpoints/     weights, alphas, betas, optimizers, step
    RUN/metrics.jsonl    one object a loop or evaluation
    RUN/summaries/       the same for TensorBoard
    RUN/architecture/    of a search: snapshots (`architecture.decode`)
"""

from collections.abc import Mapping
import json
import os
import pathlib
import sys
import time
from typing import TypeVar

import tqdm

from auto_deeplab import configs
from auto_deeplab.architecture import artifact

Experiment = TypeVar(
  'Experiment', configs.SearchExperiment, configs.TrainExperiment
)


class RunFolder:
  """Paths of a run, and its configuration and metrics files."""

  def __init__(self, run_dir: str | os.PathLike[str]):
    self.path = pathlib.Path(run_dir)
    self.config = self.path / 'config.gin'
    self.checkpoints = self.path / 'checkpoints'
    self.genotype = self.path / 'genotype.json'
    self.metrics = self.path / 'metrics.jsonl'
    self.summaries = self.path / 'summaries'

  def claim(
    self, experiment: configs.SearchExperiment | configs.TrainExperiment
  ) -> None:
    """Writes `config.gin`, or checks that it says the same.

    Raises:
      ValueError: if the folder holds a run of another configuration; the
        message names the first value that differs.
    """
    if not self.config.exists():
      with artifact.writing(self.config) as file:
        file.write(configs.to_gin(experiment).encode())
      return
    saved = configs.to_gin(self.load_config(type(experiment))).splitlines()
    for old, new in zip(saved, configs.to_gin(experiment).splitlines()):
      if old != new:
        raise ValueError(
          f'{self.config} has `{old}`, this run has `{new}`; take another run '
          'folder, or the configuration that the run was started with.'
        )

  def load_config(self, kind: type[Experiment]) -> Experiment:
    """Reads `config.gin`.

    Raises:
      FileNotFoundError: if there is none.
      ValueError: if it does not parse.
    """
    if not self.config.exists():
      raise FileNotFoundError(
        f'{self.config} does not exist; is {str(self.path)!r} the folder of a '
        'run?'
      )
    return configs.load(kind, [str(self.config)])

  def claim_copy(self, name: str, content: str) -> None:
    """Writes a file of the run, or checks that it holds the same.

    Raises:
      ValueError: if it holds something else.
    """
    path = self.path / name
    if not path.exists():
      with artifact.writing(path) as file:
        file.write(content.encode())
    elif path.read_text() != content:
      raise ValueError(
        f'{path} differs from what this run was asked to use; take another '
        'run folder.'
      )

  def forget_metrics_after(self, step: int) -> None:
    """Drops rows beyond the step that a run resumes from."""
    if not self.metrics.exists():
      return
    rows = self.metrics.read_text().splitlines()
    kept = [row for row in rows if _step_of(row) <= step]
    with artifact.writing(self.metrics) as file:
      file.write(''.join(f'{row}\n' for row in kept).encode())

  def append_metrics(self, step: int, values: Mapping[str, float]) -> None:
    """Adds a row to `metrics.jsonl`."""
    self.path.mkdir(parents=True, exist_ok=True)
    row = {'step': step} | {key: float(v) for key, v in values.items()}
    with self.metrics.open('a') as file:
      file.write(json.dumps(row) + '\n')


def _step_of(row: str) -> float:
  """Step of a row; a row cut short by a crash is beyond every step."""
  try:
    return json.loads(row)['step']
  except (ValueError, KeyError):
    return float('inf')


class Progress:
  """Shows steps, rate and time left: a bar on a terminal, else plain lines."""

  def __init__(self, label: str, first_step: int, num_steps: int):
    self._label = label
    self._first_step = first_step
    self._step = first_step
    self._num_steps = num_steps
    self._start = time.monotonic()
    self._bar = None
    if sys.stderr.isatty():
      self._bar = tqdm.tqdm(
        total=num_steps, initial=first_step, desc=label, unit='step'
      )

  def update(self, step: int, values: Mapping[str, float]) -> None:
    """Reports that `step` steps are done."""
    shown = {key: f'{value:.4g}' for key, value in values.items()}
    if self._bar is not None:
      self._bar.set_postfix(shown, refresh=False)
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

  def close(self) -> None:
    """Ends the bar."""
    if self._bar is not None:
      self._bar.close()
