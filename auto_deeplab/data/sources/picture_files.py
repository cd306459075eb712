# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Picture files: what they say of themselves, and their pixels.

JPEGs and PNGs are decoded with TensorFlow, as the input pipeline does; TIFF,
WebP and BMP, which it does not read, with Pillow.
"""

import dataclasses
import io
import pathlib

import numpy as np
from PIL import Image
import tensorflow as tf

# 8192 x 8192: more is refused before it is decoded, for a decoded picture
# stands in memory several times over.
MAX_PIXELS = 2**26

_SUFFIXES = {
  'jpeg': ('.jpg', '.jpeg'),
  'png': ('.png',),
  'tiff': ('.tif', '.tiff'),
  'webp': ('.webp',),
  'bmp': ('.bmp',),
}
SUFFIXES = tuple(suffix for group in _SUFFIXES.values() for suffix in group)
_PILLOW_NAMES = tuple(name.upper() for name in _SUFFIXES)

# Pillow's names of pixels with an alpha channel, and of 16 bits of grey.
_ALPHA_MODES = ('RGBA', 'LA', 'PA')
_GREY_16 = ('I', 'I;16', 'I;16B', 'I;16L')

_ORIENTATION_TAG, UPRIGHT = 0x0112, 1

# Colour types of PNG, https://www.w3.org/TR/png/#11IHDR.
GREYSCALE, PALETTE = 0, 3

# Of 16 bits, the pixels below and above that become 0 and 255: 1 in so many.
_TAIL = 1000


@dataclasses.dataclass(frozen=True)
class Header:
  """What a picture says of itself before it is decoded.

  Attributes:
    format: 'jpeg', 'png', 'tiff', 'webp' or 'bmp'.
    size: (height, width) in pixels.
    mode: Pillow's name of the kind of its pixels.
    bits: a channel.
    png_color_type: of a PNG.
    has_alpha: whether pixels may be transparent.
    orientation: of the EXIF tag.
    num_frames: pictures in the file.
  """

  format: str
  size: tuple[int, int]
  mode: str
  bits: int
  png_color_type: int | None
  has_alpha: bool
  orientation: int
  num_frames: int

  @property
  def is_plain_label(self) -> bool:
    """Whether TensorFlow decodes this label to the values in the file.

    It turns a palette into brightness, and stretches 1, 2 and 4 bits to 0..255.
    """
    is_grey = self.png_color_type == GREYSCALE
    return is_grey and self.bits == 8 and not self.has_alpha

  @property
  def is_plain_image(self) -> bool:
    """Whether TensorFlow decodes this image as `decode_rgb` does."""
    return self.format in ('jpeg', 'png') and self.bits <= 8


def read(path: pathlib.Path) -> tuple[bytes, Header]:
  """Returns the contents of a picture file and what they say of themselves.

  Raises:
    FileNotFoundError: it is missing.
    ValueError: it is empty, no picture, too large, or named unlike its kind.
  """
  if not path.is_file():
    raise FileNotFoundError(f'{path} does not exist.')
  data = path.read_bytes()
  if not data:
    raise ValueError(f'{path} is empty.')
  header = parse(path, data)
  if path.suffix.lower() not in _SUFFIXES[header.format]:
    raise ValueError(
      f'{path} holds a {header.format.upper()}, unlike its name says.'
    )
  return data, header


def parse(name: object, data: bytes) -> Header:
  """Returns the header of a picture that may be decoded.

  Raises:
    ValueError: it may not; the message begins with `name`.
  """
  try:
    header = _parse(data)
  except Image.DecompressionBombError as e:
    raise ValueError(
      f'{name} is larger than the limit of {MAX_PIXELS} pixels.'
    ) from e
  except Exception as e:  # Pillow raises anything on bytes that are damaged.
    raise ValueError(
      f'{name} is no readable JPEG, PNG, TIFF, WebP or BMP.'
    ) from e
  height, width = header.size
  if height * width > MAX_PIXELS:
    raise ValueError(
      f'{name} has {width}x{height} pixels, more than the limit of '
      f'{MAX_PIXELS}.'
    )
  return header


def _parse(data: bytes) -> Header:
  with Image.open(io.BytesIO(data), formats=_PILLOW_NAMES) as image:
    # A JPEG with a preview beside it is an 'MPO' to Pillow.
    kind = 'jpeg' if image.format == 'MPO' else str(image.format).lower()
    is_png = kind == 'png'
    if is_png and data[12:16] != b'IHDR':
      raise ValueError('A PNG opens with its header.')
    # Asked only where there is a tag, for Pillow decodes a PNG to find none.
    has_tag = 'exif' in image.info or kind == 'tiff'
    exif = image.getexif() if has_tag else {}
    return Header(
      format=kind,
      size=(image.height, image.width),
      mode=image.mode,
      bits=data[24] if is_png else 16 if image.mode in _GREY_16 else 8,
      png_color_type=data[25] if is_png else None,
      has_alpha='transparency' in image.info or image.mode in _ALPHA_MODES,
      orientation=exif.get(_ORIENTATION_TAG, UPRIGHT),
      num_frames=(
        getattr(image, 'n_frames', 1) if kind in ('tiff', 'webp') else 1
      ),
    )


def decode_rgb(path: object, data: bytes, header: Header) -> np.ndarray:
  """Decodes an image, uint8 [height, width, 3].

  One channel becomes three equal ones; 16 bits become 8 by `to_8_bit`.

  Raises:
    ValueError: it is damaged, or pixels are transparent.
  """
  channels = 4 if header.has_alpha else 3
  if header.is_plain_image:
    pixels = decode(path, data, channels)
  elif header.format == 'png':
    pixels = _decode_png_16(path, data, channels)
  else:
    pixels = _decode_with_pillow(path, data, header)
  opaque = 255 if pixels.dtype == np.uint8 else 65535
  # The input pipeline drops the alpha channel, which is right where it is full.
  if header.has_alpha and np.any(pixels[..., 3] != opaque):
    raise ValueError(f'{path} has transparent pixels; save it as plain RGB.')
  pixels = pixels[..., :3]
  return pixels if pixels.dtype == np.uint8 else to_8_bit(pixels)


def to_8_bit(values: np.ndarray) -> np.ndarray:
  """Makes 8 bits of 16, for cameras fill 10, 12 or 14 of them.

  Of each picture, the darkest and the brightest pixel become 0 and 255, and all
  between in proportion. A thousandth at either end does not count, so that one
  hot pixel does not darken the others. `serving.client` has the same rule: a
  network predicts on what it was trained on.

  Args:
    values: integers in 0..65535, of any shape.

  Returns:
    uint8 of the same shape; 0 where all values are equal.
  """
  sums = np.cumsum(np.bincount(values.ravel(), minlength=2**16))
  tail = values.size // _TAIL
  low = int(np.searchsorted(sums, tail, side='right'))
  high = int(np.searchsorted(sums, values.size - tail, side='left'))
  scaled = (np.arange(2**16) - low) * 255.0 / max(1, high - low)
  return np.rint(scaled.clip(0, 255)).astype(np.uint8)[values]


def decode(name: object, data: bytes, channels: int) -> np.ndarray:
  """Decodes as the input pipeline does, uint8 [height, width, channels].

  Raises:
    ValueError: it is damaged; the message begins with `name`.
  """
  try:
    # Of a tensor TensorFlow makes a call at once, of bytes only by a detour.
    pixels = tf.io.decode_image(
      tf.constant(data), channels=channels, expand_animations=False
    )
  except tf.errors.InvalidArgumentError as e:
    raise ValueError(damaged(name)) from e
  return np.asarray(memoryview(pixels))  # Not a copy, as `numpy()` makes.


def _decode_png_16(name: object, data: bytes, channels: int) -> np.ndarray:
  """Decodes 16 bits a channel, of which Pillow drops 8; uint16."""
  try:
    return tf.io.decode_png(data, channels, tf.uint16).numpy()
  except tf.errors.InvalidArgumentError as e:
    raise ValueError(damaged(name)) from e


def _decode_with_pillow(
  name: object, data: bytes, header: Header
) -> np.ndarray:
  """Decodes what TensorFlow cannot: 16 bits of grey, or 8 of RGB or RGBA."""
  try:
    with Image.open(io.BytesIO(data), formats=_PILLOW_NAMES) as image:
      if header.bits == 8:
        return np.array(image.convert('RGBA' if header.has_alpha else 'RGB'))
      values = np.asarray(image)
  except Exception as e:  # As above.
    raise ValueError(damaged(name)) from e
  if values.min(initial=0) < 0 or values.max(initial=0) > 65535:
    raise ValueError(f'{name} has pixels of 32 bits; save it with 16 or 8.')
  return np.repeat(values[..., np.newaxis], 3, axis=-1).astype(np.uint16)


def damaged(name: object) -> str:
  """Returns what is said of a picture that does not decode."""
  return f'{name} cannot be decoded: it is truncated or damaged.'
