# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Shapes of labelme are drawn as its own tool draws them."""

import base64
import io
import json
import shutil

import numpy as np
from PIL import Image
import pytest

from auto_deeplab.data.sources import labelme, layouts
from tests.data import scene


@pytest.fixture
def labelme_dir(tmp_path):
  scene.write_labelme(tmp_path)
  return tmp_path


def _write(labelme_dir, shapes, **changes):
  document = scene.labelme_document() | changes
  document['shapes'] = shapes
  (labelme_dir / 'a.json').write_text(json.dumps(document))


def _shape(points, kind='polygon', label='car', **changes):
  return {'label': label, 'points': points, 'shape_type': kind, **changes}


@pytest.mark.parametrize(
  ('points', 'kind', 'rows', 'columns'),
  [
    ([[2, 3], [7, 5]], 'rectangle', (3, 5), (2, 7)),
    ([[7, 5], [2, 3]], 'rectangle', (3, 5), (2, 7)),
    ([[2, 3], [7, 3], [7, 5], [2, 5]], 'rectangle', (3, 5), (2, 7)),
    ([[2, 3], [7, 3], [7, 5], [2, 5]], None, (3, 5), (2, 7)),
    # What lies outside is cut off.
    ([[-9, -9], [7, -9], [7, 5], [-9, 5]], 'polygon', (0, 5), (0, 7)),
    ([[20, 20], [50, 50]], 'rectangle', (20, 23), (20, 31)),
  ],
)
def test_shapes_have_the_pixels_of_their_border(
  labelme_dir, points, kind, rows, columns
):
  _write(labelme_dir, [_shape(points, kind)])
  label = scene.only_label(labelme_dir, 'labelme') == 'car'
  assert label[rows[0] : rows[1] + 1, columns[0] : columns[1] + 1].all()
  height, width = rows[1] - rows[0] + 1, columns[1] - columns[0] + 1
  assert label.sum() == height * width


def test_a_circle_has_a_centre_and_a_point(labelme_dir):
  _write(labelme_dir, [_shape([[15, 12], [15, 6]], 'circle')])
  label = scene.only_label(labelme_dir, 'labelme') == 'car'
  rows, columns = np.nonzero(label)
  assert (rows.min(), rows.max()) == (6, 18)
  assert (columns.min(), columns.max()) == (9, 21)
  assert label.sum() == pytest.approx(np.pi * 6.5**2, rel=0.05)


def test_lines_and_points_are_as_thick_as_labelme_draws_them(labelme_dir):
  _write(
    labelme_dir,
    [
      _shape([[0, 12], [31, 12]], 'linestrip'),
      _shape([[15, 12]], 'point', 'tree'),
    ],
  )
  label = scene.only_label(labelme_dir, 'labelme')
  assert (label[:, 0] == 'car').sum() == 10
  assert (label[12] == 'tree').sum() == 11


def test_a_mask_lies_between_its_corners(labelme_dir):
  file = io.BytesIO()
  Image.fromarray(np.array([[1, 0, 1], [0, 1, 1]], bool)).save(file, 'PNG')
  encoded = base64.b64encode(file.getvalue()).decode()
  shape = _shape([[30, 22], [32, 23]], 'mask', mask=encoded)
  _write(labelme_dir, [shape])
  label = scene.only_label(labelme_dir, 'labelme') == 'car'
  assert np.argwhere(label).tolist() == [[22, 30], [23, 31]]


def test_later_shapes_are_on_top_and_groups_change_nothing(labelme_dir):
  small, large = [[4, 4], [6, 6]], [[2, 2], [9, 9]]
  for shapes, center in (
    ([_shape(large, 'rectangle'), _shape(small, 'rectangle', 'tree')], 'tree'),
    ([_shape(small, 'rectangle', 'tree'), _shape(large, 'rectangle')], 'car'),
  ):
    for shape in shapes:
      shape['group_id'] = 1
    _write(labelme_dir, shapes)
    assert scene.only_label(labelme_dir, 'labelme')[5, 5] == center


def test_what_labelme_ignores_is_ignored(labelme_dir):
  shapes = [
    _shape([[2, 2], [9, 9]], 'rectangle', n) for n in ('a', '__ignore__')
  ]
  _write(labelme_dir, shapes)
  source = layouts.open_source('labelme', labelme_dir)
  assert source.class_names == ('background', 'a')
  (pair,) = source.splits['train']
  assert set(scene.named_label(source, pair).ravel()) == {
    'background',
    'ignored',
  }


def test_a_list_of_labels_orders_the_classes(labelme_dir):
  path = labelme_dir / 'labels.txt'
  path.write_text('__ignore__\n_background_\ntree\ncar\nboat\n')
  source = layouts.open_source('labelme', labelme_dir)
  assert source.class_names == ('background', 'tree', 'car', 'boat')
  np.testing.assert_array_equal(
    scene.only_label(labelme_dir, 'labelme'), scene.label()
  )
  path.write_text('car\nboat\n')
  with pytest.raises(
    ValueError, match=r"a\.json, shape 2: the label 'tree' is"
  ):
    scene.only_label(labelme_dir, 'labelme')


def test_folders_of_labelme_are_splits(tmp_path):
  for split in ('train', 'val'):
    scene.write_labelme(tmp_path / split)
  (tmp_path / 'test').mkdir()
  shutil.copy(tmp_path / 'val/a.jpg', tmp_path / 'test')
  shutil.copy(tmp_path / 'val/a.jpg', tmp_path / 'val/b.jpg')
  source = layouts.open_source('labelme', tmp_path)
  assert set(source.splits) == {'train', 'val', 'test'}
  assert source.splits['test'][0].label is None
  assert source.notes == (
    'Pictures of the split val without a .json file: 1; they are left out.',
  )
  (tmp_path / 'val/a.json').unlink()
  with pytest.raises(FileNotFoundError, match=r'val holds no \.json file'):
    layouts.open_source('labelme', tmp_path)


@pytest.mark.parametrize(
  'written', ['..\\a.jpg', 'C:\\Me\\a.jpg', '../b/a.jpg']
)
def test_pictures_of_labelme_are_found_within_the_folder(tmp_path, written):
  scene.write_labelme(tmp_path / 'b')
  (tmp_path / 'c').mkdir()
  path = tmp_path / ('c' if written == '../b/a.jpg' else 'b') / 'a.json'
  document = scene.labelme_document() | {'imagePath': written}
  (tmp_path / 'b/a.json').unlink()
  path.write_text(json.dumps(document))
  (pair,) = layouts.open_source('labelme', tmp_path).splits['train']
  assert pair.name == 'b/a.jpg'


def test_a_picture_outside_of_the_folder_is_refused(tmp_path):
  scene.write_labelme(tmp_path / 'in')
  scene.write_labelme(tmp_path / 'out')
  path = tmp_path / 'in/a.json'
  (tmp_path / 'in/a.jpg').unlink()
  document = scene.labelme_document() | {'imagePath': '../out/a.jpg'}
  path.write_text(json.dumps(document))
  with pytest.raises(FileNotFoundError) as error:
    layouts.open_source('labelme', tmp_path / 'in')
  assert str(error.value) == (
    f'{path}: its picture \'../out/a.jpg\' ("imagePath") does not exist, '
    f'neither there nor beside it, or lies outside of {tmp_path / "in"}.'
  )


def test_two_files_of_one_picture_are_refused(labelme_dir):
  shutil.copy(labelme_dir / 'a.json', labelme_dir / 'b.json')
  with pytest.raises(ValueError, match=r'b\.json is a second file of the pict'):
    layouts.open_source('labelme', labelme_dir)


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({'shapes': {}}, '"shapes" is no list'),
    ({'shapes': [{'label': 3}]}, 'a shape has the label 3'),
    ({'imagePath': None}, '"imagePath" is None'),
    ({'imagePath': 'a\0b'}, '"imagePath" is \'a\\x00b\''),
    (
      {'imagePath': '\ud800'},
      r"'utf-8' codec can't encode character '\ud800' in position 0: "
      'surrogates not allowed',
    ),
  ],
)
def test_what_is_no_file_of_labelme_is_named(labelme_dir, change, message):
  path = labelme_dir / 'a.json'
  path.write_text(json.dumps(scene.labelme_document() | change))
  with pytest.raises(ValueError) as error:
    layouts.open_source('labelme', labelme_dir)
  expected = f'{path} holds no shapes as labelme has them: {message}'
  assert str(error.value) == expected


@pytest.mark.parametrize(
  ('shape', 'message'),
  [
    (_shape([[1, 1], [2, 2]]), 'a polygon has 2 points'),
    (_shape([[1, 1]], 'circle'), 'a circle has 1 points'),
    (_shape([[1, 1]], 'rectangle'), 'a rectangle has 1 points'),
    (_shape([[1, 1]], 'line'), 'a line has 1 points'),
    (_shape([[1, 1, 3]]), 'cannot reshape array'),
    (_shape([[1, 1]], 'blob'), "a shape of the type 'blob' is not known"),
    (
      _shape([[1, 1], [float('nan'), 2], [3, 3]]),
      'the point (nan, 2) lies far outside of the picture, which has 32x24',
    ),
    (_shape([[1, 1], [1e9, 2], [3, 3]]), 'the point (1e+09, 2) lies far'),
    (_shape([[1, 1], [2, 2]], 'mask', mask='x'), ''),
  ],
)
def test_a_shape_that_cannot_be_drawn_is_named(labelme_dir, shape, message):
  _write(labelme_dir, [_shape([[1, 1], [3, 3]], 'rectangle'), shape])
  with pytest.raises(ValueError) as error:
    scene.only_label(labelme_dir, 'labelme')
  assert str(error.value).startswith(
    f'{labelme_dir}/a.json, shape 2: {message}'
  )


def test_a_file_of_labelme_of_another_size_is_named(labelme_dir):
  _write(labelme_dir, [_shape([[1, 1], [3, 3]], 'rectangle')], imageWidth=9)
  with pytest.raises(
    ValueError, match=r'of a picture of 9x24 pixels, .* 32x24'
  ):
    scene.only_label(labelme_dir, 'labelme')


def test_a_folder_without_files_of_labelme_is_named(tmp_path):
  with pytest.raises(
    FileNotFoundError, match=r'holds no \.json file of labelm'
  ):
    labelme.open_labelme(tmp_path)
