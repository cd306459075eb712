# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""`tools/predict.py` as a user runs it."""

import re
import subprocess
import sys

import numpy as np
from PIL import Image
import pytest
import rasterio

from auto_deeplab.serving import comparison, conversions
from tests.serving import tiny_segmenter

# Runs the tool, then tells which modules of the package it had imported.
RUNNER = """
import os, runpy, sys
sys.argv = sys.argv[1:]
try:
  runpy.run_path(sys.argv[0], run_name='__main__')
finally:
  print(sorted(m for m in sys.modules if m.startswith('auto_deeplab.')
               and not m.startswith(('auto_deeplab.cli',
                                     'auto_deeplab.serving.client.',
                                     'auto_deeplab.serving.engines'))))
  print('of oneDNN:', os.environ.get('ONEDNN_PRIMITIVE_CACHE_CAPACITY'))
"""


@pytest.fixture
def run_predict(repository):
  def run(**flags):
    arguments = [f'--{name}={value}' for name, value in flags.items()]
    return subprocess.run(
      [sys.executable, '-c', RUNNER, 'tools/predict.py', *arguments],
      cwd=repository,
      capture_output=True,
      text=True,
    )

  return run


@pytest.fixture(scope='module')
def model_dir(tmp_path_factory):
  path = tmp_path_factory.mktemp('export') / 'saved_model'
  return tiny_segmenter.export(path, tiny_segmenter.make())


@pytest.fixture
def pictures(tmp_path):
  folder = tmp_path / 'pictures'
  folder.mkdir()
  generator = np.random.default_rng(0)
  for name, size in (('a.png', (20, 31)), ('b.jpg', (1, 1))):
    pixels = generator.integers(0, 256, [*size, 3], np.uint8)
    Image.fromarray(pixels).save(folder / name)
  return folder


def test_writes_all_pictures_without_the_model_code(
  run_predict, model_dir, pictures, tmp_path
):
  output_dir = tmp_path / 'out'
  result = run_predict(
    model_dir=model_dir,
    input=pictures,
    output_dir=output_dir,
    probabilities='true',
  )
  assert result.returncode == 0, result.stderr
  lines = result.stdout.splitlines()
  assert lines[0].startswith(f'[1/2] {pictures}/a.png (')
  assert lines[1].startswith(f'[2/2] {pictures}/b.jpg (')
  assert re.fullmatch(
    rf'Wrote label maps and overlays of 2 pictures to {output_dir} '
    r'\([\d.e+]+ pictures a second; the network alone [\d.e+]+\); '
    r'legend\.png has their colours\.',
    lines[2],
  )
  assert lines[3:] == [
    "['auto_deeplab.architecture', 'auto_deeplab.architecture.artifact', "
    "'auto_deeplab.environment', 'auto_deeplab.reporting', "
    "'auto_deeplab.reporting.legend', 'auto_deeplab.serving', "
    "'auto_deeplab.serving.client']",
    'of oneDNN: 100000',
  ]
  assert sorted(path.name for path in output_dir.iterdir()) == [
    'a.npz',
    'a.png',
    'a_overlay.jpg',
    'b.npz',
    'b.png',
    'b_overlay.jpg',
    'legend.png',
  ]
  probabilities = np.load(output_dir / 'a.npz')['probabilities']
  with Image.open(output_dir / 'a.png') as labels:
    np.testing.assert_array_equal(np.asarray(labels), probabilities.argmax(-1))


def test_takes_a_file_of_another_runtime(
  run_predict, model_dir, pictures, tmp_path
):
  path, _ = conversions.convert(
    tiny_segmenter.make(),
    model_dir,
    'tflite',
    pictures=comparison.drawn_pictures(),
  )
  for folder, model in (('from_file', path), ('from_folder', model_dir)):
    result = run_predict(
      model_dir=model, input=pictures, output_dir=tmp_path / folder
    )
    assert result.returncode == 0, result.stderr
  for name in ('a.png', 'b.png'):
    both = [tmp_path / f / name for f in ('from_file', 'from_folder')]
    first, second = (np.asarray(Image.open(each)) for each in both)
    np.testing.assert_array_equal(first, second)


def test_the_values_of_the_labels_come_back(
  run_predict, model_dir, pictures, tmp_path
):
  output_dir = tmp_path / 'out'
  result = run_predict(
    model_dir=model_dir,
    input=pictures,
    output_dir=output_dir,
    values='own',
    probabilities='true',
  )
  assert result.returncode == 0, result.stderr
  classes = np.load(output_dir / 'a.npz')['probabilities'].argmax(-1)
  values = np.array(tiny_segmenter.DATASET_INFO.values)
  with Image.open(output_dir / 'a.png') as labels:
    np.testing.assert_array_equal(np.asarray(labels), values[classes])


def test_bad_pictures_are_named_after_the_good_ones(
  run_predict, model_dir, pictures, tmp_path
):
  output_dir = tmp_path / 'out'
  (pictures / 'aa_empty.png').touch()
  (pictures / 'ab_cut.jpg').write_bytes((pictures / 'b.jpg').read_bytes()[:99])
  result = run_predict(
    model_dir=model_dir, input=pictures, output_dir=output_dir
  )
  assert result.returncode == 1
  message = result.stderr.splitlines()[-1]
  assert message.startswith(
    f"predict: 2 of 4 pictures segmented into '{output_dir}'; left out: "
    f"cannot read the picture '{pictures}/aa_empty.png': the file is empty.; "
    f"cannot read the picture '{pictures}/ab_cut.jpg': "
  )
  assert sorted(path.name for path in output_dir.iterdir()) == [
    'a.png',
    'a_overlay.jpg',
    'b.png',
    'b_overlay.jpg',
    'legend.png',
  ]


def test_wrong_model_folder_is_one_line(run_predict, pictures, tmp_path):
  result = run_predict(
    model_dir=pictures, input=pictures, output_dir=tmp_path / 'out'
  )
  assert result.returncode == 1
  assert 'Traceback' not in result.stderr
  assert result.stderr.splitlines()[-1] == (
    f"predict: '{pictures}' is not a SavedModel that Auto-DeepLab exported: "
    "it has no 'saved_model.pb'."
  )
  assert not (tmp_path / 'out').exists()


def test_a_picture_may_be_called_legend(
  run_predict, model_dir, pictures, tmp_path
):
  (pictures / 'a.png').rename(pictures / 'legend.png')
  output_dir = tmp_path / 'out'
  result = run_predict(
    model_dir=model_dir, input=pictures, output_dir=output_dir
  )
  assert result.returncode == 0, result.stderr
  assert '2 pictures to' in result.stdout
  assert 'legend_.png has their colours.' in result.stdout
  with Image.open(output_dir / 'legend.png') as labels:
    assert labels.size == (31, 20)
  with Image.open(output_dir / 'legend_.png') as colors:
    assert set(tiny_segmenter.DATASET_INFO.colors) <= {
      tuple(color) for color in np.asarray(colors).reshape(-1, 3).tolist()
    }


def test_a_folder_is_mirrored_and_what_is_there_is_passed_over(
  run_predict, model_dir, pictures, tmp_path
):
  output_dir = pictures / 'out'
  (pictures / 'deep').mkdir()
  (pictures / 'a.png').rename(pictures / 'deep' / 'a.png')
  (pictures / 'notes.txt').touch()
  flags = {'model_dir': model_dir, 'input': pictures, 'output_dir': output_dir}
  assert run_predict(**flags).returncode == 0
  written = {
    path.relative_to(output_dir).as_posix(): path.stat().st_mtime_ns
    for path in output_dir.rglob('*.*')
  }
  assert set(written) == {
    'b.png',
    'b_overlay.jpg',
    'deep/a.png',
    'deep/a_overlay.jpg',
    'legend.png',
  }
  (output_dir / 'b.png').unlink()
  result = run_predict(**flags, skip_existing='true')
  lines = result.stdout.splitlines()
  assert lines[0].startswith(f'[1/1] {pictures}/b.jpg (')
  assert lines[1] == 'Passed over: 1 already there, 1 no picture (.txt).'
  assert lines[2].startswith(
    f'Wrote label maps and overlays of 1 pictures to {output_dir} ('
  )
  now = (output_dir / 'deep' / 'a.png').stat().st_mtime_ns
  assert now == written['deep/a.png']


def test_windows_are_of_the_size_that_is_asked_for(
  run_predict, model_dir, pictures, tmp_path
):
  """The tiny model is no network of ours: 320 pixels overlap at either side."""
  pixels = np.random.default_rng(1).integers(0, 256, [40, 700, 3], np.uint8)
  Image.fromarray(pixels).save(pictures / 'wide.png')
  flags = {'model_dir': model_dir, 'input': pictures / 'wide.png'}
  for window, more, message in (
    (
      699,
      {'probabilities': 'true'},
      "wide.png' is predicted in windows of 699 pixels, which give labels and "
      'no probabilities.',
    ),
    (641, {}, 'a window of 641 pixels is too small: each needs 320 at either'),
  ):
    result = run_predict(
      **flags, **more, window=window, output_dir=tmp_path / 'out'
    )
    assert result.returncode == 1
    assert message in result.stderr


def test_of_a_geotiff_the_label_map_is_one(
  run_predict, model_dir, pictures, tmp_path
):
  path = pictures / 'map.tif'
  pixels = np.random.default_rng(2).integers(0, 256, [3, 20, 31], np.uint8)
  with rasterio.open(
    path,
    'w',
    driver='GTiff',
    width=31,
    height=20,
    count=3,
    dtype='uint8',
    crs='EPSG:4326',
    transform=rasterio.Affine(1, 0, 7, 0, -1, 50),
  ) as file:
    file.write(pixels)
  Image.new('RGB', (5, 4)).save(pictures / 'nowhere.tif')
  result = run_predict(
    model_dir=model_dir,
    input=pictures,
    output_dir=tmp_path / 'out',
    geotiff='true',
  )
  assert result.returncode == 0, result.stderr
  assert sorted(p.name for p in (tmp_path / 'out').glob('*[!y].*')) == [
    'a.png',
    'b.png',
    'legend.png',
    'map.tif',
    'nowhere.tif',
  ]
  assert 'rasterio' not in result.stderr  # Which warns of it.
  with rasterio.open(tmp_path / 'out' / 'map.tif') as labels:
    assert labels.transform.c == 7
    assert labels.read(1).max() < 4
