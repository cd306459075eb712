# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The folder of a run: what a search or a training leaves behind.

    RUN/config.gin       every value of the configuration
    RUN/config-until-400.gin   the one before it, if it was changed at a step
    RUN/dataset.json     the table of the data set that it is trained on
    RUN/genotype.json    of a training: the network
    RUN/start.json       of a training: what it began with (`initialization`)
    RUN/checkpoints/     weights, alphas, betas, optimizers, step
    RUN/best/            of a training: the checkpoint of the best mIoU
    RUN/metrics.jsonl    one object a loop, evaluation or snapshot
    RUN/summaries/       the same for TensorBoard
    RUN/evaluation-*     what `tools/evaluate.py` found (`evaluation`)
    RUN/unfinished_loop.json   the losses of the loop that SIGTERM ended
    RUN/architecture/    of a search: snapshots (`architecture.decode`)
    RUN/post_mortem/     the state that met a NaN, and where (`post_mortem`)
    RUN/lock             while a process writes the folder (`run_lock`)

The first four define the run: they are written once all that can be refused
has been, and a run that goes on must agree with them. A `dataset.json` without
splits is no more than the classes of an imported network.
"""

from collections.abc import Mapping
import difflib
import json
import os
import pathlib
import sys
import time
from typing import Any, TypeVar

import tqdm

from auto_deeplab import configs
from auto_deeplab.architecture import artifact
from auto_deeplab.data import datasets
from auto_deeplab.data.records import tfrecord
from auto_deeplab.runs import best

Experiment = TypeVar(
  'Experiment', configs.SearchExperiment, configs.TrainExperiment
)


# Of the scores' keys in `metrics.jsonl`.
_SCORE = 'eval/'


class RunFolder:
  """Paths of a run, and its configuration and metrics files.

  Of several workers the first one writes the run's folder. The others take
  part in every save, so they write a folder of their own below it; all restore
  from the first one's checkpoints.

  Attributes:
    checkpoints: where the run restores from.
    saves: where this process saves checkpoints.
    best: for `runs.best`.
    post_mortem: for `runs.post_mortem`.
    lock: of this process on what it writes.
  """

  def __init__(
    self,
    run_dir: str | os.PathLike[str],
    worker: int = 0,
    allows_change: bool = False,
  ):
    """Initializes the paths; makes nothing.

    Args:
      run_dir: folder of the run.
      worker: which of the workers, counted from 0.
      allows_change: whether the run may go on with another configuration.
    """
    self._allows_change = allows_change
    self._run_dir = pathlib.Path(run_dir)
    self.path = self._run_dir / f'worker-{worker}' if worker else self._run_dir
    self.checkpoints = self._run_dir / 'checkpoints'
    self.best = self.path / 'best'
    self.saves = self.path / 'checkpoints'
    self.config = self.path / 'config.gin'
    self.genotype = self.path / 'genotype.json'
    self.lock = self.path / 'lock'
    self.post_mortem = self.path / 'post_mortem'
    self._unfinished_loop = self.path / 'unfinished_loop.json'
    self.metrics = self.path / 'metrics.jsonl'
    self.summaries = self.path / 'summaries'

  def of_worker(self, worker: int) -> 'RunFolder':
    """Returns the folder that a worker writes, counted from 0."""
    return RunFolder(self._run_dir, worker, self._allows_change)

  def check(self, experiment: Experiment, copies: Mapping[str, str]) -> None:
    """Refuses the folder of another run; writes nothing.

    Args:
      experiment: the run's configuration.
      copies: contents of further files that define the run, by their names.

    Raises:
      ValueError: if the folder holds a run of another configuration or other
        files; the message names the first value or file that differs.
    """
    if self.config.exists():
      self._check_config(experiment)
    for name, content in copies.items():
      path = self.path / name
      if not path.exists() or path.read_text() == content:
        continue
      if not _is_class_table_of(path, content):
        raise ValueError(
          f'{path} differs from what this run was asked to use; take another '
          'run folder.'
        )

  def _check_config(self, experiment: Experiment) -> None:
    schedule = type(experiment.schedule).__name__
    if f'{schedule}.' not in self.config.read_text():
      raise ValueError(
        f'{self.config} has no {schedule}: it is of another kind of run; take '
        'another run folder.'
      )
    difference = self._difference(experiment)
    if difference and not self._allows_change:
      old, new = (
        next(line[1:] for line in difference[2:] if line[0] == sign)
        for sign in '-+'
      )
      error = ValueError(
        f'{self.config} has `{old}`, this run has `{new}`; take another run '
        'folder, or the configuration that the run was started with. '
        '--allow_config_change goes on with this one.'
      )
      error.add_note('\n'.join(difference))
      raise error

  def _difference(self, experiment: Experiment) -> list[str]:
    """Returns the lines of a unified diff from the saved configuration."""
    if not self.config.exists():
      return []
    saved = configs.to_gin(self.load_config(type(experiment)))
    return list(
      difflib.unified_diff(
        saved.splitlines(),
        configs.to_gin(experiment).splitlines(),
        str(self.config),
        'this run',
        lineterm='',
        n=0,
      )
    )

  def claim(
    self, experiment: Experiment, copies: Mapping[str, str], step: int = 0
  ) -> None:
    """Makes this the folder of a run; Raises as of `check`.

    Args:
      experiment: the run's configuration. If it may change, the one until now
        is kept as `config-until-STEP.gin`, and the difference is printed.
      copies: as of `check`.
      step: that the run goes on from.
    """
    self.check(experiment, copies)
    self._put_old_config_aside(experiment, step)
    contents = {**copies, self.config.name: configs.to_gin(experiment)}
    for name, content in contents.items():
      path = self.path / name
      if not path.exists() or _is_class_table_of(path, content):
        with artifact.writing(path) as file:
          file.write(content.encode())

  def _put_old_config_aside(self, experiment: Experiment, step: int) -> None:
    difference = self._difference(experiment)
    if not difference:
      return
    old = self.config.with_name(f'config-until-{step}.gin')
    print(
      f'the configuration changes at step {step}; {old} keeps the old one:',
      *difference,
      sep='\n',
      file=sys.stderr,
      flush=True,
    )
    # Where it changes twice at a step, none was made by the second one.
    if not old.exists():
      with artifact.writing(old) as file:
        file.write(self.config.read_bytes())
    self.config.unlink()

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
    try:
      return configs.load(kind, [str(self.config)])
    except ValueError as e:
      if str(self.config) in str(e):
        raise
      raise ValueError(f'{self.config}: {e}') from e

  def forget_metrics_after(self, step: int, keep_scores: bool = True) -> None:
    """Drops rows beyond the step that a run resumes from.

    Args:
      step: of the checkpoint.
      keep_scores: whether scores at this very step stay.
    """
    if not self.metrics.exists():
      return
    kept = [
      line
      for line in self.metrics.read_text().splitlines()
      if (row := _parse(line))
      and row['step'] <= step
      and (keep_scores or row['step'] < step or not _scores_of(row))
    ]
    with artifact.writing(self.metrics) as file:
      file.write(''.join(f'{line}\n' for line in kept).encode())

  def scores_of(self, step: int) -> dict[str, float]:
    """Returns the scores of a step's evaluation; empty if there are none."""
    if not self.metrics.exists():
      return {}
    rows = map(_parse, self.metrics.read_text().splitlines())
    found = (_scores_of(row) for row in rows if row and row['step'] == step)
    return next(filter(None, found), {})

  def append_metrics(self, step: int, values: Mapping[str, float]) -> None:
    """Adds a row of numbers to `metrics.jsonl`."""
    self.append_row(step, {key: float(v) for key, v in values.items()})

  def append_scores(self, step: int, scores: Mapping[str, float]) -> None:
    """Adds the row of an evaluation; `scores_of` reads it."""
    row = {f'{_SCORE}{key}': value for key, value in scores.items()}
    self.append_metrics(step, row)

  def save_unfinished_loop(
    self, step: int, columns: Mapping[str, list[float]]
  ) -> None:
    """Keeps the values of a loop's steps up to one in its midst."""
    with artifact.writing(self._unfinished_loop) as file:
      file.write(json.dumps({'step': step, 'columns': columns}).encode())

  def load_unfinished_loop(self, step: int) -> dict[str, list[float]]:
    """Returns the values kept at this step; empty if a loop begins here."""
    if not self._unfinished_loop.exists():
      return {}
    saved = json.loads(self._unfinished_loop.read_text())
    return saved['columns'] if saved['step'] == step else {}

  def append_row(self, step: int, values: Mapping[str, Any]) -> None:
    """Adds a row of JSON values to `metrics.jsonl`."""
    self.path.mkdir(parents=True, exist_ok=True)
    try:
      with self.metrics.open('a') as file:
        file.write(json.dumps({'step': step, **values}) + '\n')
    except OSError as e:
      raise artifact.naming(e, self.metrics) from e


def _is_class_table_of(path: pathlib.Path, content: str) -> bool:
  """Whether a file is a `dataset.json` of no pictures, but these classes.

  Such a one comes with a network that was imported without its data set; the
  data set of a training takes its place.
  """
  if path.name != tfrecord.INFO_NAME:
    return False
  try:
    table, info = map(tfrecord.info_from_text, (path.read_text(), content))
  except ValueError:
    return False
  return not table.splits and datasets.are_same_classes(
    table.class_names, info.class_names
  )


def _parse(line: str) -> dict[str, Any] | None:
  """Returns a row of the metrics; None of one cut short by a crash."""
  try:
    return json.loads(line)
  except json.JSONDecodeError:
    return None


def _scores_of(row: Mapping[str, Any]) -> dict[str, float]:
  return {
    key.removeprefix(_SCORE): value
    for key, value in row.items()
    if key.startswith(_SCORE)
  }


class Progress:
  """Shows steps, rate and time left: a bar on a terminal, else plain lines."""

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
    self._scores = {f'{_SCORE}{best.SCORE}': f'{scores[best.SCORE]:.4f}'}
    self._bar.write(line, file=sys.stderr)

  def close(self) -> None:
    """Ends the bar."""
    if self._bar is not None:
      self._bar.close()
