# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Polygons as YOLO's segmentation has them.

    data.yaml             names: [car, tree]   train: images/train   val: ...
    images/train/a.jpg
    labels/train/a.txt    0 0.1 0.1 0.9 0.1 0.9 0.5     a polygon a line

The numbers of a line are the class, then x and y in turn as shares of the
picture's width and height. Class 0 of the labels is the background, where no
polygon is; where polygons overlap, the smaller is on top. They are drawn as
COCO's, so that an export in either format gives the same label. A picture
without a file of labels is background all over; `test` may have none at all.

Where there is no data.yaml, classes.txt may list the names, one a line, of the
pictures in images/, as Label Studio writes it.
"""

import array
from collections.abc import Iterator, Sequence
import dataclasses
import os
import pathlib
from typing import Any

import numpy as np
import yaml

from auto_deeplab.data.sources import annotated, coco_shapes, sources

_SPLITS = ('train', 'val', 'test')
_NAMES = ('data.yaml', 'data.yml', 'dataset.yaml', 'classes.txt')
# A class and three points; four numbers are a box.
_MIN_FIELDS, _BOX_FIELDS = 7, 5


@dataclasses.dataclass(frozen=True)
class YoloLabel:
  """A label drawn from a file of polygons.

  Attributes:
    path: the file.
    image: the picture, whose size counts.
    values: (number in the file, class) each.
  """

  path: pathlib.Path
  image: pathlib.Path
  values: tuple[tuple[int, int], ...]

  def __call__(self) -> np.ndarray:
    """Draws it; see `sources.LabelDrawing`."""
    size = annotated.size(self.image)
    label = np.zeros(size, np.uint8)
    shapes = list(self._read(size))
    shapes.sort(key=lambda shape: -coco_shapes.area(shape[1]))
    for value, polygons in shapes:
      label[coco_shapes.draw(polygons, size)] = value
    return label

  def _read(self, size: tuple[int, int]) -> Iterator[tuple[int, Any]]:
    """Yields class and polygon of each line, in pixels."""
    values = dict(self.values)
    lines = sources.read_text(self.path).splitlines()
    for number, line in enumerate(lines, start=1):
      if not line.strip():
        continue
      try:
        yield _parse(line.split(), values, size)
      except ValueError as e:
        raise ValueError(f'{self.path}, line {number}: {e}.') from e

  def __str__(self) -> str:
    return str(self.path)


def _parse(
  fields: Sequence[str], values: dict[int, int], size: tuple[int, int]
) -> tuple[int, list[array.array]]:
  """Returns class and polygon of a line."""
  if len(fields) == _BOX_FIELDS:
    raise ValueError('a box is no shape; export polygons')
  if len(fields) < _MIN_FIELDS or len(fields) % 2 == 0:
    raise ValueError(
      f'expected a class and x y of at least three points, found {len(fields)} '
      'numbers'
    )
  try:
    key, shares = int(fields[0]), np.array(fields[1:], np.float64)
  except ValueError as e:
    raise ValueError('expected numbers, the first of them whole') from e
  if key not in values:
    raise ValueError(f'the class {key} is not among the names')
  points = shares.reshape(-1, 2) * [size[1], size[0]]
  annotated.require_near(points, size)
  return values[key], [array.array('d', points.ravel().tolist())]


def open_yolo(data_dir: pathlib.Path) -> sources.Source:
  """Background and the names of data.yaml, in the order of their numbers."""
  path = _find_table(data_dir)
  table = _read_table(path)
  classes = annotated.on_background(_read_names(path, table))
  annotated.check_classes(path, classes.names, classes.colors)
  values = tuple(sorted(classes.values.items()))
  splits, notes = {}, []
  for split in _SPLITS:
    if not table.get(split):
      continue
    try:
      images = list(_images(data_dir, path, table, split))
    except FileNotFoundError as e:
      if split != 'test':
        raise
      notes.append(str(e))  # Roboflow names one that is not there.
      continue
    if not images:
      raise ValueError(f'{path}, "{split}": there are no pictures.')
    pairs = _pairs(data_dir, split, images, values)
    splits[split] = pairs
    number = sum(isinstance(p.label, annotated.Background) for p in pairs)
    if number:
      notes.append(annotated.unmarked(split, number))
  if not splits:
    raise ValueError(f'{path} names no folder of pictures: train, val or test.')
  return sources.Source(
    'yolo',
    classes.names,
    classes.colors,
    annotated.label_values(len(classes.names)),
    splits,
    notes=tuple(notes),
  )


# The table -------------------------------------------------------------------


def _find_table(data_dir: pathlib.Path) -> pathlib.Path:
  for name in _NAMES:
    if (data_dir / name).is_file():
      return data_dir / name
  raise FileNotFoundError(f'{data_dir / _NAMES[0]} does not exist.')


def _read_table(path: pathlib.Path) -> dict[str, Any]:
  text = sources.read_text(path)
  if path.suffix == '.txt':
    names = [line.strip() for line in text.splitlines() if line.strip()]
    return {'names': names, 'train': 'images'}
  try:
    table = yaml.safe_load(text)
  # Its constructors of dates and numbers raise errors of their own.
  except (yaml.YAMLError, ValueError, TypeError, RecursionError) as e:
    reason = ' '.join(str(e).split())
    raise ValueError(f'{path} is not valid YAML: {reason}') from e
  if not isinstance(table, dict):
    raise ValueError(f'{path} holds no table of names and folders.')
  return table


def _read_names(path: pathlib.Path, table: dict[str, Any]) -> dict[int, str]:
  """Returns the names of the classes by their numbers."""
  given = table.get('names')
  names = dict(enumerate(given)) if isinstance(given, list) else given
  if not isinstance(names, dict) or not names:
    raise ValueError(f'{path}: "names" must list the classes.')
  for key, name in names.items():
    is_name = isinstance(name, (str, int)) and not isinstance(name, bool)
    if type(key) is not int or not is_name or not str(name).strip():
      raise ValueError(
        f'{path}: the class {key!r} is called {name!r}; expected a number and '
        'a name, in quotes if it means something else to YAML.'
      )
  if 'nc' in table and table['nc'] != len(names):
    raise ValueError(
      f'{path}: "nc" ({table["nc"]!r}) is not the number of names '
      f'({len(names)}).'
    )
  return {key: str(name) for key, name in names.items()}


# Pictures --------------------------------------------------------------------


def _images(
  data_dir: pathlib.Path, path: pathlib.Path, table: dict[str, Any], split: str
) -> Iterator[pathlib.Path]:
  """Yields the pictures of a split."""
  given = table[split]
  for entry in given if isinstance(given, (list, tuple)) else [given]:
    place = f'{path}, "{split}"'
    if not isinstance(entry, str):
      raise ValueError(f'{place}: {entry!r} is no folder or list of pictures.')
    found = _locate(data_dir, table.get('path'), entry, place)
    if found.is_dir():
      yield from annotated.pictures(found).values()
      continue
    for number, line in enumerate(sources.read_text(found).splitlines(), 1):
      if line.strip():
        place = f'{found}, line {number}'
        yield _locate(data_dir, table.get('path'), line.strip(), place)


def _locate(
  data_dir: pathlib.Path, root: Any, name: str, place: str
) -> pathlib.Path:
  """Returns what a table or a list names, within the folder.

  Tools write paths of the machine that they ran on, or with a '..' too many.
  """
  parts = pathlib.PurePosixPath(name.replace('\\', '/')).parts
  parts = tuple(part for part in parts if part not in ('/', '..'))
  bases = [data_dir]
  if isinstance(root, str) and '..' not in pathlib.PurePosixPath(root).parts:
    bases.insert(0, data_dir / root.lstrip('/'))
  # At least the last two, which tell splits apart.
  for start in range(max(1, len(parts) - 1)):
    for base in bases:
      path = base.joinpath(*parts[start:])
      if parts and os.path.exists(path):
        return path
  raise FileNotFoundError(f'{place}: {name} does not exist below {data_dir}.')


def _pairs(
  data_dir: pathlib.Path,
  split: str,
  images: Sequence[pathlib.Path],
  values: tuple[tuple[int, int], ...],
) -> tuple[sources.Pair, ...]:
  """Returns the pictures of a split with their labels."""
  pairs = []
  files: dict[pathlib.Path, pathlib.Path] = {}
  for image in images:
    if image in files:
      raise ValueError(f'{image} is twice in the split {split}.')
    files[image] = _label_file(data_dir, image)
  _require_images(data_dir, files)
  is_unlabelled = not any(path.is_file() for path in files.values())
  if is_unlabelled and split != 'test':
    first = next(iter(files.values()))
    raise FileNotFoundError(
      f'No picture of the split {split} has a file of labels; of the first it '
      f'would be {first}.'
    )
  for image, path in sorted(files.items()):
    label: sources.LabelDrawing | None = annotated.Background(image)
    if path.is_file():
      label = YoloLabel(path, image, values)
    name = sources.name_below(data_dir, image)
    pairs.append(sources.Pair(name, image, None if is_unlabelled else label))
  return tuple(sorted(pairs, key=lambda pair: pair.name))


def _label_file(data_dir: pathlib.Path, image: pathlib.Path) -> pathlib.Path:
  """Returns where the label of a picture lies: 'labels' instead of 'images'."""
  *folders, name = image.relative_to(data_dir).with_suffix('.txt').parts
  for index in reversed(range(len(folders))):
    if folders[index] == 'images':
      folders[index] = 'labels'
      break
  return data_dir.joinpath(*folders, name)


def _require_images(
  data_dir: pathlib.Path, files: dict[pathlib.Path, pathlib.Path]
) -> None:
  """Raises a FileNotFoundError if a file of labels has no picture."""
  known = set(files.values())
  folders = {path.parent for path in known}
  for folder in sorted(folders - {image.parent for image in files}):
    for path in sorted(folder.glob('*.txt')):
      if path not in known:
        raise FileNotFoundError(
          f'{path} has no picture: there is none of its name.'
        )
