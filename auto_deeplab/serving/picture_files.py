# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Reads the files of strangers within a graph: no error of theirs ends it.

How large a picture is stands in its first bytes, and is asked for before any of
it is decoded: a PNG of 12 kB may hold 10,000 x 10,000 pixels.
"""

from collections.abc import Callable
import functools
from typing import Any

import tensorflow as tf

from auto_deeplab.serving import client, exif

# With the head of the chunk that must come first, of 13 bytes. It begins with
# width and height.
_PNG_START = b'\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR'
_JPEG_START = b'\xff\xd8\xff'
# Of a side, by PNG's specification.
_MAX_SIDE = 2**31 - 1

_NO_PICTURE = 'neither a JPEG nor a PNG.'
_DAMAGED = 'damaged or cut off.'


def read(
  image_bytes: tf.Tensor, max_pixels: int
) -> tuple[tf.Tensor, tf.Tensor]:
  """Decodes a picture.

  Greyscale and palettes become RGB, 16 bits become 8, an alpha channel is
  dropped, and what a camera turned is upright: the rules of
  `client.load_image`.

  Args:
    image_bytes: string scalar, the contents of a file.
    max_pixels: that a picture may have.

  Returns:
    uint8 [height, width, 3] and '', or no pixels and what is wrong with the
    file, a string scalar.
  """
  is_png, is_jpeg = _begins_with(image_bytes, _PNG_START, _JPEG_START)
  size = _size(image_bytes, is_png, is_jpeg)
  error = tf.where(
    num_pixels(size) > max_pixels, too_many_pixels(size, max_pixels), ''
  )
  error = tf.where(tf.reduce_min(size) == 0, _DAMAGED, error)
  error = tf.where(is_png | is_jpeg, error, _NO_PICTURE)
  decoded = tf.cond(
    tf.equal(error, ''),
    lambda: _upright(
      _attempt(_decode, image_bytes, _no_pixels()),
      exif.orientation(image_bytes, is_png),
    ),
    _no_pixels,
  )
  is_lost = tf.equal(error, '') & tf.equal(tf.size(decoded), 0)
  return decoded, tf.where(is_lost, _DAMAGED, error)


def num_pixels(size) -> tf.Tensor:
  """Returns the pixels of a (height, width) as the limit counts them, int64."""
  return tf.reduce_prod(tf.maximum(tf.cast(size, tf.int64), client.MIN_SIDE))


def too_many_pixels(size, max_pixels: int) -> tf.Tensor:
  """Returns what is said of a (height, width) beyond the limit, a string."""
  shown = tf.strings.reduce_join(
    tf.strings.as_string(size), separator=client.TIMES
  )
  return tf.strings.join([shown, client.TOO_MANY_PIXELS.format(max_pixels)])


def _begins_with(image_bytes: tf.Tensor, *starts: bytes) -> list[tf.Tensor]:
  return [
    tf.equal(tf.strings.substr(image_bytes, 0, len(start)), start)
    for start in starts
  ]


def _size(
  image_bytes: tf.Tensor, is_png: tf.Tensor, is_jpeg: tf.Tensor
) -> tf.Tensor:
  """Returns (height, width) by the head, int64 [2]; 0 where it has none."""
  unknown = tf.zeros([2], tf.int64)
  return tf.cond(
    is_png,
    lambda: _png_size(image_bytes),
    lambda: tf.cond(
      is_jpeg,
      lambda: _attempt(_jpeg_size, image_bytes, unknown),
      lambda: unknown,
    ),
  )


def _png_size(image_bytes: tf.Tensor) -> tf.Tensor:
  # Filled up, for a substring of what is too short is an error.
  head = tf.strings.join([tf.strings.substr(image_bytes, 0, 24), '\0' * 24])
  sides = tf.io.decode_raw(tf.strings.substr(head, 16, 8), tf.uint8)
  sides = tf.reshape(tf.cast(sides, tf.int64), [2, 4])
  width_height = tf.linalg.matvec(
    sides, tf.constant([2**24, 2**16, 2**8, 1], tf.int64)
  )
  is_valid = tf.reduce_all(width_height <= _MAX_SIDE)
  return tf.where(is_valid, width_height[::-1], 0)


def _jpeg_size(image_bytes: tf.Tensor) -> tf.Tensor:
  return tf.cast(tf.image.extract_jpeg_shape(image_bytes)[:2], tf.int64)


def _decode(image_bytes: tf.Tensor) -> tf.Tensor:
  # `decode_jpeg` reads PNG too. The accurate transform gives exactly the
  # pixels that Pillow, and so `client.load_image`, gives; the default one is
  # up to 17 grey levels off.
  return tf.io.decode_jpeg(
    image_bytes, channels=3, dct_method='INTEGER_ACCURATE'
  )


def _upright(picture: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
  """Turns pixels [h, w, 3] as an orientation of EXIF, 1 to 8, asks for."""
  picture = tf.cond(
    orientation >= exif.FIRST_TRANSPOSED,
    lambda: tf.transpose(picture, [1, 0, 2]),
    lambda: picture,
  )
  for axis, orientations in enumerate((exif.UPSIDE_DOWN, exif.MIRRORED)):
    picture = tf.cond(
      tf.reduce_any(orientation == orientations),
      functools.partial(tf.reverse, picture, [axis]),
      functools.partial(tf.identity, picture),
    )
  return picture


def _no_pixels() -> tf.Tensor:
  return tf.zeros([0, 0, 3], tf.uint8)


def _attempt(
  compute: Callable[[tf.Tensor], tf.Tensor], argument: tf.Tensor, otherwise: Any
) -> tf.Tensor:
  """Returns what is computed, or `otherwise` where that is an error.

  In a graph nothing takes back an error but a data set that ignores it.
  """
  options = tf.data.Options()
  # Of one element: nothing here gains by threads or a rewritten graph.
  options.autotune.enabled = False
  options.experimental_optimization.apply_default_optimizations = False
  options.threading.private_threadpool_size = 1
  computed = tf.data.Dataset.from_tensors(argument).map(compute).ignore_errors()
  return (
    computed.concatenate(tf.data.Dataset.from_tensors(otherwise))
    .take(1)
    .with_options(options)
    .get_single_element()
  )
