# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""CVAT's "segmentation mask" exports, with their pictures.

    labelmap.txt                          background:0,0,0::
    ImageSets/Segmentation/default.txt    the names of the pictures, one a line
    JPEGImages/a.jpg
    SegmentationClass/a.png               in the colours of labelmap.txt

Each list is a split, and default.txt is train. Without lists, all pictures are.
A picture without a mask is background all over, as CVAT writes none where
nothing is marked.
"""

import pathlib

from auto_deeplab.data import datasets
from auto_deeplab.data.sources import annotated, label_classes, sources

_BLACK = (0, 0, 0)
_MIN_FIELDS, _MAX_FIELDS = 2, 4


def open_cvat(data_dir: pathlib.Path) -> sources.Source:
  """The labels of labelmap.txt, in their order and colours."""
  path = data_dir / 'labelmap.txt'
  names, colors = _read_labels(path)
  annotated.check_classes(path, names, colors)
  values: dict[int | datasets.Color, int] = {}
  for index, color in enumerate(colors):
    if color in values:
      raise ValueError(
        f'{path}: {names[values[color]]} and {names[index]} have the same '
        f'colour {color}.'
      )
    # Masks of one channel hold places in the list.
    values |= {color: index, index: index}
  splits, notes = {}, []
  for split, stems in _read_lists(data_dir).items():
    pairs = [_pair(data_dir, path, values, found) for found in stems.items()]
    splits[split] = tuple(pairs)
    number = sum(isinstance(p.label, annotated.Background) for p in pairs)
    if number:
      notes.append(annotated.unmarked(split, number))
  return sources.Source('cvat', names, colors, values, splits, 1, tuple(notes))


def _read_labels(
  path: pathlib.Path,
) -> tuple[tuple[str, ...], tuple[datasets.Color, ...]]:
  """Returns the names and the colours of a labelmap.txt."""
  labels: list[tuple[str, datasets.Color]] = []
  for number, line in enumerate(sources.read_text(path).splitlines(), 1):
    line = line.strip()
    if not line or line.startswith('#'):
      continue
    fields = line.split(':')
    color = _color(fields[1]) if len(fields) >= _MIN_FIELDS else None
    if not fields[0] or color is None or len(fields) > _MAX_FIELDS:
      raise ValueError(
        f"{path}, line {number}: expected 'label:red,green,blue::', found "
        f'{line!r}.'
      )
    labels.append((fields[0], color))
  return tuple(name for name, _ in labels), tuple(color for _, color in labels)


def _color(text: str) -> datasets.Color | None:
  try:
    red, green, blue = (int(value) for value in text.split(','))
  except ValueError:
    return None
  color = (red, green, blue)
  return color if all(map(datasets.is_byte, color)) else None


def _read_lists(
  data_dir: pathlib.Path,
) -> dict[str, dict[str, pathlib.Path]]:
  """Returns the pictures of each split, by their names without suffix."""
  folder = data_dir / 'JPEGImages'
  if not folder.is_dir():
    raise FileNotFoundError(
      f'The folder {folder} is missing; export with "save images".'
    )
  images = annotated.pictures(folder)
  splits: dict[str, dict[str, pathlib.Path]] = {}
  for path in sorted((data_dir / 'ImageSets' / 'Segmentation').glob('*.txt')):
    split = 'train' if path.stem == 'default' else path.stem.lower()
    if split in splits:
      raise ValueError(f'{path} is a second list of the split {split}.')
    splits[split] = _read_list(path, images)
  if not images:
    raise ValueError(f'{folder} holds no pictures.')
  if not splits:
    splits['train'] = dict(sorted(images.items()))
  return splits


def _read_list(
  path: pathlib.Path, images: dict[str, pathlib.Path]
) -> dict[str, pathlib.Path]:
  found: dict[str, pathlib.Path] = {}
  for number, line in enumerate(sources.read_text(path).splitlines(), 1):
    name = line.strip().strip('"')  # Around names with spaces.
    if not name:
      continue
    if name not in images:
      raise FileNotFoundError(
        f'{path}, line {number}: JPEGImages holds no picture {name!r}; export '
        'with "save images".'
      )
    if name in found:
      raise ValueError(f'{path}, line {number}: {name} is listed twice.')
    found[name] = images[name]
  if not found:
    raise ValueError(f'{path} lists no pictures.')
  return dict(sorted(found.items()))


def _pair(
  data_dir: pathlib.Path,
  labelmap: pathlib.Path,
  values: label_classes.LabelValues,
  found: tuple[str, pathlib.Path],
) -> sources.Pair:
  stem, image = found
  name = sources.name_below(data_dir / 'JPEGImages', image)
  mask = data_dir / 'SegmentationClass' / f'{stem}.png'
  if mask.is_file():
    return sources.Pair(name, image, mask)
  if _BLACK not in values:
    raise FileNotFoundError(
      f'{image} has no mask: {mask} is missing, and {labelmap} has no label '
      'for the background (0,0,0).'
    )
  return sources.Pair(name, image, annotated.Background(image, values[_BLACK]))
