# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A folder of one's own: pictures, labels, and a class table in JSON."""

import itertools
import pathlib
from typing import Any

from auto_deeplab.data import datasets, palette
from auto_deeplab.data.sources import annotated, sources

# The list files that are looked for.
_LISTS = ('train', 'val', 'test')

# The splits that must have labels.
_LABELLED = ('train', 'val', 'valid', 'validation')

# Files of other layouts, by which a folder without classes.json is known.
_OTHERS = (
  ('labelmap.txt', 'cvat'),
  ('data.y*ml', 'yolo'),
  ('annotations/*.json', 'coco'),
  ('*/_annotations.coco.json', 'coco'),
  ('result.json', 'coco'),
)

_TABLE_KEYS = {'classes', 'ignore_label', 'ignore_color', 'made_by'}

_Values = dict[int | datasets.Color, int]


def open_folder(
  data_dir: pathlib.Path,
  *,
  label_suffix: str = sources.LABEL_SUFFIX,
  is_whole: bool = False,
) -> sources.Source:
  """A folder of one's own.

  Layout, where a label has its image's name and the suffix .png, and splits
  other than train and val may have no labels:

    classes.json
    images/train/a.jpg       labels/train/a.png
    images/val/street/b.png  labels/val/street/b.png

  Or lists of the files, which lie anywhere, with lines 'image label' (see
  `sources.read_pairs`); where there is a train.txt, lists are what counts:

    classes.json  train.txt  val.txt  test.txt

  Where there is no folder `images`, pictures and labels lie in one, and what
  ends as labels do is a label; without `train` in it, all is this split:

    classes.json  a.jpg  a_mask.png  b.jpg  b_mask.png

  `classes.json` lists the classes; colour and value are optional, and a class
  may be its name alone. Without a value, the pixels of class c have the value
  c, its place in the list. Pixels of the value `ignore_label` (default 255,
  unless that is a class) or of the colour `ignore_color` count neither in
  training nor in evaluation. There may be several values, in a list.

    {"classes": ["sky",
                 {"name": "road", "color": [128, 64, 128], "value": [1, 7]}],
     "ignore_label": [0, 255]}

  Args:
    data_dir: the folder.
    label_suffix: what follows the image's name, without its suffix, in a
      label's.
    is_whole: whether all below `images` may be one split, train; it is where
      there is no folder `images/train`.
  """
  names, colors, values = _read_classes(_table(data_dir))
  if (data_dir / 'train.txt').is_file():
    splits = _listed(data_dir)
  elif not (data_dir / 'images').is_dir():
    splits = _beside(data_dir, label_suffix)
  elif is_whole and not (data_dir / 'images' / 'train').is_dir():
    splits = {'train': _pairs(data_dir, '', label_suffix)}
  else:
    splits = _found(data_dir, label_suffix)
  return sources.Source(
    name='folder',
    class_names=names,
    colors=colors,
    label_values=values,
    splits=splits,
  )


def _listed(data_dir: pathlib.Path) -> dict[str, tuple[sources.Pair, ...]]:
  """Returns the splits of which there are lists."""
  files = {split: data_dir / f'{split}.txt' for split in _LISTS}
  return {
    split: sources.read_pairs(file, may_lack_labels=split not in _LABELLED)
    for split, file in files.items()
    if file.is_file()
  }


def _table(data_dir: pathlib.Path) -> pathlib.Path:
  """Returns the class table; where there is none, says what is to be."""
  path = data_dir / 'classes.json'
  if path.is_file():
    return path
  other = _other_layout(data_dir)
  remedy = (
    f'`dataset` = {other} may be what reads this folder.'
    if other
    else 'it names the classes, such as {"classes": ["background", "thing"]}.'
  )
  raise FileNotFoundError(f'{path} does not exist; {remedy}')


def _other_layout(data_dir: pathlib.Path) -> str | None:
  """Returns the layout that the files of a folder remind of, if any."""
  for pattern, dataset in _OTHERS:
    if any(data_dir.glob(pattern)):
      return dataset
  for path in data_dir.rglob('*.json'):
    if any(path.with_suffix(s).is_file() for s in sources.IMAGE_SUFFIXES):
      return 'labelme'
  return None


def _beside(
  data_dir: pathlib.Path, label_suffix: str
) -> dict[str, tuple[sources.Pair, ...]]:
  """Returns the splits of pictures that lie beside their labels."""
  folders = _folders(data_dir)
  is_parted = 'labels' in folders or any(data_dir.glob('*/images'))
  if is_parted or not _has_pictures(data_dir, label_suffix):
    raise FileNotFoundError(
      f'The folder {data_dir / "images"} is missing: pictures lie in '
      'images/train and their labels, of the same names, in labels/train; or '
      'all in one folder, where `label_suffix` = _mask.png tells labels apart.'
    )
  splits = sorted(folders) if 'train' in folders else ['']
  return {
    split or 'train': sources.pair_files(
      data_dir / split,
      sources.IMAGE_SUFFIXES,
      data_dir / split,
      label_suffix,
      has_others=True,
    )
    for split in splits
  }


def _has_pictures(data_dir: pathlib.Path, label_suffix: str) -> bool:
  """Whether there are any but labels."""
  return bool(
    sources.files_by_stem(data_dir, sources.IMAGE_SUFFIXES, True, label_suffix)
  )


def _found(
  data_dir: pathlib.Path, label_suffix: str
) -> dict[str, tuple[sources.Pair, ...]]:
  """Returns the splits of which there are folders."""
  image_dir, label_dir = data_dir / 'images', data_dir / 'labels'
  if not label_dir.is_dir():
    others = ', '.join(sorted(_folders(data_dir) - {'images'}))
    beside = f'; beside it: {others}' if others else ''
    raise FileNotFoundError(
      f'The folder {label_dir} is missing: it has the labels of the pictures '
      f'in {image_dir}, under the same names{beside}.'
    )
  splits, labelled = map(_folders, (image_dir, label_dir))
  if not splits:
    raise ValueError(
      f'{image_dir} holds no split: put pictures into {image_dir / "train"} '
      f'and {image_dir / "val"}, or let `val_fraction` = 0.2 set a fifth aside.'
    )
  for split in sorted(labelled - splits):
    raise FileNotFoundError(
      f'{label_dir / split} has no pictures: the folder {image_dir / split} is '
      'missing.'
    )
  return {
    split: _pairs(data_dir, split, label_suffix)
    if split in labelled or split in _LABELLED
    else sources.unlabelled(image_dir / split)
    for split in sorted(splits)
  }


def _folders(directory: pathlib.Path) -> set[str]:
  """Returns the names of the folders within one, but the hidden ones."""
  return {
    path.name
    for path in directory.iterdir()
    if path.is_dir() and not sources.is_hidden(path.name)
  }


def _pairs(
  data_dir: pathlib.Path, split: str, label_suffix: str
) -> tuple[sources.Pair, ...]:
  """Returns the pairs of a split, or all there are if it has no name."""
  return sources.pair_files(
    data_dir / 'images' / split,
    sources.IMAGE_SUFFIXES,
    data_dir / 'labels' / split,
    label_suffix,
  )


def _read_classes(
  path: pathlib.Path,
) -> tuple[tuple[str, ...], tuple[datasets.Color, ...], _Values]:
  """Returns names, colours and label values of a `classes.json`."""
  table = sources.read_json(path)
  _check_keys(table, _TABLE_KEYS, str(path), '{"classes": [...]}')
  entries = table.get('classes')
  if not isinstance(entries, list):
    raise ValueError(f'{path}: "classes" must be a list.')
  names: list[str] = []
  given: dict[int, datasets.Color] = {}
  values: _Values = {}
  for index, entry in enumerate(entries):
    place = f'{path}, class {index}'
    entry = {'name': entry} if isinstance(entry, str) else entry
    _check_keys(
      entry, {'name', 'color', 'value'}, place, 'a name or {"name": ...}'
    )
    if not isinstance(entry.get('name'), str) or not entry['name']:
      raise ValueError(f'{place}: "name" must be a text that is not empty.')
    names.append(entry['name'])
    if 'color' in entry:
      given[index] = _as_color(entry['color'], place)
    _add_values(values, entry.get('value', index), index, place)
  ignored = datasets.IGNORE_LABEL
  if 'ignore_label' in table or ignored not in values:
    place = f'{path}, "ignore_label"'
    _add_values(values, table.get('ignore_label', ignored), ignored, place)
  colors = _with_others(given, names)
  _check_classes(path, names, colors)
  _add_colors(values, path, table)
  return tuple(names), tuple(colors), values


def _with_others(
  given: dict[int, datasets.Color], names: list[str]
) -> list[datasets.Color]:
  """Returns the colours that are given, and others for the other classes.

  The background is black, as in other data sets, if no class is.
  """
  black = (0, 0, 0)
  for index, name in enumerate(names):
    if annotated.is_background(name) and black not in given.values():
      given = {index: black} | given
  others = palette.default_colors(datasets.MAX_CLASSES, beside=given.values())
  free = itertools.chain(others, itertools.repeat(black))  # Too many.
  return [given.get(index) or next(free) for index in range(len(names))]


def _check_classes(
  path: pathlib.Path, names: list[str], colors: list[datasets.Color]
) -> None:
  """Does what `datasets.check_classes` does, with remedies for a beginning."""
  try:
    datasets.check_classes(names, colors)
  except ValueError as e:
    remedy = ''
    if len(names) == 1:
      remedy = (
        ' What is not the class is one, too: name it first, "background".'
      )
    elif len(set(names)) < len(names):
      remedy = ' One class may have several values: "value": [1, 2].'
    raise ValueError(f'{path}: {e}{remedy}') from e


def _add_colors(
  values: _Values, path: pathlib.Path, table: dict[str, Any]
) -> None:
  """Adds the colours that the table gives, those of its own accord not."""
  given = [
    (f'{path}, class {index}', entry['color'], index)
    for index, entry in enumerate(table['classes'])
    if isinstance(entry, dict) and 'color' in entry
  ]
  if 'ignore_color' in table:
    place = f'{path}, "ignore_color"'
    given.append((place, table['ignore_color'], datasets.IGNORE_LABEL))
  for place, value, target in given:
    color = _as_color(value, place)
    if not all(datasets.is_byte(channel) for channel in color):
      raise ValueError(f'{place}: "color" ({value}) must be in 0..255.')
    if color in values:
      raise ValueError(
        f'{place}: the colour {color} is taken by another class.'
      )
    values[color] = target


def _as_color(value: Any, place: str) -> datasets.Color:
  if not isinstance(value, (list, tuple)) or len(value) != 3:
    raise ValueError(f'{place}: "color" ({value}) must be [red, green, blue].')
  return value[0], value[1], value[2]


def _add_values(values: _Values, given: Any, target: int, place: str) -> None:
  """Adds a value, or those of a list."""
  for value in given if isinstance(given, list) else [given]:
    if not datasets.is_byte(value):
      raise ValueError(f'{place}: the value {value!r} must be in 0..255.')
    if value in values:
      raise ValueError(f'{place}: the value {value} is taken by another class.')
    values[value] = target


def _check_keys(table: Any, known: set[str], place: str, example: str) -> None:
  if not isinstance(table, dict):
    raise ValueError(f'{place}: expected {example}, found {table!r}.')
  unknown = sorted(table.keys() - known)
  if unknown:
    raise ValueError(
      f'{place}: {unknown[0]!r} is not one of {", ".join(sorted(known))}.'
    )
