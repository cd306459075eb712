# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What there is to know of a data set before a recipe is made for it."""

from collections.abc import Iterator, Sequence
import dataclasses
import math
import os

import numpy as np
from scipy import ndimage

from auto_deeplab.data import datasets
from auto_deeplab.data.records import inspection, tfrecord

# Of these the labels are looked at; `dataset.json` knows the rest of all.
NUM_SAMPLED = 32

# Smaller ones are specks, which no network of output stride 4 draws.
_MIN_OBJECT_PIXELS = 16


@dataclasses.dataclass(frozen=True)
class Fingerprint:
  """A data set in numbers.

  Attributes:
    num_train: pictures to train on.
    num_val: pictures to evaluate on.
    size: the usual (height, width) in pixels, the median of those looked at.
    max_size: the largest (height, width), each over all pictures.
    class_shares: share of each class in the pixels of train that have one.
    object_side: the median object's side in pixels, the root of its area; an
      object is what hangs together of one class, and does not fill the picture.
    boundary_share: share of pixels at the border to another class.
    rarest_presence: share of the pictures looked at that show the rarest class.
  """

  num_train: int
  num_val: int
  size: tuple[int, int]
  max_size: tuple[int, int]
  class_shares: tuple[float, ...]
  object_side: float
  boundary_share: float
  rarest_presence: float

  @property
  def num_classes(self) -> int:
    return len(self.class_shares)

  @property
  def rarest_share(self) -> float:
    """Share of the rarest class that there is."""
    return min((share for share in self.class_shares if share), default=0.0)


def read(
  data_dir: str | os.PathLike[str], num_sampled: int = NUM_SAMPLED
) -> Fingerprint:
  """Takes the fingerprint of a converted data set.

  Raises:
    FileNotFoundError: there is no data set.
    ValueError: it has no split train or val, or cannot be read.
  """
  info = tfrecord.load_info(data_dir)
  pictures = inspection.read_pictures(data_dir, 'train', num_sampled)
  return of(info, [picture.label for picture in pictures])


def of(info: datasets.DatasetInfo, labels: Sequence[np.ndarray]) -> Fingerprint:
  """Returns the fingerprint of a table and some labels, uint8 [h, w]."""
  if 'val' not in info.splits:
    raise ValueError(
      f'The data set {info.name} has no split val, on which a training is '
      'evaluated: convert it with --val_fraction=0.2, which sets a fifth of '
      'the pictures aside.'
    )
  train, val = info.split('train'), info.split('val')
  labelled = 1 - train.ignored_pixel_share
  there = [share or math.inf for share in train.class_pixel_shares]
  rarest = there.index(min(there))
  sides = [side for label in labels for side in _object_sides(label)]
  sizes = np.median([label.shape for label in labels], axis=0)
  return Fingerprint(
    num_train=train.num_examples,
    num_val=val.num_examples,
    size=(int(sizes[0]), int(sizes[1])),
    max_size=(
      max(train.max_size[0], val.max_size[0]),
      max(train.max_size[1], val.max_size[1]),
    ),
    class_shares=tuple(
      share / labelled if labelled else 0.0
      for share in train.class_pixel_shares
    ),
    object_side=float(np.median(sides)) if sides else float(min(sizes)),
    boundary_share=float(np.mean([_boundary_share(x) for x in labels])),
    rarest_presence=float(np.mean([np.any(x == rarest) for x in labels])),
  )


def _object_sides(label: np.ndarray) -> Iterator[float]:
  """Yields the side of each object; grounds, of half a picture, are none."""
  for value in np.unique(label):
    if value == datasets.IGNORE_LABEL:
      continue
    parts, _ = ndimage.label(label == value)
    for pixels in np.bincount(parts.ravel())[1:]:
      if _MIN_OBJECT_PIXELS <= pixels <= label.size / 2:
        yield float(pixels) ** 0.5


def _boundary_share(label: np.ndarray) -> float:
  is_border = np.zeros(label.shape, bool)
  is_border[:, 1:] |= label[:, 1:] != label[:, :-1]
  is_border[1:] |= label[1:] != label[:-1]
  return float(is_border.mean())
