# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A folder of one's own: pictures, labels, and a class table in JSON."""

import pathlib
from typing import Any

from auto_deeplab.data import datasets, sources


def open_folder(data_dir: pathlib.Path) -> sources.Source:
  """A folder of one's own.

  Layout, where a label has its image's name and the suffix .png:

    classes.json
    images/train/a.jpg       labels/train/a.png
    images/val/street/b.png  labels/val/street/b.png

  `classes.json` lists the classes; colour and value are optional, and a class
  may be its name alone. Without a value, the pixels of class c have the value
  c, its place in the list. Pixels of the value `ignore_label` (default 255)
  count neither in training nor in evaluation.

    {"classes": ["sky",
                 {"name": "road", "color": [128, 64, 128], "value": 1}],
     "ignore_label": 255}
  """
  names, colors, values = _read_classes(data_dir / 'classes.json')
  for kind in ('images', 'labels'):
    if not (data_dir / kind).is_dir():
      raise FileNotFoundError(f'The folder {data_dir / kind} is missing.')
  splits = sorted(
    {
      path.name
      for kind in ('images', 'labels')
      for path in (data_dir / kind).iterdir()
      if path.is_dir() and not path.name.startswith('.')
    }
  )
  if not splits:
    raise ValueError(
      f'{data_dir / "images"} holds no split: put pictures into '
      f'{data_dir / "images" / "train"} and {data_dir / "images" / "val"}.'
    )
  return sources.Source(
    name='folder',
    class_names=names,
    colors=colors,
    label_values=values,
    splits={split: _match_files(data_dir, split) for split in splits},
  )


def _match_files(
  data_dir: pathlib.Path, split: str
) -> tuple[sources.Pair, ...]:
  """Pairs images and labels of one name."""
  image_dir, label_dir = (data_dir / k / split for k in ('images', 'labels'))
  images = _files_by_stem(image_dir, sources.IMAGE_SUFFIXES)
  labels = _files_by_stem(label_dir, ('.png',))
  for stem in sorted(images.keys() ^ labels.keys()):
    if stem in images:
      raise ValueError(
        f'{images[stem]} has no label: {label_dir / stem}.png is missing.'
      )
    raise ValueError(
      f'{labels[stem]} has no image: {image_dir / stem} with one of '
      f'{", ".join(sources.IMAGE_SUFFIXES)} is missing.'
    )
  if not images:
    raise ValueError(f'The split {split} is empty: no pictures in {image_dir}.')
  return tuple(
    sources.Pair(
      images[stem].relative_to(image_dir).as_posix(), images[stem], label
    )
    for stem, label in sorted(labels.items())
  )


def _files_by_stem(
  directory: pathlib.Path, suffixes: tuple[str, ...]
) -> dict[str, pathlib.Path]:
  """Returns the files below a folder by relative path without suffix."""
  files: dict[str, pathlib.Path] = {}
  for path in sorted(directory.rglob('*')):
    # Hidden files are the file manager's, not the user's.
    if path.is_dir() or path.name.startswith('.'):
      continue
    if path.suffix.lower() not in suffixes:
      raise ValueError(f'{path} is not one of {", ".join(suffixes)}.')
    stem = path.relative_to(directory).with_suffix('').as_posix()
    if stem in files:
      raise ValueError(f'{files[stem]} and {path} have the same name.')
    files[stem] = path
  return files


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
