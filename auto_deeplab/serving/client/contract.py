# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is agreed between an export and whoever calls it."""

from collections.abc import Sequence
import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = 'auto_deeplab.saved_model'
VERSION = 2
METADATA_PATH = os.path.join('assets.extra', 'metadata.json')
# What is asked of pixels, and of files; `serving.exporter` tells their outputs.
IMAGES = 'images'
LABELS = 'labels'
PROBABILITIES = 'probabilities'
LABELS_SIGNATURE = 'serving_default'
PROBABILITIES_SIGNATURE = 'probabilities'
QUANTIZED_SIGNATURE = 'quantized_probabilities'
# `_bytes`: by this suffix TensorFlow Serving's and Vertex AI's REST interfaces
# recognise a tensor that travels as {"b64": "..."}.
FILES = 'image_bytes'
FILES_SIGNATURE = 'segment'
CONFIDENCE_SIGNATURE = 'segment_with_confidence'
INPUTS = {
  LABELS_SIGNATURE: IMAGES,
  PROBABILITIES_SIGNATURE: IMAGES,
  QUANTIZED_SIGNATURE: IMAGES,
  FILES_SIGNATURE: FILES,
  CONFIDENCE_SIGNATURE: FILES,
}
# Of parts of a picture: what the network pools over, and labels that are told
# its mean over the whole picture. Where a network pools otherwise, or is none
# of ours, there are none.
FEATURES_SIGNATURE = 'features'
CONTEXT_SIGNATURE = 'labels_in_context'
CONTEXT = 'context'

# Of a picture: those of 4096 x 4096. A model may have another limit. A shorter
# side counts as this one, for no network pads to less.
MAX_PIXELS = 2**24
MIN_SIDE = 33
TIMES = 'x'
TOO_MANY_PIXELS = (
  ' pixels are too many; the limit is {}, '
  f'where a side of less than {MIN_SIDE} counts as {MIN_SIDE}.'
)


@dataclasses.dataclass(frozen=True)
class Prediction:
  """What the network says about one picture.

  Attributes:
    labels: uint8 [height, width], the most probable class of each pixel.
    probabilities: float32 [height, width, num_classes], sums to 1 over the
      classes; None unless asked for.
  """

  labels: np.ndarray
  probabilities: np.ndarray | None = None


def read_metadata(model_dir: str | os.PathLike) -> dict[str, Any]:
  """Returns the metadata of an exported SavedModel, checked.

  Args:
    model_dir: what `tools/export.py` wrote.

  Raises:
    FileNotFoundError: there is no such folder.
    ValueError: it is not a SavedModel of this project, or of another version.
  """
  folder = os.fspath(model_dir)
  if not os.path.isdir(folder):
    raise FileNotFoundError(f'the model folder {folder!r} does not exist.')
  for name in ('saved_model.pb', METADATA_PATH):
    if not os.path.isfile(os.path.join(folder, name)):
      raise ValueError(
        f'{folder!r} is not a SavedModel that Auto-DeepLab exported: '
        f'it has no {name!r}{_newest_version(folder)}.'
      )
  path = os.path.join(folder, METADATA_PATH)
  try:
    metadata = json.loads(Path(path).read_text(encoding='utf-8'))
  except (ValueError, RecursionError) as e:
    raise ValueError(f'{path!r} is damaged: {e!r}') from e
  return check_metadata(metadata, path)


def _newest_version(folder: str) -> str:
  """Returns what to say of a folder that holds numbered SavedModels."""
  numbers = [name for name in os.listdir(folder) if name.isdecimal()]
  if not numbers:
    return ''
  newest = os.path.join(folder, max(numbers, key=int))
  return f'; its newest version is {newest!r}'


def check_metadata(
  metadata: Any, where: str, kind: str = FORMAT
) -> dict[str, Any]:
  """Returns metadata that was read somewhere, checked.

  Args:
    metadata: what JSON holds, whatever it is.
    where: a file's path, for errors.
    kind: the format that it has to name.

  Raises:
    ValueError: it is not of this project, or of another version.
  """
  try:
    found = metadata['format'], metadata['version']
    if found == (kind, VERSION):
      _check_classes(metadata)
      _check_parts(metadata.get('parts', {}))
      if type(limit := metadata['input']['max_pixels']) is not int or limit < 1:
        raise ValueError(f'`max_pixels` ({limit!r}) is no number of pixels.')
      return metadata
  except (ValueError, TypeError, KeyError) as e:
    raise ValueError(f'{where!r} is damaged: {e!r}') from e
  raise ValueError(
    f'{where!r} is of format {found[0]!r}, version {found[1]}; this client '
    f'reads {kind!r}, version {VERSION}.'
  )


def _check_classes(metadata: dict[str, Any]) -> None:
  """Raises an error unless each class has a name, a colour and a value."""
  names, colors = metadata['class_names'], metadata['colors']
  values = metadata.get('values', list(range(len(names))))
  are_bytes = all(
    type(number) is int and 0 <= number <= 255
    for number in (*values, *(channel for color in colors for channel in color))
  )
  if (
    not are_bytes
    or not all(isinstance(name, str) for name in names)
    or any(len(color) != 3 for color in colors)
    or not len(names) == len(colors) == len(set(values)) == len(values)
  ):
    raise ValueError('its classes have no name, colour and value each.')


def _check_parts(parts: Any) -> None:
  """Raises an error unless it says how pictures are parted, or nothing."""
  if parts == {}:
    return
  stride = parts['features_stride']
  numbers = parts['alignment'], parts['overlap'], stride
  if len(parts) != 3 or any(
    type(n) is not int or n < 1 for n in numbers if n is not None
  ):
    raise ValueError(f'its parts ({parts}) are no numbers of pixels.')
  # A place of the features has to lie at the same pixel in each part.
  if stride is not None and parts['alignment'] % stride:
    raise ValueError(f'its parts ({parts}) do not lie where features do.')


def num_pixels(size: Sequence[int]) -> int:
  """Returns the pixels of a (height, width) as limits count them."""
  height, width = (max(side, MIN_SIDE) for side in size)
  return height * width


def require_pixels(size: Sequence[int], max_pixels: int) -> None:
  """Checks how large a picture is.

  Args:
    size: (height, width).
    max_pixels: that it may have.

  Raises:
    ValueError: it has more.
  """
  if num_pixels(size) > max_pixels:
    shown = TIMES.join(map(str, size))
    raise ValueError(shown + TOO_MANY_PIXELS.format(max_pixels))


def checked_image(image: np.ndarray, max_pixels: int) -> np.ndarray:
  """Returns an image that a model takes.

  Args:
    image: uint8 [height, width, 3].
    max_pixels: that it may have.

  Raises:
    ValueError: it has another dtype or shape, or is too large.
  """
  image = np.asarray(image)
  if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
    raise ValueError(
      f'`image` ({image.dtype} {list(image.shape)}) must be uint8 '
      '[height, width, 3].'
    )
  if image.size == 0:
    raise ValueError(f'`image` ({list(image.shape)}) has no pixels.')
  require_pixels(image.shape[:2], max_pixels)
  return image
