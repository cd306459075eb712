# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A folder of one's own: pictures, labels, and a class table in JSON."""

import pathlib
from typing import Any

from auto_deeplab.data import datasets
from auto_deeplab.data.sources import sources

# The list files that are looked for.
_LISTS = ('train', 'val', 'test')


def open_folder(data_dir: pathlib.Path) -> sources.Source:
  """A folder of one's own.

  Layout, where a label has its image's name and the suffix .png:

    classes.json
    images/train/a.jpg       labels/train/a.png
    images/val/street/b.png  labels/val/street/b.png

  Or lists of the files, which lie anywhere, with lines 'image label' (see
  `sources.read_pairs`); where there is a train.txt, lists are what counts:

    classes.json  train.txt  val.txt  test.txt

  `classes.json` lists the classes; colour and value are optional, and a class
  may be its name alone. Without a value, the pixels of class c have the value
  c, its place in the list. Pixels of the value `ignore_label` (default 255)
  count neither in training nor in evaluation.

    {"classes": ["sky",
                 {"name": "road", "color": [128, 64, 128], "value": 1}],
     "ignore_label": 255}
  """
  names, colors, values = _read_classes(data_dir / 'classes.json')
  has_lists = (data_dir / 'train.txt').is_file()
  return sources.Source(
    name='folder',
    class_names=names,
    colors=colors,
    label_values=values,
    splits=_listed(data_dir) if has_lists else _found(data_dir),
  )


def _listed(data_dir: pathlib.Path) -> dict[str, tuple[sources.Pair, ...]]:
  """Returns the splits of which there are lists."""
  files = {split: data_dir / f'{split}.txt' for split in _LISTS}
  return {
    split: sources.read_pairs(file)
    for split, file in files.items()
    if file.is_file()
  }


def _found(data_dir: pathlib.Path) -> dict[str, tuple[sources.Pair, ...]]:
  """Returns the splits of which there are folders."""
  image_dir, label_dir = data_dir / 'images', data_dir / 'labels'
  for directory in (image_dir, label_dir):
    if not directory.is_dir():
      raise FileNotFoundError(f'The folder {directory} is missing.')
  splits = sorted(
    {
      path.name
      for directory in (image_dir, label_dir)
      for path in directory.iterdir()
      if path.is_dir() and not path.name.startswith('.')
    }
  )
  if not splits:
    raise ValueError(
      f'{image_dir} holds no split: put pictures into {image_dir / "train"} '
      f'and {image_dir / "val"}.'
    )
  return {
    split: sources.pair_files(
      image_dir / split, sources.IMAGE_SUFFIXES, label_dir / split, '.png'
    )
    for split in splits
  }


def _read_classes(
  path: pathlib.Path,
) -> tuple[tuple[str, ...], tuple[datasets.Color, ...], dict[int, int]]:
  """Returns names, colours and label values of a `classes.json`."""
  table = sources.read_json(path)
  _check_keys(table, {'classes', 'ignore_label', 'made_by'}, str(path))
  entries = table.get('classes')
  if not isinstance(entries, list):
    raise ValueError(f'{path}: "classes" must be a list.')
  palette = datasets.default_colors(len(entries))
  names: list[str] = []
  colors: list[datasets.Color] = []
  values: dict[int, int] = {}
  for index, entry in enumerate(entries):
    place = f'{path}, class {index}'
    entry = {'name': entry} if isinstance(entry, str) else entry
    _check_keys(entry, {'name', 'color', 'value'}, place)
    if not isinstance(entry.get('name'), str) or not entry['name']:
      raise ValueError(f'{place}: "name" must be a text that is not empty.')
    names.append(entry['name'])
    colors.append(_as_color(entry.get('color', palette[index]), place))
    _add_value(values, entry.get('value', index), index, place)
  _add_value(
    values,
    table.get('ignore_label', datasets.IGNORE_LABEL),
    datasets.IGNORE_LABEL,
    f'{path}, "ignore_label"',
  )
  try:
    datasets.check_classes(names, colors)
  except ValueError as e:
    raise ValueError(f'{path}: {e}') from e
  return tuple(names), tuple(colors), values


def _as_color(value: Any, place: str) -> datasets.Color:
  if not isinstance(value, (list, tuple)) or len(value) != 3:
    raise ValueError(f'{place}: "color" ({value}) must be [red, green, blue].')
  return value[0], value[1], value[2]


def _add_value(
  values: dict[int, int], value: Any, target: int, place: str
) -> None:
  if not datasets.is_byte(value):
    raise ValueError(f'{place}: the value {value!r} must be in 0..255.')
  if value in values:
    raise ValueError(f'{place}: the value {value} is taken by another class.')
  values[value] = target


def _check_keys(table: Any, known: set[str], place: str) -> None:
  if not isinstance(table, dict):
    raise ValueError(f'{place}: expected a JSON object, found {table!r}.')
  unknown = sorted(table.keys() - known)
  if unknown:
    raise ValueError(
      f'{place}: {unknown[0]!r} is not one of {", ".join(sorted(known))}.'
    )
