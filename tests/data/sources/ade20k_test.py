# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of ADE20K: one true picture, and damaged class tables."""

import numpy as np
from PIL import Image
import pytest

from auto_deeplab.data.sources import layouts, pictures

ROOT = 'ADEChallengeData2016'


def _read(source, pair):
  return pictures.read_label(pair.label, source.label_values)


def _counts(path):
  return np.bincount(np.array(Image.open(path)).ravel())


def test_a_true_picture_is_read(shared_dir):
  source = layouts.open_source(
    'ade20k', shared_dir / 'data' / 'samples' / 'ade20k'
  )
  ((split, (pair,)),) = source.splits.items()
  assert (split, pair.name) == ('val', 'ADE_val_00000001.jpg')
  label, counts = _read(source, pair)
  original = _counts(pair.label)
  assert counts[255] == original[0] > 0
  assert counts[: len(original) - 1].tolist() == original[1:].tolist()
  assert label.size == pictures.read_image(pair.image).size == (512, 683)
  assert (source.class_names[0], source.class_names[149]) == ('wall', 'flag')
  assert source.class_names[1] == 'building'  # Of 'building, edifice'.
  assert len(set(source.colors)) == 150


def _archive(root, table):
  for kind, suffix in (('images', '.jpg'), ('annotations', '.png')):
    path = root / ROOT / kind / 'training' / f'ADE_train_00000001{suffix}'
    path.parent.mkdir(parents=True)
    Image.new('L', (2, 2), 150).save(path)
  (root / ROOT / 'objectInfo150.txt').write_text(table)


def _table(count, header='Idx\tRatio\tName'):
  rows = [f'{index}\t0.1\tn{index}, other' for index in range(1, count + 1)]
  return '\n'.join([header, *rows]) + '\n'


def test_the_last_class_is_149(tmp_path):
  _archive(tmp_path, _table(150))
  source = layouts.open_source('ade20k', tmp_path)
  _, counts = _read(source, source.splits['train'][0])
  assert counts[149] == 4
  assert source.class_names[149] == 'n150'


@pytest.mark.parametrize(
  'table', [_table(149), _table(150, 'Idx\tRatio\tNames'), '', 'x']
)
def test_another_class_table_is_refused(tmp_path, table):
  _archive(tmp_path, table)
  with pytest.raises(
    ValueError, match=r'objectInfo150\.txt must have the colu'
  ):
    layouts.open_source('ade20k', tmp_path)


def test_an_archive_without_pictures_is_refused(tmp_path):
  (tmp_path / ROOT).mkdir()
  (tmp_path / ROOT / 'objectInfo150.txt').write_text(_table(150))
  with pytest.raises(ValueError, match='ade20k has no splits'):
    layouts.open_source('ade20k', tmp_path)
