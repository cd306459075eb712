# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of reading image and label files, the bad ones above all."""

import io
import itertools
import re
import zlib

import numpy as np
from PIL import Image, PngImagePlugin
import pytest
import tensorflow as tf

from auto_deeplab.data.sources import pictures
from auto_deeplab.serving import client

IDENTITY = {0: 0, 1: 1, 2: 2, 3: 3, 255: 255}
RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (20, 30, 3), np.uint8)
CLASSES = RNG.integers(0, 4, (20, 30), np.uint8)


def _save(path, array, mode=None, **kwargs):
  image = Image.fromarray(array)
  (image.convert(mode) if mode else image).save(path, **kwargs)
  return path


def _palette_png(path, values, bits):
  image = Image.fromarray(values, 'P')
  # As many colours as the bits allow, for Pillow saves no more bits than that.
  image.putpalette(RNG.integers(0, 256, 3 * 2**bits).tolist())
  image.save(path, bits=bits)
  return path


def _decoded(label):
  return tf.io.decode_png(label.data, channels=1).numpy()[:, :, 0]


# Images ----------------------------------------------------------------------


@pytest.mark.parametrize(
  'mode, suffix',
  [
    ('P', '.png'),  # JPEG has no palettes.
    *itertools.product(('RGB', 'L', '1'), ('.png', '.jpg', '.JPEG')),
  ],
)
def test_images_are_copied_byte_for_byte(tmp_path, mode, suffix):
  path = _save(tmp_path / f'a{suffix}', RGB, mode)
  image = pictures.read_image(path)
  assert image.data == path.read_bytes()
  assert image.format == ('png' if suffix == '.png' else 'jpeg')
  assert image.size == (20, 30)


def _cmyk(path):
  return _save(path.with_suffix('.jpg'), RGB, 'CMYK')


def _alpha(path, alpha=254):
  pixels = np.dstack([RGB, np.full_like(CLASSES, 255)])
  pixels[0, 0, 3] = alpha
  return _save(path.with_suffix('.png'), pixels)


def _transparent_colour(path):
  color = tuple(RGB[5, 6].tolist())
  return _save(path.with_suffix('.png'), RGB, transparency=color)


def _grey16(path):
  return _save(path.with_suffix('.png'), RGB[..., 0].astype(np.uint16))


def _float(path):
  return _save(path.with_suffix('.tif'), RGB[..., 0].astype(np.float32))


def _32_bits(path):
  return _save(path.with_suffix('.tif'), RGB[..., 0].astype(np.int32) - 9)


def _two_pages(path):
  more = [Image.fromarray(RGB)]
  return _save(path.with_suffix('.tif'), RGB, save_all=True, append_images=more)


def _rotated(path):
  exif = Image.Exif()
  exif[0x0112] = 6
  return _save(path.with_suffix('.jpg'), RGB, exif=exif)


def _misnamed(path):
  return _save(path.with_suffix('.png'), RGB, format='JPEG')


def _empty(path):
  path.write_bytes(b'')
  return path


def _garbage(path):
  path.with_suffix('.png').write_bytes(b'\x00' * 100)
  return path.with_suffix('.png')


def _gif(path):
  return _save(path.with_suffix('.png'), RGB, 'P', format='GIF')


@pytest.mark.parametrize(
  'make, message',
  [
    (_cmyk, 'a.jpg has pixels of the kind CMYK with 8 bits; save it as RGB'),
    (_alpha, 'a.png has transparent pixels'),
    (_transparent_colour, 'a.png has transparent pixels'),
    (_float, 'a.tif has pixels of the kind F with 8 bits; save it as RGB'),
    (_two_pages, 'a.tif holds 2 pictures; save one'),
    (_32_bits, 'a.tif has pixels of 32 bits; save it with 16 or 8'),
    (_rotated, 'a.jpg is turned by its EXIF orientation (6)'),
    (_misnamed, 'a.png holds a JPEG, unlike its name says'),
    (_empty, 'a is empty'),
    (_garbage, 'a.png is no readable JPEG, PNG, TIFF, WebP or BMP'),
    (_gif, 'a.png is no readable JPEG, PNG, TIFF, WebP or BMP'),
  ],
)
def test_a_bad_image_is_refused_by_name(tmp_path, make, message):
  with pytest.raises(ValueError, match=re.escape(message)):
    pictures.read_image(make(tmp_path / 'a'))


def test_an_opaque_alpha_channel_is_no_matter(tmp_path):
  path = _alpha(tmp_path / 'a', alpha=255)
  image = pictures.read_image(path)
  assert image.data == path.read_bytes()
  np.testing.assert_array_equal(pictures.decode_image('', image.data), RGB)


def test_a_missing_image_is_named(tmp_path):
  with pytest.raises(FileNotFoundError, match=r'a\.png does not exist'):
    pictures.read_image(tmp_path / 'a.png')


def test_an_upright_exif_tag_is_no_matter(tmp_path):
  exif = Image.Exif()
  exif[0x0112] = 1
  assert pictures.read_image(_save(tmp_path / 'a.jpg', RGB, exif=exif))


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
@pytest.mark.parametrize('num_lost', [1, 2, 12, 100, 0.5, 0.9])
def test_a_truncated_image_is_refused(tmp_path, suffix, num_lost):
  path = _save(tmp_path / f'a{suffix}', RGB)
  data = path.read_bytes()
  keep = len(data) - num_lost if num_lost >= 1 else int(len(data) * num_lost)
  path.write_bytes(data[:keep])
  with pytest.raises(ValueError, match=r'a\.(jpg|png) (cannot|is no)'):
    pictures.read_image(path)


@pytest.mark.parametrize('read', ['image', 'label'])
@pytest.mark.parametrize('size', [(30_000, 30_000), (8193, 8192)])
def test_a_picture_beyond_the_limit_is_refused_before_decoding(
  tmp_path, monkeypatch, read, size
):
  # A header of that size and no pixels: decoding would fail otherwise.
  file = io.BytesIO()
  Image.new('L', (1, 1)).save(file, 'PNG')
  data = bytearray(file.getvalue())
  data[16:24] = size[1].to_bytes(4, 'big') + size[0].to_bytes(4, 'big')
  chunk = io.BytesIO()
  PngImagePlugin.putchunk(chunk, b'IHDR', bytes(data[16:29]))
  path = tmp_path / 'a.png'
  path.write_bytes(bytes(data[:8]) + chunk.getvalue() + bytes(data[33:]))
  with pytest.raises(ValueError, match=r'a\.png .* the limit of 67108864'):
    if read == 'image':
      pictures.read_image(path)
    else:
      pictures.read_label(path, IDENTITY)


def _pixels(image):
  return pictures.decode_image('', image.data)


@pytest.mark.parametrize(
  'suffix, options',
  [
    ('.tif', {}),
    ('.tiff', {'compression': 'tiff_lzw'}),
    ('.bmp', {}),
    ('.webp', {'lossless': True}),
  ],
)
@pytest.mark.parametrize('mode', ['RGB', 'L'])
def test_other_kinds_are_stored_as_pngs(tmp_path, suffix, options, mode):
  path = _save(tmp_path / f'a{suffix}', RGB, mode, **options)
  image = pictures.read_image(path)
  assert (image.format, image.size) == ('png', (20, 30))
  expected = np.array(Image.fromarray(RGB).convert(mode).convert('RGB'))
  np.testing.assert_array_equal(_pixels(image), expected)
  png = pictures.read_image(_save(tmp_path / 'a.png', expected))
  assert png.digest == image.digest


def test_a_size_that_no_png_has_is_refused(tmp_path):
  path = tmp_path / 'a.tif'
  Image.new('L', (1_000_001, 1)).save(path)
  with pytest.raises(ValueError, match=r'a\.tif cannot be decoded'):
    pictures.read_image(path)


def _write_16(path, values, suffix):
  path = path.with_suffix(suffix)
  if values.ndim == 3:
    path.write_bytes(tf.io.encode_png(values).numpy())
    return path
  return _save(path, values)


@pytest.mark.parametrize('bits', [8, 10, 12, 16])
@pytest.mark.parametrize(
  'suffix, channels', [('.png', 1), ('.png', 3), ('.tif', 1)]
)
def test_16_bits_are_read_as_prediction_reads_them(
  tmp_path, suffix, channels, bits
):
  """A network predicts on the pixels that it was trained on."""
  shape = (40, 50, channels) if channels > 1 else (40, 50)
  values = RNG.integers(0, 2**bits, shape).astype(np.uint16)
  path = _write_16(tmp_path / 'a', values, suffix)
  pixels = _pixels(pictures.read_image(path))
  np.testing.assert_array_equal(pixels, client.load_image(path))
  assert np.ptp(pixels) == 255


@pytest.mark.parametrize('suffix', ['.tif', '.bmp', '.webp', '.png'])
def test_pixels_are_those_of_prediction(tmp_path, suffix):
  path = _save(tmp_path / f'a{suffix}', RGB)
  np.testing.assert_array_equal(
    _pixels(pictures.read_image(path)), client.load_image(path)
  )


# Labels ----------------------------------------------------------------------


def test_a_plain_label_is_copied_byte_for_byte(tmp_path):
  path = _save(tmp_path / 'a.png', CLASSES)
  label, counts = pictures.read_label(path, IDENTITY)
  assert label == pictures.EncodedPicture(path.read_bytes(), 'png', (20, 30))
  np.testing.assert_array_equal(counts, np.bincount(CLASSES.ravel(), None, 256))


def test_values_are_mapped_and_counted_as_classes(tmp_path):
  path = _save(tmp_path / 'a.png', CLASSES)
  label, counts = pictures.read_label(path, {0: 255, 1: 0, 2: 1, 3: 255})
  expected = np.array([255, 0, 1, 255], np.uint8)[CLASSES]
  np.testing.assert_array_equal(_decoded(label), expected)
  np.testing.assert_array_equal(
    counts, np.bincount(expected.ravel(), minlength=256)
  )


def test_a_map_that_changes_no_pixel_copies(tmp_path):
  path = _save(tmp_path / 'a.png', CLASSES % 3)
  label, _ = pictures.read_label(path, {0: 0, 1: 1, 2: 2, 11: 255})
  assert label.data == path.read_bytes()


@pytest.mark.parametrize('bits', [1, 2, 4, 8])
def test_of_a_palette_the_indices_count(tmp_path, bits):
  values = CLASSES % min(4, 2**bits)
  path = _palette_png(tmp_path / 'a.png', values, bits)
  assert path.read_bytes()[24] == bits
  label, _ = pictures.read_label(path, IDENTITY)
  np.testing.assert_array_equal(_decoded(label), values)


def _pack_grey_png(values, bits):
  """Writes a greyscale PNG of few bits, which Pillow does not."""
  height, width = values.shape
  per_byte = 8 // bits
  padded = np.zeros((height, -(-width // per_byte) * per_byte), np.uint8)
  padded[:, :width] = values
  rows = padded.reshape(height, -1, per_byte)
  shifts = 8 - bits * np.arange(1, per_byte + 1)
  packed = (rows << shifts).sum(-1).astype(np.uint8)
  raw = b''.join(b'\0' + row.tobytes() for row in packed)
  file = io.BytesIO(b'\x89PNG\r\n\x1a\n')
  file.seek(8)
  header = width.to_bytes(4, 'big') + height.to_bytes(4, 'big')
  PngImagePlugin.putchunk(file, b'IHDR', header + bytes([bits, 0, 0, 0, 0]))
  PngImagePlugin.putchunk(file, b'IDAT', zlib.compress(raw))
  PngImagePlugin.putchunk(file, b'IEND', b'')
  return file.getvalue()


@pytest.mark.parametrize('bits', [1, 2, 4])
def test_few_bits_of_greyscale_are_not_stretched(tmp_path, bits):
  values = CLASSES % min(4, 2**bits)
  path = tmp_path / 'a.png'
  path.write_bytes(_pack_grey_png(values, bits))
  label, _ = pictures.read_label(path, IDENTITY)
  np.testing.assert_array_equal(_decoded(label), values)


def test_a_transparent_value_of_a_label_keeps_its_value(tmp_path):
  path = _save(tmp_path / 'a.png', CLASSES, transparency=1)
  label, _ = pictures.read_label(path, IDENTITY)
  np.testing.assert_array_equal(_decoded(label), CLASSES)


def test_a_value_outside_the_classes_is_named(tmp_path):
  values = CLASSES.copy()
  values[3, 4:6] = 37
  path = _save(tmp_path / 'a.png', values)
  with pytest.raises(
    ValueError,
    match=r'a\.png has the label value 37 in 2 pixels; the values of the '
    r'classes are 0\.\.3, 255\.',
  ):
    pictures.read_label(path, IDENTITY)
  with pytest.raises(
    ValueError, match=r'value 1 in .*, and 3 other such values'
  ):
    pictures.read_label(path, {0: 0, (1, 2, 3): 1})


def test_a_drawn_label_is_treated_as_one_from_a_file(tmp_path):
  values = {0: 255, 1: 0, 2: 1, 3: 255}
  path = _save(tmp_path / 'a.png', CLASSES)
  drawn, drawn_counts = pictures.read_label(lambda: CLASSES, values)
  label, counts = pictures.read_label(path, values)
  assert drawn == label
  np.testing.assert_array_equal(drawn_counts, counts)


@pytest.mark.parametrize('factor', [2, 3])
def test_image_and_label_become_smaller_together(tmp_path, factor):
  # 20 x 30 pixels of blocks that have one colour and class each.
  small_size = (-(-20 // factor), -(-30 // factor))
  blocks = np.arange(np.prod(small_size)).reshape(small_size).astype(np.uint8)
  classes = blocks.repeat(factor, 0).repeat(factor, 1)[:20, :30]
  pixels = np.stack([classes, 255 - classes, classes // 2], -1)
  image = pictures.read_image(_save(tmp_path / 'a.png', pixels))
  identity = {value: value for value in range(256)}
  label, _ = pictures.read_label(lambda: classes, identity)
  small_image = pictures.reduce_image(image, factor)
  small_label, counts = pictures.reduce_label(label, factor)
  assert small_image.size == small_label.size == small_size
  decoded = pictures.decode_image('', small_image.data)
  np.testing.assert_array_equal(decoded[..., 1], 255 - blocks)
  np.testing.assert_array_equal(_decoded(small_label), blocks)
  np.testing.assert_array_equal(counts, np.bincount(blocks.ravel(), None, 256))


def test_a_stored_label_that_would_be_misread_is_refused(tmp_path):
  path = _save(tmp_path / 'a.png', CLASSES)
  decoded = pictures.decode_label('x', path.read_bytes())
  np.testing.assert_array_equal(decoded, CLASSES)
  for path in (
    _palette_png(tmp_path / 'b.png', CLASSES, 8),
    _save(tmp_path / 'c.png', CLASSES, transparency=1),
    _jpeg_label(tmp_path / 'd'),
  ):
    with pytest.raises(ValueError, match=r'^x is no 8-bit greyscale PNG'):
      pictures.decode_label('x', path.read_bytes())


def _jpeg_label(path):
  return _save(path.with_suffix('.jpg'), CLASSES)


def _rgb_label(path):
  return _save(path.with_suffix('.png'), RGB)


def _broken_palette(path):
  path = _palette_png(path.with_suffix('.png'), CLASSES, 8)
  path.write_bytes(path.read_bytes()[:-15])
  return path


def _flipped_bit(path):
  path = _save(path.with_suffix('.png'), CLASSES)
  data = bytearray(path.read_bytes())
  data[60] ^= 4
  path.write_bytes(data)
  return path


@pytest.mark.parametrize(
  'make, message',
  [
    (_jpeg_label, 'a.jpg must be a PNG: JPEG changes label values'),
    (_rgb_label, 'a.png has several channels (RGB): where they show colours'),
    (_alpha, 'a.png has transparent pixels'),
    (_grey16, 'a.png has 16 bits a pixel; a label has at most 8'),
    (_broken_palette, 'a.png cannot be decoded: it is truncated or damaged'),
    (_flipped_bit, 'a.png cannot be decoded: it is truncated or damaged'),
    (_empty, 'a is empty'),
    (_garbage, 'a.png is no readable JPEG, PNG, TIFF, WebP or BMP'),
  ],
)
def test_a_bad_label_is_refused_by_name(tmp_path, make, message):
  with pytest.raises(ValueError, match=re.escape(message)):
    pictures.read_label(make(tmp_path / 'a'), IDENTITY)


@pytest.mark.parametrize('kind', ['plain', 'palette'])
def test_a_mutated_label_is_refused_or_read_as_it_is(tmp_path, kind):
  path = tmp_path / 'a.png'
  if kind == 'plain':
    _save(path, CLASSES)
  else:
    _palette_png(path, CLASSES, 8)
  data = path.read_bytes()
  rng = np.random.default_rng(0)
  num_refused = 0
  for _ in range(300):
    mutated = bytearray(data)
    mutated[rng.integers(len(data))] = rng.integers(256)
    path.write_bytes(mutated)
    try:
      label, _ = pictures.read_label(path, IDENTITY)
    except ValueError:
      num_refused += 1
    else:
      np.testing.assert_array_equal(_decoded(label), CLASSES)
  assert num_refused > 100
