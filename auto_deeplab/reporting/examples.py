# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures beside their labels and predictions, as small files.

    examples.json           which they are, with their scores, and the classes
    worst-1-image.jpg       worst-1-label.png  worst-1-prediction.png
    best-1-image.jpg        ...

Labels and predictions have the colours of the classes as a palette, and pale
grey where a label is ignored.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import io
import json
import os
import pathlib
import shutil
from typing import Any

import numpy as np
from PIL import Image

from auto_deeplab.architecture import artifact
from auto_deeplab.reporting import legend

INDEX_NAME = 'examples.json'
KINDS = ('worst', 'best')

_FORMAT, _VERSION = 'auto_deeplab.examples', 1
_PARTS = ('image', 'label', 'prediction')
_JPEG_QUALITY = 85


@dataclasses.dataclass(frozen=True)
class Shown:
  """A picture to show.

  Attributes:
    kind: one of `KINDS`.
    scores: its name and its scores.
    image: uint8 [height, width, 3].
    label: uint8 [height, width].
    prediction: uint8 [height, width].
  """

  kind: str
  scores: Mapping[str, Any]
  image: np.ndarray
  label: np.ndarray
  prediction: np.ndarray


def write(
  folder: str | os.PathLike[str],
  pictures: Sequence[Shown],
  class_names: Sequence[str],
  colors: Sequence[tuple[int, int, int]],
) -> None:
  """Writes pictures in the place of those that the folder had; index last.

  Args:
    folder: it is made; where there are no pictures it is gone.
    pictures: in the order in which they are to be shown.
    class_names: a name a class.
    colors: an (r, g, b) each.
  """
  folder = pathlib.Path(folder)
  shutil.rmtree(folder, ignore_errors=True)
  if not pictures:
    return
  folder.mkdir(parents=True)
  entries, ranks = [], dict.fromkeys(KINDS, 0)
  for shown in pictures:
    ranks[shown.kind] += 1
    stem = f'{shown.kind}-{ranks[shown.kind]}'
    files = _write_parts(folder / stem, shown, colors)
    entries.append({'kind': shown.kind, **shown.scores, 'files': files})
  document = {
    'format': _FORMAT,
    'version': _VERSION,
    'classes': [
      {'name': name, 'color': list(color)}
      for name, color in zip(class_names, colors, strict=True)
    ],
    'pictures': entries,
  }
  with artifact.writing(folder / INDEX_NAME) as file:
    file.write(json.dumps(document, indent=1).encode())


def _write_parts(
  stem: pathlib.Path, shown: Shown, colors: Sequence[tuple[int, int, int]]
) -> dict[str, str]:
  """Writes the three files of a picture; returns their names."""
  names = [
    f'{stem.name}-{part}{suffix}'
    for part, suffix in zip(_PARTS, ('.jpg', '.png', '.png'), strict=True)
  ]
  image = Image.fromarray(shown.image)
  image.save(stem.parent / names[0], quality=_JPEG_QUALITY)
  palette = legend.table(colors).tobytes()
  for name, classes in zip(names[1:], (shown.label, shown.prediction)):
    picture = Image.fromarray(classes)
    picture.putpalette(palette)
    picture.save(stem.parent / name)
  return dict(zip(_PARTS, names, strict=True))


# Reading ---------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Example:
  """A picture of an evaluation.

  Attributes:
    kind: one of `KINDS`.
    name: of the picture.
    mean_iou: over the classes that its label has.
    pixel_accuracy: share of its pixels that are right.
    confused: (class in the label, class in the prediction, share of the pixels)
      of the most frequent mistakes.
    image: a JPEG.
    label: a PNG, whose values are classes and whose palette is their colours.
    prediction: another one.
  """

  kind: str
  name: str
  mean_iou: float
  pixel_accuracy: float
  confused: tuple[tuple[str, str, float], ...]
  image: bytes
  label: bytes
  prediction: bytes


@dataclasses.dataclass(frozen=True)
class Examples:
  """The pictures of a folder, and the name and the colour of each class."""

  pictures: tuple[Example, ...]
  class_names: tuple[str, ...]
  colors: tuple[tuple[int, int, int], ...]


def read(folder: str | os.PathLike[str]) -> Examples:
  """Reads what `write` has written.

  Raises:
    FileNotFoundError: there is no index, or not all that it names.
    ValueError: it is damaged or of another version.
  """
  path = pathlib.Path(folder) / INDEX_NAME
  text = path.read_text(encoding='utf-8', errors='replace')
  try:
    document = json.loads(text)
    found = document['format'], document['version']
    if found != (_FORMAT, _VERSION):
      raise ValueError(f'it is of format {found[0]!r}, version {found[1]!r}')
    classes = document['classes']
    return Examples(
      tuple(_example(path.parent, entry) for entry in document['pictures']),
      tuple(_text(entry['name']) for entry in classes),
      tuple(_color(*entry['color']) for entry in classes),
    )
  except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
    raise ValueError(f'{path} holds no examples: {e}.') from e


def _example(folder: pathlib.Path, entry: Mapping[str, Any]) -> Example:
  if entry['kind'] not in KINDS:
    raise ValueError(f'the kind {entry["kind"]!r} is not one of {KINDS}')
  parts = {part: _read_within(folder, entry['files'][part]) for part in _PARTS}
  return Example(
    entry['kind'],
    _text(entry['name']),
    _share(entry['mean_iou']),
    _share(entry['pixel_accuracy']),
    tuple(
      (_text(label), _text(prediction), _share(share))
      for label, prediction, share in entry['confused']
    ),
    **parts,
  )


def _text(value: Any) -> str:
  if not isinstance(value, str):
    raise ValueError(f'{value!r} is no name')
  value.encode()  # Half a character can be on no page.
  return value


def _share(value: Any) -> float:
  if type(value) not in (int, float) or not 0 <= value <= 1:
    raise ValueError(f'{value!r} is not in [0, 1]')
  return float(value)


def _read_within(folder: pathlib.Path, name: str) -> bytes:
  if pathlib.PurePath(name).name != name:
    raise ValueError(f'{name!r} is no file within the folder')
  data = (folder / name).read_bytes()
  try:
    with Image.open(io.BytesIO(data)) as picture:
      picture.load()
  except Exception as e:  # Pillow raises anything on bytes that are damaged.
    raise ValueError(f'{name} cannot be decoded') from e
  return data


def _color(red: int, green: int, blue: int) -> tuple[int, int, int]:
  if not all(type(v) is int and 0 <= v <= 255 for v in (red, green, blue)):
    raise ValueError(f'{[red, green, blue]} is no colour')
  return red, green, blue
