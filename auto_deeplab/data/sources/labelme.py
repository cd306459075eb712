# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Shapes that labelme has saved, a JSON file a picture.

    labels.txt                     optional: the labels, one a line
    train/a.json  train/a.jpg
    val/b.json    val/b.jpg

Folders called train, val or test are splits, test perhaps without labels; where
there is none, all is train. Classes are the labels in alphabetical order, or in
that of labels.txt, behind the background, class 0. What is labelled
`_background_` is background again, such as a hole in the shape below it, and
`__ignore__` does not count.

Shapes are drawn as labelme_json_to_dataset draws them: one over the other in
the order of the file, whatever their groups, and with the pixels that their
border runs through. So a shape reaches a pixel farther to the right and below
than one of COCO with the same corners.
"""

import base64
from collections.abc import Mapping, Sequence
import dataclasses
import io
import math
import os
import pathlib
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from auto_deeplab.data import datasets
from auto_deeplab.data.sources import annotated, picture_files, sources

_SPLITS = ('train', 'val', 'valid', 'validation', 'test')
_LABELS, _IGNORED = 'labels.txt', '__ignore__'
# In pixels, as labelme draws them.
_LINE_WIDTH, _POINT_RADIUS = 10, 5


@dataclasses.dataclass(frozen=True)
class LabelmeLabel:
  """A label drawn from a file of shapes.

  Attributes:
    path: the file.
    image: the picture, whose size counts.
    values: (label in the file, class) each.
  """

  path: pathlib.Path
  image: pathlib.Path
  values: tuple[tuple[str, int], ...]

  def __call__(self) -> np.ndarray:
    """Draws it; see `sources.LabelDrawing`."""
    values, document = dict(self.values), _read(self.path)
    height, width = size = annotated.size(self.image)
    told = document.get('imageHeight'), document.get('imageWidth')
    if told != (None, None) and told != size:
      raise ValueError(
        f'{self.path} is of a picture of {told[1]}x{told[0]} pixels, '
        f'{self.image} has {width}x{height}.'
      )
    label = np.zeros(size, np.uint8)
    for number, shape in enumerate(document['shapes'], start=1):
      name = shape['label']
      if name not in values:
        raise ValueError(
          f'{self.path}, shape {number}: the label {name!r} is not in '
          f'{_LABELS}.'
        )
      try:
        label[_draw(shape, size)] = values[name]
      # Pillow raises anything on what it cannot draw.
      except Exception as e:
        raise ValueError(f'{self.path}, shape {number}: {e}.') from e
    return label

  def __str__(self) -> str:
    return str(self.path)


def open_labelme(data_dir: pathlib.Path) -> sources.Source:
  """Background, and the labels of labels.txt or those that occur."""
  folders = _folders(data_dir)
  files = {split: _files(folder) for split, folder in folders.items()}
  documents = {path: _read(path) for found in files.values() for path in found}
  if not documents:
    raise FileNotFoundError(f'{data_dir} holds no .json file of labelme.')
  labels = {s['label'] for d in documents.values() for s in d['shapes']}
  classes, values = _classes(data_dir, labels)
  splits, notes = {}, []
  for split, folder in folders.items():
    if not files[split]:
      splits[split] = _unlabelled(split, folder)
      continue
    splits[split] = _pairs(data_dir, files[split], documents, values)
    if number := _num_left_out(folder, splits[split]):
      notes.append(
        f'Pictures of the split {split} without a .json file: {number}; they '
        'are left out.'
      )
  return sources.Source(
    'labelme',
    classes.names,
    classes.colors,
    annotated.label_values(len(classes.names)),
    splits,
    notes=tuple(notes),
  )


def _folders(data_dir: pathlib.Path) -> dict[str, pathlib.Path]:
  """Returns the folder of each split."""
  folders = {split: data_dir / split for split in _SPLITS}
  found = {split: path for split, path in folders.items() if path.is_dir()}
  return found or {'train': data_dir}


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
  files = sources.files_by_stem(folder, ('.json',), has_others=True)
  return [files[stem] for stem in sorted(files)]


def _unlabelled(split: str, folder: pathlib.Path) -> tuple[sources.Pair, ...]:
  if split != 'test':
    raise FileNotFoundError(f'{folder} holds no .json file of labelme.')
  return sources.unlabelled(folder)


def _num_left_out(folder: pathlib.Path, pairs: Sequence[sources.Pair]) -> int:
  """Returns how many pictures of a folder are in no pair."""
  taken = {os.path.realpath(pair.image) for pair in pairs}
  images = annotated.pictures(folder).values()
  return sum(os.path.realpath(image) not in taken for image in images)


def _classes(
  data_dir: pathlib.Path, labels: set[str]
) -> tuple[annotated.Classes, tuple[tuple[str, int], ...]]:
  """Returns the classes, and the class of each label."""
  path: pathlib.Path = data_dir / _LABELS
  order: Sequence[str] = sorted(labels)
  if path.is_file():
    lines = sources.read_text(path).splitlines()
    order = [line.strip() for line in lines if line.strip()]
  else:
    path = data_dir
  names = [name for name in order if name != _IGNORED]
  classes = annotated.on_background(dict(enumerate(names)))
  annotated.check_classes(path, classes.names, classes.colors)
  values = {name: classes.values[index] for index, name in enumerate(names)}
  values[_IGNORED] = datasets.IGNORE_LABEL
  values.setdefault('_background_', 0)
  return classes, tuple(sorted(values.items()))


def _pairs(
  data_dir: pathlib.Path,
  files: Sequence[pathlib.Path],
  documents: Mapping[pathlib.Path, dict[str, Any]],
  values: tuple[tuple[str, int], ...],
) -> tuple[sources.Pair, ...]:
  pairs: dict[str, sources.Pair] = {}
  for path in files:
    image = _image(data_dir, path, documents[path]['imagePath'])
    name = os.path.relpath(image, data_dir).replace(os.sep, '/')
    if name in pairs:
      raise ValueError(
        f'{path} is a second file of the picture {image}; the first is '
        f'{pairs[name].label}.'
      )
    pairs[name] = sources.Pair(name, image, LabelmeLabel(path, image, values))
  return tuple(pairs[name] for name in sorted(pairs))


def _image(
  data_dir: pathlib.Path, path: pathlib.Path, name: str
) -> pathlib.Path:
  """Returns the picture of a file: where it says, or else beside it."""
  written = name.replace('\\', '/')
  candidates = [path.parent / written, path.parent / pathlib.Path(written).name]
  root = os.path.realpath(data_dir)
  for image in candidates:
    is_within = os.path.realpath(image).startswith(root + os.sep)
    if is_within and os.path.isfile(image):
      return pathlib.Path(os.path.normpath(image))
  raise FileNotFoundError(
    f'{path}: its picture {name!r} ("imagePath") does not exist, neither there '
    f'nor beside it, or lies outside of {data_dir}.'
  )


# The files -------------------------------------------------------------------


def _read(path: pathlib.Path) -> dict[str, Any]:
  """Reads a file, and checks all but the shapes' points.

  Raises:
    ValueError: it is none of labelme's.
  """
  document = sources.read_json(path)
  try:
    if not isinstance(document['shapes'], list):
      raise TypeError('"shapes" is no list')
    for shape in document['shapes']:
      if not isinstance(shape['label'], str) or not shape['label'].strip():
        raise TypeError(f'a shape has the label {shape["label"]!r}')
    name = document['imagePath']
    if not isinstance(name, str) or name in ('', '.', '..') or '\0' in name:
      raise TypeError(f'"imagePath" is {name!r}')
    name.encode()  # A name of no file has half a character, too.
  except (KeyError, TypeError, AttributeError, UnicodeEncodeError) as e:
    raise ValueError(f'{path} holds no shapes as labelme has them: {e}') from e
  return document


def _draw(shape: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
  """Returns where a shape lies, bool [height, width]."""
  points = np.array(shape['points'], np.float64).reshape(-1, 2)
  annotated.require_near(points, size)
  kind = shape.get('shape_type') or 'polygon'
  if kind == 'mask':
    return _draw_mask(shape['mask'], points, size)
  picture = Image.new('1', (size[1], size[0]))
  _draw_into(
    ImageDraw.Draw(picture), kind, [(x, y) for x, y in points.tolist()]
  )
  return np.array(picture)


def _draw_into(
  pen: ImageDraw.ImageDraw, kind: str, points: list[tuple[float, float]]
) -> None:
  """Draws a shape as labelme's `shape_to_mask` does."""
  if kind == 'polygon' or (kind == 'rectangle' and len(points) == 4):
    _require(len(points) > 2, kind, points)
    pen.polygon(points, fill=1, outline=1)
  elif kind == 'rectangle':
    _require(len(points) == 2, kind, points)
    (left, right), (top, bottom) = (
      sorted(v) for v in zip(*points, strict=True)
    )
    pen.rectangle((left, top, right, bottom), fill=1, outline=1)
  elif kind == 'circle':
    _require(len(points) == 2, kind, points)
    _ellipse(pen, points[0], math.dist(*points))
  elif kind in ('line', 'linestrip'):
    _require(len(points) > 1, kind, points)
    pen.line(points, fill=1, width=_LINE_WIDTH)
  elif kind in ('point', 'points'):
    for point in points:
      _ellipse(pen, point, _POINT_RADIUS)
  else:
    raise ValueError(f'a shape of the type {kind!r} is not known')


def _require(is_right: bool, kind: str, points: Sequence[Any]) -> None:
  if not is_right:
    raise ValueError(f'a {kind} has {len(points)} points')


def _ellipse(
  pen: ImageDraw.ImageDraw, center: tuple[float, float], radius: float
) -> None:
  x, y = center
  pen.ellipse((x - radius, y - radius, x + radius, y + radius), 1, 1)


def _draw_mask(
  encoded: str, points: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
  """Returns a mask that is stored as a PNG between two corners."""
  data = base64.b64decode(encoded, validate=True)
  picture_files.parse('its mask', data)  # Its size, above all.
  with Image.open(io.BytesIO(data)) as picture:
    mask = np.array(picture.convert('1'))
  _require(len(points) == 2, 'mask', points.tolist())
  (left, top), (right, bottom) = np.rint(points).astype(int)
  if mask.shape != (bottom - top + 1, right - left + 1):
    raise ValueError('its mask is of another size than its corners')
  inside = np.zeros(size, bool)
  y, x = max(0, top), max(0, left)
  cut = mask[y - top : size[0] - top, x - left : size[1] - left]
  inside[y : y + cut.shape[0], x : x + cut.shape[1]] = cut
  return inside
