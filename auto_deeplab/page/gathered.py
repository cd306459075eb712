# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the page is about, as it was read from folders by `gather`."""

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
from typing import Any

import numpy as np

from auto_deeplab import configs
from auto_deeplab.architecture import decode
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.data import datasets
from auto_deeplab.data.records import inspection
from auto_deeplab.page import timing
from auto_deeplab.reporting import examples
from auto_deeplab.runs import metrics_file, provenance

_LARGEST = 1e100


@dataclasses.dataclass(frozen=True, eq=False)
class Data:
  """A converted data set.

  Attributes:
    name: of its folder, as it was asked for.
    path: of its folder.
    info: its table.
    pictures: the first of each split, by its name.
    skipped: what the conversion left out, a sentence each.
    missing: what cannot be read, a sentence each.
  """

  name: str
  path: str
  info: datasets.DatasetInfo | None
  pictures: Mapping[str, Sequence[inspection.LabelledPicture]]
  skipped: tuple[str, ...]
  missing: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Planned:
  """A plan.

  Attributes:
    name, path: of its folder.
    document: `plan.json`, whatever it holds.
    missing: what cannot be read.
  """

  name: str
  path: str
  document: Mapping[str, Any]
  missing: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Decoded:
  """A genotype in a folder of its own."""

  name: str
  path: str
  genotype: genotype_lib.Genotype | None
  missing: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluated:
  """An evaluation of a training.

  Attributes:
    file: its name.
    step: of the checkpoint.
    split: that was evaluated.
    scores: by their names, each finite.
    confusion_matrix: int64 `[num_classes, num_classes]`, rows are labels.
  """

  file: str
  step: int
  split: str
  scores: Mapping[str, float]
  confusion_matrix: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
  """What a search or a training has left.

  Attributes:
    name: of its folder, as it was asked for.
    path: of its folder.
    config: its configuration.
    config_text: the same as it stands in the file.
    info: the table of its data set.
    rows: of `metrics.jsonl`.
    timing: what it took.
    starts: the commands that started it, the oldest first.
    missing: what is not there, or cannot be read.
  """

  name: str
  path: str
  config: Any
  config_text: str
  info: datasets.DatasetInfo | None
  rows: Sequence[Mapping[str, Any]]
  timing: timing.Timing
  starts: Sequence[provenance.Start]
  missing: tuple[str, ...]

  @property
  def step(self) -> int:
    """The last step that is known of."""
    return max((row['step'] for row in self.rows), default=0)

  @property
  def num_steps(self) -> int | None:
    """Steps that the configuration asks for."""
    return self.config.schedule.train_steps if self.config else None

  def series(self, key: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Returns the steps and the values of a key, those that are numbers."""
    return series(self.rows, key)


@dataclasses.dataclass(frozen=True, eq=False)
class Search(Run):
  """A search.

  Attributes:
    snapshots: by their steps.
    stop: where it ended early, if it did.
  """

  config: configs.SearchExperiment | None
  snapshots: tuple[decode.Snapshot, ...]
  stop: decode.EarlyStop | None

  @property
  def result(self) -> decode.Snapshot | None:
    """The snapshot that is the result so far."""
    if self.stop:
      wanted = self.stop.snapshot
      return next((s for s in self.snapshots if s.step == wanted), None)
    return self.snapshots[-1] if self.snapshots else None


@dataclasses.dataclass(frozen=True, eq=False)
class Training(Run):
  """A training.

  Attributes:
    genotype: its network.
    evaluations: what `evaluate` has found, the one to show first.
    examples: pictures of the first of them, if it has drawn some.
  """

  config: configs.TrainExperiment | None
  genotype: genotype_lib.Genotype | None
  evaluations: tuple[Evaluated, ...]
  examples: examples.Examples | None

  @property
  def step(self) -> int:
    """The last step that is known of, if only from what was evaluated.

    One that is asked to end saves the step that it is at, between two rows.
    """
    steps = [evaluated.step for evaluated in self.evaluations]
    return max(
      [super().step, *(s for s in steps if s <= (self.num_steps or s))]
    )

  @property
  def scores(self) -> Mapping[str, float]:
    """The last scores on val, those of an evaluation first."""
    if self.evaluations:
      return self.evaluations[0].scores
    return last_scores(self.rows)

  @property
  def mean_iou(self) -> float | None:
    """The last mean IoU on val."""
    return self.scores.get('mean_iou')


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
  """A study.

  Attributes:
    name, path: of its folder.
    summary: `study.json`, whatever it holds.
    missing: what cannot be read.
  """

  name: str
  path: str
  summary: Mapping[str, Any]
  missing: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Gathered:
  """All that the page is about, in the order in which it was asked for."""

  title: str
  data: tuple[Data, ...] = ()
  plans: tuple[Planned, ...] = ()
  searches: tuple[Search, ...] = ()
  decoded: tuple[Decoded, ...] = ()
  trainings: tuple[Training, ...] = ()
  studies: tuple[Study, ...] = ()

  @property
  def runs(self) -> tuple[Run, ...]:
    return (*self.searches, *self.trainings)


def is_number(value: Any) -> bool:
  """Whether a JSON value is a number that can be drawn."""
  is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
  # What is larger, or no number, cannot be drawn.
  return is_real and abs(value) < _LARGEST


def series(
  rows: Sequence[Mapping[str, Any]], key: str
) -> tuple[tuple[int, ...], tuple[float, ...]]:
  """Returns the steps and the values of a key, those that are numbers."""
  found = [
    (row['step'], float(row[key]))
    for row in rows
    if is_number(row['step']) and is_number(row.get(key))
  ]
  steps, values = zip(*found, strict=True) if found else ((), ())
  return tuple(steps), tuple(values)


def last_scores(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
  """Returns the scores of the last evaluation within a training."""
  prefix = metrics_file.SCORE
  for row in reversed(rows):
    scores = dict(_scores(row, prefix))
    if scores:
      return scores
  return {}


def _scores(row: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
  for key, value in row.items():
    if key.startswith(prefix) and is_number(value):
      yield key.removeprefix(prefix), float(value)
