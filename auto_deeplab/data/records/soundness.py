# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a conversion makes of pictures that are valid, one by one, and wrong.

Each finding is a sentence with its remedy. What no training could make sense of
is an error; what may be meant is a warning, which `dataset.json` keeps.
"""

from collections.abc import Iterator, Sequence
import itertools

import numpy as np

from auto_deeplab.data import datasets
from auto_deeplab.data.records.shards import ShardReport
from auto_deeplab.data.sources import sources

# A share of ignored pixels from which on it is said. Of the published data sets
# only Cityscapes' coarse labels come near it.
_LARGE_SHARE = 0.5

_TRAIN = 'train'

# How many names a sentence lists.
_MAX_NAMES = 5


def examine(
  source: sources.Source, reports: Sequence[ShardReport]
) -> tuple[str, ...]:
  """Returns the warnings, a sentence each.

  Args:
    source: what was converted.
    reports: of all its shards, none of them with faults.

  Raises:
    ValueError: a split that has labels has no pixel of a class, or all pixels
      of `train` that have a class have the same; or the palettes of labels
      contradict each other.
  """
  require_one_palette(reports)
  warnings = list(source.notes)
  for split, pairs in source.splits.items():
    if split == _TRAIN or any(pair.label is not None for pair in pairs):
      of_split = [report for report in reports if report.split == split]
      warnings += _of_labels(source, split, of_split)
  return (*warnings, *_of_pictures_in_two_splits(reports))


def require_one_palette(reports: Sequence[ShardReport]) -> None:
  """Raises a ValueError if an index has two colours in palettes."""
  seen: dict[int, tuple[tuple[int, ...], str]] = {}
  for report in reports:
    for index, red, green, blue, label in report.palettes:
      color = red, green, blue
      first, of_first = seen.setdefault(index, (color, label))
      if first != color:
        raise ValueError(
          f'The palettes of labels contradict each other: the index {index} is '
          f'{first} in {of_first} and {color} in {label}. Give each class its '
          '"color", and colours are what counts, or save labels as greyscale.'
        )


def _of_labels(
  source: sources.Source, split: str, reports: Sequence[ShardReport]
) -> Iterator[str]:
  """Yields what is doubtful in the labels of a split."""
  counts = np.sum([report.pixel_counts for report in reports], axis=0)
  ignored = counts[datasets.IGNORE_LABEL] / counts.sum()
  missing = np.flatnonzero(counts[: len(source.class_names)] == 0).tolist()
  num_present = len(source.class_names) - len(missing)
  if not num_present:
    raise ValueError(
      f'No pixel of the split {split} has a class: all have an ignored value.'
      f'{_binary_remedy(source, ignored)}'
    )
  if num_present == 1 and split == _TRAIN:
    (present,) = set(range(len(source.class_names))) - set(missing)
    others = f', and {100 * ignored:.1f} % are ignored' if ignored else ''
    raise ValueError(
      f'All labelled pixels of the split {split} are '
      f'{source.class_names[present]}{others}: '
      f'no pixel has {_list_classes(source, missing)}.'
      f'{_binary_remedy(source, ignored)}'
    )
  if missing:
    yield (
      f'No pixel of the split {split} has {_list_classes(source, missing)}.'
      f'{_counting_remedy(source, missing)}'
    )
  if ignored >= _LARGE_SHARE:
    yield (
      f'{100 * ignored:.1f} % of the pixels of the split {split} are ignored; '
      'is the value that most of them have a class?'
    )
  num_pictures = sum(len(report.digests) for report in reports)
  if 1 < num_pictures == sum(report.num_uniform for report in reports):
    yield (
      f'Each label of the split {split} has one value all over: are these '
      'classes of pictures, not of pixels?'
    )


def _binary_remedy(source: sources.Source, ignored: float) -> str:
  """Returns what helps where a class may stand in the ignored value."""
  values = [
    value
    for value, target in source.label_values.items()
    if target == datasets.IGNORE_LABEL
  ]
  if not ignored or 255 not in values:
    return ''
  return (
    ' If the labels are masks of 0 and 255, give the class of 255 its value in '
    f'classes.json: {{"name": "{source.class_names[-1]}", "value": 255}}.'
  )


def _counting_remedy(source: sources.Source, missing: Sequence[int]) -> str:
  """Returns what helps where values may count from 1."""
  if missing != [0] or source.label_values.get(0) != 0:
    return ' Check the names and values of the class table.'
  return (
    f' If the labels count from 1, {source.class_names[0]} is 1 in them: give '
    'each class its "value".'
  )


def _list_classes(source: sources.Source, classes: Sequence[int]) -> str:
  """Returns 'road (1) or car (2)', and of many classes the first and how many.

  The numbers are the classes.
  """
  shown = [f'{source.class_names[c]} ({c})' for c in classes[:_MAX_NAMES]]
  if len(classes) > _MAX_NAMES:
    return f'{", ".join(shown)} or {len(classes) - _MAX_NAMES} further classes'
  return ' or '.join(filter(None, [', '.join(shown[:-1]), shown[-1]]))


def _of_pictures_in_two_splits(reports: Sequence[ShardReport]) -> Iterator[str]:
  """Yields a sentence a split that shows pictures of `train` as well.

  What is called like it, VOC's `trainval`, holds them on purpose.
  """
  trained = {digest: name for name, digest in _pictures(reports, _TRAIN)}
  splits = dict.fromkeys(report.split for report in reports)
  for split in splits:
    if split.startswith(_TRAIN):
      continue
    pictures = _pictures(reports, split)
    shared = sorted(picture for picture in pictures if picture[1] in trained)
    if shared:
      name, digest = shared[0]
      yield (
        f'{len(shared)} of the {len(pictures)} pictures of the split {split} '
        f'{"is" if len(shared) == 1 else "are"} in {_TRAIN} as well: {name} is '
        f'{trained[digest]} there. Scores on them say nothing about pictures '
        'that are new; take them out of one of the two.'
      )


def _pictures(
  reports: Sequence[ShardReport], split: str
) -> list[tuple[str, str]]:
  """Returns the name and the digest of each picture of a split."""
  of_split = (report.digests for report in reports if report.split == split)
  return list(itertools.chain.from_iterable(of_split))
