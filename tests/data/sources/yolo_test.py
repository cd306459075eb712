# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Polygons of YOLO are shares of their picture's sides."""

import re
import shutil

import numpy as np
import pytest

from auto_deeplab.data.sources import layouts
from tests.data import scene


@pytest.fixture
def yolo_dir(tmp_path):
  scene.write_yolo(tmp_path)
  return tmp_path


@pytest.mark.parametrize(
  ('images', 'labels', 'train'),
  [
    ('images/train', 'labels/train', 'images/train'),
    ('images/train', 'labels/train', '/content/x/images/train'),
    ('images/train', 'labels/train', 'train.txt'),
    ('data/images/train', 'data/labels/train', '[data/images/train]'),
    ('train', 'train', 'train'),
  ],
)
def test_pictures_of_yolo_are_found(yolo_dir, images, labels, train):
  (yolo_dir / images).mkdir(parents=True, exist_ok=True)
  (yolo_dir / labels).mkdir(parents=True, exist_ok=True)
  shutil.move(yolo_dir / 'train/images/a.jpg', yolo_dir / images)
  shutil.move(yolo_dir / 'train/labels/a.txt', yolo_dir / labels)
  (yolo_dir / 'data.yaml').write_text(
    f'path: .\ntrain: {train}\nnames: {{0: car, 1: tree, 2: background}}\n'
  )
  (yolo_dir / 'train.txt').write_text(f'./{images}/a.jpg\n')
  np.testing.assert_array_equal(
    scene.only_label(yolo_dir, 'yolo'), scene.label()
  )


def test_a_list_of_classes_stands_in_for_a_table(yolo_dir):
  """As Label Studio exports it."""
  shutil.move(yolo_dir / 'train/images', yolo_dir / 'images')
  shutil.move(yolo_dir / 'train/labels', yolo_dir / 'labels')
  (yolo_dir / 'data.yaml').unlink()
  (yolo_dir / 'classes.txt').write_text('car\ntree\nbackground\n')
  np.testing.assert_array_equal(
    scene.only_label(yolo_dir, 'yolo'), scene.label()
  )


def test_a_test_split_may_be_named_and_missing(yolo_dir):
  """Roboflow names it in any case."""
  table = yolo_dir / 'data.yaml'
  table.write_text(table.read_text() + 'test: ../test/images\n')
  source = layouts.open_source('yolo', yolo_dir)
  assert set(source.splits) == {'train'}
  assert source.notes[0] == (
    f'{table}, "test": ../test/images does not exist below {yolo_dir}.'
  )


def test_the_order_of_lines_does_not_matter(yolo_dir):
  path = yolo_dir / 'train/labels/a.txt'
  path.write_text('\n\n'.join(scene.yolo_lines()[::-1]))
  np.testing.assert_array_equal(
    scene.only_label(yolo_dir, 'yolo'), scene.label()
  )


def test_what_lies_outside_is_cut_off(yolo_dir):
  path = yolo_dir / 'train/labels/a.txt'
  path.write_text('0 -0.5 -0.5 0.25 -0.5 0.25 0.25 -0.5 0.25\n')
  label = scene.only_label(yolo_dir, 'yolo') == 'car'
  assert label[:6, :8].all()
  assert label.sum() == 48


def test_pictures_without_labels_are_background_or_a_test_split(yolo_dir):
  for split in ('train', 'test'):
    (yolo_dir / split / 'images').mkdir(parents=True, exist_ok=True)
    shutil.copy(
      yolo_dir / 'train/images/a.jpg', yolo_dir / split / 'images/b.jpg'
    )
  table = yolo_dir / 'data.yaml'
  table.write_text(table.read_text() + 'test: test/images\n')
  source = layouts.open_source('yolo', yolo_dir)
  _, pair = source.splits['train']
  assert pair.name == 'train/images/b.jpg'
  assert (scene.named_label(source, pair) == 'background').all()
  assert source.splits['test'][0].label is None
  assert source.notes[0] == (
    'Pictures of the split train without a label file: 1; all of them is '
    'background.'
  )
  (yolo_dir / 'train/labels/a.txt').unlink()
  with pytest.raises(
    FileNotFoundError, match='No picture of the split train h'
  ):
    layouts.open_source('yolo', yolo_dir)


@pytest.mark.parametrize(
  ('line', 'message'),
  [
    ('0 0.5 0.5 0.2 0.2', 'a box is no shape; export polygons'),
    ('0 0.1 0.1 0.2', 'expected a class and x y of at least three points, fou'),
    ('0 0.1 0.1 0.2 0.2 0.3 0.3 0.4', 'expected a class and x y of at least t'),
    ('x 0.1 0.1 0.2 0.2 0.3 0.3', 'expected numbers, the first of them whole'),
    ('0 0.1 0.1 y 0.2 0.3 0.3', 'expected numbers, the first of them whole'),
    ('9 0.1 0.1 0.2 0.2 0.3 0.3', 'the class 9 is not among the names'),
    ('0 0.1 0.1 nan 0.2 0.3 0.3', 'the point (nan, 4.8) lies far outside'),
    ('0 3 3 20 3 20 9', 'the point (96, 72) lies far outside of the picture'),
  ],
)
def test_a_wrong_line_of_yolo_is_named(yolo_dir, line, message):
  path = yolo_dir / 'train/labels/a.txt'
  path.write_text(f'{scene.yolo_lines()[0]}\n{line}\n')
  with pytest.raises(ValueError) as error:
    scene.only_label(yolo_dir, 'yolo')
  assert str(error.value).startswith(f'{path}, line 2: {message}')


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('names: [a', 'is not valid YAML'),
    ('- a', 'holds no table of names and folders'),
    ('train: x', '"names" must list the classes'),
    ('names: [yes, no]', 'the class 0 is called True; expected a number and a'),
    (
      'names: {a: b}',
      "the class 'a' is called 'b'; expected a number and a na",
    ),
    ('names: [a, a]', "'a' is given twice"),
    ('names: [a]\nnc: 2', '"nc" (2) is not the number of names (1)'),
    ('names: [a]', 'names no folder of pictures'),
    ('names: [a]\ntrain: train/labels', '"train": there are no pictures'),
    ('names: [a]\ntrain: 3', '"train": 3 is no folder or list of pictures'),
    ('names: [a]\ntrain: ../x/images', '"train": ../x/images does not exist'),
    ('names: [a]\ntrain: ../../etc', '"train": ../../etc does not exist below'),
  ],
)
def test_a_wrong_table_of_yolo_is_named(yolo_dir, text, message):
  path = yolo_dir / 'data.yaml'
  path.write_text(text)
  with pytest.raises((ValueError, FileNotFoundError)) as error:
    layouts.open_source('yolo', yolo_dir)
  assert re.match(re.escape(str(path)), str(error.value))
  assert message in str(error.value)


def test_what_is_missing_of_yolo_is_named(yolo_dir):
  labels = yolo_dir / 'train/labels'
  shutil.copy(labels / 'a.txt', labels / 'b.txt')
  with pytest.raises(FileNotFoundError, match=r'b\.txt has no picture'):
    layouts.open_source('yolo', yolo_dir)
  (yolo_dir / 'data.yaml').unlink()
  with pytest.raises(FileNotFoundError, match=r'data\.yaml does not exist'):
    layouts.open_source('yolo', yolo_dir)


def test_a_picture_is_in_a_split_once(yolo_dir):
  table = yolo_dir / 'data.yaml'
  table.write_text('names: [car, tree, x]\ntrain: [train/images, train/images]')
  with pytest.raises(ValueError, match=r'a\.jpg is twice in the split train'):
    layouts.open_source('yolo', yolo_dir)
