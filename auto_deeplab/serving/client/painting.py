# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Label maps as pictures."""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import os

import numpy as np
from PIL import Image

from . import pictures, windows

# A palette PNG has as many entries; so has a uint8 label.
_PALETTE_SIZE = 256
# Pixels that are painted at once.
_STRIP_PIXELS = 2**21
_MAX_JPEG_SIDE = 65_500
# A third larger than by zlib's own 6, in a third of the time.
_PNG_LEVEL = 3
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
    labels: [height, width], of any integer type.
    colors: an (r, g, b) a class, each in 0..255.
    alpha: share of the colours, in [0, 1]; the rest is the picture.

  Returns:
    uint8 [height, width, 3].

  Raises:
    ValueError: the sizes differ, or `alpha` or a label is out of range.
  """
  if image.shape[:2] != labels.shape:
    raise ValueError(
      f'`image` {list(image.shape[:2])} and `labels` {list(labels.shape)} '
      'must be of one size.'
    )
  if not 0 <= alpha <= 1:
    raise ValueError(f'`alpha` ({alpha}) must be in [0, 1].')
  if labels.size and not 0 <= labels.min() <= labels.max() < _PALETTE_SIZE:
    raise ValueError(
      f'`labels` ({labels.min()} to {labels.max()}) must be in 0..255.'
    )
  # By Pillow, which is five times as fast as NumPy here, and rounds down.
  painted = _with_palette(labels, colors, None).convert('RGB')
  return np.array(Image.blend(Image.fromarray(image), painted, alpha))


def write_prediction(
  stem: str | os.PathLike,
  image: np.ndarray | windows.Picture,
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
    image: uint8 [height, width, 3], or what it is read from strip by strip; of
      a `PillowPicture` the pixels are painted over, and are then none of it.
    labels: [height, width], of any integer type.
    colors: an (r, g, b) a class, each in 0..255.
    alpha: share of the colours in the overlay, in [0, 1].
    probabilities: float32 [height, width, num_classes], or None.
    values: the pixel value of each class, in 0..255; None for its label.

  Returns:
    The paths: `STEM.png`, whose pixel values are the labels, or their `values`,
    and whose palette holds the colours, or `STEM.tif` of what writes its labels
    itself, as `geotiff.GeoTiff` does; `STEM_overlay.jpg`, but of a side that
    JPEG has no room for; and with `probabilities` `STEM.npz`, which holds them
    under that name.

  Raises:
    ValueError: the sizes differ, or `alpha` or a label is out of range.
    OSError: a file cannot be written; the message names it.
  """
  painted = _painted(image, labels, colors, alpha)
  stem = os.fspath(stem)
  os.makedirs(os.path.dirname(stem) or os.curdir, exist_ok=True)
  paths = []
  if painted is not None:
    paths.append(f'{stem}_overlay.jpg')
    with written_aside(paths[-1]) as temporary:
      painted.save(temporary, format='JPEG', **_JPEG_OPTIONS)
  if probabilities is not None:
    paths.append(f'{stem}.npz')
    with written_aside(paths[-1]) as temporary, open(temporary, 'wb') as file:
      np.savez_compressed(file, probabilities=probabilities)
  # Last: where it is, the others are.
  # Of a GeoTIFF they are one as well.
  if (write_labels := getattr(image, 'write_labels', None)) is not None:
    write_labels(f'{stem}.tif', labels, colors, values)
    return [f'{stem}.tif', *paths]
  label_map = _with_palette(labels, colors, values)
  with written_aside(f'{stem}.png') as temporary:
    label_map.save(temporary, format='PNG', compress_level=_PNG_LEVEL)
  return [f'{stem}.png', *paths]


def _painted(
  image: np.ndarray | windows.Picture,
  labels: np.ndarray,
  colors: Sequence[Sequence[int]],
  alpha: float,
) -> Image.Image | None:
  """Returns the overlay, made strip by strip; None where it has no room."""
  height, width = labels.shape
  if max(height, width) > _MAX_JPEG_SIDE:
    return None
  rows = max(1, _STRIP_PIXELS // width)
  if isinstance(image, np.ndarray) and (
    height <= rows or image.shape[:2] != labels.shape
  ):
    return Image.fromarray(overlay(image, labels, colors, alpha))
  painted, read = _canvas(image, labels.shape)
  for top in range(0, height, rows):
    bottom = min(top + rows, height)
    mixed = overlay(read(top, bottom), labels[top:bottom], colors, alpha)
    painted.paste(Image.fromarray(mixed), (0, top))
  return painted


def _canvas(
  image: np.ndarray | windows.Picture, size: tuple[int, ...]
) -> tuple[Image.Image, Callable[[int, int], np.ndarray]]:
  """Returns what is to be painted on, and what gives rows of the picture."""
  height, width = size
  if isinstance(image, pictures.PillowPicture):
    painted = image.give_away()
    return painted, lambda top, bottom: np.array(
      painted.crop((0, top, width, bottom))
    )
  painted = Image.new('RGB', (width, height))
  if isinstance(image, np.ndarray):
    return painted, lambda top, bottom: image[top:bottom]
  return painted, lambda top, bottom: image.read(top, 0, bottom, width)


def _with_palette(
  labels: np.ndarray,
  colors: Sequence[Sequence[int]],
  values: Sequence[int] | None,
) -> Image.Image:
  """Returns a palette picture of the values of labels."""
  picture = Image.fromarray(np.asarray(labels).astype(np.uint8))
  palette = _palette(colors)
  if values is not None:
    table = [*values, *range(len(values), _PALETTE_SIZE)]
    picture = picture.point(table)
    palette = np.zeros_like(palette)
    palette[list(values)] = colors
  picture.putpalette(palette.tobytes())
  return picture


def _palette(colors: Sequence[Sequence[int]]) -> np.ndarray:
  """Returns uint8 [256, 3]: the colours, then black."""
  palette = np.zeros([_PALETTE_SIZE, 3], np.uint8)
  palette[: len(colors)] = colors
  return palette


@contextlib.contextmanager
def written_aside(path: str) -> Iterator[str]:
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
