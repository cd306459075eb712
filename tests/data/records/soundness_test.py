# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Labels that are valid and wrong are told at the conversion."""

import numpy as np
from PIL import Image
import pytest

from auto_deeplab.data.records import inspection, tfrecord


def _fill(folder, labels, val_labels=None):
  """Adds pictures of noise with labels, lists of values [24]."""
  for split, of_split in (('train', labels), ('val', val_labels or labels)):
    for number, values in enumerate(of_split):
      name = f'{split}_{number}'
      seed = number + (100 if split == 'val' else 0)
      folder.add(split, name, size=(4, len(values)), seed=seed)
      label = np.broadcast_to(np.array(values, np.uint8), (4, len(values)))
      Image.fromarray(label.copy()).save(folder.label(split, f'{name}.png'))


def _warnings(folder, tmp_path):
  return folder.convert(tmp_path / 'data').warnings


def test_a_sound_folder_has_no_warnings(folder, tmp_path):
  _fill(folder, [[0, 1, 2, 255]] * 3)
  assert _warnings(folder, tmp_path) == ()
  assert 'warnings' not in (tmp_path / 'data' / 'dataset.json').read_text()


def test_masks_of_0_and_255_are_refused_with_the_remedy(folder, tmp_path):
  folder.write_classes({'classes': ['ground', 'roof']})
  _fill(folder, [[0, 0, 0, 255]] * 3)
  with pytest.raises(ValueError) as error:
    folder.convert(tmp_path / 'data')
  assert str(error.value) == (
    'All labelled pixels of the split train are ground, and 25.0 % are '
    'ignored: no pixel has roof (1). If the labels are masks of 0 and 255, '
    'give the class of 255 its value in classes.json: {"name": "roof", '
    '"value": 255}.'
  )
  assert not (tmp_path / 'data' / 'dataset.json').exists()


def test_one_class_alone_is_refused(folder, tmp_path):
  _fill(folder, [[1, 1]] * 3)
  with pytest.raises(ValueError) as error:
    folder.convert(tmp_path / 'data')
  assert str(error.value) == (
    'All labelled pixels of the split train are road: '
    'no pixel has sky (0) or car (2).'
  )


@pytest.mark.parametrize('split', ['train', 'val'])
def test_a_split_without_labelled_pixels_is_refused(folder, tmp_path, split):
  labels = {'train': [[0, 1, 2]], 'val': [[0, 1, 2]]} | {split: [[255] * 3]}
  _fill(folder, labels['train'], labels['val'])
  with pytest.raises(
    ValueError,
    match=f'No pixel of the split {split} has a class: all have an ignored',
  ):
    folder.convert(tmp_path / 'data')


def test_a_class_that_no_pixel_has_is_named(folder, tmp_path):
  _fill(folder, [[0, 1]], [[0, 2]])
  assert _warnings(folder, tmp_path) == (
    'No pixel of the split train has car (2). Check the names and values of '
    'the class table.',
    'No pixel of the split val has road (1). Check the names and values of '
    'the class table.',
  )


def test_of_many_classes_the_first_are_named(folder, tmp_path):
  folder.write_classes({'classes': list('abcdefghi')})
  _fill(folder, [[0, 1]], [list(range(9))])
  (warning,) = _warnings(folder, tmp_path)
  assert 'c (2), d (3), e (4), f (5), g (6) or 2 further classes' in warning


def test_labels_that_count_from_1_are_told(folder, tmp_path):
  _fill(folder, [[1, 2]])
  for warning in _warnings(folder, tmp_path):
    assert warning.endswith(
      'has sky (0). If the labels count from 1, sky is 1 in them: give each '
      'class its "value".'
    )


def test_a_large_ignored_share_is_told(folder, tmp_path):
  _fill(folder, [[0, 1, 2, 255]], [[0, 1, 2, 255, 255, 255]])
  assert _warnings(folder, tmp_path) == (
    '50.0 % of the pixels of the split val are ignored; is the value that most '
    'of them have a class?',
  )


def test_labels_of_one_value_each_are_told(folder, tmp_path):
  _fill(folder, [[0, 0], [1, 1], [2, 2]], [[0, 1, 2]])
  assert _warnings(folder, tmp_path) == (
    'Each label of the split train has one value all over: are these classes '
    'of pictures, not of pixels?',
  )


def test_a_picture_of_train_in_val_is_found_by_its_pixels(folder, tmp_path):
  _fill(folder, [[0, 1, 2]] * 3)
  with Image.open(folder.image('train', 'train_1.jpg')) as picture:
    picture.save(folder.image('val', 'other.png'), compress_level=1)
    picture.save(folder.image('train', 'train_1.png'), compress_level=9)
  folder.image('train', 'train_1.jpg').unlink()
  folder.label('val', 'other.png').write_bytes(
    folder.label('val', 'val_0.png').read_bytes()
  )
  (warning,) = _warnings(folder, tmp_path)
  assert warning.startswith(
    '1 of the 4 pictures of the split val is in train as well: '
    'other.png is train_1.png there.'
  )
  for kind, suffix in ((folder.image, 'png'), (folder.label, 'png')):
    copy = kind('val', f'one_more.{suffix}')
    copy.write_bytes(kind('val', f'other.{suffix}').read_bytes())
  (warning,) = _warnings(folder, tmp_path)
  assert warning.startswith('2 of the 5 pictures of the split val are in tr')


def test_a_conversion_that_goes_on_says_the_same(folder, tmp_path):
  """What is known of finished shards comes from their receipts."""
  _fill(folder, [[0, 0], [1, 1], [2, 2]], [[0, 1, 2]] * 2)
  folder.image('val', 'copy.jpg').write_bytes(
    folder.image('train', 'train_0.jpg').read_bytes()
  )
  with pytest.raises(ValueError, match='has no label'):
    folder.source()
  label = folder.label('val', 'copy.png')
  Image.fromarray(np.zeros((9, 9), np.uint8)).save(label)
  with pytest.raises(ValueError, match='its label'):
    folder.convert(tmp_path / 'data', num_shards=3)
  Image.fromarray(np.zeros((4, 2), np.uint8)).save(label)
  warnings = _warnings(folder, tmp_path)
  assert [w.split()[0] for w in warnings] == ['Each', '1']


def test_warnings_are_kept_and_shown(folder, tmp_path):
  _fill(folder, [[0, 1]], [[0, 1, 2]])
  (warning,) = _warnings(folder, tmp_path)
  assert tfrecord.load_info(tmp_path / 'data').warnings == (warning,)
  assert f'Warnings:\n  {warning}' in inspection.describe(tmp_path / 'data')
