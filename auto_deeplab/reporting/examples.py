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


def read(folder: str | os.PathLike[str]) -> dict[str, Any]:
  """Reads what `write` has written.

  Returns:
    Its `classes`, each with `name` and `color`, and `pictures`, each with
    `kind`, `name`, scores, and `files`: paths of `image`, `label` and
    `prediction`.

  Raises:
    FileNotFoundError: there is no index.
    ValueError: it is damaged or of another version, or names files elsewhere.
  """
  path = pathlib.Path(folder) / INDEX_NAME
  text = path.read_text(encoding='utf-8')
  try:
    document = json.loads(text)
    found = document['format'], document['version']
    if found != (_FORMAT, _VERSION):
      raise ValueError(f'it is of format {found[0]!r}, version {found[1]!r}.')
    for picture in document['pictures']:
      picture['files'] = {
        part: str(_within(path.parent, picture['files'][part]))
        for part in _PARTS
      }
    return document
  except (ValueError, KeyError, TypeError, RecursionError) as e:
    raise ValueError(f'{path} holds no examples: {e}') from e


def _within(folder: pathlib.Path, name: str) -> pathlib.Path:
  if pathlib.PurePath(name).name != name:
    raise ValueError(f'{name!r} is no file within the folder.')
  return folder / name
