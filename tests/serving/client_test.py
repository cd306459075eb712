# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures in, files out, and folders that are no model of ours."""

import json
from pathlib import Path
import re
import shutil
import struct
import subprocess
import sys
from typing import Any
import warnings
import zlib

import numpy as np
from PIL import Image
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.model.pixels import normalize
from auto_deeplab.serving import client
from auto_deeplab.serving.client import painting

COLORS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))


@pytest.fixture
def pixels():
  return np.random.default_rng(0).integers(0, 256, [6, 9, 3], np.uint8)


@pytest.fixture
def labels():
  return np.arange(54, dtype=np.uint8).reshape(6, 9) % 3


class TestSavedModelClient:
  @pytest.mark.parametrize('size', [(1, 1), (6, 9), (65, 33)])
  def test_predicts_what_the_model_says(self, model_dir, segmenter, size):
    image = np.random.default_rng(1).integers(0, 256, [*size, 3], np.uint8)
    model = client.SavedModelClient(model_dir)
    prediction = model.predict(image, probabilities=True)
    logits = segmenter(normalize(image[np.newaxis]), training=False)[0]
    assert prediction.labels.dtype == np.uint8
    assert prediction.probabilities is not None
    assert prediction.probabilities.dtype == np.float32
    np.testing.assert_array_equal(prediction.labels, np.argmax(logits, -1))
    np.testing.assert_allclose(
      prediction.probabilities, tf.nn.softmax(logits), atol=1e-5
    )
    only_labels = model.predict(image)
    np.testing.assert_array_equal(only_labels.labels, prediction.labels)
    assert only_labels.labels.dtype == np.uint8
    assert only_labels.probabilities is None

  def test_names_and_colors(self, model_dir, dataset_info):
    model = client.SavedModelClient(model_dir)
    assert model.class_names == tuple(dataset_info.class_names)
    assert model.colors == tuple(map(tuple, dataset_info.colors))
    assert model.values == dataset_info.own_values

  def test_an_export_without_values_has_the_classes(self, model_dir, tmp_path):
    folder = shutil.copytree(model_dir, tmp_path / 'copy')
    path = folder / 'assets.extra' / 'metadata.json'
    metadata = json.loads(path.read_text())
    del metadata['values']
    path.write_text(json.dumps(metadata))
    model = client.SavedModelClient(folder)
    assert model.values == tuple(range(len(model.class_names)))

  @pytest.mark.parametrize(
    'image, message',
    [
      (np.zeros([4, 5, 3], np.float32), r'float32 \[4, 5, 3\]\) must be uint8'),
      (np.zeros([4, 5], np.uint8), r'uint8 \[4, 5\]\) must be uint8'),
      (np.zeros([4, 5, 4], np.uint8), r'uint8 \[4, 5, 4\]\) must be uint8'),
      (np.zeros([0, 5, 3], np.uint8), r'\[0, 5, 3\]\) has no pixels'),
      (
        np.zeros([4096, 4097, 3], np.uint8),
        r'4096x4097 pixels are too many; the limit is 16777216, where',
      ),
    ],
  )
  def test_refuses_other_arrays(self, model_dir, image, message):
    with pytest.raises(ValueError, match=message):
      client.SavedModelClient(model_dir).predict(image)

  def test_needs_nothing_of_the_package(self, model_dir, tmp_path):
    """The folder alone, copied away from the package, predicts."""
    shutil.copytree(Path(client.__file__).parent, tmp_path / 'lone_client')
    code = (
      'import sys, numpy, lone_client\n'
      f'model = lone_client.SavedModelClient({str(model_dir)!r})\n'
      'image = numpy.zeros([7, 8, 3], numpy.uint8)\n'
      'print(model.predict(image).labels.shape)\n'
      'print([m for m in sys.modules if m.startswith("auto_deeplab")])\n'
    )
    output = subprocess.run(
      [sys.executable, '-c', code],
      cwd=tmp_path,
      capture_output=True,
      text=True,
      check=True,
    ).stdout
    assert output.splitlines() == ['(7, 8)', '[]']

  def test_needs_tensorflow_for_a_model_alone(self):
    folder = str(Path(client.__file__).parents[1])
    code = (
      f'import sys; sys.path.insert(0, {folder!r})\n'
      'import client\n'
      'print([m for m in ("tensorflow", "keras") if m in sys.modules])\n'
    )
    output = subprocess.check_output([sys.executable, '-c', code], text=True)
    assert output.strip() == '[]'


class TestModelFolder:
  def test_missing(self, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere' does not exist"):
      client.SavedModelClient(tmp_path / 'nowhere')

  def test_of_versions_the_newest_is_named(self, tmp_path):
    for version in ('9', '10', '11.tmp'):
      (tmp_path / version).mkdir()
    with pytest.raises(
      ValueError,
      match=f"'saved_model.pb'; its newest version is '{tmp_path}/10'",
    ):
      client.SavedModelClient(tmp_path)

  def test_without_a_graph(self, tmp_path):
    with pytest.raises(ValueError, match=r"it has no 'saved_model.pb'"):
      client.SavedModelClient(tmp_path)

  def test_saved_model_of_others(self, tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(
      ValueError,
      match=f'{tmp_path}.*is not a SavedModel that Auto-DeepLab exported: it '
      "has no 'assets.extra/metadata.json'",
    ):
      client.SavedModelClient(tmp_path)

  @pytest.mark.parametrize(
    'change, message',
    [
      ({'version': 1}, "saved_model', version 1; this client reads .* 2"),
      ({'version': 3, 'colors': None}, "saved_model', version 3; this client"),
      ({'format': 'other'}, "is of format 'other', version 2; this client"),
    ],
  )
  def test_other_version(self, model_dir, tmp_path, change, message):
    folder = shutil.copytree(model_dir, tmp_path / 'copy')
    path = folder / 'assets.extra' / 'metadata.json'
    metadata = json.loads(path.read_text()) | change
    path.write_text(
      json.dumps({k: v for k, v in metadata.items() if v is not None})
    )
    with pytest.raises(ValueError, match=message):
      client.SavedModelClient(folder)

  @pytest.mark.parametrize(
    'change', [{'values': [1]}, {'colors': [[1, 2]] * 4}, {'class_names': [1]}]
  )
  def test_classes_that_are_none(self, model_dir, tmp_path, change):
    folder = shutil.copytree(model_dir, tmp_path / 'copy')
    path = folder / 'assets.extra' / 'metadata.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(
      ValueError, match=r'is damaged: .*no name, colour and value each'
    ):
      client.SavedModelClient(folder)

  @pytest.mark.parametrize('text', ['', '{"format": ', '[]', '{}'])
  def test_damaged_metadata(self, model_dir, tmp_path, text):
    folder = shutil.copytree(model_dir, tmp_path / 'copy')
    (folder / 'assets.extra' / 'metadata.json').write_text(text)
    with pytest.raises(ValueError, match=r"metadata.json' is damaged"):
      client.SavedModelClient(folder)

  @pytest.mark.parametrize(
    'file', ['saved_model.pb', 'variables/variables.data-00000-of-00001']
  )
  def test_damaged_files(self, model_dir, tmp_path, file):
    folder = shutil.copytree(model_dir, tmp_path / 'copy')
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=f'SavedModel in .*{folder}.* damaged'):
      client.SavedModelClient(folder)


class TestLoadImage:
  def test_png_is_exact(self, pixels, tmp_path):
    path = tmp_path / 'picture.png'
    Image.fromarray(pixels).save(path)
    loaded = client.load_image(path)
    assert loaded.dtype == np.uint8
    np.testing.assert_array_equal(loaded, pixels)

  def test_jpeg_is_what_tensorflow_decodes(self, pixels, tmp_path):
    path = tmp_path / 'picture.jpg'
    Image.fromarray(pixels).save(path)
    decoded = tf.io.decode_jpeg(
      path.read_bytes(), dct_method='INTEGER_ACCURATE'
    )
    np.testing.assert_array_equal(client.load_image(path), decoded)

  def test_alpha_is_dropped(self, pixels, tmp_path):
    path = tmp_path / 'picture.png'
    alpha = np.full([6, 9, 1], 7, np.uint8)
    Image.fromarray(np.concatenate([pixels, alpha], -1)).save(path)
    np.testing.assert_array_equal(client.load_image(path), pixels)

  @pytest.mark.parametrize('mode', ['L', '1', 'P', 'LA', 'CMYK'])
  def test_other_modes_become_rgb(self, pixels, tmp_path, mode):
    path = tmp_path / 'picture.tif'
    Image.fromarray(pixels).convert(mode).save(path)
    expected = Image.fromarray(pixels).convert(mode).convert('RGB')
    np.testing.assert_array_equal(client.load_image(path), np.array(expected))

  @pytest.mark.parametrize('suffix', ['.png', '.tif'])
  @pytest.mark.parametrize('bits', [8, 12, 16])
  def test_16_bits_are_scaled_from_darkest_to_brightest(
    self, tmp_path, suffix, bits
  ):
    path = tmp_path / f'picture{suffix}'
    values = np.linspace(0, 2**bits - 1, 256).round().reshape(16, 16)
    Image.fromarray(values.astype(np.uint16)).save(path)
    loaded = client.load_image(path)
    expected = np.arange(256).reshape(16, 16, 1)
    assert np.abs(loaded - expected).max() <= 1

  def test_a_hot_pixel_does_not_darken_the_others(self):
    values = np.tile(np.array([[100], [1100]], np.uint16), [1000, 1])
    values[0, 0] = 65535
    assert set(client.to_8_bit(values)[1:].ravel().tolist()) == {0, 255}

  def test_an_even_picture_of_16_bits_is_black(self):
    assert not client.to_8_bit(np.full([4, 4, 3], 700, np.uint16)).any()

  def test_of_16_bits_three_channels_keep_their_colours(self, tmp_path):
    path = tmp_path / 'picture.png'
    values = np.arange(12).reshape(2, 2, 3) * 5000
    path.write_bytes(tf.io.encode_png(values.astype(np.uint16)).numpy())
    np.testing.assert_array_equal(
      client.load_image(path), client.to_8_bit(values)
    )
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r': it is truncated or damaged\.$'):
      client.load_image(path)

  @pytest.mark.parametrize('dtype', [np.float32, np.int32])
  def test_32_bits_are_refused(self, tmp_path, dtype):
    path = tmp_path / 'picture.tif'
    Image.fromarray(np.array([[-1, 70000]], dtype)).save(path)
    with pytest.raises(ValueError, match=f'{path}.*not supported'):
      client.load_image(path)

  def test_exif_orientation_is_applied(self, pixels, tmp_path):
    path = tmp_path / 'picture.png'
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: turned left by the camera.
    Image.fromarray(pixels).save(path, exif=exif)
    np.testing.assert_array_equal(
      client.load_image(path), np.rot90(pixels, axes=(1, 0))
    )

  @pytest.mark.parametrize('mode', ['RGB', 'P', 'L', 'I;16'])
  @pytest.mark.parametrize('orientation', [1, 6])
  def test_parts_are_of_the_whole(self, pixels, tmp_path, mode, orientation):
    """Also where one rule is for all pixels, and where they are turned."""
    path = tmp_path / 'picture.png'
    exif = Image.Exif()
    exif[0x0112] = orientation
    if mode == 'I;16':
      values = pixels[..., 0].astype(np.uint16) * np.uint16(200)
      Image.fromarray(values).save(path, exif=exif)
    else:
      Image.fromarray(pixels).convert(mode).save(path, exif=exif)
    whole = client.load_image(path)
    picture = client.PillowPicture(path)
    assert picture.num_pixels == 54
    assert picture.size == whole.shape[:2]
    np.testing.assert_array_equal(picture.read(1, 2, 5, 6), whole[1:5, 2:6])

  @pytest.mark.parametrize('suffix', ['png', 'jpg', 'gif', 'bmp', 'tif'])
  def test_truncated_is_named(self, tmp_path, suffix):
    path = tmp_path / f'picture.{suffix}'
    noise = np.random.default_rng(2).integers(0, 256, [64, 64, 3], np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    for share in (0.05, 0.5, 0.9):
      path.write_bytes(whole[: int(share * len(whole))])
      with pytest.raises(ValueError, match=f'cannot read the picture .*{path}'):
        client.load_image(path)

  @pytest.mark.parametrize(
    'content, message',
    [(b'', 'the file is empty'), (b'not a picture', 'cannot identify')],
  )
  def test_no_picture_is_named(self, tmp_path, content, message):
    path = tmp_path / 'picture.jpg'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f'{path}.*{message}'):
      client.load_image(path)

  def test_missing_is_named(self, tmp_path):
    path = tmp_path / 'picture.jpg'
    with pytest.raises(ValueError, match=f'{path}.: No such file'):
      client.load_image(path)

  @pytest.mark.parametrize('side', [5_000, 10_000, 30_000])
  def test_huge_is_refused_before_decoding(self, tmp_path, side):
    path = tmp_path / 'huge.png'
    path.write_bytes(_png_header(side, side))
    with warnings.catch_warnings():
      warnings.simplefilter('error')
      with pytest.raises(
        ValueError, match=f'{path}.*{side}x{side} pixels are too many'
      ):
        client.load_image(path)

  def test_the_limit_of_pillow_is_not_ours(self, tmp_path):
    path = tmp_path / 'huge.png'
    path.write_bytes(_png_header(15_000, 15_000))
    limit = Image.MAX_IMAGE_PIXELS
    assert limit is not None
    assert 2 * limit < 15_000**2  # Pillow refuses it.
    picture = client.PillowPicture(path, max_pixels=client.Settings.max_pixels)
    assert picture.num_pixels == 15_000**2
    assert limit == Image.MAX_IMAGE_PIXELS

  def test_the_limit_is_the_last_size_that_passes(self, pixels, tmp_path):
    path = tmp_path / 'picture.png'
    Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(
      client.load_image(path, max_pixels=33**2), pixels
    )
    with pytest.raises(
      ValueError,
      match='6x9 pixels are too many; the limit is 1088, where a side of less '
      'than 33 counts as 33',
    ):
      client.load_image(path, max_pixels=33**2 - 1)

  def test_the_limit_is_that_of_an_export(self):
    assert configs.ServingConfig().max_pixels == client.MAX_PIXELS


def _png_header(width: int, height: int) -> bytes:
  header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
  chunks = [(b'IHDR', header), (b'IDAT', zlib.compress(b''))]
  return b'\x89PNG\r\n\x1a\n' + b''.join(
    struct.pack('>I', len(data))
    + kind
    + data
    + struct.pack('>I', zlib.crc32(kind + data))
    for kind, data in chunks
  )


class TestPaint:
  def test_colorize(self):
    labels = np.array([[0, 1], [2, 255]], np.uint8)
    np.testing.assert_array_equal(
      client.colorize(labels, COLORS), [COLORS[:2], [COLORS[2], (0, 0, 0)]]
    )

  def test_overlay_goes_from_the_picture_to_the_colors(self, pixels, labels):
    painted = client.colorize(labels, COLORS)
    half = client.overlay(pixels, labels, COLORS, 0.5)
    np.testing.assert_array_equal(
      client.overlay(pixels, labels, COLORS, 0), pixels
    )
    np.testing.assert_array_equal(
      client.overlay(pixels, labels, COLORS, 1), painted
    )
    np.testing.assert_allclose(
      half, (pixels.astype(float) + painted) / 2, atol=0.5
    )

  @pytest.mark.parametrize('dtype', [np.uint8, np.int32, np.int64])
  def test_overlay_takes_labels_of_any_integer_type(
    self, pixels, labels, dtype
  ):
    np.testing.assert_array_equal(
      client.overlay(pixels, labels.astype(dtype), COLORS),
      client.overlay(pixels, labels, COLORS),
    )

  @pytest.mark.parametrize('value', [-1, 256])
  def test_overlay_refuses_labels_out_of_range(self, pixels, labels, value):
    wrong = labels.astype(np.int64)
    wrong[0, 0] = value
    with pytest.raises(ValueError, match=r'must be in 0\.\.255'):
      client.overlay(pixels, wrong, COLORS)

  def test_overlay_refuses_other_sizes(self, pixels, labels):
    with pytest.raises(
      ValueError, match=r'`image` \[6, 9\] and `labels` \[6, 8\] must be of one'
    ):
      client.overlay(pixels, labels[:, :8], COLORS)

  @pytest.mark.parametrize('alpha', [-0.1, 1.5, float('nan')])
  def test_overlay_refuses_alpha_out_of_range(self, pixels, labels, alpha):
    with pytest.raises(
      ValueError, match=re.escape(f'`alpha` ({alpha}) must be in [0, 1].')
    ):
      client.overlay(pixels, labels, COLORS, alpha)


class Readable:
  """A picture of which no more is known than how it is read."""

  def __init__(self, pixels):
    self.pixels = pixels
    self.size = pixels.shape[:2]

  def read(self, top, left, bottom, right):
    return self.pixels[top:bottom, left:right]


class TestWritePrediction:
  def test_files(self, pixels, labels, tmp_path):
    probabilities = np.full([6, 9, 3], 1 / 3, np.float32)
    stem = tmp_path / 'new' / 'street.v1'
    paths = client.write_prediction(
      stem, pixels, labels, COLORS, probabilities=probabilities
    )
    names = ['street.v1.png', 'street.v1_overlay.jpg', 'street.v1.npz']
    assert [Path(path).name for path in paths] == names
    assert sorted(p.name for p in stem.parent.iterdir()) == sorted(names)
    with Image.open(paths[0]) as label_map:
      assert label_map.mode == 'P'
      np.testing.assert_array_equal(np.asarray(label_map), labels)
      np.testing.assert_array_equal(
        np.asarray(label_map.convert('RGB')), client.colorize(labels, COLORS)
      )
    with Image.open(paths[1]) as picture:
      assert picture.size == (9, 6)
    np.testing.assert_array_equal(
      np.load(paths[2])['probabilities'], probabilities
    )

  def test_a_large_picture_is_painted_in_strips(self, tmp_path, monkeypatch):
    image = np.random.default_rng(4).integers(0, 256, [50, 30, 3], np.uint8)
    Image.fromarray(image).save(tmp_path / 'in.png')
    labels = image[..., 0] % 3
    paths = client.write_prediction(tmp_path / 'a', image, labels, COLORS)
    monkeypatch.setattr(painting, '_STRIP_PIXELS', 100)
    monkeypatch.setattr(painting, '_MAX_JPEG_SIDE', 50)
    picture = client.PillowPicture(tmp_path / 'in.png')
    sources: list[Any] = [image, picture, Readable(image)]
    for source in sources:
      stem = tmp_path / type(source).__name__
      strips = client.write_prediction(stem, source, labels, COLORS)
      for path, other in zip(paths, strips, strict=True):
        assert Path(path).read_bytes() == Path(other).read_bytes()
    assert client.is_written(client.Job('in.png', str(tmp_path / 'a')))
    # And one with a longer side than JPEG has room for has no overlay.
    monkeypatch.setattr(painting, '_MAX_JPEG_SIDE', 49)
    assert client.write_prediction(tmp_path / 'c', image, labels, COLORS) == [
      str(tmp_path / 'c.png')
    ]

  def test_label_map_may_hold_other_values(self, pixels, labels, tmp_path):
    values = (7, 0, 255)
    path, _ = client.write_prediction(
      tmp_path / 'x', pixels, labels, COLORS, values=values
    )
    with Image.open(path) as label_map:
      np.testing.assert_array_equal(
        np.asarray(label_map), np.array(values)[labels]
      )
      np.testing.assert_array_equal(
        np.asarray(label_map.convert('RGB')), client.colorize(labels, COLORS)
      )

  def test_label_map_keeps_every_value(self, tmp_path):
    labels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = np.zeros([16, 16, 3], np.uint8)
    colors = np.random.default_rng(3).integers(0, 256, [256, 3]).tolist()
    path, _ = client.write_prediction(tmp_path / 'x', image, labels, colors)
    with Image.open(path) as label_map:
      np.testing.assert_array_equal(np.asarray(label_map), labels)

  def test_failure_names_the_file_and_leaves_the_old_one(
    self, pixels, labels, tmp_path, monkeypatch
  ):
    path = tmp_path / 'street.png'
    path.write_bytes(b'old')

    def fail(self, file, **options):
      Path(file).write_bytes(b'half')
      raise OSError('disk full')

    monkeypatch.setattr(Image.Image, 'save', fail)
    with pytest.raises(
      OSError,
      match=rf"cannot write '{path.parent}/street_overlay.jpg': disk full",
    ):
      client.write_prediction(tmp_path / 'street', pixels, labels, COLORS)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b'old'
