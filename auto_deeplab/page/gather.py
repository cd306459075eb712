# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What folders hold, read once and as far as it can be read.

What is not there, or cannot be read, is a sentence in `missing`, and no error:
a run that is going on, or was broken, has a page as well. Only a folder of no
known kind is refused.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
import dataclasses
import json
import math
import os
import pathlib
from typing import Any, TypeVar

import numpy as np

from auto_deeplab import configs
from auto_deeplab.architecture import decode
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.data import datasets
from auto_deeplab.data.records import (
  conversion,
  info_file,
  inspection,
  tfrecord,
)
from auto_deeplab.page import folders, timing
from auto_deeplab.planning import planner
from auto_deeplab.reporting import examples
from auto_deeplab.runs import metrics_file, provenance, run_folder

# Pictures of each split that the page shows.
NUM_PICTURES = 4

_Read = TypeVar('_Read')


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


def gather(
  paths: Sequence[str | os.PathLike[str]],
  data_dir: str | os.PathLike[str] | None = None,
) -> Gathered:
  """Reads folders.

  Args:
    paths: of runs, studies, plans, data sets, or of folders that hold some.
    data_dir: folder of a data set besides.

  Raises:
    FileNotFoundError: a folder does not exist.
    ValueError: a folder is of no known kind.
  """
  found = [place for path in paths for place in folders.find(path)]
  found = list({os.path.realpath(p.path): p for p in found}.values())
  names = _names([place.path for place in found])
  if data_dir is not None:
    known = {os.path.realpath(place.path) for place in found}
    if os.path.realpath(data_dir) not in known:
      found += folders.find(data_dir, kinds=('data',))
      names.append(os.path.basename(os.path.abspath(data_dir)))
  read: dict[str, list[Any]] = {kind: [] for kind in _READERS}
  for place, name in zip(found, names, strict=True):
    read[place.kind].append(_READERS[place.kind](name, place.path))
  return Gathered(
    title=_title(paths),
    data=tuple(read['data']),
    plans=tuple(read['plan']),
    searches=tuple(read['search']),
    decoded=tuple(read['decoded']),
    trainings=tuple(read['training']),
    studies=tuple(read['study']),
  )


def _title(paths: Sequence[str | os.PathLike[str]]) -> str:
  names = [os.path.basename(os.path.abspath(path)) for path in paths]
  return (
    names[0] if len(names) == 1 else f'{names[0]} and {len(names) - 1} more'
  )


def _names(paths: Sequence[str]) -> list[str]:
  """Returns the paths without what all of them begin with."""
  absolute = [os.path.abspath(path) for path in paths]
  if len(absolute) == 1:
    return [os.path.basename(absolute[0])]
  root = os.path.commonpath(absolute)
  return [
    os.path.basename(path) if path == root else os.path.relpath(path, root)
    for path in absolute
  ]


class _Reader:
  """Reads parts of a folder, and keeps what it could not read."""

  def __init__(self) -> None:
    self.missing: list[str] = []

  def __call__(
    self, read: Callable[..., _Read], *arguments: Any
  ) -> _Read | None:
    """Returns what a function returns; None, and why, if it fails."""
    try:
      return read(*arguments)
    except FileNotFoundError as e:
      self.missing.append(_sentence(f'{e.filename or e} is not there'))
    except (OSError, ValueError, KeyError, TypeError) as e:
      self.missing.append(_sentence(str(e)))
    return None

  def text(self, path: pathlib.Path) -> str:
    return self(path.read_text, 'utf-8', 'replace') or ''

  def json(self, path: pathlib.Path) -> Mapping[str, Any]:
    """Returns the object of a JSON file; an empty one, and why, if none."""
    return self(_load_object, path) or {}


def _sentence(text: str) -> str:
  line = ' '.join(text.split())
  return line if line.endswith('.') else f'{line}.'


def _load_object(path: pathlib.Path) -> Mapping[str, Any]:
  try:
    document = json.loads(path.read_text('utf-8', 'replace'))
  except (ValueError, RecursionError) as e:
    raise ValueError(f'{path} cannot be read: {e}') from e
  if not isinstance(document, dict):
    raise ValueError(f'{path} cannot be read: it holds no object')
  return document


def _read_data(name: str, path: str) -> Data:
  read = _Reader()
  info = read(tfrecord.load_info, path)
  pictures = {}
  for split in info.splits if info else ():
    found = read(inspection.read_pictures, path, split, NUM_PICTURES)
    if found:
      pictures[split] = found
  skipped = read(conversion.load_skipped, path) or ()
  return Data(
    name,
    path,
    info,
    pictures,
    tuple(f'{fault.split}: {fault.reason}' for fault in skipped),
    tuple(read.missing),
  )


def _read_plan(name: str, path: str) -> Planned:
  read = _Reader()
  document = read.json(pathlib.Path(path, planner.PLAN))
  return Planned(name, path, document, tuple(read.missing))


def _read_decoded(name: str, path: str) -> Decoded:
  read = _Reader()
  genotype = read(genotype_lib.Genotype.load, f'{path}/genotype.json')
  return Decoded(name, path, genotype, tuple(read.missing))


def _read_study(name: str, path: str) -> Study:
  read = _Reader()
  summary = read.json(pathlib.Path(path, folders.STUDY))
  return Study(name, path, summary, tuple(read.missing))


def _read_run(
  read: _Reader, name: str, path: str, kind: type[run_folder.Configured]
) -> dict[str, Any]:
  """Returns what searches and trainings have in common."""
  folder = run_folder.RunFolder(path)
  info = read(_load_table, folder.path / tfrecord.INFO_NAME)
  metrics = metrics_file.MetricsFile(folder.metrics)
  if not folder.metrics.exists():
    read.missing.append('There are no metrics yet: no loop has ended.')
  if folder.post_mortem.exists():
    read.missing.append(
      f'A loss or a gradient was not finite; {folder.post_mortem} has the '
      'state at that step.'
    )
  rows = read(metrics.rows_with, 'step') or []
  if damaged := _num_lines(folder.metrics) - len(rows):
    read.missing.append(
      f'{damaged} of the lines of {folder.metrics} cannot be read.'
    )
  return {
    'name': name,
    'path': path,
    'config': read(folder.load_config, kind),
    'config_text': read.text(folder.config),
    'info': info,
    'rows': rows,
    'timing': read(timing.of_run, folder.summaries) or timing.Timing(),
    'starts': read(provenance.load, folder.path) or (),
  }


def _num_lines(path: pathlib.Path) -> int:
  if not path.exists():
    return 0
  return len(path.read_text('utf-8', 'replace').splitlines())


def _load_table(path: pathlib.Path) -> datasets.DatasetInfo:
  try:
    return info_file.from_text(path.read_text(encoding='utf-8'))
  except ValueError as e:
    raise ValueError(f'{path}: {e}') from e


def _read_search(name: str, path: str) -> Search:
  read = _Reader()
  run = _read_run(read, name, path, configs.SearchExperiment)
  folder = pathlib.Path(path, decode.SNAPSHOT_FOLDER)
  snapshots = [
    read(decode.load_snapshot, file)
    for file in sorted(folder.glob('step-*.npz'))
  ]
  kept = sorted(filter(None, snapshots), key=lambda snapshot: snapshot.step)
  if not snapshots:
    read.missing.append('There is no snapshot of the architecture yet.')
  return Search(
    **run,
    snapshots=tuple(kept),
    stop=read(decode.load_early_stop, path),
    missing=tuple(read.missing),
  )


def _read_training(name: str, path: str) -> Training:
  read = _Reader()
  run = _read_run(read, name, path, configs.TrainExperiment)
  files = sorted(pathlib.Path(path).glob('evaluation-*.json'))
  evaluations = [read(_load_evaluation, file) for file in files]
  # The newest, and of these the one with the least special settings.
  kept = sorted(
    filter(None, evaluations), key=lambda e: (-e.step, len(e.file), e.file)
  )
  return Training(
    **run,
    genotype=read(genotype_lib.Genotype.load, f'{path}/genotype.json'),
    evaluations=tuple(kept),
    examples=_read_examples(read, path, kept),
    missing=tuple(read.missing),
  )


def _read_examples(
  read: _Reader, path: str, evaluations: Sequence[Evaluated]
) -> examples.Examples | None:
  """Returns the pictures that the first evaluation has drawn, if it has."""
  for shown in evaluations[:1]:
    name = pathlib.Path(shown.file).stem.removeprefix('evaluation-')
    folder = pathlib.Path(path, f'examples-{name}')
    if folder.is_dir():
      return read(examples.read, folder)
  return None


def _load_evaluation(path: pathlib.Path) -> Evaluated:
  document = _load_object(path)
  try:
    matrix = np.array(document['confusion_matrix'], np.int64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
      raise ValueError(f'a confusion matrix of the shape {matrix.shape}')
    return Evaluated(
      path.name,
      int(document['step']),
      str(document['split']),
      {k: float(v) for k, v in document.items() if is_number(v)},
      matrix,
    )
  except (ValueError, KeyError, TypeError, OverflowError) as e:
    raise ValueError(f'{path} cannot be read: {e!r}') from e


_READERS: Mapping[str, Callable[[str, str], Any]] = {
  'data': _read_data,
  'plan': _read_plan,
  'search': _read_search,
  'decoded': _read_decoded,
  'training': _read_training,
  'study': _read_study,
}


# Rows of metrics -------------------------------------------------------------


def is_number(value: Any) -> bool:
  """Whether a JSON value is a finite number."""
  is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
  return is_real and math.isfinite(value)


def series(
  rows: Sequence[Mapping[str, Any]], key: str
) -> tuple[tuple[int, ...], tuple[float, ...]]:
  """Returns the steps and the values of a key, those that are numbers."""
  found = [
    (row['step'], float(row[key])) for row in rows if is_number(row.get(key))
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
