# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of folders of one's own."""

import codecs
import functools
import json
import re
import shutil

import pytest

from auto_deeplab.data import palette
from auto_deeplab.data.sources import layouts, splitting


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
  for name in ('.DS_Store', 'Thumbs.db', 'desktop.ini'):
    folder.image('train', name).write_bytes(b'x')
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
  assert source.colors == ((1, 2, 3), palette.default_colors(1)[0])
  assert source.label_values == {7: 0, 33: 1, 0: 255, (1, 2, 3): 0}


def test_a_class_may_have_several_values_and_so_may_what_is_ignored(folder):
  folder.fill()
  classes = ['road', {'name': 'car', 'value': [2, 1]}]
  folder.write_classes({'classes': classes, 'ignore_label': [9, 255]})
  assert folder.source().label_values == {0: 0, 2: 1, 1: 1, 9: 255, 255: 255}


def test_a_class_of_the_value_255_leaves_nothing_ignored(folder):
  folder.fill()
  classes = ['road', {'name': 'car', 'value': 255}]
  folder.write_classes({'classes': classes})
  assert folder.source().label_values == {0: 0, 255: 1}


def test_a_colour_that_is_given_is_no_other_class_s(folder):
  folder.fill()
  first, second = palette.default_colors(2)
  folder.write_classes({'classes': ['road', {'name': 'car', 'color': first}]})
  assert folder.source().colors == (second, first)


@pytest.mark.parametrize(
  ('color', 'shown'), [([0, 0, 0], None), ([1, 2, 3], (0, 0, 0))]
)
def test_the_background_is_black_where_no_class_is(folder, color, shown):
  folder.fill()
  classes = ['background', {'name': 'road', 'color': color}]
  folder.write_classes({'classes': classes})
  first = shown or palette.default_colors(1)[0]
  assert folder.source().colors == (first, tuple(color))


def test_an_ignored_colour_is_one_of_its_own(folder):
  folder.fill()
  classes = ['road', {'name': 'car', 'color': [1, 2, 3]}]
  folder.write_classes({'classes': classes, 'ignore_color': [255, 255, 255]})
  values = folder.source().label_values
  assert values[1, 2, 3] == 1
  assert values[255, 255, 255] == 255


@pytest.mark.parametrize(
  'table, message',
  [
    ([], 'expected {"classes": [...]}, found []'),
    ({'clases': []}, "'clases' is not one of classes, ignore_color, ignore_l"),
    ({'classes': 3}, '"classes" must be a list'),
    (
      {'classes': ['a']},
      'The number of classes (1) must be in 2..255. What is not the class is '
      'one, too: name it first, "background".',
    ),
    (
      {'classes': ['a', 'a']},
      "The class name 'a' is given twice. One class may have several values: "
      '"value": [1, 2].',
    ),
    (
      {'classes': ['a', {'name': 'b', 'value': [1, 0]}]},
      'class 1: the value 0 is taken by another class',
    ),
    (
      {'classes': 2 * [{'name': 'a', 'color': [1, 2, 3]}]},
      "The class name 'a' is given twice",
    ),
    (
      {'classes': [{'name': n, 'color': [1, 2, 3]} for n in 'ab']},
      'class 1: the colour (1, 2, 3) is taken by another class',
    ),
    (
      {'classes': ['a', 'b'], 'ignore_color': [1, 2, 'x']},
      """"ignore_color": "color" ([1, 2, 'x']) must be in 0..255""",
    ),
    ({'classes': ['a', '']}, 'class 1: "name" must be a text that is not'),
    (
      {'classes': ['a', 4]},
      'class 1: expected a name or {"name": ...}, found 4',
    ),
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
  (folder.path / 'classes.json').write_bytes(b'\xfe')
  with pytest.raises(ValueError, match=r'classes\.json is not a text file'):
    folder.source()
  (folder.path / 'classes.json').unlink()
  with pytest.raises(FileNotFoundError, match=r'classes\.json does not exist'):
    folder.source()


@pytest.mark.parametrize(
  'mark, encoding',
  [(codecs.BOM_UTF8, 'utf-8'), (codecs.BOM_UTF16_LE, 'utf-16-le')],
)
def test_text_may_be_written_on_windows(folder, mark, encoding):
  folder.fill()

  def write(name, text):
    (folder.path / name).write_bytes(mark + text.encode(encoding))

  write('classes.json', json.dumps({'classes': ['a', 'fl\u00e4che']}))
  line = 'images\\train\\train_0.jpg labels\\train\\train_0.png\r\n'
  write('train.txt', line)
  source = folder.source()
  assert source.class_names == ('a', 'fl\u00e4che')
  (pair,) = source.splits['train']
  assert pair.image == folder.image('train', 'train_0.jpg')
  assert pair.name == 'images/train/train_0.jpg'


@pytest.mark.parametrize('suffix', ['_mask.png', '.jpg.png'])
def test_another_suffix_of_labels_is_proposed_and_can_be_said(folder, suffix):
  folder.fill()
  for path in (folder.path / 'labels').rglob('*.png'):
    path.rename(path.with_name(path.stem + suffix))
  with pytest.raises(
    ValueError,
    match=f'is missing. `label_suffix` = {suffix} would find a label for each',
  ):
    folder.source()
  folder.label('train', 'seen.png').touch()
  source = layouts.open_source('folder', folder.path, label_suffix=suffix)
  assert [pair.label for pair in source.splits['val']] == [
    folder.label('val', f'val_{number}{suffix}') for number in (0, 1)
  ]
  folder.label('train', 'seen.png').unlink()
  folder.label('train', f'train_0{suffix}').unlink()
  with pytest.raises(ValueError, match=r'train_0\.png is missing\.$'):
    folder.source()


def test_labels_of_another_kind_are_named(folder):
  folder.fill()
  other = folder.label('train', 'train_0.tif')
  folder.label('train', 'train_0.png').rename(other)
  with pytest.raises(ValueError, match=f'is missing. {other} is no label: the'):
    folder.source()


@pytest.mark.parametrize('suffix', ['_mask.png', '.png'])
def test_labels_may_lie_beside_their_pictures(folder, suffix):
  folder.fill(num_val=0)
  for path in (folder.path / 'images' / 'train').iterdir():
    path.rename(folder.path / path.name)
  for path in (folder.path / 'labels' / 'train').iterdir():
    path.rename(folder.path / (path.stem + suffix))
  shutil.rmtree(folder.path / 'images')
  with pytest.raises(FileNotFoundError, match=r'images is missing: pictures'):
    folder.source()  # There is a folder for labels.
  parted = (folder.path / 'labels').rename(folder.path / 'test')
  (parted / 'images').mkdir()
  with pytest.raises(FileNotFoundError, match=r'images is missing: pictures'):
    folder.source()
  shutil.rmtree(parted)
  open_it = functools.partial(
    layouts.open_source, 'folder', folder.path, label_suffix=suffix
  )
  pairs = open_it().splits['train']
  assert [(pair.image, pair.label) for pair in pairs] == [
    (folder.path / f'train_{n}.jpg', folder.path / f'train_{n}{suffix}')
    for n in range(5)
  ]
  divided = open_it(val=splitting.ValSplit(0.4)).splits
  assert {split: len(found) for split, found in divided.items()} == {
    'train': 3,
    'val': 2,
  }
  for split, numbers in (('train', (0, 1, 2)), ('val', (3, 4))):
    (folder.path / split).mkdir()
    for number in numbers:
      for path in folder.path.glob(f'train_{number}*'):
        path.rename(folder.path / split / path.name)
  assert {split: len(found) for split, found in open_it().splits.items()} == {
    'train': 3,
    'val': 2,
  }


@pytest.mark.parametrize(
  ('file', 'dataset'),
  [
    ('labelmap.txt', 'cvat'),
    ('data.yaml', 'yolo'),
    ('valid/_annotations.coco.json', 'coco'),
    ('images/train/train_0.json', 'labelme'),
  ],
)
def test_a_folder_of_another_layout_is_known(folder, file, dataset):
  folder.fill()
  (folder.path / 'classes.json').unlink()
  with pytest.raises(FileNotFoundError, match=r'it names the classes, such as'):
    folder.source()
  path = folder.path / file
  path.parent.mkdir(exist_ok=True)
  path.touch()
  with pytest.raises(FileNotFoundError, match=f'`dataset` = {dataset} may be'):
    folder.source()


def test_the_suffix_of_labels_is_for_folders_alone(tmp_path):
  with pytest.raises(
    ValueError, match=r'`label_suffix` \(x\.png\) is for the data set folder'
  ):
    layouts.open_source('camvid', tmp_path, label_suffix='x.png')


def test_splits_but_train_and_val_may_have_no_labels(folder):
  folder.fill()
  folder.add('test', 'b')
  folder.add('test', 'a')
  shutil.rmtree(folder.path / 'labels' / 'test')
  names = [(p.name, p.label) for p in folder.source().splits['test']]
  assert names == [('a.jpg', None), ('b.jpg', None)]
  shutil.rmtree(folder.path / 'labels' / 'val')
  with pytest.raises(FileNotFoundError, match=r'labels/val is missing'):
    folder.source()


def test_a_list_of_test_may_name_images_alone(folder):
  folder.fill()
  for split in ('train', 'val', 'test'):
    (folder.path / f'{split}.txt').write_text('images/val/val_0.jpg\n')
  with pytest.raises(
    ValueError, match=r"train\.txt, line 1: expected 'image l"
  ):
    folder.source()
  line = 'images/{0}/{0}_0.jpg labels/{0}/{0}_0.png\n'
  for split in ('train', 'val'):
    (folder.path / f'{split}.txt').write_text(line.format(split))
  (pair,) = folder.source().splits['test']
  assert (pair.name, pair.label) == ('images/val/val_0.jpg', None)


@pytest.mark.parametrize('prefix', ['../pictures/', 'absolute'])
def test_listed_files_outside_have_names_within_a_folder(folder, prefix):
  folder.fill()
  folder.add('train', 'street/a')
  prefix = f'{folder.path}/' if prefix == 'absolute' else prefix
  lists = folder.path.with_name('lists')
  lists.mkdir()
  (folder.path / 'classes.json').rename(lists / 'classes.json')
  line = '{0}images/train/{1}.jpg {0}labels/train/{1}.png\n'
  names = ('train_1', 'street/a')
  (lists / 'train.txt').write_text(
    ''.join(line.format(prefix, name) for name in names)
  )
  source = layouts.open_source('folder', lists)
  assert [p.name for p in source.splits['train']] == [
    'street/a.jpg',
    'train_1.jpg',
  ]
  twice = line.format(f'{prefix}images/../', 'train_1')
  with (lists / 'train.txt').open('a') as file:
    file.write(twice)
  with pytest.raises(ValueError, match=r'line 3: .*train_1\.jpg is listed twi'):
    layouts.open_source('folder', lists)


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
  folder.image('other', 'a.png')
  (folder.path / 'masks').mkdir()
  with pytest.raises(
    FileNotFoundError, match=r'labels is missing: .*; beside it: masks\.$'
  ):
    folder.source()
  folder.label('train', 'a.png')
  with pytest.raises(
    FileNotFoundError,
    match=r'labels/train has no pictures: the folder .*images/train is missing',
  ):
    folder.source()
  shutil.rmtree(folder.path / 'images')
  shutil.rmtree(folder.path / 'labels')
  (folder.path / 'images').mkdir()
  (folder.path / 'labels').mkdir()
  with pytest.raises(ValueError, match=r'images holds no split: put pictures'):
    folder.source()
  folder.fill()
  (folder.path / 'images' / 'test').mkdir()
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
