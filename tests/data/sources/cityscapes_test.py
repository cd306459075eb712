# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of Cityscapes: one true picture, and made-up archives."""

import numpy as np
from PIL import Image
import pytest

from auto_deeplab.data.records import conversion
from auto_deeplab.data.sources import layouts, pictures

VALUES = {
  'labelIds': [[0, 7, 33], [29, 26, 1]],
  'labelTrainIds': [[255, 0, 18], [255, 13, 255]],
}


def _add(root, kind, split, name='aachen_0', ending='labelIds'):
  """Adds a picture and its label, with files beside it as the archives have."""
  city = name.split('_')[0]
  image = root / 'leftImg8bit' / split / city / f'{name}_leftImg8bit.png'
  image.parent.mkdir(parents=True, exist_ok=True)
  Image.new('RGB', (3, 2)).save(image)
  label = root / kind / split / city / f'{name}_{kind}_{ending}.png'
  label.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(np.array(VALUES[ending], np.uint8)).save(label)
  (label.parent / f'{name}_{kind}_polygons.json').write_text('{}')
  Image.new('RGBA', (3, 2)).save(label.parent / f'{name}_{kind}_color.png')
  return image, label


def _read(source, pair):
  return pictures.read_label(pair.label, source.label_values)


def _counts(path):
  return np.bincount(np.array(Image.open(path)).ravel())


def test_a_true_picture_is_read(shared_dir):
  root = shared_dir / 'data' / 'samples' / 'cityscapes'
  source = layouts.open_source('cityscapes', root)
  ((split, (pair,)),) = source.splits.items()
  assert split == 'train'
  assert pair.name == 'aachen/aachen_000000_000019_leftImg8bit.png'
  image = pictures.read_image(pair.image)
  assert image.data == pair.image.read_bytes()
  _, counts = _read(source, pair)
  original = _counts(pair.label)
  for train_id, label_id in ((0, 7), (10, 23), (13, 26), (18, 33)):
    assert counts[train_id] == original[label_id] > 0
  assert counts[255] == original[[0, 1, 3, 4]].sum()  # Nothing else is void.
  assert counts.sum() == 2048 * 1024


def test_a_true_picture_is_halved(shared_dir, tmp_path):
  root = shared_dir / 'data' / 'samples' / 'cityscapes'
  source = layouts.open_source('cityscapes', root, reduction=2)
  info = conversion.write_dataset(source, tmp_path / 'data').split('train')
  assert info.min_size == info.max_size == (512, 1024)
  (pair,) = source.splits['train']
  _, counts = _read(source, pair)
  full = counts[:19] / counts.sum()
  assert info.class_pixel_shares == pytest.approx(full, abs=2e-3)


@pytest.mark.parametrize('ending', ['labelIds', 'labelTrainIds'])
def test_both_kinds_of_labels_mean_the_same(tmp_path, ending):
  _, label = _add(tmp_path, 'gtFine', 'train', ending=ending)
  source = layouts.open_source('cityscapes', tmp_path)
  (pair,) = source.splits['train']
  assert pair.label == label
  classes, _ = pictures.read_label(label, source.label_values)
  (tmp_path / 'x.png').write_bytes(classes.data)
  read = np.array(Image.open(tmp_path / 'x.png')).tolist()
  assert read == VALUES['labelTrainIds']


def test_an_id_that_does_not_exist_is_refused(tmp_path):
  _, label = _add(tmp_path, 'gtFine', 'train')
  Image.new('L', (3, 2), 34).save(label)
  source = layouts.open_source('cityscapes', tmp_path)
  with pytest.raises(ValueError, match='has the label value 34 in 6 pixels'):
    pictures.read_label(label, source.label_values)


def test_test_has_no_labels(tmp_path):
  _add(tmp_path, 'gtFine', 'val', 'ulm_0')
  image, _ = _add(tmp_path, 'gtFine', 'test', 'bonn_1')
  source = layouts.open_source('cityscapes', tmp_path)
  assert list(source.splits) == ['val', 'test']
  (pair,) = source.splits['test']
  assert (pair.name, pair.image, pair.label) == (
    'bonn/bonn_1_leftImg8bit.png',
    image,
    None,
  )


def test_coarse_labels_are_for_training(tmp_path):
  _add(tmp_path, 'gtCoarse', 'train')
  _add(tmp_path, 'gtCoarse', 'train_extra', 'bayreuth_2')
  _add(tmp_path, 'gtCoarse', 'val', 'ulm_0')
  _add(tmp_path, 'gtFine', 'val', 'ulm_0')
  source = layouts.open_source('cityscapes_coarse', tmp_path)
  labels = {
    split: str(pair.label).rpartition('/')[2]
    for split, (pair,) in source.splits.items()
  }
  assert labels == {
    'train': 'aachen_0_gtCoarse_labelIds.png',
    'train_extra': 'bayreuth_2_gtCoarse_labelIds.png',
    'val': 'ulm_0_gtFine_labelIds.png',
  }


def test_an_incomplete_archive_is_refused(tmp_path):
  _add(tmp_path, 'gtFine', 'train')
  image, label = _add(tmp_path, 'gtFine', 'train', 'ulm_7')
  label.unlink()
  with pytest.raises(ValueError, match=r'has no label: .*ulm_7_gtFine_labelId'):
    layouts.open_source('cityscapes', tmp_path)
  _add(tmp_path, 'gtFine', 'train', 'ulm_7')
  image.unlink()
  with pytest.raises(ValueError, match=r'has no image: .*train/ulm/ulm_7 with'):
    layouts.open_source('cityscapes', tmp_path)
