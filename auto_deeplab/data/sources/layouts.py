# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The layouts of pictures that are known, by name."""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import os
import pathlib

from auto_deeplab.data.sources import (
  ade20k,
  camvid,
  cityscapes,
  coco,
  folder,
  pascal,
)
from auto_deeplab.data.sources.sources import Source


def open_source(
  dataset: str,
  data_dir: str | os.PathLike[str] | None,
  *,
  splits: Sequence[str] = (),
  reduction: int = 1,
) -> Source:
  """Finds the pictures of a data set.

  Args:
    dataset: a key of `SOURCES`.
    data_dir: the folder that holds them.
    splits: those wanted; none means all that are there.
    reduction: see `Source`.

  Raises:
    FileNotFoundError: the folder or a listed file is missing.
    ValueError: the data set or a split is unknown, or the layout is not as it
      should be.
  """
  if dataset not in SOURCES:
    raise ValueError(
      f'`dataset` ({dataset}) is not one of {", ".join(SOURCES)}.'
    )
  if not data_dir:
    raise ValueError(f'`data_dir` must name the folder of {dataset}.')
  data_dir = pathlib.Path(data_dir)
  if not data_dir.is_dir():
    raise FileNotFoundError(f'`data_dir` ({data_dir}) is not a folder.')
  source = SOURCES[dataset](data_dir)
  source = source.only(splits) if splits else source
  return dataclasses.replace(source, reduction=reduction)


def _synthetic(data_dir: pathlib.Path) -> Source:
  """The synthetic data set is drawn as a folder."""
  return dataclasses.replace(folder.open_folder(data_dir), name='synthetic')


SOURCES: Mapping[str, Callable[[pathlib.Path], Source]] = {
  'ade20k': ade20k.open_ade20k,
  'camvid': camvid.open_camvid,
  'cityscapes': cityscapes.open_fine,
  'cityscapes_coarse': cityscapes.open_coarse,
  'coco': coco.open_coco,
  'coco_voc': coco.open_coco_voc,
  'folder': folder.open_folder,
  'synthetic': _synthetic,
  'voc': pascal.open_voc,
  'voc_aug': pascal.open_voc_aug,
}
