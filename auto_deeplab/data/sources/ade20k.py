# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""ADE20K's scene parsing benchmark (Zhou et al., CVPR 2017).

ADEChallengeData2016.zip unpacks to

    ADEChallengeData2016/images/training/ADE_train_00000001.jpg
    ADEChallengeData2016/annotations/training/ADE_train_00000001.png
    ADEChallengeData2016/objectInfo150.txt

and the same for `validation`. A split is there if both its folders are.
"""

import csv
import pathlib

from auto_deeplab.data import datasets, palette
from auto_deeplab.data.sources import sources

_NUM_CLASSES = 150
_FOLDERS = {'train': 'training', 'val': 'validation'}

# The value of each class in the archive, and in what the test server takes.
CLASS_VALUES = tuple(index + 1 for index in range(_NUM_CLASSES))

# 0 is what has no label.
_LABEL_VALUES = {0: datasets.IGNORE_LABEL} | {
  value: index for index, value in enumerate(CLASS_VALUES)
}


def open_ade20k(data_dir: pathlib.Path) -> sources.Source:
  """The 150 classes, in colours of ours, for the archive has none."""
  root = data_dir / 'ADEChallengeData2016'
  if not root.is_dir():
    raise FileNotFoundError(f'The folder {root} is missing.')
  return sources.Source(
    name='ade20k',
    class_names=_read_names(root / 'objectInfo150.txt'),
    colors=palette.default_colors(_NUM_CLASSES),
    label_values=_LABEL_VALUES,
    splits={
      split: sources.pair_files(
        root / 'images' / folder,
        ('.jpg',),
        root / 'annotations' / folder,
        '.png',
      )
      for split, folder in _FOLDERS.items()
      if (root / 'images' / folder).is_dir()
      and (root / 'annotations' / folder).is_dir()
    },
  )


def _read_names(path: pathlib.Path) -> tuple[str, ...]:
  """Returns the names in the class table, each the first of its synonyms.

  Raises:
    FileNotFoundError: the table is missing.
    ValueError: it does not name the classes 1..150 in their order.
  """
  rows = list(
    csv.DictReader(sources.read_text(path).splitlines(), delimiter='\t')
  )
  indices = [str(row.get('Idx')).strip() for row in rows]
  expected = [str(index + 1) for index in range(_NUM_CLASSES)]
  if indices != expected or not all(row.get('Name') for row in rows):
    raise ValueError(
      f'{path} must have the columns Idx and Name, and in them the classes '
      f'1..{_NUM_CLASSES}.'
    )
  return tuple(row['Name'].split(',')[0].strip() for row in rows)
