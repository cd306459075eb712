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
  cvat,
  folder,
  labelme,
  pascal,
  splitting,
  yolo,
)
from auto_deeplab.data.sources.sources import LABEL_SUFFIX, Source

_FOLDER = 'folder'


def open_source(
  dataset: str,
  data_dir: str | os.PathLike[str] | None,
  *,
  splits: Sequence[str] = (),
  reduction: int = 1,
  label_suffix: str = '',
  val: splitting.ValSplit | None = None,
) -> Source:
  """Finds the pictures of a data set.

  Args:
    dataset: a key of `SOURCES`.
    data_dir: the folder that holds them.
    splits: those wanted; none means all that are there.
    reduction: see `Source`.
    label_suffix: of `folder`, see there.
    val: how pictures are set aside for a split `val`, if they are.

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
  if dataset == _FOLDER:
    suffix = label_suffix or LABEL_SUFFIX
    source = folder.open_folder(
      data_dir, label_suffix=suffix, is_whole=val is not None
    )
  elif label_suffix:
    raise ValueError(
      f'`label_suffix` ({label_suffix}) is for the data set {_FOLDER}, not for '
      f'{dataset}.'
    )
  else:
    source = SOURCES[dataset](data_dir)
  source = splitting.with_usual_names(source)
  source = splitting.set_aside(source, val) if val else source
  source = source.only(splits) if splits else splitting.with_notes(source)
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
  'cvat': cvat.open_cvat,
  _FOLDER: folder.open_folder,
  'labelme': labelme.open_labelme,
  'synthetic': _synthetic,
  'voc': pascal.open_voc,
  'voc_aug': pascal.open_voc_aug,
  'yolo': yolo.open_yolo,
}
