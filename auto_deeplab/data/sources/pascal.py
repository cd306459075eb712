# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""PASCAL VOC 2012 and SBD's extra labels, as their archives unpack.

    VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt
    VOCdevkit/VOC2012/JPEGImages/2007_000063.jpg
    VOCdevkit/VOC2012/SegmentationClass/2007_000063.png
    benchmark_RELEASE/dataset/train.txt
    benchmark_RELEASE/dataset/img/2007_000063.jpg
    benchmark_RELEASE/dataset/cls/2007_000063.mat

SBD (Hariharan et al., ICCV 2011) labels 11,355 pictures of VOC with its
classes, among them pictures of VOC's own train and val.
"""

import dataclasses
import io
import pathlib
import struct
import zlib

import numpy as np
import scipy.io

from auto_deeplab.data import datasets
from auto_deeplab.data.sources import sources

# Label value = place in the list (VOC development kit, VOCinit.m).
CLASS_NAMES = (
  'background',
  'aeroplane',
  'bicycle',
  'bird',
  'boat',
  'bottle',
  'bus',
  'car',
  'cat',
  'chair',
  'cow',
  'diningtable',
  'dog',
  'horse',
  'motorbike',
  'person',
  'pottedplant',
  'sheep',
  'sofa',
  'train',
  'tvmonitor',
)


def _color(index: int) -> datasets.Color:
  """Returns a colour of VOC's map (VOC development kit, VOCcolormap.m).

  The three lowest bits of the index become the highest bits of r, g, b, the
  next three the bits below them, and so on.
  """
  red, green, blue = (
    sum((index >> (3 * bit + shift) & 1) << (7 - bit) for bit in range(3))
    for shift in range(3)
  )
  return red, green, blue


COLORS = tuple(map(_color, range(len(CLASS_NAMES))))

# 255 is the void border around objects; SBD has none.
_LABEL_VALUES = {value: value for value in range(len(CLASS_NAMES))} | {
  255: datasets.IGNORE_LABEL
}

_LABELLED = ('train', 'val', 'trainval')

_Pairs = tuple[sources.Pair, ...]


@dataclasses.dataclass(frozen=True)
class SbdLabel:
  """A label in the field `GTcls.Segmentation` of a .mat file.

  Attributes:
    path: the file.
  """

  path: pathlib.Path

  def __call__(self) -> np.ndarray:
    """Reads it; see `sources.LabelDrawing`."""
    if not self.path.is_file():
      raise FileNotFoundError(f'{self.path} does not exist.')
    data = self.path.read_bytes()
    try:
      _check_mat(data)
      table = scipy.io.loadmat(io.BytesIO(data), variable_names=['GTcls'])
      values = table['GTcls']['Segmentation'][0, 0]
    except Exception as e:  # SciPy raises anything on bytes that are damaged.
      raise ValueError(f'{self.path} holds no GTcls.Segmentation: {e}') from e
    if values.dtype != np.uint8 or values.ndim != 2:
      raise ValueError(
        f'{self.path}: GTcls.Segmentation ({values.dtype}, {values.ndim} axes) '
        'must be uint8 with 2 axes.'
      )
    return values

  def __str__(self) -> str:
    return str(self.path)


# A .mat file of version 5: a header, of which the last 4 bytes tell version and
# byte order, then elements of type, size and contents (The MathWorks,
# MAT-File Format).
_MAT_HEADER, _MAT_VERSION = 128, b'\x00\x01IM'
_MAT_TAG = struct.Struct('<II')
_COMPRESSED = 15
_MAX_BYTES = 2**28


def _check_mat(data: bytes) -> None:
  """Raises an error if something compressed in a .mat file is damaged.

  Of flipped bits SciPy makes other labels, or a segmentation fault. MATLAB
  compresses what it saves, and with that goes a checksum; what is not
  compressed has none.
  """
  if data[_MAT_HEADER - 4 : _MAT_HEADER] != _MAT_VERSION:
    raise ValueError('it is no little-endian .mat file of version 5.')
  position = _MAT_HEADER
  while position < len(data):
    kind, size = _MAT_TAG.unpack_from(data, position)
    position += _MAT_TAG.size
    if kind == _COMPRESSED:
      unpacker = zlib.decompressobj()
      unpacker.decompress(data[position : position + size], _MAX_BYTES)
      if not unpacker.eof:
        raise ValueError('it is truncated, or too large.')
    position += size


def open_voc(data_dir: pathlib.Path) -> sources.Source:
  """VOC 2012: the lists that are there of train, val, trainval and test.

  The labels of test are not public.
  """
  root = _voc_root(data_dir)
  splits = {
    split: _voc_pairs(root, split)
    for split in (*_LABELLED, 'test')
    if _voc_list(root, split).is_file()
  }
  if not splits:
    raise FileNotFoundError(f'{_voc_list(root, "train")} does not exist.')
  return _source('voc', splits)


def open_voc_aug(data_dir: pathlib.Path) -> sources.Source:
  """VOC 2012 with SBD's labels: `train` is what papers call train_aug.

  It holds VOC's train, and of SBD's train and val what VOC has in neither train
  nor val: 10,582 pictures. VOC's own labels are the finer ones and come first.
  """
  root = _voc_root(data_dir)
  sbd_root = data_dir / 'benchmark_RELEASE' / 'dataset'
  train, val = (_voc_pairs(root, split) for split in ('train', 'val'))
  taken = {pair.image.stem for pair in (*train, *val)}
  names = {
    name
    for split in ('train', 'val')
    for name in sources.read_names(sbd_root / f'{split}.txt')
  }
  extra = _sbd_pairs(sbd_root, sorted(names - taken))
  merged = sorted((*train, *extra), key=lambda pair: pair.name)
  return _source('voc_aug', {'train': tuple(merged), 'val': val})


def _source(name: str, splits: dict[str, _Pairs]) -> sources.Source:
  return sources.Source(name, CLASS_NAMES, COLORS, _LABEL_VALUES, splits)


def _voc_root(data_dir: pathlib.Path) -> pathlib.Path:
  root = data_dir / 'VOCdevkit' / 'VOC2012'
  if not root.is_dir():
    raise FileNotFoundError(f'The folder {root} is missing.')
  return root


def _voc_list(root: pathlib.Path, split: str) -> pathlib.Path:
  return root / 'ImageSets' / 'Segmentation' / f'{split}.txt'


def _voc_pairs(root: pathlib.Path, split: str) -> _Pairs:
  """Returns the pictures of a list, with the labels that are public."""
  list_file = _voc_list(root, split)
  images, labels = root / 'JPEGImages', root / 'SegmentationClass'
  pairs = []
  for name in sources.read_names(list_file):
    image = images / f'{name}.jpg'
    label = labels / f'{name}.png' if split in _LABELLED else None
    sources.require_files([image, label] if label else [image], list_file)
    pairs.append(sources.Pair(image.name, image, label))
  return tuple(pairs)


def _sbd_pairs(root: pathlib.Path, names: list[str]) -> _Pairs:
  """Returns SBD's pictures of these names."""
  pairs = []
  for name in names:
    image, label = root / 'img' / f'{name}.jpg', root / 'cls' / f'{name}.mat'
    sources.require_files((image, label), root)
    pairs.append(sources.Pair(image.name, image, SbdLabel(label)))
  return tuple(pairs)
