# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which kind of folder one is, and which of them lie in another."""

from collections.abc import Iterator, Sequence
import dataclasses
import os
import pathlib

from auto_deeplab.data.records import tfrecord
from auto_deeplab.planning import planner

STUDY = 'study.json'

# By what a run's configuration has, which tells its kind. Of a tournament there
# is the genotype that won it; its configuration has that of a training, too.
_OF_RUNS = {
  'TournamentConfig.': 'decoded',
  'SearchConfig.': 'search',
  'TrainConfig.': 'training',
}
# In the order of what is done, for folders that hold several.
_ORDER = ('data', 'plan', 'search', 'decoded', 'training', 'study')
# Where a study has its runs.
_IN_STUDY = ('searches/*', 'trainings/*/*')


@dataclasses.dataclass(frozen=True)
class Place:
  """A folder of a known kind."""

  kind: str
  path: str


def find(
  path: str | os.PathLike[str], kinds: Sequence[str] = _ORDER
) -> list[Place]:
  """Returns a folder, or those in it that are of a known kind.

  A study has its searches and trainings beside it.

  Args:
    path: the folder.
    kinds: that will do.

  Raises:
    FileNotFoundError: there is no such folder.
    ValueError: neither it nor a folder in it is of one of these kinds.
  """
  folder = pathlib.Path(path)
  if not folder.is_dir():
    raise FileNotFoundError(f'{path} does not exist, or is no folder.')
  places = [place for place in _within(folder) if place.kind in kinds]
  if not places:
    raise ValueError(
      f'{path} is nothing that a report is made of ({", ".join(kinds)}), and '
      'holds no such folder.'
    )
  return places


def _within(folder: pathlib.Path) -> Iterator[Place]:
  kind = kind_of(folder)
  if kind:
    yield Place(kind, str(folder))
  if kind == 'study':
    children = [
      f for pattern in _IN_STUDY for f in sorted(folder.glob(pattern))
    ]
  elif kind == 'search':
    children = [folder / 'decoded']
  elif kind:
    return
  else:
    children = sorted(child for child in folder.iterdir() if child.is_dir())
  found = [(kind_of(child), child) for child in children if child.is_dir()]
  for wanted in _ORDER:
    for child_kind, child in found:
      if child_kind == wanted:
        yield Place(wanted, str(child))


def kind_of(folder: pathlib.Path) -> str | None:
  """Returns the kind of a folder; None of one that is of none."""
  config = folder / 'config.gin'
  if config.is_file():
    text = config.read_text('utf-8', 'replace')
    return next((k for mark, k in _OF_RUNS.items() if mark in text), None)
  if (folder / planner.PLAN).is_file():
    return 'plan'
  if (folder / STUDY).is_file() or (folder / 'records').is_dir():
    return 'study'
  if (folder / tfrecord.INFO_NAME).is_file():
    return 'data'
  if (folder / 'genotype.json').is_file():
    return 'decoded'
  return None
