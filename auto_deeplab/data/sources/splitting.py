# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Splits: their usual names, and pictures that are set aside to evaluate on."""

import dataclasses
import hashlib
import pathlib

from auto_deeplab.data.sources.sources import Pair, Source

TRAIN, VAL = 'train', 'val'

# What others call the split `val`.
_OTHER_NAMES = ('valid', 'validation')


@dataclasses.dataclass(frozen=True)
class ValSplit:
  """How pictures of a split are set aside.

  Attributes:
    fraction: of its pictures, in (0, 1).
    seed: decides which.
    group_separator: pictures whose names agree up to the last of these are a
      group, such as the frames of a video, and stay together; if it is empty,
      each is on its own.

  Raises:
    ValueError: the fraction is out of its range.
  """

  fraction: float
  seed: int = 0
  group_separator: str = ''

  def __post_init__(self):
    if not 0 < self.fraction < 1:
      raise ValueError(
        f'`val_fraction` ({self.fraction:g}) must be above 0 and below 1.'
      )


def with_usual_names(source: Source) -> Source:
  """Returns the source with its split `valid` or `validation` called `val`."""
  for name in _OTHER_NAMES:
    if name in source.splits and VAL not in source.splits:
      splits = {
        VAL if split == name else split: pairs
        for split, pairs in source.splits.items()
      }
      return dataclasses.replace(source, splits=splits)
  return source


def set_aside(source: Source, rule: ValSplit) -> Source:
  """Divides the split `train`, or the only one that there is.

  Which pictures are set aside depends on the seed and on their own names only:
  more pictures move few of the others.

  Raises:
    ValueError: there is a split `val`, none to divide, or but one group.
  """
  if VAL in source.splits:
    raise ValueError(
      f'`val_fraction` ({rule.fraction:g}) is for data without a split {VAL}; '
      f'{source.name} has one.'
    )
  divided = TRAIN if TRAIN in source.splits else next(iter(source.splits))
  if divided != TRAIN and len(source.splits) > 1:
    raise ValueError(
      f'`val_fraction` divides the split {TRAIN}; {source.name} has '
      f'{", ".join(source.splits)}.'
    )
  pairs = source.splits[divided]
  chosen = _choose(pairs, rule)
  splits = {
    TRAIN: tuple(pair for pair in pairs if pair.name not in chosen),
    VAL: tuple(pair for pair in pairs if pair.name in chosen),
  }
  others = {k: v for k, v in source.splits.items() if k != divided}
  return dataclasses.replace(source, splits={**splits, **others})


def _choose(pairs: tuple[Pair, ...], rule: ValSplit) -> set[str]:
  """Returns the names of the pictures to set aside."""
  groups: dict[str, list[str]] = {}
  for pair in pairs:
    key = _group(pair.name, rule.group_separator)
    groups.setdefault(key, []).append(pair.name)
  if len(groups) < 2:
    raise ValueError(
      f'`val_fraction` ({rule.fraction:g}) needs two groups of pictures at '
      f'least; all {len(pairs)} are of the group {next(iter(groups))!r}.'
    )
  wanted = max(1, round(rule.fraction * len(pairs)))
  chosen: set[str] = set()
  for key in sorted(groups, key=lambda key: _digest(rule.seed, key))[:-1]:
    if len(chosen) >= wanted:
      break
    chosen.update(groups[key])
  return chosen


def _group(name: str, separator: str) -> str:
  """Returns the group of a picture: 'a/video' of 'a/video_0001.jpg'."""
  stem = str(pathlib.PurePosixPath(name).with_suffix(''))
  return stem.rpartition(separator)[0] or stem if separator else name


def _digest(seed: int, key: str) -> str:
  text = f'{seed}/{key}'
  return hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()


def with_notes(source: Source) -> Source:
  """Returns the source with a note if there is nothing to evaluate on."""
  if TRAIN not in source.splits or VAL in source.splits:
    return source
  note = (
    f'There is no split {VAL}, on which a training is evaluated: '
    '`val_fraction` = 0.2 sets a fifth of the pictures aside.'
  )
  return dataclasses.replace(source, notes=(*source.notes, note))
