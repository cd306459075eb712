# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Cityscapes (Cordts et al., CVPR 2016), as its archives unpack.

    leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png
    gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png
    gtCoarse/train_extra/augsburg/augsburg_000000_000000_gtCoarse_labelIds.png

A split is there if both its folders are; `test` has no labels of its own.
"""

from collections.abc import Mapping
import dataclasses
import pathlib

from auto_deeplab.data import datasets
from auto_deeplab.data.sources import sources

# Train id = place in the table; (id, colour) as in cityscapesScripts,
# https://github.com/mcordts/cityscapesScripts (helpers/labels.py).
_CLASSES: Mapping[str, tuple[int, datasets.Color]] = {
  'road': (7, (128, 64, 128)),
  'sidewalk': (8, (244, 35, 232)),
  'building': (11, (70, 70, 70)),
  'wall': (12, (102, 102, 156)),
  'fence': (13, (190, 153, 153)),
  'pole': (17, (153, 153, 153)),
  'traffic light': (19, (250, 170, 30)),
  'traffic sign': (20, (220, 220, 0)),
  'vegetation': (21, (107, 142, 35)),
  'terrain': (22, (152, 251, 152)),
  'sky': (23, (70, 130, 180)),
  'person': (24, (220, 20, 60)),
  'rider': (25, (255, 0, 0)),
  'car': (26, (0, 0, 142)),
  'truck': (27, (0, 0, 70)),
  'bus': (28, (0, 60, 100)),
  'train': (31, (0, 80, 100)),
  'motorcycle': (32, (0, 0, 230)),
  'bicycle': (33, (119, 11, 32)),
}

CLASS_NAMES = tuple(_CLASSES)
COLORS = tuple(color for _, color in _CLASSES.values())
# The value of each class in the archives, and in what the test server takes.
LABEL_IDS = tuple(label_id for label_id, _ in _CLASSES.values())

# What the labels of the archives hold: 0..33, of which those of no class are
# void, or too rare to be evaluated.
_LABEL_IDS = dict.fromkeys(range(34), datasets.IGNORE_LABEL) | {
  label_id: train_id for train_id, label_id in enumerate(LABEL_IDS)
}

# What csCreateTrainIdLabelImgs makes of them.
_TRAIN_IDS = {train_id: train_id for train_id in range(len(_CLASSES))} | {
  datasets.IGNORE_LABEL: datasets.IGNORE_LABEL
}

_IMAGE_SUFFIX = '_leftImg8bit.png'


def open_fine(data_dir: pathlib.Path) -> sources.Source:
  """The finely labelled pictures: train, val, and test without labels."""
  source = _open(data_dir, 'cityscapes', {'train': 'gtFine', 'val': 'gtFine'})
  test_dir = data_dir / 'leftImg8bit' / 'test'
  if not test_dir.is_dir():
    return source
  # The labels in gtFine/test are dummies: the benchmark keeps the true ones.
  images = sources.files_by_stem(test_dir, (_IMAGE_SUFFIX,), has_others=True)
  test = tuple(
    sources.Pair(sources.name_below(test_dir, image), image, None)
    for image in images.values()
  )
  return dataclasses.replace(source, splits={**source.splits, 'test': test})


def open_coarse(data_dir: pathlib.Path) -> sources.Source:
  """The coarse labels: train and train_extra, and val with its fine labels.

  Scores are told on fine labels, so the coarse ones of `val` are left out.
  """
  kinds = {'train': 'gtCoarse', 'train_extra': 'gtCoarse', 'val': 'gtFine'}
  return _open(data_dir, 'cityscapes_coarse', kinds)


def _open(
  data_dir: pathlib.Path, name: str, kinds: Mapping[str, str]
) -> sources.Source:
  """Opens the splits that are there.

  Args:
    data_dir: the folder of all archives.
    name: the source's name.
    kinds: the folder of the labels of each split.
  """
  image_dirs = {split: data_dir / 'leftImg8bit' / split for split in kinds}
  label_dirs = {split: data_dir / kind / split for split, kind in kinds.items()}
  present = [
    split
    for split in kinds
    if image_dirs[split].is_dir() and label_dirs[split].is_dir()
  ]
  if not present:
    raise FileNotFoundError(
      f'{data_dir} holds no split of {name}: {image_dirs["train"]} or '
      f'{label_dirs["train"]} is missing.'
    )
  has_ids = any(label_dirs[present[0]].glob('*/*_labelIds.png'))
  ending = 'labelIds' if has_ids else 'labelTrainIds'
  return sources.Source(
    name=name,
    class_names=CLASS_NAMES,
    colors=COLORS,
    label_values=_LABEL_IDS if has_ids else _TRAIN_IDS,
    splits={
      split: sources.pair_files(
        image_dirs[split],
        (_IMAGE_SUFFIX,),
        label_dirs[split],
        f'_{kinds[split]}_{ending}.png',
        has_others=True,
      )
      for split in present
    },
  )
