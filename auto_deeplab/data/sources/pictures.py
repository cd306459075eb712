# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Reads image and label files, and refuses what would be misread later.

An image is passed on as the bytes of its file, a label as an 8-bit greyscale
PNG, unless both are made smaller. What is passed on has been decoded once with
TensorFlow's decoders, the ones of the input pipeline.

Read is what has one meaning: greyscale and palette images, an EXIF orientation
that says upright, an alpha channel that is opaque everywhere, labels of 1 to 8
bits. Anything that would need a choice is an error that names the file.
"""

from collections.abc import Mapping
import dataclasses
import hashlib
import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image
import tensorflow as tf

from auto_deeplab.data import datasets
from auto_deeplab.data.sources import sources

# 8192 x 8192: more is refused before it is decoded, for a decoded picture
# stands in memory several times over.
MAX_PIXELS = 2**26

_SUFFIXES = {'jpeg': ('.jpg', '.jpeg'), 'png': ('.png',)}

# Pillow's names of pixels that turn into RGB without a choice to be made, if
# they are opaque.
_ALPHA_MODES = ('RGBA', 'LA', 'PA')
_IMAGE_MODES = ('RGB', 'L', 'P', '1', *_ALPHA_MODES)

# 64 bits: of a million pictures, no two have the same by chance.
_DIGEST_DIGITS = 16

_ORIENTATION_TAG, _UPRIGHT = 0x0112, 1

# Colour types of PNG, https://www.w3.org/TR/png/#11IHDR, and the filter that
# stores a row as its difference to the one above.
_GREYSCALE, _PALETTE = 0, 3
_UP = 2


@dataclasses.dataclass(frozen=True)
class EncodedPicture:
  """The bytes of a picture that decodes.

  Attributes:
    data: contents of a file.
    format: 'jpeg' or 'png'.
    size: (height, width) in pixels.
    digest: of an image that was read, hexadecimal: pictures of the same pixels
      have the same.
  """

  data: bytes
  format: str
  size: tuple[int, int]
  digest: str = ''


def read_image(path: pathlib.Path) -> EncodedPicture:
  """Reads an image, byte for byte. Greyscale and palettes decode to RGB.

  Raises:
    FileNotFoundError: the file is missing.
    ValueError: the file is empty, damaged, no JPEG or PNG, named unlike its
      contents, larger than `MAX_PIXELS`, turned by an EXIF tag, or its pixels
      have no one meaning in RGB (CMYK, 16 bits, transparency).
  """
  data, header = _read_file(path)
  if header.mode not in _IMAGE_MODES or header.bits == 16:
    raise ValueError(
      f'{path} has pixels of the kind {header.mode} with {header.bits} bits; '
      'save it as RGB with 8 bits a channel.'
    )
  if header.orientation != _UPRIGHT:
    raise ValueError(
      f'{path} is turned by its EXIF orientation ({header.orientation}), of '
      'which its label knows nothing; save both upright.'
    )
  pixels = _decode(path, data, channels=4 if header.has_alpha else 3)
  # The input pipeline drops the alpha channel, which is right where it is 255.
  if header.has_alpha and np.any(pixels[..., 3].numpy() != 255):
    raise ValueError(f'{path} has transparent pixels; save it as plain RGB.')
  return EncodedPicture(data, header.format, header.size, _digest(pixels))


def _digest(pixels: tf.Tensor) -> str:
  """Hashes the pixels of an image, uint8 [height, width, channels]."""
  array = pixels.numpy()
  digest = hashlib.sha256(repr(array.shape).encode())
  digest.update(array)
  return digest.hexdigest()[:_DIGEST_DIGITS]


def read_label(
  label: pathlib.Path | sources.LabelDrawing, label_values: Mapping[int, int]
) -> tuple[EncodedPicture, np.ndarray]:
  """Reads a label map.

  Args:
    label: a PNG of one channel, greyscale or palette; of a palette the indices
      count, not the colours. Or what draws the label.
    label_values: value in the file -> class or ignore label.

  Returns:
    An 8-bit greyscale PNG of the classes (the file's own bytes where nothing
    had to change), and the number of its pixels of each value, int64 [256].

  Raises:
    FileNotFoundError: the file is missing.
    ValueError: the file is empty, damaged, no PNG, larger than `MAX_PIXELS`,
      has several channels or 16 bits, or has a value that is not a key of
      `label_values`; or the label cannot be drawn.
  """
  data, values = _read_values(label)
  classes, counts = _classify(label, values, label_values)
  if not data or classes is not values:
    data = _encode_label(classes)
  height, width = values.shape
  return EncodedPicture(data, 'png', (height, width)), counts


def ignored_label(
  size: tuple[int, int],
) -> tuple[EncodedPicture, np.ndarray]:
  """Returns what `read_label` does, for a picture without a label."""
  return _as_label(np.full(size, datasets.IGNORE_LABEL, np.uint8))


def reduce_image(image: EncodedPicture, factor: int) -> EncodedPicture:
  """Makes an image smaller: each block of factor x factor pixels one, its mean.

  Blocks at the right and lower border may be cut. The result is a PNG.
  """
  smaller = Image.fromarray(decode_image('', image.data)).reduce(factor)
  file = io.BytesIO()
  smaller.save(file, 'PNG')
  size = (smaller.height, smaller.width)
  return EncodedPicture(file.getvalue(), 'png', size, image.digest)


def reduce_label(
  label: EncodedPicture, factor: int
) -> tuple[EncodedPicture, np.ndarray]:
  """Makes a label smaller: of each block, its upper left pixel.

  Returns:
    What `read_label` does.
  """
  return _as_label(decode_label('', label.data)[::factor, ::factor])


def count_values(label: np.ndarray) -> np.ndarray:
  """Returns the pixels of each value of a label, int64 [256]."""
  # Pillow counts bytes faster than NumPy does.
  return np.array(Image.fromarray(label).histogram(), np.int64)


def decode_image(name: object, data: bytes) -> np.ndarray:
  """Decodes an image as the input pipeline does, uint8 [height, width, 3].

  Raises:
    ValueError: it is damaged; the message begins with `name`.
  """
  return _decode(name, data, channels=3).numpy()


def decode_label(name: object, data: bytes) -> np.ndarray:
  """Decodes a label as `read_label` returns it, uint8 [height, width].

  Raises:
    ValueError: it is damaged, or not an 8-bit greyscale PNG, of which the input
      pipeline would make other values; the message begins with `name`.
  """
  header = _parse_checked(name, data)
  if header.format != 'png' or not header.is_plain_label:
    raise ValueError(f'{name} is no 8-bit greyscale PNG.')
  return _decode(name, data, channels=1).numpy()[:, :, 0]


@dataclasses.dataclass(frozen=True)
class _Header:
  """What a picture says of itself before it is decoded."""

  format: str
  size: tuple[int, int]
  mode: str
  bits: int
  png_color_type: int | None
  has_alpha: bool
  orientation: int

  @property
  def is_plain_label(self) -> bool:
    """Whether TensorFlow decodes this label to the values in the file.

    It turns a palette into brightness, and stretches 1, 2 and 4 bits to 0..255.
    """
    is_grey = self.png_color_type == _GREYSCALE
    return is_grey and self.bits == 8 and not self.has_alpha


def _read_file(path: pathlib.Path) -> tuple[bytes, _Header]:
  """Returns the contents of a picture file and what they say of themselves."""
  if not path.is_file():
    raise FileNotFoundError(f'{path} does not exist.')
  data = path.read_bytes()
  if not data:
    raise ValueError(f'{path} is empty.')
  header = _parse_checked(path, data)
  if path.suffix.lower() not in _SUFFIXES[header.format]:
    raise ValueError(
      f'{path} holds a {header.format.upper()}, unlike its name says.'
    )
  return data, header


def _parse_checked(name: object, data: bytes) -> _Header:
  """Returns the header of a picture that may be decoded."""
  try:
    header = _parse_header(data)
  except Image.DecompressionBombError as e:
    raise ValueError(
      f'{name} is larger than the limit of {MAX_PIXELS} pixels.'
    ) from e
  except Exception as e:  # Pillow raises anything on bytes that are damaged.
    raise ValueError(f'{name} is no readable JPEG or PNG.') from e
  height, width = header.size
  if height * width > MAX_PIXELS:
    raise ValueError(
      f'{name} has {width}x{height} pixels, more than the limit of '
      f'{MAX_PIXELS}.'
    )
  return header


def _parse_header(data: bytes) -> _Header:
  with Image.open(io.BytesIO(data), formats=('JPEG', 'PNG')) as image:
    is_png = image.format == 'PNG'
    if is_png and data[12:16] != b'IHDR':
      raise ValueError('A PNG opens with its header.')
    # Asked only where there is a tag, for Pillow decodes a PNG to find none.
    exif = image.getexif() if 'exif' in image.info else {}
    return _Header(
      # Not by Pillow's name: a JPEG with a preview beside it is an 'MPO'.
      format='png' if is_png else 'jpeg',
      size=(image.height, image.width),
      mode=image.mode,
      bits=data[24] if is_png else 8,
      png_color_type=data[25] if is_png else None,
      has_alpha='transparency' in image.info or image.mode in _ALPHA_MODES,
      orientation=exif.get(_ORIENTATION_TAG, _UPRIGHT),
    )


def _read_values(
  label: pathlib.Path | sources.LabelDrawing,
) -> tuple[bytes, np.ndarray]:
  """Returns the file's bytes if they may be kept, and the values in it."""
  if not isinstance(label, pathlib.Path):
    return b'', label()
  data, header = _read_file(label)
  values = _label_values(label, data, header)
  return data if header.is_plain_label else b'', values


def _label_values(
  path: pathlib.Path, data: bytes, header: _Header
) -> np.ndarray:
  """Returns the values in a label file as they stand, uint8 [height, width]."""
  if header.format != 'png':
    raise ValueError(f'{path} must be a PNG: JPEG changes label values.')
  if header.png_color_type not in (_GREYSCALE, _PALETTE):
    raise ValueError(
      f'{path} has several channels ({header.mode}); a label has one, whose '
      'values are classes.'
    )
  if header.bits == 16:
    raise ValueError(f'{path} has 16 bits a pixel; a label has at most 8.')
  if header.is_plain_label:
    return _decode(path, data, channels=1).numpy()[:, :, 0]
  try:
    with Image.open(io.BytesIO(data), formats=('PNG',)) as image:
      image.verify()  # All checksums, which `load` does not look at.
    with Image.open(io.BytesIO(data), formats=('PNG',)) as image:
      if header.png_color_type == _PALETTE:
        return np.array(image)
      # Pillow, too, stretches few bits of greyscale to 0..255.
      return np.array(image.convert('L')) // (255 // (2**header.bits - 1))
  except Exception as e:  # As above.
    raise ValueError(_damaged(path)) from e


def _classify(
  label: object, values: np.ndarray, label_values: Mapping[int, int]
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the classes, `values` itself if they are, and pixels a class."""
  counts = count_values(values)
  present = np.flatnonzero(counts).tolist()
  for value in present:
    if value not in label_values:
      raise ValueError(
        f'{label} has the label value {value} in {counts[value]} pixels; the '
        f'values of the classes are {_describe(label_values)}.'
      )
  if all(label_values[value] == value for value in present):
    return values, counts
  table = np.zeros(256, np.uint8)
  table[list(label_values)] = list(label_values.values())
  class_counts = np.zeros_like(counts)
  np.add.at(class_counts, table[present], counts[present])
  # Python looks bytes up in a third of the time that NumPy takes.
  classes = np.frombuffer(values.tobytes().translate(table.tobytes()), np.uint8)
  return classes.reshape(values.shape), class_counts


def _decode(name: object, data: bytes, channels: int) -> tf.Tensor:
  try:
    return tf.io.decode_image(data, channels=channels, expand_animations=False)
  except tf.errors.InvalidArgumentError as e:
    raise ValueError(_damaged(name)) from e


def _damaged(name: object) -> str:
  return f'{name} cannot be decoded: it is truncated or damaged.'


def _as_label(classes: np.ndarray) -> tuple[EncodedPicture, np.ndarray]:
  """Returns what `read_label` does."""
  height, width = classes.shape
  label = EncodedPicture(_encode_label(classes), 'png', (height, width))
  return label, count_values(classes)


def _encode_label(classes: np.ndarray) -> bytes:
  """Encodes classes as an 8-bit greyscale PNG.

  Five times as fast as Pillow, which tries all filters on each row, and it
  decodes faster: a row of a label is much like the one above.
  """
  height, width = classes.shape
  rows = np.empty((height, 1 + width), np.uint8)
  rows[:, 0] = _UP
  rows[0, 1:] = classes[0]
  np.subtract(classes[1:], classes[:-1], out=rows[1:, 1:])
  header = struct.pack('>IIBBBBB', width, height, 8, _GREYSCALE, 0, 0, 0)
  return b'\x89PNG\r\n\x1a\n' + b''.join(
    struct.pack('>I', len(data))
    + kind
    + data
    + struct.pack('>I', zlib.crc32(kind + data))
    for kind, data in (
      (b'IHDR', header),
      (b'IDAT', zlib.compress(rows.data, level=1)),
      (b'IEND', b''),
    )
  )


def _describe(values: Mapping[int, int]) -> str:
  """Writes label values as a reader would: '0..10, 255'."""
  runs: list[list[int]] = []
  for value in sorted(values):
    if runs and value == runs[-1][-1] + 1:
      runs[-1].append(value)
    else:
      runs.append([value])
  return ', '.join(
    f'{run[0]}..{run[-1]}' if len(run) > 1 else str(run[0]) for run in runs
  )
