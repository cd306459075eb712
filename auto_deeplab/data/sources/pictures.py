# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Reads image and label files, and refuses what would be misread later.

An image is passed on as the bytes of its file if TensorFlow reads its kind,
else as a PNG; a label as an 8-bit greyscale PNG. What is passed on has been
decoded once with TensorFlow's decoders, the ones of the input pipeline.

Read is what has one meaning: greyscale and palette images, 16 bits by the rule
of `picture_files.to_8_bit`, an EXIF orientation that says upright, an alpha
channel that is opaque everywhere; labels of 1 to 8 bits, and of colours that
are given to classes. Anything that would need a choice is an error that names
the file.
"""

import dataclasses
import hashlib
import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image

from auto_deeplab.data import datasets
from auto_deeplab.data.sources import label_classes, picture_files, sources

# Pillow's names of pixels that turn into RGB without a choice to be made, if
# they are opaque.
_IMAGE_MODES = ('RGB', 'L', 'P', '1', 'RGBA', 'LA', 'PA')

# 64 bits: of a million pictures, no two have the same by chance.
_DIGEST_DIGITS = 16
_DIGEST_ROWS = 16

# The filter of a PNG that stores a row as its difference to the one above.
_UP = 2


@dataclasses.dataclass(frozen=True)
class EncodedPicture:
  """The bytes of a picture that decodes.

  Attributes:
    data: contents of a file.
    format: 'jpeg' or 'png'.
    size: (height, width) in pixels.
    digest: of an image that was read, hexadecimal: pictures of the same pixels
      have the same, and hardly any others.
    palette: of a label that was read by its palette's indices, the colours of
      those that occur.
  """

  data: bytes
  format: str
  size: tuple[int, int]
  digest: str = ''
  palette: tuple[tuple[int, datasets.Color], ...] = ()


def read_image(path: pathlib.Path) -> EncodedPicture:
  """Reads an image. Greyscale and palettes decode to RGB.

  Returns:
    The bytes of the file, or a PNG of 8 bits where TensorFlow would not decode
    them, or not by the rule of `picture_files.to_8_bit`.

  Raises:
    FileNotFoundError: the file is missing.
    ValueError: the file is empty, damaged, of no kind that is read, named
      unlike its contents, larger than `picture_files.MAX_PIXELS`, turned by an
      EXIF tag, holds several pictures, or its pixels have no one meaning in RGB
      (CMYK, floating point, transparency).
  """
  data, header = picture_files.read(path)
  if header.mode not in _IMAGE_MODES and header.bits != 16:
    raise ValueError(
      f'{path} has pixels of the kind {header.mode} with {header.bits} bits; '
      'save it as RGB with 8 bits a channel.'
    )
  if header.orientation != picture_files.UPRIGHT:
    raise ValueError(
      f'{path} is turned by its EXIF orientation ({header.orientation}), of '
      'which its label knows nothing; save both upright.'
    )
  if header.num_frames != 1:
    raise ValueError(f'{path} holds {header.num_frames} pictures; save one.')
  pixels = picture_files.decode_rgb(path, data, header)
  digest = _digest(pixels)
  if header.is_plain_image:
    return EncodedPicture(data, header.format, header.size, digest)
  data = _encode_rgb(pixels)
  decode_image(path, data)  # TensorFlow has limits of its own, as on widths.
  return EncodedPicture(data, 'png', header.size, digest)


def _digest(pixels: np.ndarray) -> str:
  """Hashes an image, uint8 [height, width, 3], by rows all over it.

  All rows would take a fifth of the time of a conversion, and no two pictures
  that a camera takes agree in a few.
  """
  rows = pixels[:: -(-len(pixels) // _DIGEST_ROWS)]
  digest = hashlib.sha256(repr(pixels.shape).encode())
  digest.update(np.ascontiguousarray(rows).data)
  return digest.hexdigest()[:_DIGEST_DIGITS]


def _encode_rgb(pixels: np.ndarray) -> bytes:
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, 'PNG', compress_level=1)
  return file.getvalue()


def read_label(
  label: pathlib.Path | sources.LabelDrawing,
  label_values: label_classes.LabelValues,
) -> tuple[EncodedPicture, np.ndarray]:
  """Reads a label map.

  One channel holds values, three hold colours, or values if no class has a
  colour and all three are equal. Of a palette the indices count, unless they
  contradict the colours of the classes: then the colours do.

  Args:
    label: a PNG, or what draws the label.
    label_values: value or colour in the file -> class or ignore label.

  Returns:
    An 8-bit greyscale PNG of the classes (the file's own bytes where nothing
    had to change), and the number of its pixels of each value, int64 [256].

  Raises:
    FileNotFoundError: the file is missing.
    ValueError: the file is empty, damaged, no PNG, larger than
      `picture_files.MAX_PIXELS`, has 16 bits or transparent pixels, or has a
      value or colour that is not a key of `label_values`; or the label cannot
      be drawn.
  """
  if not isinstance(label, pathlib.Path):
    return _as_label(*label_classes.classify(label, label(), label_values))
  data, header = picture_files.read(label)
  if header.format != 'png':
    raise ValueError(
      f'{label} must be a PNG: JPEG changes label values, and other kinds have '
      'no checksums.'
    )
  if header.bits == 16:
    raise ValueError(f'{label} has 16 bits a pixel; a label has at most 8.')
  if header.is_plain_label:
    values = picture_files.decode(label, data, channels=1)[:, :, 0]
    classes, counts = label_classes.classify(label, values, label_values)
    if classes is not values:
      return _as_label(classes, counts)
    return EncodedPicture(data, 'png', header.size), counts
  if header.png_color_type == picture_files.PALETTE:
    return _read_palette(label, data, label_values)
  if header.png_color_type == picture_files.GREYSCALE:
    values = _read_few_bits(label, data, header)
  else:
    pixels = picture_files.decode_rgb(label, data, header)
    if header.mode != 'LA' and label_classes.has_colors(label_values):
      return _as_label(
        *label_classes.classify_colors(label, pixels, label_values)
      )
    values = _equal_channels(label, pixels)
  return _as_label(*label_classes.classify(label, values, label_values))


def ignored_label(
  size: tuple[int, int],
) -> tuple[EncodedPicture, np.ndarray]:
  """Returns what `read_label` does, for a picture without a label."""
  classes = np.full(size, datasets.IGNORE_LABEL, np.uint8)
  return _as_label(classes, label_classes.count_values(classes))


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
  classes = decode_label('', label.data)[::factor, ::factor]
  smaller, counts = _as_label(classes, label_classes.count_values(classes))
  return dataclasses.replace(smaller, palette=label.palette), counts


def decode_image(name: object, data: bytes) -> np.ndarray:
  """Decodes an image as the input pipeline does, uint8 [height, width, 3].

  Raises:
    ValueError: it is damaged; the message begins with `name`.
  """
  return picture_files.decode(name, data, channels=3)


def decode_label(name: object, data: bytes) -> np.ndarray:
  """Decodes a label as `read_label` returns it, uint8 [height, width].

  Raises:
    ValueError: it is damaged, or not an 8-bit greyscale PNG, of which the input
      pipeline would make other values; the message begins with `name`.
  """
  header = picture_files.parse(name, data)
  if header.format != 'png' or not header.is_plain_label:
    raise ValueError(f'{name} is no 8-bit greyscale PNG.')
  return picture_files.decode(name, data, channels=1)[:, :, 0]


# Kinds of labels -------------------------------------------------------------


def _read_palette(
  path: pathlib.Path, data: bytes, label_values: label_classes.LabelValues
) -> tuple[EncodedPicture, np.ndarray]:
  """Reads a label with a palette; see `read_label`."""
  image = _load(path, data)
  indices = np.array(image)
  table = np.zeros([256, 3], np.uint8)
  shown = image.getpalette() or []
  table.ravel()[: len(shown)] = shown
  counts = label_classes.count_values(indices)
  colors: dict[int, datasets.Color] = {
    index: tuple(table[index].tolist())
    for index in np.flatnonzero(counts).tolist()
  }
  if label_classes.contradict(colors, label_values):
    for index, color in colors.items():
      if color not in label_values:
        raise ValueError(
          f'{path} has the colour {color} in {counts[index]} pixels, which no '
          'class has, while other colours of its palette are those of classes.'
        )
    by_index = {index: label_values[color] for index, color in colors.items()}
    return _as_label(*label_classes.classify(path, indices, by_index))
  label, counts = _as_label(
    *label_classes.classify(path, indices, label_values)
  )
  return dataclasses.replace(label, palette=tuple(colors.items())), counts


def _read_few_bits(
  path: pathlib.Path, data: bytes, header: picture_files.Header
) -> np.ndarray:
  """Reads grey values of 1 to 8 bits, uint8 [height, width].

  Pillow, too, stretches few bits of greyscale to 0..255.
  """
  return np.array(_load(path, data).convert('L')) // (
    255 // (2**header.bits - 1)
  )


def _load(path: pathlib.Path, data: bytes) -> Image.Image:
  """Decodes a PNG with Pillow."""
  try:
    with Image.open(io.BytesIO(data), formats=('PNG',)) as image:
      image.verify()  # All checksums, which `load` does not look at.
    image = Image.open(io.BytesIO(data), formats=('PNG',))
    image.load()
  except Exception as e:  # Pillow raises anything on bytes that are damaged.
    raise ValueError(picture_files.damaged(path)) from e
  return image


def _equal_channels(path: pathlib.Path, pixels: np.ndarray) -> np.ndarray:
  """Returns the values of grey that is stored as RGB, uint8 [height, width]."""
  values = np.ascontiguousarray(pixels[..., 0])
  if np.any(pixels != values[..., np.newaxis]):
    raise ValueError(
      f'{path} has several channels (RGB): where they show colours, give each '
      'class its "color"; else save one channel, whose values are classes.'
    )
  return values


def _as_label(
  classes: np.ndarray, counts: np.ndarray
) -> tuple[EncodedPicture, np.ndarray]:
  """Returns what `read_label` does."""
  height, width = classes.shape
  return EncodedPicture(_encode_label(classes), 'png', (height, width)), counts


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
  header = struct.pack(
    '>IIBBBBB', width, height, 8, picture_files.GREYSCALE, 0, 0, 0
  )
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
