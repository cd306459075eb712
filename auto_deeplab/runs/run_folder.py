# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The folder of a run: what a search or a training leaves behind, and when.

Once, before the first step, when all that can be refused has been (`claim`).
These define the run: one that goes on must agree with them. A `dataset.json`
without splits is no more than the classes of an imported network.

    RUN/config.gin       every value of the configuration
    RUN/dataset.json     the table of the data set that it is trained on
    RUN/genotype.json    of a training: the network
    RUN/start.json       of a training: what it began with (`initialization`)
    RUN/starts.jsonl     the commands that started it (`provenance`); they tell,
                         and define nothing
    RUN/config-until-400.gin   when it goes on at step 400 with another
                         configuration: the one before

At the end of each loop of steps, or at multiples of an interval:

    RUN/metrics.jsonl    one object a loop, evaluation or snapshot
    RUN/summaries/       the same for TensorBoard
    RUN/checkpoints/     weights, alphas, betas, optimizers, step
    RUN/architecture/    of a search: snapshots (`architecture.decode`)
    RUN/genotype_within_cost.json   of a search with a target: at its end, the
                         likeliest network of that cost
    RUN/stopped_early.json   of a search that `SearchConfig.early_stop` ended

After an evaluation:

    RUN/best/            of a training: the checkpoint of the best mIoU (`best`)
    RUN/evaluation-*     what `tools/evaluate.py` found (`evaluation`);
                         pictures-* and examples-* are of single pictures

When it ends before its time:

    RUN/unfinished_loop.json   on SIGTERM: the losses of its last loop
    RUN/post_mortem/     on a NaN: the state, and where it was (`post_mortem`)

And RUN/lock, as long as a process writes the folder (`run_lock`).
"""

from collections.abc import Mapping
import difflib
import json
import os
import pathlib
import sys
from typing import Any, TypeVar

from auto_deeplab import configs
from auto_deeplab.architecture import artifact
from auto_deeplab.data import datasets
from auto_deeplab.data.records import info_file, tfrecord

Configured = (
  configs.SearchExperiment
  | configs.TrainExperiment
  | configs.TournamentExperiment
)
Experiment = TypeVar(
  'Experiment',
  configs.SearchExperiment,
  configs.TrainExperiment,
  configs.TournamentExperiment,
)


class RunFolder:
  """Paths of a run, and the files that define it.

  Of several workers the first one writes the run's folder. The others take
  part in every save, so they write a folder of their own below it; all restore
  from the first one's checkpoints.

  Attributes:
    checkpoints: where the run restores from.
    saves: where this process saves checkpoints.
    best, post_mortem, lock: of what the modules of these names write.
    metrics, unfinished_loop, summaries: files of what the steps returned.
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
    self.unfinished_loop = self.path / 'unfinished_loop.json'
    self.metrics = self.path / 'metrics.jsonl'
    self.summaries = self.path / 'summaries'

  def of_worker(self, worker: int) -> 'RunFolder':
    """Returns the folder that a worker writes, counted from 0."""
    return RunFolder(self._run_dir, worker, self._allows_change)

  def check(self, experiment: Configured, copies: Mapping[str, str]) -> None:
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
        _check_version(path, content)
        raise ValueError(
          f'{path} differs from what this run was asked to use; take another '
          'run folder.'
        )

  def _check_config(self, experiment: Configured) -> None:
    schedule = type(experiment.schedule).__name__
    if f'{schedule}.' not in self.config.read_text():
      raise ValueError(
        f'{self.config} has no {schedule}: it is of another kind of run; take '
        'another run folder.'
      )
    self._check_primitives(experiment)
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

  def _check_primitives(self, experiment: Configured) -> None:
    """Refuses other primitives, whose alphas would be taken for others'."""
    if not isinstance(experiment, configs.SearchExperiment):
      return
    saved = self.load_config(configs.SearchExperiment).supernet.primitives
    if experiment.supernet.primitives != saved:
      raise ValueError(
        f'{self.config} searches among the primitives {saved}, this run among '
        f'{experiment.supernet.primitives}: that is another search; take '
        'another run folder.'
      )

  def _difference(self, experiment: Configured) -> list[str]:
    """Returns the lines of a unified diff from the saved configuration."""
    if not self.config.exists():
      return []
    kind: type[Any] = type(experiment)
    saved = configs.to_gin(self.load_config(kind))
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
    self, experiment: Configured, copies: Mapping[str, str], step: int = 0
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

  def _put_old_config_aside(self, experiment: Configured, step: int) -> None:
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


def _check_version(path: pathlib.Path, content: str) -> None:
  """Refuses a JSON file of another version than the content it should have."""
  found, ours = map(_version, (path.read_text(), content))
  if found != ours:
    raise ValueError(
      f'{path} is of version {found}, and this auto_deeplab reads version '
      f'{ours}; go on with the one that wrote it.'
    )


def _version(text: str) -> Any:
  try:
    return json.loads(text)['version']
  except (ValueError, KeyError, TypeError):
    return None


def _is_class_table_of(path: pathlib.Path, content: str) -> bool:
  """Whether a file is a `dataset.json` of no pictures, but these classes.

  Such a one comes with a network that was imported without its data set; the
  data set of a training takes its place.
  """
  if path.name != tfrecord.INFO_NAME:
    return False
  try:
    table, info = map(info_file.from_text, (path.read_text(), content))
  except ValueError:
    return False
  return not table.splits and datasets.are_same_classes(
    table.class_names, info.class_names
  )
