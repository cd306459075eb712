# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How a camera was held, read from a JPEG or PNG within a graph.

EXIF is a TIFF without pixels: a header of 8 bytes, and a list of entries of 12,
of which one has the orientation. A JPEG has it in a segment before the pixels,
a PNG in a chunk of its own. Whatever is damaged in it says upright.
"""

from collections.abc import Callable
import dataclasses

import tensorflow as tf

# Orientations, by what brings a picture upright: first rows and columns are
# exchanged, then rows, then columns are reversed.
UPRIGHT = 1
FIRST_TRANSPOSED = 5
UPSIDE_DOWN = (3, 4, 7, 8)
MIRRORED = (2, 3, 6, 7)
_LAST = 8

_ORIENTATION_TAG = 0x0112
_LONG = 4  # The type of a number of 4 bytes; others here have 2.
_ENTRY_SIZE = 12
# Parts of a file that are looked through: a PNG comes in parts of 8 kB.
_MAX_PARTS = 2**16
_JPEG_EXIF, _JPEG_PIXELS = 0xE1, 0xDA


@dataclasses.dataclass(frozen=True)
class _Bytes:
  """A file, of which any place can be asked for: beyond its end is 0.

  Attributes:
    data: uint8 [length + 1], the bytes and a 0.
  """

  data: tf.Tensor

  @classmethod
  def of(cls, text: tf.Tensor) -> '_Bytes':
    return cls(tf.pad(tf.io.decode_raw(text, tf.uint8), [[0, 1]]))

  @property
  def length(self) -> tf.Tensor:
    return tf.size(self.data) - 1

  def at(self, places) -> tf.Tensor:
    """Returns the bytes at places of any shape, int32."""
    places = tf.where(
      (places < 0) | (places > self.length), self.length, places
    )
    return tf.cast(tf.gather(self.data, places), tf.int32)

  def number(self, place, size: int, is_little=False) -> tf.Tensor:
    """Returns numbers of `size` bytes; those beyond int32 are negative."""
    places = tf.convert_to_tensor(place)[..., tf.newaxis]
    found = self.at(places + tf.range(size))
    found = tf.cond(
      tf.convert_to_tensor(is_little), lambda: found[..., ::-1], lambda: found
    )
    weights = tf.bitwise.left_shift(1, 8 * tf.range(size)[::-1])
    return tf.reduce_sum(found * weights, axis=-1)

  def is_at(self, place, text: bytes) -> tf.Tensor:
    return tf.reduce_all(self.at(place + tf.range(len(text))) == list(text))


def orientation(image_bytes: tf.Tensor, is_png: tf.Tensor) -> tf.Tensor:
  """Returns the orientation of a picture, int32, from 1 (upright) to 8.

  Args:
    image_bytes: string scalar, a JPEG or PNG.
    is_png: bool scalar, which.
  """
  file = _Bytes.of(image_bytes)
  start = tf.cond(
    is_png, lambda: _start_in_png(file), lambda: _start_in_jpeg(file)
  )
  return tf.cond(start > 0, lambda: _in_tiff(file, start), lambda: UPRIGHT)


def _start_in_png(file: _Bytes) -> tf.Tensor:
  """Returns where its EXIF begins; 0 if it has none."""
  return _search(
    file,
    8,
    lambda place: file.is_at(place + 4, b'eXIf'),
    # Length and name of a chunk before, and its check sum after it.
    lambda place: place + 12 + file.number(place, 4),
    header_size=8,
  )


def _start_in_jpeg(file: _Bytes) -> tf.Tensor:
  """Returns where its EXIF begins; 0 if it has none."""

  def after(place: tf.Tensor) -> tf.Tensor:
    marker = file.at(place + 1)
    is_segment = (file.at(place) == 0xFF) & (marker != _JPEG_PIXELS)
    # A marker may be filled up to the left. Lengths count themselves.
    step = tf.where(marker == 0xFF, 1, 2 + file.number(place + 2, 2))
    return tf.where(is_segment, place + step, file.length)

  return _search(
    file,
    2,
    lambda place: (
      (file.at(place + 1) == _JPEG_EXIF) & file.is_at(place + 4, b'Exif\0\0')
    ),
    after,
    header_size=10,
  )


def _search(
  file: _Bytes,
  first: int,
  is_exif: Callable[[tf.Tensor], tf.Tensor],
  after: Callable[[tf.Tensor], tf.Tensor],
  *,
  header_size: int,
) -> tf.Tensor:
  """Goes from part to part; returns where the EXIF's own bytes begin, or 0."""

  def goes_on(place: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    # A damaged length may point backwards.
    return (place > before) & (place < file.length) & ~is_exif(place)

  [place, before] = tf.while_loop(
    goes_on,
    lambda place, _: (after(place), place),
    (tf.constant(first), tf.constant(0)),
    maximum_iterations=_MAX_PARTS,
  )
  is_found = (place > before) & (place < file.length)
  return tf.where(is_found & is_exif(place), place + header_size, 0)


def _in_tiff(file: _Bytes, start: tf.Tensor) -> tf.Tensor:
  """Returns the orientation of the EXIF that begins at `start`."""
  is_little = file.is_at(start, b'II')
  entries = start + file.number(start + 4, 4, is_little)
  number = file.number(entries, 2, is_little)
  places = entries + 2 + _ENTRY_SIZE * tf.range(number)
  is_own = file.number(places, 2, is_little) == _ORIENTATION_TAG
  place = tf.reduce_max(tf.where(is_own, places, 0))
  is_long = file.number(place + 2, 2, is_little) == _LONG
  value = tf.where(
    is_long,
    file.number(place + 8, 4, is_little),
    file.number(place + 8, 2, is_little),
  )
  is_known = (place > 0) & (value >= UPRIGHT) & (value <= _LAST)
  return tf.where(is_known, value, UPRIGHT)
