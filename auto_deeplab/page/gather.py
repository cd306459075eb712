# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What folders hold, read once and as far as it can be read.

What is not there, or cannot be read, is a sentence in `missing`, and no error:
a run that is going on, or was broken, has a page as well. Only a folder of no
known kind is refused.
"""

from collections.abc import Callable, Mapping, Sequence
import json
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
from auto_deeplab.page.gathered import (
  Data,
  Decoded,
  Evaluated,
  Gathered,
  Planned,
  Search,
  Study,
  Training,
  is_number,
)
from auto_deeplab.planning import planner
from auto_deeplab.reporting import examples
from auto_deeplab.runs import metrics_file, provenance, run_folder

# Pictures of each split that the page shows.
NUM_PICTURES = 4

_Read = TypeVar('_Read')


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
    except (OSError, ValueError, KeyError, TypeError) as e:
      self.missing.append(_sentence(_plain(e)))
    return None

  def text(self, path: pathlib.Path) -> str:
    return self(path.read_text, 'utf-8', 'replace') or ''

  def json(self, path: pathlib.Path) -> Mapping[str, Any]:
    """Returns the object of a JSON file; an empty one, and why, if none."""
    return self(_load_object, path) or {}


def _plain(error: Exception) -> str:
  if isinstance(error, FileNotFoundError) and error.filename:
    return f'{error.filename} is not there'
  return str(error)


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
