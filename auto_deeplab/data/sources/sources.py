# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures as a user has them: image and label files in pairs.

`layouts` finds them. This module opens list files and tables, never a picture.
"""

import codecs
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import dataclasses
import itertools
import json
import os
import pathlib
from typing import Any, Protocol

import numpy as np

from auto_deeplab.data import datasets
from auto_deeplab.data.sources.label_classes import LabelValues

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.tif', '.tiff', '.webp', '.bmp')

LABEL_SUFFIX = '.png'

_OF_WINDOWS = ('thumbs.db', 'desktop.ini')


class LabelDrawing(Protocol):
  """A label that is in no PNG: a function that reads or draws it.

  It crosses to the process that converts its picture, so it is picklable and
  holds file names rather than pixels. `str` of it is its name in messages.
  """

  def __call__(self) -> np.ndarray:
    """Returns the label values, uint8 [height, width].

    Raises:
      FileNotFoundError: a file is missing.
      ValueError: a file cannot be used; the message names it.
    """


@dataclasses.dataclass(frozen=True)
class Pair:
  """An image file and its label.

  Attributes:
    name: the image within its data set, with '/' and suffix, never leading out
      of a folder; unique in a split.
    image: the image file.
    label: the label file, a PNG; or what draws the label; or None where there
      is no label, and all pixels are to be ignored.
  """

  name: str
  image: pathlib.Path
  label: pathlib.Path | LabelDrawing | None


@dataclasses.dataclass(frozen=True)
class Source:
  """Pictures as a user has them.

  Attributes:
    name: name of the layout or of the data set.
    class_names: a name a class.
    colors: an (r, g, b) in 0..255 a class.
    label_values: value or colour in the label files -> class or ignore label;
      one that is not among the keys is an error in the file.
    splits: the pairs of each split, sorted by name.
    reduction: how many times smaller pictures and labels become; 1 passes their
      files on as they are, more encodes them anew.
    notes: what was found doubtful when it was opened, a sentence each.

  Raises:
    ValueError: the class table cannot be used, or a split is empty.
  """

  name: str
  class_names: tuple[str, ...]
  colors: tuple[datasets.Color, ...]
  label_values: LabelValues
  splits: Mapping[str, tuple[Pair, ...]]
  reduction: int = 1
  notes: tuple[str, ...] = ()

  def __post_init__(self):
    datasets.check_classes(self.class_names, self.colors)
    if self.reduction < 1:
      raise ValueError(f'`reduction` ({self.reduction}) must be at least 1.')
    if not self.splits:
      raise ValueError(f'{self.name} has no splits.')
    for split, pairs in self.splits.items():
      if not pairs:
        raise ValueError(f'The split {split} of {self.name} has no pictures.')

  @property
  def own_values(self) -> tuple[int, ...]:
    """The value of each class in the label files; none if they are the classes.

    Of several it is the first.
    """
    first: dict[int, int] = {}
    for key, target in self.label_values.items():
      if isinstance(key, int):
        first.setdefault(target, key)
    classes = range(len(self.class_names))
    values = tuple(first.get(index, -1) for index in classes)
    return () if -1 in values or values == tuple(classes) else values

  def only(self, splits: Sequence[str]) -> 'Source':
    """Returns the source without its other splits.

    Raises:
      ValueError: there is no such split.
    """
    for split in splits:
      if split not in self.splits:
        raise ValueError(
          f'`split` ({split}) is not one of {", ".join(self.splits)}, which '
          f'are the splits of {self.name} that are there.'
        )
    kept = {split: self.splits[split] for split in splits}
    return dataclasses.replace(self, splits=kept)


def read_pairs(
  list_file: pathlib.Path, prefix: str = '', *, may_lack_labels: bool = False
) -> tuple[Pair, ...]:
  """Reads lines 'image label' with paths relative to the list's folder.

  Pictures are named relative to that folder if all lie in it, and else relative
  to the folder that all of them have in common.

  Args:
    list_file: a text file; a tab may part the two where names hold spaces.
    prefix: what a path may begin with that is left out.
    may_lack_labels: whether lines may name an image alone.

  Raises:
    FileNotFoundError: the list or a file that it names is missing.
    ValueError: a line is not a pair, or an image is listed twice.
  """
  found: dict[str, tuple[pathlib.Path, pathlib.Path | None]] = {}
  for number, line in enumerate(read_text(list_file).splitlines(), start=1):
    if not line.strip():
      continue
    place = f'{list_file}, line {number}'
    fields = line.split('\t' if '\t' in line else None)
    names = [field.strip().removeprefix(prefix) for field in fields]
    if len(names) != 2 and not (may_lack_labels and len(names) == 1):
      raise ValueError(f"{place}: expected 'image label', found {line!r}.")
    image, *labels = (_located(list_file.parent, name) for name in names)
    require_files((image, *labels), place)
    path = os.path.abspath(image)
    if path in found:
      raise ValueError(f'{place}: {names[0]} is listed twice.')
    found[path] = image, labels[0] if labels else None
  if not found:
    raise ValueError(f'{list_file} lists no pictures.')
  base = _common_folder(list(found), os.path.abspath(list_file.parent))
  return tuple(
    Pair(pathlib.Path(path).relative_to(base).as_posix(), *found[path])
    for path in sorted(found)
  )


def _located(folder: pathlib.Path, name: str) -> pathlib.Path:
  """Returns the file of a line, which may be written as on Windows."""
  path = folder / name
  if '\\' in name and not path.exists():
    return folder / name.replace('\\', '/')
  return path


def _common_folder(paths: Sequence[str], folder: str) -> str:
  """Returns a folder that holds all paths: `folder`, if it does."""
  common = os.path.commonpath([os.path.dirname(path) for path in paths])
  return folder if os.path.commonpath([common, folder]) == folder else common


def read_names(list_file: pathlib.Path) -> tuple[str, ...]:
  """Reads one name a line, sorted.

  Raises:
    FileNotFoundError: the list is missing.
    ValueError: it is empty, or a name is listed twice.
  """
  names = sorted(read_text(list_file).split())
  if not names:
    raise ValueError(f'{list_file} lists no pictures.')
  for name, following in itertools.pairwise(names):
    if name == following:
      raise ValueError(f'{list_file}: {name} is listed twice.')
  return tuple(names)


def pair_files(
  image_dir: pathlib.Path,
  image_suffixes: Sequence[str],
  label_dir: pathlib.Path,
  label_suffix: str,
  *,
  has_others: bool = False,
) -> tuple[Pair, ...]:
  """Pairs the files below two folders that have one name but for the suffix.

  Both may be the same folder: a file whose name ends as labels do is a label.

  Args:
    image_dir: folder of the images.
    image_suffixes: ends of their names, in lower case, such as '.jpg'.
    label_dir: folder of the labels.
    label_suffix: end of their names, such as '_labelIds.png'.
    has_others: whether the folders may hold files with other ends.

  Raises:
    FileNotFoundError: a folder is missing.
    ValueError: an image has no label or a label no image, there are none, or a
      file has another end though `has_others` is False.
  """
  for directory in (image_dir, label_dir):
    if not directory.is_dir():
      raise FileNotFoundError(f'The folder {directory} is missing.')
  is_one = image_dir == label_dir
  images = files_by_stem(
    image_dir, image_suffixes, has_others, label_suffix if is_one else ''
  )
  labels = files_by_stem(label_dir, (label_suffix,), has_others=True)
  for stem in sorted(images.keys() ^ labels.keys()):
    if stem in images:
      raise ValueError(
        f'{images[stem]} has no label: {label_dir / stem}{label_suffix} is '
        f'missing.{_found_instead(images, label_dir)}'
      )
    raise ValueError(
      f'{labels[stem]} has no image: {image_dir / stem} with one of '
      f'{", ".join(image_suffixes)} is missing.'
    )
  if not images:
    raise ValueError(
      f'{image_dir} holds no pictures with one of {", ".join(image_suffixes)}.'
    )
  if not has_others and label_suffix == LABEL_SUFFIX:
    files_by_stem(label_dir, (label_suffix,), has_others)
  return tuple(
    Pair(name_below(image_dir, images[stem]), images[stem], labels[stem])
    for stem in sorted(labels)
  )


def files_by_stem(
  directory: pathlib.Path,
  suffixes: Sequence[str],
  has_others: bool,
  but: str = '',
) -> dict[str, pathlib.Path]:
  """Returns the files below a folder by relative path without suffix.

  Those whose name ends in `but` are passed over. See `pair_files`. Links to
  folders are followed.
  """
  files: dict[str, pathlib.Path] = {}
  for name in _walk(directory):
    if but and name.lower().endswith(but.lower()):
      continue
    path = directory / name
    suffix = next((s for s in suffixes if name.lower().endswith(s.lower())), '')
    if suffix:
      stem = name[: -len(suffix)]
      if stem in files:
        raise ValueError(f'{files[stem]} and {path} have the same name.')
      files[stem] = path
    elif not has_others:
      raise ValueError(f'{path} is not one of {", ".join(suffixes)}.')
  return files


def _found_instead(
  images: Mapping[str, pathlib.Path], label_dir: pathlib.Path
) -> str:
  """Returns a sentence if there are labels under another suffix."""
  pictures = set(images.values())
  names = [n for n in _walk(label_dir) if label_dir / n not in pictures]
  first = next(iter(images))
  for name in names:
    suffix = name.removeprefix(first)
    is_other = name != suffix and suffix.endswith(LABEL_SUFFIX)
    if is_other and {stem + suffix for stem in images} <= set(names):
      return f' `label_suffix` = {suffix} would find a label for each image.'
  for name in names:
    if name.startswith(f'{first}.') and name.lower().endswith(IMAGE_SUFFIXES):
      return (
        f' {label_dir / name} is no label: these are PNGs, for JPEG changes '
        'their values, and other kinds have no checksums.'
      )
  return ''


def unlabelled(image_dir: pathlib.Path) -> tuple[Pair, ...]:
  """Returns the pictures below a folder, which have no labels."""
  images = files_by_stem(image_dir, IMAGE_SUFFIXES, has_others=False)
  return tuple(
    Pair(name_below(image_dir, images[stem]), images[stem], None)
    for stem in sorted(images)
  )


def name_below(directory: pathlib.Path, path: pathlib.Path) -> str:
  """Returns the name of a file within a folder, with '/'."""
  return path.relative_to(directory).as_posix()


def require_files(paths: Iterable[pathlib.Path], place: object) -> None:
  """Raises a FileNotFoundError that names the first path that is no file.

  Args:
    paths: the files.
    place: the list that names them.
  """
  for path in paths:
    if not os.path.isfile(path):
      raise FileNotFoundError(f'{place}: {path} does not exist.')


def is_hidden(name: str) -> bool:
  """Whether a file or folder is the file manager's, of whatever system."""
  return name.startswith('.') or name.lower() in _OF_WINDOWS


def _walk(directory: pathlib.Path) -> Iterator[str]:
  """Yields the files below a folder, relative to it, in order of their names.

  Hidden ones are not among them.
  """

  def fail(error: OSError) -> None:
    raise error

  root = str(directory)
  for folder, folders, names in os.walk(root, onerror=fail, followlinks=True):
    folders[:] = sorted(name for name in folders if not is_hidden(name))
    prefix = folder[len(root) :].replace(os.sep, '/').lstrip('/')
    for name in sorted(names):
      if not is_hidden(name):
        yield f'{prefix}/{name}' if prefix else name


def read_json(
  path: pathlib.Path,
  object_hook: Callable[[dict[str, Any]], Any] | None = None,
) -> Any:
  """Reads a JSON file.

  Args:
    path: the file.
    object_hook: makes something else of each object as it is read.

  Raises:
    FileNotFoundError: it is missing.
    ValueError: it is not JSON.
  """
  try:
    return json.loads(read_text(path), object_hook=object_hook)
  except (json.JSONDecodeError, RecursionError) as e:
    raise ValueError(f'{path} is not valid JSON: {e}') from e


def read_text(path: pathlib.Path) -> str:
  """Reads a text file: UTF-8, or UTF-16 with the mark that Windows writes.

  Raises:
    FileNotFoundError: it is missing.
    ValueError: it is neither.
  """
  if not path.is_file():
    raise FileNotFoundError(f'{path} does not exist.')
  data = path.read_bytes()
  is_utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
  try:
    return data.decode('utf-16' if is_utf_16 else 'utf-8-sig')
  except UnicodeDecodeError as e:
    raise ValueError(f'{path} is not a text file in UTF-8.') from e
