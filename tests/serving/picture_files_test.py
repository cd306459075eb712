# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files of strangers, read within a graph."""

import io
import struct

import numpy as np
from PIL import Image
import pytest
import tensorflow as tf

from auto_deeplab.serving import picture_files

MAX_PIXELS = 2000
DAMAGED = 'damaged or cut off.'


@pytest.fixture(scope='module')
def read():
  function = tf.function(
    lambda image_bytes: picture_files.read(image_bytes, MAX_PIXELS),
    input_signature=[tf.TensorSpec([], tf.string)],
  )

  def call(data: bytes) -> tuple[np.ndarray, str]:
    pixels, error = function(tf.constant(data))
    return pixels.numpy(), error.numpy().decode()

  return call


def encoded(suffix: str, height=6, width=9, mode='RGB') -> bytes:
  pixels = np.random.default_rng(0).integers(
    0, 256, [height, width, 3], np.uint8
  )
  file = io.BytesIO()
  Image.fromarray(pixels).convert(mode).save(file, suffix)
  return file.getvalue()


@pytest.mark.parametrize('mode', ['RGB', 'L', 'RGBA', 'P', '1'])
def test_a_png_is_exact(read, mode):
  data = encoded('png', mode=mode)
  pixels, error = read(data)
  assert error == ''
  expected = Image.open(io.BytesIO(data)).convert('RGB')
  np.testing.assert_array_equal(pixels, np.asarray(expected))


@pytest.mark.parametrize('mode', ['RGB', 'L'])
def test_a_jpeg_is_what_pillow_decodes(read, mode):
  data = encoded('jpeg', mode=mode)
  pixels, error = read(data)
  assert error == ''
  expected = Image.open(io.BytesIO(data)).convert('RGB')
  np.testing.assert_array_equal(pixels, np.asarray(expected))


@pytest.mark.parametrize('suffix', ['png', 'jpeg'])
def test_the_limit_is_the_last_size_that_passes(read, suffix):
  assert read(encoded(suffix, 40, 50))[0].shape == (40, 50, 3)
  pixels, error = read(encoded(suffix, 41, 49))
  assert error == (
    '41x49 pixels are too many; the limit is 2000, where a side of less than '
    '33 counts as 33.'
  )
  assert pixels.shape == (0, 0, 3)


@pytest.mark.parametrize('suffix', ['png', 'jpeg'])
def test_a_thin_picture_counts_as_what_it_is_padded_to(read, suffix):
  assert read(encoded(suffix, 1, 60))[0].shape == (1, 60, 3)
  assert read(encoded(suffix, 61, 2))[1].startswith('61x2 pixels are too many')


@pytest.mark.parametrize(
  'data',
  [b'', b'\x89', b'hello', b'\0' * 99, *map(encoded, ['gif', 'bmp', 'tiff'])],
)
def test_other_files_are_refused(read, data):
  pixels, error = read(data)
  assert error == 'neither a JPEG nor a PNG.'
  assert pixels.size == 0


@pytest.mark.parametrize('suffix', ['png', 'jpeg'])
def test_files_cut_anywhere_are_refused(read, suffix):
  data = encoded(suffix)
  for length in range(17, len(data) - 20, 7):
    pixels, error = read(data[:length])
    assert error == DAMAGED, length
    assert pixels.size == 0


@pytest.mark.parametrize(
  'size', [(0, 5), (5, 0), (2**31, 1), (2**32 - 1, 2**32 - 1)]
)
def test_a_png_of_no_lawful_size_is_refused(read, size):
  data = encoded('png')
  assert read(data[:16] + struct.pack('>II', *size) + data[24:])[1] == DAMAGED


def test_a_damaged_check_sum_is_refused(read):
  data = bytearray(encoded('png'))
  data[30] ^= 1
  assert read(bytes(data))[1] == DAMAGED


@pytest.mark.parametrize('suffix', ['png', 'jpeg'])
def test_damage_of_any_kind_is_a_picture_or_an_error(read, suffix):
  """And never an exception, nor pixels beyond the limit."""
  generator = np.random.default_rng(0)
  data = encoded(suffix)
  for _ in range(100):
    damaged = bytearray(data)
    for place in generator.integers(0, len(data), 3):
      damaged[place] = generator.integers(256)
    pixels, error = read(bytes(damaged))
    assert (pixels.size == 0) == (error != '')
    assert pixels.shape[0] * pixels.shape[1] <= MAX_PIXELS
