# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The one door to what a search or a training leaves, and goes on from.

    run = Run(place, config, definition)       # refuses another run's folder
    with run.opened(strategy):                 # locked, a checkpoint to go on from
      ...                                      # what starts at `run.first_step`
      run.resume(global_step, model=model)     # restores it
      run.claim()                              # the first that is written
      scores = outer_loop.run(...)             # records, saves and scores

What is refused before `claim` leaves nothing behind.
"""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import dataclasses
import pathlib
from typing import Any

import numpy as np
import orbit
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.data import datasets
from auto_deeplab.data.records import info_file, tfrecord
from auto_deeplab.runs import (
  best,
  checkpoints,
  initialization,
  metrics_file,
  post_mortem,
  provenance,
  run_folder,
  run_lock,
  trained_network,
)
from auto_deeplab.training import cluster, distribution, gradient_step


@dataclasses.dataclass(frozen=True)
class Place:
  """Where a run reads, writes and computes: what flags say, and no recipe does.

  Attributes:
    data_dir: folder of a data set's TFRecords.
    run_dir: folder of the run.
    distribution: one of `configs.STRATEGIES`.
    tpu_address: of the TPU, for 'tpu' alone.
    train_split: split that is trained on.
    eval_split: split that a training is evaluated on; never seen by a search.
    start: what a training begins with.
    skip_damaged_checkpoints: whether a resumed run may take an older checkpoint
      where the newest is damaged.
    allow_config_change: whether it may take another configuration.
  """

  data_dir: str
  run_dir: str
  distribution: str = 'one_device'
  tpu_address: str | None = None
  train_split: str = 'train'
  eval_split: str = 'val'
  start: initialization.Start = dataclasses.field(
    default_factory=initialization.Start
  )
  skip_damaged_checkpoints: bool = False
  allow_config_change: bool = False


class Run:
  """A run in its folder; `run_folder` says what is written there, and when.

  Attributes:
    runtime: how often to record and to save.
    beginning: path prefix of the checkpoint of another training that this one
      begins with, if there is one.
  """

  beginning: str | None = None

  def __init__(
    self,
    place: Place,
    experiment: run_folder.Configured,
    definition: Mapping[str, str],
  ):
    """Looks at the folder, and writes nothing.

    Args:
      place: of the run.
      experiment: its configuration.
      definition: contents of further files that define it, by their names.

    Raises:
      ValueError: it is the folder of another run.
    """
    self.runtime = experiment.runtime
    self._experiment = experiment
    self._definition = definition
    self._skips_damaged = place.skip_damaged_checkpoints
    self._folder = run_folder.RunFolder(
      place.run_dir, allows_change=place.allow_config_change
    )
    self._folder.check(experiment, definition)

  @contextlib.contextmanager
  def opened(self, strategy: tf.distribute.Strategy) -> Iterator['Run']:
    """Holds the folder's lock, with a newest checkpoint that can be read.

    Each of several workers locks its own folder; the first one sees to the
    checkpoints, while the others wait.

    Args:
      strategy: of all workers.

    Raises:
      ValueError: another process holds it, the newest checkpoint is damaged, or
        the workers differ in what defines the run or in its newest checkpoint.
      ConnectionError: another worker was lost, here or within.
    """
    worker = distribution.worker_index(strategy)
    self._folder = folder = self._folder.of_worker(worker)
    with run_lock.holding(folder.lock), cluster.naming_lost_workers(strategy):
      if self.writes_checkpoints:
        checkpoints.require_whole(folder.checkpoints, self._skips_damaged)
      distribution.sum_over_workers(strategy, 0.0)
      cluster.require_agreement(
        strategy,
        {
          **self._definition,
          folder.config.name: configs.to_gin(self._experiment),
          'newest checkpoint': str(self.first_step),
        },
      )
      yield self

  # What it goes on from ------------------------------------------------------

  @property
  def path(self) -> pathlib.Path:
    """The folder that this process writes."""
    return self._folder.path

  @property
  def summaries(self) -> pathlib.Path:
    """The folder of TensorBoard's files."""
    return self._folder.summaries

  @property
  def checkpoint(self) -> str | None:
    """The path prefix of the newest checkpoint; None if there is none."""
    return checkpoints.newest(self._folder.checkpoints)

  @property
  def first_step(self) -> int:
    """The step of the newest checkpoint, 0 if there is none."""
    return checkpoints.newest_step(self._folder.checkpoints)

  @property
  def writes_checkpoints(self) -> bool:
    """Whether all workers go on from what this one saves."""
    return self._folder.saves == self._folder.checkpoints

  def resume(
    self,
    global_step: tf.Variable,
    *,
    may_begin: Sequence[str] = (),
    **objects: Any,
  ) -> None:
    """Restores the newest checkpoint, if there is one.

    Before it, the run has no step, and can neither record nor save.

    Args:
      global_step: counts the steps.
      may_begin: names of objects that stay as they are where the checkpoint has
        none: what another configuration has added.
      **objects: all else that has a state, by its name in the checkpoint; the
        model is called `model`.

    Raises:
      ValueError: the checkpoint is damaged or of another configuration.
    """
    self._global_step = global_step
    self._summaries = orbit.utils.SummaryManager(
      str(self.summaries), tf.summary.scalar, global_step
    )
    checkpoint = tf.train.Checkpoint(global_step=global_step, **objects)
    restored = self.checkpoint
    if restored is not None:
      lacked = checkpoints.lacked(restored, may_begin)
      known = {k: v for k, v in objects.items() if k not in lacked}
      checkpoints.restore(
        tf.train.Checkpoint(global_step=global_step, **known), restored
      )
    self._saver = checkpoints.Saver(
      checkpoint,
      self._folder.saves,
      interval=self.runtime.checkpoint_interval,
      keep=self.runtime.checkpoints_to_keep,
      saved_step=self.step if restored else None,
    )

  def claim(self) -> None:
    """Makes the folder this run's, by the files that define it.

    Raises:
      ValueError: it is the folder of another run.
      OSError: it cannot be written.
    """
    self._folder.claim(self._experiment, self._definition, self.step)
    provenance.append(self.path, provenance.present(self.step))

  # What it leaves ------------------------------------------------------------

  @property
  def step(self) -> int:
    """How many steps are made."""
    return int(self._global_step.numpy())

  def forget_what_comes_again(
    self, keep_scores: bool
  ) -> dict[str, list[float]]:
    """Drops what a broken run has left beyond the present step.

    Args:
      keep_scores: whether scores at this very step stay.

    Returns:
      What the steps of the present loop returned, where it is begun already.
    """
    self._metrics.forget_after(self.step, keep_scores)
    self._best.forget_after(self.step)
    return self._unfinished_loop.load(self.step)

  def record(
    self, values: Mapping[str, float], steps_per_second: float
  ) -> None:
    """Adds the numbers of a loop to `metrics.jsonl` and TensorBoard."""
    self._metrics.append_numbers(self.step, values)
    self._summarize({**values, 'steps_per_second': steps_per_second})

  def record_row(self, values: Mapping[str, Any]) -> None:
    """Adds a row of JSON values to `metrics.jsonl`, floats to TensorBoard."""
    self._metrics.append(self.step, values)
    numbers = {k: v for k, v in values.items() if isinstance(v, float)}
    self._summarize(numbers)

  def record_pictures(self, pictures: Mapping[str, np.ndarray]) -> None:
    """Adds pictures, uint8 `[height, width, 3]` by name, to TensorBoard."""
    with self._summaries.summary_writer().as_default():
      for name, picture in pictures.items():
        tf.summary.image(name, picture[np.newaxis], step=self.step)

  def rows_with(self, key: str) -> list[dict[str, Any]]:
    """Returns the rows of `metrics.jsonl` that have a key, in order."""
    return self._metrics.rows_with(key)

  def record_scores(self, scores: Mapping[str, float]) -> None:
    """Adds the scores of an evaluation, and keeps the best checkpoint."""
    # Of several workers the first one, from whose folder all resume.
    if self.writes_checkpoints:
      self._best.update(self.saved_path(), self.step, scores[best.SCORE])
    self._metrics.append_scores(self.step, scores)
    self._summarize({'eval': dict(scores)})

  def _summarize(self, values: Mapping[str, Any]) -> None:
    self._summaries.write_summaries(values)
    self._summaries.flush()

  def scores(self) -> dict[str, float]:
    """Returns the scores of the present step; empty if there are none."""
    return self._metrics.scores_of(self.step)

  def save(self) -> None:
    """Saves a checkpoint, unless this step has one.

    Raises:
      OSError: it cannot be written; those before it are intact.
    """
    self._saver.save(self.step)

  def save_if_due(self) -> None:
    """Saves a checkpoint at multiples of the interval."""
    if self._saver.is_due(self.step):
      self.save()

  def save_in_loop(self, columns: Mapping[str, list[float]]) -> None:
    """Saves in the midst of a loop, with what its steps have returned."""
    self._unfinished_loop.save(self.step, columns)
    self.save()

  def saved_path(self) -> pathlib.Path:
    """Returns the path prefix of the checkpoint of the present step."""
    return self._folder.saves / f'ckpt-{self.step}'

  @contextlib.contextmanager
  def keeping_what_is_not_finite(self) -> Iterator[None]:
    """Keeps the state that met a NaN for a post mortem."""
    try:
      yield
    except gradient_step.NotFiniteError as e:
      raise post_mortem.keep(
        self._saver.checkpoint,
        self._folder.post_mortem,
        self.step,
        e,
        self.checkpoint,
      ) from e

  @property
  def _metrics(self) -> metrics_file.MetricsFile:
    return metrics_file.MetricsFile(self._folder.metrics)

  @property
  def _unfinished_loop(self) -> metrics_file.UnfinishedLoop:
    return metrics_file.UnfinishedLoop(self._folder.unfinished_loop)

  @property
  def _best(self) -> best.Best:
    return best.Best(self._folder.best)


class TrainingRun(Run):
  """The run of a training, which may begin with another one's weights."""

  def __init__(
    self,
    place: Place,
    experiment: configs.TrainExperiment,
    genotype: genotype_lib.Genotype,
    info: datasets.DatasetInfo,
  ):
    """Looks at the folder, and at what the training begins with.

    Args:
      place: of the run.
      experiment: its configuration.
      genotype: the network that is trained.
      info: of the data set that it is trained on.

    Raises:
      ValueError: it is the folder of another run, or the training cannot begin
        with that, or in this configuration.
      FileNotFoundError: there is no such thing to begin with.
    """
    self._start = place.start
    folder = run_folder.RunFolder(place.run_dir)
    self.beginning = initialization.find(place.start, folder, info)
    if not (self.beginning or checkpoints.newest(folder.checkpoints)):
      experiment.check_beginning()
    super().__init__(
      place,
      experiment,
      {
        **trained_network.definition(genotype, info),
        **initialization.record(
          place.start, self.beginning, place.train_split
        ),
      },
    )

  def initialize(self, model: tf.keras.Model) -> None:
    """Gives a built network the weights of the other training.

    Not where the run goes on from a checkpoint of its own.

    Raises:
      ValueError: they do not fit.
    """
    if self.beginning and not self.checkpoint:
      initialization.initialize(self._start, self.beginning, model)


def open_search(
  place: Place, experiment: configs.SearchExperiment, info: datasets.DatasetInfo
) -> Run:
  """Returns the run of a search; see `Run` for what it raises."""
  definition = {tfrecord.INFO_NAME: info_file.to_text(info)}
  return Run(place, experiment, definition)
