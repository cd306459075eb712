# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Label maps as pictures."""

from collections.abc import Iterator, Sequence
import contextlib
import os

import numpy as np
from PIL import Image

# A palette PNG has as many entries; so has a uint8 label.
_PALETTE_SIZE = 256
# Near-lossless: the overlay's class borders stay sharp.
_JPEG_OPTIONS = {'quality': 95, 'subsampling': 0}


def colorize(labels: np.ndarray, colors: Sequence[Sequence[int]]) -> np.ndarray:
  """Paints a label map.

  Args:
    labels: uint8 [height, width].
    colors: an (r, g, b) a class, each in 0..255.

  Returns:
    uint8 [height, width, 3]; a label without a colour (255 for "ignore") is
    black.
  """
  return _palette(colors)[labels]


def overlay(
  image: np.ndarray,
  labels: np.ndarray,
  colors: Sequence[Sequence[int]],
  alpha: float = 0.5,
) -> np.ndarray:
  """Lays a label map's colours over its picture.

  Args:
    image: uint8 [height, width, 3].
    labels: uint8 [height, width].
    colors: an (r, g, b) a class, each in 0..255.
    alpha: share of the colours, in [0, 1]; the rest is the picture.

  Returns:
    uint8 [height, width, 3].

  Raises:
    ValueError: the sizes differ, or `alpha` is out of range.
  """
  if image.shape[:2] != labels.shape:
    raise ValueError(
      f'`image` {list(image.shape[:2])} and `labels` {list(labels.shape)} '
      'must be of one size.'
    )
  if not 0 <= alpha <= 1:
    raise ValueError(f'`alpha` ({alpha}) must be in [0, 1].')
  mixed = (1 - alpha) * image + alpha * colorize(labels, colors)
  return np.round(mixed).astype(np.uint8)


def write_prediction(
  stem: str | os.PathLike,
  image: np.ndarray,
  labels: np.ndarray,
  colors: Sequence[Sequence[int]],
  *,
  alpha: float = 0.5,
  probabilities: np.ndarray | None = None,
  values: Sequence[int] | None = None,
) -> list[str]:
  """Writes a prediction as files that never exist half-written.

  Args:
    stem: what the files' paths start with; the folder is made where missing.
    image: uint8 [height, width, 3], the picture.
    labels: uint8 [height, width].
    colors: an (r, g, b) a class, each in 0..255.
    alpha: share of the colours in the overlay, in [0, 1].
    probabilities: float32 [height, width, num_classes], or None.
    values: the pixel value of each class, in 0..255; None for its label.

  Returns:
    The paths: `STEM.png`, whose pixel values are the labels, or their `values`,
    and whose palette holds the colours; `STEM_overlay.jpg`; and with
    `probabilities` `STEM.npz`, which holds them under that name.

  Raises:
    ValueError: the sizes differ, or `alpha` is out of range.
    OSError: a file cannot be written; the message names it.
  """
  painted = Image.fromarray(overlay(image, labels, colors, alpha))
  label_map = _with_palette(labels, colors, values)
  stem = os.fspath(stem)
  os.makedirs(os.path.dirname(stem) or os.curdir, exist_ok=True)
  paths = [f'{stem}.png', f'{stem}_overlay.jpg']
  with _written_aside(paths[0]) as temporary:
    label_map.save(temporary, format='PNG')
  with _written_aside(paths[1]) as temporary:
    painted.save(temporary, format='JPEG', **_JPEG_OPTIONS)
  if probabilities is not None:
    paths.append(f'{stem}.npz')
    with _written_aside(paths[2]) as temporary, open(temporary, 'wb') as file:
      np.savez_compressed(file, probabilities=probabilities)
  return paths


def _with_palette(
  labels: np.ndarray,
  colors: Sequence[Sequence[int]],
  values: Sequence[int] | None,
) -> Image.Image:
  """Returns a palette picture of the values of labels."""
  table, palette = np.arange(_PALETTE_SIZE, dtype=np.uint8), _palette(colors)
  if values is not None:
    table[: len(values)] = values
    palette = np.zeros_like(palette)
    palette[list(values)] = colors
  picture = Image.fromarray(table[labels])
  picture.putpalette(palette.tobytes())
  return picture


def _palette(colors: Sequence[Sequence[int]]) -> np.ndarray:
  """Returns uint8 [256, 3]: the colours, then black."""
  palette = np.zeros([_PALETTE_SIZE, 3], np.uint8)
  palette[: len(colors)] = colors
  return palette


@contextlib.contextmanager
def _written_aside(path: str) -> Iterator[str]:
  """Gives a temporary path, renamed to `path` once all of it is written."""
  folder, name = os.path.split(path)
  temporary = os.path.join(folder, f'.{name}.{os.getpid()}.tmp')
  try:
    yield temporary
    os.replace(temporary, path)
  except OSError as e:
    # A full disk is reported without the file that it was too small for.
    raise OSError(f'cannot write {path!r}: {e.strerror or e}') from e
  finally:
    with contextlib.suppress(FileNotFoundError):
      os.remove(temporary)
