# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Reads pictures as a person, and as a training, sees them."""

from collections.abc import Iterator
import contextlib
import functools
import os
import threading

import numpy as np
from PIL import Image, ImageOps

from . import contract

# Of 16 bits, the pixels below and above that become 0 and 255: 1 in so many.
_TAIL = 1000
_BLOCK = 2**22
# Two threads open pictures.
_OPENING = threading.Lock()


def load_image(
  path: str | os.PathLike, *, max_pixels: int = contract.MAX_PIXELS
) -> np.ndarray:
  """Reads a picture as a person sees it.

  The EXIF orientation is applied; greyscale, palette, CMYK and 16-bit pictures
  become 8-bit RGB; an alpha channel is dropped, as TensorFlow's decoders do.
  Of 16 bits the darkest and the brightest pixel become 0 and 255, see
  `to_8_bit`.

  Args:
    path: a picture that Pillow can read; of an animation, the first frame.
    max_pixels: that it may have. More is refused before it is decoded.

  Returns:
    uint8 [height, width, 3], RGB.

  Raises:
    ValueError: the file is missing, empty, truncated, too large or not a
      picture; the message names it.
  """
  return PillowPicture(path, max_pixels=max_pixels).read_all()


class PillowPicture:
  """A picture, of which parts are read as `load_image` reads all of it.

  All of it is decoded when the first part is asked for: by the formats that
  Pillow reads no part can be had without those before it. It takes 4 bytes a
  pixel, of greyscale and palettes 1; while a camera's turn is undone, and of 16
  bits, up to three times as much.

  Attributes:
    name: its path.
    num_pixels: height times width.
  """

  def __init__(
    self, path: str | os.PathLike, *, max_pixels: int = contract.MAX_PIXELS
  ):
    """Reads how large a picture is.

    Args:
      path: as of `load_image`.
      max_pixels: as of `load_image`.

    Raises:
      ValueError: as `load_image` does, but what is damaged shows later.
    """
    self.name = os.fspath(path)
    with reading(self.name), _open_lazily(self.name) as picture:
      contract.require_pixels(picture.size[::-1], max_pixels)
      self.num_pixels = picture.width * picture.height

  @property
  def size(self) -> tuple[int, int]:
    """Height and width, upright."""
    return self._upright.size[::-1]

  def read(self, top: int, left: int, bottom: int, right: int) -> np.ndarray:
    """Returns uint8 [bottom - top, right - left, 3], RGB."""
    part = self._upright.crop((left, top, right, bottom))
    return np.array(part.convert('RGB'))

  def load(self) -> None:
    """Decodes it, if that was not done before.

    Raises:
      ValueError: it is damaged; the message names it.
    """
    _ = self._upright

  def give_away(self) -> Image.Image:
    """Returns its pixels as RGB, to be changed; it would decode them anew."""
    self.load()
    image = self.__dict__.pop('_upright')
    return image if image.mode == 'RGB' else image.convert('RGB')

  def read_all(self) -> np.ndarray:
    """Returns uint8 [height, width, 3]."""
    return self.read(0, 0, *self.size)

  @functools.cached_property
  def _upright(self) -> Image.Image:
    with reading(self.name), _open_lazily(self.name) as picture:
      upright = _with_8_bits(self.name, picture)
      ImageOps.exif_transpose(upright, in_place=True)
      upright.load()
      return upright


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
  """Makes one error, which names the file, of all that its reading meets."""
  try:
    if os.path.getsize(name) == 0:
      raise ValueError('the file is empty.')
    yield
  except MemoryError:
    raise
  # Pillow's decoders raise whatever their parsing meets (OSError, SyntaxError,
  # struct.error, DecompressionBombError and more), mostly without the name.
  except Exception as e:
    reason = e.strerror if isinstance(e, OSError) and e.strerror else e
    raise ValueError(f'cannot read the picture {name!r}: {reason}') from e


def _open_lazily(name: str) -> Image.Image:
  with _OPENING, _any_size():
    return Image.open(name)


@contextlib.contextmanager
def _any_size() -> Iterator[None]:
  """Lifts Pillow's limit, which is the process's, for ours to decide."""
  limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
  try:
    yield
  finally:
    Image.MAX_IMAGE_PIXELS = limit


def to_8_bit(values: np.ndarray) -> np.ndarray:
  """Makes 8 bits of 16, for cameras fill 10, 12 or 14 of them.

  Of each picture, the darkest and the brightest pixel become 0 and 255, and all
  between in proportion. A thousandth at either end does not count, so that one
  hot pixel does not darken the others. Data sets are converted by the same
  rule: a network predicts on what it was trained on.

  Args:
    values: integers in 0..65535, of any shape.

  Returns:
    uint8 of the same shape; 0 where all values are equal.
  """
  values = np.asarray(values)
  blocks = np.array_split(values.ravel(), -(-values.size // _BLOCK) or 1)
  counts = np.sum([count_16_bits(block) for block in blocks], axis=0)
  table = table_of_16_bits(counts)
  # By blocks, for NumPy makes 8 bytes of each value to count or look it up.
  converted = np.concatenate([table[block] for block in blocks])
  return converted.reshape(values.shape)


def count_16_bits(values: np.ndarray) -> np.ndarray:
  """Returns how often each of 65536 values occurs, int64 [65536]."""
  return np.bincount(values.ravel(), minlength=2**16)


def table_of_16_bits(counts: np.ndarray) -> np.ndarray:
  """Returns what each value becomes by the rule of `to_8_bit`, uint8 [65536].

  Args:
    counts: of each value in the whole picture, int64 [65536].
  """
  sums = np.cumsum(counts)
  tail = sums[-1] // _TAIL
  low = int(np.searchsorted(sums, tail, side='right'))
  high = int(np.searchsorted(sums, sums[-1] - tail, side='left'))
  scaled = (np.arange(2**16) - low) * 255.0 / max(1, high - low)
  return np.rint(scaled.clip(0, 255)).astype(np.uint8)


def _with_8_bits(name: str, picture: Image.Image) -> Image.Image:
  """Returns the picture, or a copy if it has 16 bits a channel."""
  if picture.mode == 'F':
    raise ValueError('floating-point pixels are not supported.')
  if picture.format == 'PNG' and _png_bits(name) == 16:
    # Pillow drops 8 of 16 bits where there is more than one channel.
    import tensorflow as tf

    try:
      values = tf.io.decode_png(tf.io.read_file(name), 3, tf.uint16).numpy()
    except tf.errors.OpError as e:  # Its words are of TensorFlow's parts.
      raise ValueError('it is truncated or damaged.') from e
  elif picture.mode.startswith('I'):
    values = np.asarray(picture)
  else:
    return picture
  if values.min(initial=0) < 0 or values.max(initial=0) > 0xFFFF:
    raise ValueError('32-bit pixels are not supported.')
  copy = Image.fromarray(to_8_bit(values))
  copy.info = picture.info  # With the EXIF orientation.
  return copy


def _png_bits(name: str) -> int:
  with open(name, 'rb') as file:
    return file.read(25)[24]
