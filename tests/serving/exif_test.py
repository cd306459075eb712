# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures of cameras that were held in any way."""

import io

import numpy as np
from PIL import Image, ImageOps
import pytest
import tensorflow as tf

from auto_deeplab.serving import client, exif, picture_files

ORIENTATION = 0x0112


@pytest.fixture(scope='module')
def read():
  function = tf.function(
    lambda image_bytes: picture_files.read(image_bytes, 10_000),
    input_signature=[tf.TensorSpec([], tf.string)],
  )

  def call(data: bytes) -> np.ndarray:
    pixels, error = function(tf.constant(data))
    assert error == b''
    return pixels.numpy()

  return call


def exif_of(orientation: int, endian: str = '>') -> bytes:
  tags = Image.Exif()
  tags.endian = endian
  tags[0x010E] = 'A description that lies before it.'
  tags[ORIENTATION] = orientation
  tags[0x0132] = '2026:01:01 00:00:00'
  return tags.tobytes()


def encoded(suffix: str, **options) -> bytes:
  pixels = np.random.default_rng(0).integers(0, 256, [6, 9, 3], np.uint8)
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, suffix, **options)
  return file.getvalue()


def upright(data: bytes) -> np.ndarray:
  return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('suffix', ['jpeg', 'png'])
def test_every_orientation_is_that_of_the_client(
  read, tmp_path, suffix, orientation
):
  endian = '<>'[orientation % 2]
  data = encoded(suffix, exif=exif_of(orientation, endian))
  (tmp_path / 'picture').write_bytes(data)
  found = read(data)
  np.testing.assert_array_equal(found, upright(data))
  np.testing.assert_array_equal(found, client.load_image(tmp_path / 'picture'))
  assert found.shape[:2] == ((9, 6) if orientation > 4 else (6, 9))


def test_other_segments_may_lie_before_it(read):
  options = {'exif': exif_of(6), 'dpi': (72, 72), 'comment': 'first'}
  data = encoded('jpeg', **options, icc_profile=bytes(100_000))
  start = data.index(b'\xff\xe1')
  end = start + 2 + int.from_bytes(data[start + 2 : start + 4], 'big')
  pixels = data.index(b'\xff\xdb')
  # The EXIF as the last segment, after filled-up markers.
  moved = b'\xff\xff' + data[start:end]
  data = data[:start] + data[end:pixels] + moved + data[pixels:]
  np.testing.assert_array_equal(read(data), upright(data))
  assert read(data).shape == (9, 6, 3)


def test_a_chunk_may_lie_after_the_pixels(read):
  data = encoded('png', exif=exif_of(8))
  start, pixels = data.index(b'eXIf') - 4, data.index(b'IDAT') - 4
  end = data.index(b'IEND') - 4
  data = data[:start] + data[pixels:end] + data[start:pixels] + data[end:]
  np.testing.assert_array_equal(read(data), upright(data))
  assert read(data).shape == (9, 6, 3)


@pytest.mark.parametrize('orientation', [0, 9, 65535])
def test_an_orientation_that_is_none_is_upright(read, orientation):
  data = encoded('jpeg', exif=exif_of(orientation))
  assert read(data).shape == (6, 9, 3)


def test_damaged_exif_is_read_without_an_error(read):
  """Whatever it says then, it is one of the eight."""
  data = encoded('jpeg', exif=exif_of(6))
  plain = np.sort(read(encoded('jpeg')), axis=None)
  start = data.index(b'\xff\xe1') + 4
  generator = np.random.default_rng(0)
  for _ in range(50):
    damaged = bytearray(data)
    for place in generator.integers(start, start + 60, 4):
      damaged[place] = generator.integers(256)
    np.testing.assert_array_equal(np.sort(read(bytes(damaged)), None), plain)


def test_lengths_that_lead_nowhere_end_the_search():
  start = b'\x89PNG\r\n\x1a\n'
  for length in (0, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 12, 2**32 - 13):
    chunk = length.to_bytes(4, 'big') + b'what' + bytes(20)
    data = tf.constant(start + chunk * 3)
    assert exif.orientation(data, tf.constant(True)) == exif.UPRIGHT
  for length in (0, 1, 2, 0xFFFF):
    data = tf.constant(b'\xff\xd8\xff\xe0' + length.to_bytes(2, 'big') * 9)
    assert exif.orientation(data, tf.constant(False)) == exif.UPRIGHT
