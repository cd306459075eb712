# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Weights of classes from how often they occur in a split."""

import statistics

from auto_deeplab.data import datasets


def median_frequency(
  info: datasets.DatasetInfo, split: str
) -> tuple[float, ...]:
  """Returns the median of the classes' frequencies over each class's own.

  Eigen and Fergus, ICCV 2015, section 6.3.2. Their frequency of a class counts
  the pictures that show it; here it is the class's share in all pixels of the
  split, which `dataset.json` holds.

  Args:
    info: of a converted data set.
    split: its split that is trained on.

  Returns:
    A weight a class: 1 for the median class, more for rarer ones. 0 for a class
    that does not occur, which has no frequency and is left out of the median.

  Raises:
    ValueError: there is no such split, or no pixel of it has a class.
  """
  shares = info.split(split).class_pixel_shares
  found = [share for share in shares if share > 0]
  if not found:
    raise ValueError(
      f'`split` ({split}) of the data set {info.name} has no labels to weigh '
      'its classes by.'
    )
  median = statistics.median(found)
  return tuple(median / share if share > 0 else 0.0 for share in shares)
