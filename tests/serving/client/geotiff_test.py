# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""GeoTIFFs are read part by part, and answered by GeoTIFFs."""

import sys

import numpy as np
from PIL import Image
import pytest
import rasterio
from rasterio.enums import ColorInterp

from auto_deeplab.serving import client

COLORS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
TRANSFORM = rasterio.Affine(0.5, 0, 400_000, 0, -0.5, 5_000_000)


@pytest.fixture
def write(tmp_path):
  """Writes bands, [count, height, width], where they lie on Earth."""

  def write(bands, colors=None, colormap=None, **options):
    path = tmp_path / 'map.tif'
    count, height, width = bands.shape
    with rasterio.open(
      path,
      'w',
      driver='GTiff',
      height=height,
      width=width,
      count=count,
      dtype=bands.dtype,
      crs='EPSG:32633',
      transform=TRANSFORM,
      **options,
    ) as file:
      file.write(bands)
      if colors:
        file.colorinterp = colors
      if colormap:
        file.write_colormap(1, colormap)
    return path

  return write


def bands(count, dtype=np.uint8, size=(21, 34)):
  generator = np.random.default_rng(0)
  return generator.integers(0, np.iinfo(dtype).max, [count, *size], dtype)


def test_parts_are_of_the_whole_and_as_pillow_reads_it(write):
  path = write(bands(3), photometric='RGB')
  picture = client.open_picture(path, is_geo=True)
  assert isinstance(picture, client.GeoTiff)
  assert (picture.size, picture.num_pixels) == ((21, 34), 714)
  whole = picture.read_all()
  np.testing.assert_array_equal(whole, client.load_image(path))
  np.testing.assert_array_equal(picture.read(3, 5, 20, 30), whole[3:20, 5:30])


def test_of_16_bits_one_rule_is_for_the_whole_picture(write):
  """Though the parts are read one by one: the middle is darker than all."""
  values = bands(3, np.uint16)
  values[:, 5:15] //= 100
  picture = client.GeoTiff(write(values, photometric='RGB'))
  expected = client.to_8_bit(np.moveaxis(values, 0, -1))
  np.testing.assert_array_equal(picture.read(6, 0, 14, 34), expected[6:14])


def test_one_band_is_grey_and_a_palette_its_colours(write):
  values = bands(1) % 3
  grey = client.GeoTiff(write(values)).read_all()
  np.testing.assert_array_equal(grey, np.repeat(values[0, ..., None], 3, -1))
  path = write(values, colormap=dict(enumerate(COLORS)))
  np.testing.assert_array_equal(
    client.GeoTiff(path).read_all(), np.array(COLORS)[values[0]]
  )


def test_bands_are_taken_by_their_colours(write):
  values = bands(4)
  order = (ColorInterp.blue, ColorInterp.green, ColorInterp.red)
  path = write(values, colors=(*order, ColorInterp.undefined))
  np.testing.assert_array_equal(
    client.GeoTiff(path).read_all(), np.moveaxis(values[2::-1], 0, -1)
  )


@pytest.mark.parametrize('values', [None, (7, 3, 0)])
def test_the_label_map_lies_where_the_picture_does(write, tmp_path, values):
  pixels = bands(3)
  pixels[:, :4] = 9
  picture = client.GeoTiff(write(pixels, nodata=9, photometric='RGB'))
  labels = bands(1)[0] % 3
  paths = client.write_prediction(
    tmp_path / 'out', picture, labels, COLORS, values=values
  )
  assert paths == [str(tmp_path / 'out.tif'), str(tmp_path / 'out_overlay.jpg')]
  job = client.Job('map.TIF', str(tmp_path / 'out'))
  assert client.is_written(job, is_geo=True)
  assert not client.is_written(job)
  assert not client.is_written(job._replace(path='map.jpg'), is_geo=True)
  with rasterio.open(paths[0]) as found:
    assert (found.crs.to_epsg(), found.transform) == (32633, TRANSFORM)
    assert (found.nodata, found.dtypes) == (255, ('uint8',))
    expected = np.array(values or range(3))[labels]
    is_known = found.dataset_mask() == 255
    assert is_known[4:].all()
    np.testing.assert_array_equal(found.read(1)[4:], expected[4:])
    assert (found.read(1)[:4] == 255).all()
    shown = {
      value: found.colormap(1)[value][:3] for value in values or range(3)
    }
    assert list(shown.values()) == list(COLORS)
  with Image.open(paths[1]) as overlay:
    assert overlay.size == (34, 21)


def test_a_class_that_is_no_data_is_refused(write, tmp_path):
  picture = client.GeoTiff(write(bands(3)))
  with pytest.raises(
    ValueError, match=r"out\.tif' cannot be written: a class has the value 255"
  ):
    client.write_prediction(
      tmp_path / 'out', picture, bands(1)[0] % 3, COLORS, values=(0, 1, 255)
    )


@pytest.mark.parametrize(
  'pixels, options, message',
  [
    (bands(1).astype(np.float32), {}, 'its pixels are float32; they must be'),
    (bands(3, size=(40, 50)), {}, '40x50 pixels are too many'),
  ],
)
def test_what_is_not_taken_is_named(write, pixels, options, message):
  path = write(pixels, **options)
  with pytest.raises(ValueError, match=f"the picture '{path}': {message}"):
    client.GeoTiff(path, max_pixels=1500)


def test_no_tiff_is_named(tmp_path):
  path = tmp_path / 'a.tif'
  path.write_bytes(b'none')
  with pytest.raises(ValueError, match=f"cannot read the picture '{path}'"):
    client.open_picture(path, is_geo=True)


def test_other_pictures_are_read_as_ever(tmp_path):
  path = tmp_path / 'a.png'
  Image.fromarray(bands(1)[0]).save(path)
  picture = client.open_picture(path, is_geo=True)
  assert isinstance(picture, client.PillowPicture)


def test_without_rasterio_the_extra_is_named(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, 'rasterio', None)
  with pytest.raises(ValueError, match=r'pip install "auto_deeplab\[geo\]"'):
    client.open_picture(tmp_path / 'a.tif', is_geo=True)
