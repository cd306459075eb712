# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of PASCAL VOC and SBD: one true picture, and made-up archives."""

import numpy as np
from PIL import Image
import pytest
import scipy.io

from auto_deeplab.data.sources import layouts, pascal, pictures

VOC = 'VOCdevkit/VOC2012'
SBD = 'benchmark_RELEASE/dataset'


def _list(path, names):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(''.join(f'{name}\n' for name in names))


def _save(path, image):
  path.parent.mkdir(parents=True, exist_ok=True)
  image.save(path)


def _add_voc(root, split, names):
  _list(root / VOC / 'ImageSets' / 'Segmentation' / f'{split}.txt', names)
  for name in names:
    _save(root / VOC / 'JPEGImages' / f'{name}.jpg', Image.new('RGB', (3, 2)))
    label = Image.new('P', (3, 2), 15)
    label.putpalette([index // 3 for index in range(768)])
    if split != 'test':
      _save(root / VOC / 'SegmentationClass' / f'{name}.png', label)


def _add_sbd(root, split, names):
  _list(root / SBD / f'{split}.txt', names)
  for name in names:
    _save(root / SBD / 'img' / f'{name}.jpg', Image.new('RGB', (3, 2)))
    _write_mat(root / SBD / 'cls' / f'{name}.mat', np.full((2, 3), 8, np.uint8))


def _write_mat(path, values):
  path.parent.mkdir(parents=True, exist_ok=True)
  table = {'Segmentation': values, 'CategoriesPresent': np.unique(values)}
  scipy.io.savemat(path, {'GTcls': table}, do_compression=True)


def _read(source, pair):
  return pictures.read_label(pair.label, source.label_values)


def test_a_true_picture_is_read(shared_dir):
  samples = shared_dir / 'data' / 'samples'
  source = layouts.open_source('voc', samples / 'voc')
  ((split, (pair,)),) = source.splits.items()
  assert (split, pair.name) == ('train', '2007_000063.jpg')
  label, counts = _read(source, pair)
  # Its palette file holds background, a chair, a dog and void.
  assert np.flatnonzero(counts).tolist() == [0, 9, 12, 255]
  assert source.class_names[9] == 'chair'
  assert source.class_names[12] == 'dog'
  assert label.size == pictures.read_image(pair.image).size == (375, 500)


def test_a_true_mask_in_a_mat_file_is_read(shared_dir):
  root = shared_dir / 'data' / 'samples' / 'sbd' / SBD
  label = pascal.SbdLabel(root / 'cls' / '2007_000063.mat')
  values = label()
  assert values.shape == (375, 500)
  assert values.dtype == np.uint8
  voc = shared_dir / 'data' / 'samples' / 'voc' / VOC / 'SegmentationClass'
  indices = np.array(Image.open(voc / '2007_000063.png'))
  assert np.mean(values == indices) > 0.9  # All but VOC's void borders.


def test_every_list_of_voc_is_a_split(tmp_path):
  _add_voc(tmp_path, 'val', ['2007_2', '2007_1'])
  _add_voc(tmp_path, 'test', ['2008_9'])
  source = layouts.open_source('voc', tmp_path)
  assert {
    split: [(pair.name, pair.label is None) for pair in pairs]
    for split, pairs in source.splits.items()
  } == {
    'val': [('2007_1.jpg', False), ('2007_2.jpg', False)],
    'test': [('2008_9.jpg', True)],
  }
  _, counts = _read(source, source.splits['val'][0])
  assert counts[15] == 6  # The palette's index, not its colour.


def test_train_aug_is_voc_and_what_sbd_adds_to_it(tmp_path):
  _add_voc(tmp_path, 'train', ['a', 'both'])
  _add_voc(tmp_path, 'val', ['c', 'd'])
  _add_sbd(tmp_path, 'train', ['both', 'c', 'e'])
  _add_sbd(tmp_path, 'val', ['d', 'b'])
  source = layouts.open_source('voc_aug', tmp_path)
  train = source.splits['train']
  assert [pair.name for pair in train] == [
    'a.jpg',
    'b.jpg',
    'both.jpg',
    'e.jpg',
  ]
  # VOC's own label where both have one.
  assert [str(pair.label).rsplit('.', 1)[1] for pair in train] == [
    'png',
    'mat',
    'png',
    'mat',
  ]
  assert [pair.name for pair in source.splits['val']] == ['c.jpg', 'd.jpg']
  _, counts = _read(source, train[1])
  assert counts[8] == 6


def test_without_the_list_of_val_nothing_can_be_left_out(tmp_path):
  _add_voc(tmp_path, 'train', ['a'])
  _add_sbd(tmp_path, 'train', ['b'])
  _add_sbd(tmp_path, 'val', ['c'])
  with pytest.raises(FileNotFoundError, match=r'val\.txt does not exist'):
    layouts.open_source('voc_aug', tmp_path)


@pytest.mark.parametrize(
  'file', [f'{VOC}/JPEGImages/a.jpg', f'{VOC}/SegmentationClass/a.png']
)
def test_a_listed_file_that_is_not_there_is_named(tmp_path, file):
  _add_voc(tmp_path, 'train', ['a', 'b'])
  (tmp_path / file).unlink()
  with pytest.raises(
    FileNotFoundError, match=rf'train\.txt: .*{file} does not'
  ):
    layouts.open_source('voc', tmp_path)


def test_a_list_that_is_empty_or_names_a_picture_twice_is_refused(tmp_path):
  _add_voc(tmp_path, 'train', ['a', 'b', 'a'])
  with pytest.raises(ValueError, match=r'train\.txt: a is listed twice'):
    layouts.open_source('voc', tmp_path)
  _add_voc(tmp_path, 'train', [])
  with pytest.raises(ValueError, match=r'train\.txt lists no pictures'):
    layouts.open_source('voc', tmp_path)
  (tmp_path / VOC / 'ImageSets' / 'Segmentation' / 'train.txt').unlink()
  with pytest.raises(FileNotFoundError, match=r'train\.txt does not exist'):
    layouts.open_source('voc', tmp_path)


def test_a_mat_file_that_is_no_label_is_named(tmp_path):
  path = tmp_path / 'x.mat'
  label = pascal.SbdLabel(path)
  with pytest.raises(FileNotFoundError, match=r'x\.mat does not exist'):
    label()
  path.write_bytes(b'')
  with pytest.raises(ValueError, match=r'x\.mat holds no GTcls\.Segmentation'):
    label()
  scipy.io.savemat(path, {'GTinst': 1})
  with pytest.raises(ValueError, match=r'x\.mat holds no GTcls\.Segmentation'):
    label()
  _write_mat(path, np.ones((2, 2)))
  with pytest.raises(
    ValueError, match=r'Segmentation \(float64, 2 axes\) must'
  ):
    label()


def test_damage_in_a_mat_file_is_never_a_label(tmp_path):
  path = tmp_path / 'x.mat'
  values = np.eye(3, dtype=np.uint8)
  _write_mat(path, values)
  data = path.read_bytes()
  label = pascal.SbdLabel(path)
  for position in range(124, len(data)):
    for damaged in (
      data[:position],
      data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :],
    ):
      path.write_bytes(damaged)
      with pytest.raises(ValueError, match=r'x\.mat holds no GTcls\.Segment'):
        label()
  path.write_bytes(data)
  assert (label() == values).all()


def test_colours_are_those_of_voc_s_own_map():
  colors = dict(zip(pascal.CLASS_NAMES, pascal.COLORS, strict=True))
  assert colors['background'] == (0, 0, 0)
  assert colors['aeroplane'] == (128, 0, 0)
  assert colors['person'] == (192, 128, 128)
  assert colors['tvmonitor'] == (0, 64, 128)
