# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of folders of one's own."""

import re

import pytest

from auto_deeplab.data import datasets


def test_a_folder_pairs_files_by_name_and_sorts_them(folder):
  for name in ('b', 'street/c', 'a'):
    (folder.image('train', f'{name}.jpg')).parent.mkdir(
      parents=True, exist_ok=True
    )
    folder.label('train', f'{name}.png')
    folder.add('train', name)
  source = folder.source()
  pairs = source.splits['train']
  assert [pair.name for pair in pairs] == ['a.jpg', 'b.jpg', 'street/c.jpg']
  assert all(
    pair.image.stem == pair.label.stem and pair.label.suffix == '.png'
    for pair in pairs
  )
  assert source.class_names == ('sky', 'road', 'car')
  assert source.label_values == {0: 0, 1: 1, 2: 2, 255: 255}


def test_hidden_files_are_not_pictures(folder):
  folder.fill()
  folder.image('train', '.DS_Store').write_bytes(b'x')
  (folder.path / 'images' / '.cache').mkdir()
  assert set(folder.source().splits) == {'train', 'val'}


def test_classes_may_have_colours_and_values(folder):
  folder.fill()
  folder.write_classes(
    {
      'classes': [
        {'name': 'road', 'color': [1, 2, 3], 'value': 7},
        {'name': 'car', 'value': 33},
      ],
      'ignore_label': 0,
    }
  )
  source = folder.source()
  assert source.colors == ((1, 2, 3), datasets.default_colors(2)[1])
  assert source.label_values == {7: 0, 33: 1, 0: 255}


@pytest.mark.parametrize(
  'table, message',
  [
    ([], 'expected a JSON object, found []'),
    ({'clases': []}, "'clases' is not one of classes, ignore_label, made_by"),
    ({'classes': 3}, '"classes" must be a list'),
    ({'classes': ['a']}, 'The number of classes (1) must be in 2..255'),
    ({'classes': ['a', 'a']}, "The class name 'a' is given twice"),
    ({'classes': ['a', '']}, 'class 1: "name" must be a text that is not'),
    ({'classes': ['a', 4]}, 'class 1: expected a JSON object, found 4'),
    (
      {'classes': ['a', {'name': 'b', 'color': [1, 2]}]},
      'class 1: "color" ([1, 2]) must be [red, green, blue]',
    ),
    (
      {'classes': ['a', {'name': 'b', 'color': [1, 2, 256]}]},
      "The colour of class 'b' ((1, 2, 256)) must be three integers in 0..255",
    ),
    (
      {'classes': ['a', {'name': 'b', 'value': 0}]},
      'class 1: the value 0 is taken by another class',
    ),
    (
      {'classes': ['a', {'name': 'b', 'value': True}]},
      'class 1: the value True must be in 0..255',
    ),
    (
      {'classes': ['a', 'b'], 'ignore_label': 1},
      '"ignore_label": the value 1 is taken by another class',
    ),
  ],
)
def test_a_bad_class_table_is_refused_by_name(folder, table, message):
  folder.fill()
  folder.write_classes(table)
  with pytest.raises(ValueError, match=re.escape(message)) as error:
    folder.source()
  assert str(folder.path / 'classes.json') in str(error.value)


def test_a_class_table_that_is_not_json_is_refused(folder):
  (folder.path / 'classes.json').write_text('{"classes": [')
  with pytest.raises(ValueError, match=r'classes\.json is not valid JSON'):
    folder.source()
  (folder.path / 'classes.json').write_text('[' * 100_000)
  with pytest.raises(ValueError, match=r'classes\.json is not valid JSON'):
    folder.source()
  (folder.path / 'classes.json').write_bytes(b'\xff\xfe')
  with pytest.raises(ValueError, match=r'classes\.json is not a text file'):
    folder.source()
  (folder.path / 'classes.json').unlink()
  with pytest.raises(FileNotFoundError, match=r'classes\.json does not exist'):
    folder.source()


def test_an_image_without_label_and_the_reverse_are_named(folder):
  folder.fill()
  folder.label('train', 'train_3.png').unlink()
  with pytest.raises(ValueError, match=r'train_3\.jpg has no label: .*_3\.png'):
    folder.source()
  folder.image('train', 'train_3.jpg').unlink()
  folder.image('val', 'val_1.jpg').unlink()
  with pytest.raises(ValueError, match=r'labels/val/val_1\.png has no image'):
    folder.source()


def test_files_that_are_no_pictures_or_of_one_name_are_named(folder):
  folder.fill()
  folder.image('train', 'notes.txt').write_text('x')
  with pytest.raises(ValueError, match=r'notes\.txt is not one of \.jpg'):
    folder.source()
  folder.image('train', 'notes.txt').unlink()
  folder.image('train', 'train_0.png').write_bytes(b'x')
  with pytest.raises(ValueError, match=r'train_0\.jpg and .*train_0\.png have'):
    folder.source()


def test_empty_and_missing_splits_are_named(folder):
  with pytest.raises(FileNotFoundError, match=r'images is missing'):
    folder.source()
  (folder.path / 'images').mkdir()
  (folder.path / 'labels').mkdir()
  with pytest.raises(ValueError, match=r'images holds no split: put pictures'):
    folder.source()
  folder.fill()
  (folder.path / 'images' / 'test').mkdir()
  with pytest.raises(FileNotFoundError, match=r'labels/test'):
    folder.source()
  (folder.path / 'labels' / 'test').mkdir()
  with pytest.raises(ValueError, match=r'images/test holds no pictures with'):
    folder.source()


def test_lists_name_files_anywhere(folder):
  folder.fill()
  line = 'images/{0}/{0}_0.jpg labels/{0}/{0}_0.png\n'
  for split in ('train', 'val'):
    (folder.path / f'{split}.txt').write_text(line.format(split))
  source = folder.source()
  assert {split: len(pairs) for split, pairs in source.splits.items()} == {
    'train': 1,
    'val': 1,
  }
  (pair,) = source.splits['val']
  assert pair.name == 'images/val/val_0.jpg'
  assert pair.label == folder.label('val', 'val_0.png')
  assert source.class_names == ('sky', 'road', 'car')
