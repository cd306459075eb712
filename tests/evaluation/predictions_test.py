# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Predictions have the names and values that test servers expect."""

import dataclasses

import numpy as np
from PIL import Image
import pytest

from auto_deeplab.data import datasets, palette
from auto_deeplab.data.sources import pascal
from auto_deeplab.evaluation import predictions


def _info(name, num_classes):
  return datasets.DatasetInfo(
    name,
    datasets.default_names(num_classes),
    palette.default_colors(num_classes),
  )


def _write(info, folder, filename, classes):
  writer = predictions.Writer(info, folder)
  writer.write(filename, np.array(classes, np.uint8))
  assert writer.count == 1
  (path,) = (p for p in folder.rglob('*') if p.is_file())
  with Image.open(path) as picture:
    return path.relative_to(folder).as_posix(), picture.copy()


@pytest.mark.parametrize('name', ['cityscapes', 'cityscapes_coarse'])
def test_cityscapes_has_label_ids(tmp_path, name):
  path, picture = _write(
    _info(name, 19),
    tmp_path,
    'berlin/berlin_000000_000019_leftImg8bit.png',
    [[0, 1, 2], [13, 17, 18]],
  )
  # The server looks for {city}_{sequence}_{frame}*.png.
  assert path == 'berlin_000000_000019_pred_labelIds.png'
  assert picture.mode == 'L'
  assert np.asarray(picture).tolist() == [[7, 8, 11], [26, 32, 33]]


def test_ade20k_counts_from_1(tmp_path):
  path, picture = _write(
    _info('ade20k', 150), tmp_path, 'ADE_val_00000001.jpg', [[0, 149]]
  )
  assert (path, picture.mode) == ('ADE_val_00000001.png', 'L')
  assert np.asarray(picture).tolist() == [[1, 150]]


@pytest.mark.parametrize('name', ['voc', 'voc_aug'])
def test_voc_has_its_palette(tmp_path, name):
  info = datasets.DatasetInfo(name, pascal.CLASS_NAMES, pascal.COLORS)
  path, picture = _write(info, tmp_path, '2007_000033.jpg', [[0, 1, 15]])
  assert (path, picture.mode) == ('2007_000033.png', 'P')
  assert np.asarray(picture).tolist() == [[0, 1, 15]]
  assert np.asarray(picture.convert('RGB')).tolist() == [
    [[0, 0, 0], [128, 0, 0], [192, 128, 128]]
  ]


def test_others_have_classes_and_their_own_folders(tmp_path):
  path, picture = _write(_info('folder', 3), tmp_path, 'a/b.c.jpeg', [[2, 0]])
  assert path == 'a/b.c.png'
  assert np.asarray(picture).tolist() == [[2, 0]]


def test_a_folder_gets_its_own_values_back(tmp_path):
  info = dataclasses.replace(_info('folder', 3), values=(7, 0, 33))
  _, picture = _write(info, tmp_path, 'a.jpeg', [[2, 0, 1]])
  assert np.asarray(picture).tolist() == [[33, 7, 0]]
  shown = np.asarray(picture.convert('RGB'))[0].tolist()
  assert shown == [list(info.colors[index]) for index in (2, 0, 1)]


def test_no_picture_takes_the_legend_s_place(tmp_path):
  info = _info('folder', 3)
  assert predictions.format_of(info).has_legend
  predictions.Writer(info, tmp_path).write('legend.jpg', np.ones([1, 1], int))
  (path,) = tmp_path.iterdir()
  assert path.name == 'legend.jpg.png'


@pytest.mark.parametrize('name', ['cityscapes', 'ade20k', 'voc', 'voc_aug'])
def test_what_a_test_server_takes_has_no_legend(name):
  assert not predictions.format_of(_info(name, 3)).has_legend


def test_pictures_of_one_stem_have_a_prediction_each(tmp_path):
  writer = predictions.Writer(_info('folder', 3), tmp_path)
  for value, name in enumerate(('a.jpg', 'b/a.jpg', 'a.png')):
    writer.write(name, np.full([1, 1], value))
  for value, name in enumerate(('a.png', 'b/a.png', 'a.png.png')):
    with Image.open(tmp_path / name) as picture:
      assert np.asarray(picture).tolist() == [[value]]
  with pytest.raises(ValueError, match=r"'a.png' would replace another predi"):
    writer.write('a.png', np.zeros([1, 1], int))


@pytest.mark.parametrize(
  'name', ['/etc/a.png', '../a.png', 'a/../../b.png', '']
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
  writer = predictions.Writer(_info('folder', 3), tmp_path / 'out')
  with pytest.raises(ValueError) as error:
    writer.write(name, np.zeros([1, 1], np.uint8))
  assert (
    str(error.value) == f'{name!r} is no name of a picture within a folder.'
  )
  assert not (tmp_path / 'out').exists()


def test_another_number_of_classes_than_the_format_s_is_refused(tmp_path):
  with pytest.raises(ValueError) as error:
    predictions.Writer(_info('cityscapes', 7), tmp_path)
  assert str(error.value) == (
    'the format of cityscapes has 19 classes, the data set 7.'
  )
