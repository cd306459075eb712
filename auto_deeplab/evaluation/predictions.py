# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Predictions as PNGs, with the names and values that test servers expect.

  cityscapes  berlin_000000_000019_pred_labelIds.png   label ids: 7 is road
  ade20k      ADE_val_00000001.png                     class + 1: 1 is wall
  others      2007_000033.png                          value, with a palette

The last is VOC's; the value is that of the class in the labels as their maker
wrote them. A server finds Cityscapes' pictures by city, sequence and
frame: cityscapesScripts, evalPixelLevelSemanticLabeling.py.
"""

from collections.abc import Callable
import dataclasses
import os
import pathlib

import numpy as np
from PIL import Image

from auto_deeplab.data import datasets
from auto_deeplab.data.sources import ade20k, cityscapes


@dataclasses.dataclass(frozen=True)
class Format:
  """How a data set's predictions are written.

  Attributes:
    values: the value of each class in the PNG.
    rename: a picture's name without suffix -> that of its prediction.
    palette: whether the PNG has the classes' colours.
    has_legend: whether a picture of the colours lies beside; no test server
      asks for it.
  """

  values: tuple[int, ...]
  rename: Callable[[str], str] = str
  palette: bool = False
  has_legend: bool = False


def _cityscapes_name(name: str) -> str:
  """Without the city's folder, which the name repeats."""
  name = name.rsplit('/', maxsplit=1)[-1]
  return f'{name.removesuffix("_leftImg8bit")}_pred_labelIds'


# Of the file name of a legend; whoever draws it puts it there.
LEGEND_STEM = 'legend'

_CITYSCAPES = Format(cityscapes.LABEL_IDS, _cityscapes_name)
_FORMATS = {
  'cityscapes': _CITYSCAPES,
  'cityscapes_coarse': _CITYSCAPES,
  'ade20k': Format(ade20k.CLASS_VALUES),
}
_SERVED_WITH_PALETTE = ('voc', 'voc_aug')


def format_of(info: datasets.DatasetInfo) -> Format:
  """Returns how the predictions of a data set are written."""
  own = Format(
    info.own_values,
    palette=True,
    has_legend=info.name not in _SERVED_WITH_PALETTE,
  )
  return _FORMATS.get(info.name, own)


class Writer:
  """Writes predictions to a folder.

  Attributes:
    count: how many were written.
  """

  def __init__(
    self, info: datasets.DatasetInfo, output_dir: str | os.PathLike[str]
  ):
    """Initializes the writer; the folder follows with the first picture.

    Args:
      info: the data set; its name chooses the format.
      output_dir: the folder.

    Raises:
      ValueError: the data set has not as many classes as its format.
    """
    self._format = format_of(info)
    if len(self._format.values) != info.num_classes:
      raise ValueError(
        f'the format of {info.name} has {len(self._format.values)} classes, '
        f'the data set {info.num_classes}.'
      )
    self._values = np.array(self._format.values, np.uint8)
    self._palette = np.zeros([256, 3], np.uint8)
    self._palette[self._values] = info.colors
    self._folder = pathlib.Path(output_dir)
    # A picture may have the legend's name as well.
    self._written = {LEGEND_STEM} if self._format.has_legend else set[str]()
    self.count = 0

  def write(self, filename: str, classes: np.ndarray) -> None:
    """Writes one prediction.

    Args:
      filename: the picture's, with '/' and suffix, as in its Example.
      classes: integers `[h, w]`.

    Raises:
      ValueError: the name leads out of the folder, or is that of another
        prediction.
    """
    name = pathlib.PurePosixPath(filename)
    if name.is_absolute() or '..' in name.parts or not name.name:
      raise ValueError(f'{filename!r} is no name of a picture within a folder.')
    stem = self._format.rename(name.with_suffix('').as_posix())
    if stem in self._written:  # 'a.png' beside 'a.jpg': 'a.png.png'.
      stem = self._format.rename(filename)
    if stem in self._written:
      raise ValueError(f'{filename!r} would replace another prediction.')
    self._written.add(stem)
    path = self._folder / f'{stem}.png'
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(self._values[classes])
    if self._format.palette:
      picture.putpalette(self._palette.tobytes())
    picture.save(path)
    self.count += 1
