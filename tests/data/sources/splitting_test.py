# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures that are set aside to evaluate on."""

import dataclasses
import re

import pytest

from auto_deeplab.data.sources import layouts, splitting
from auto_deeplab.data.sources.splitting import ValSplit


def _names(source, split):
  return [pair.name for pair in source.splits[split]]


def _train(folder, names):
  for name in names:
    folder.image('train', f'{name}.jpg').touch()
    folder.label('train', f'{name}.png').touch()


def _open(folder, *args, **kwargs):
  return layouts.open_source(
    'folder', folder.path, val=ValSplit(*args, **kwargs)
  )


def test_a_share_of_train_becomes_val(folder):
  _train(folder, [f'{i:02d}' for i in range(20)])
  source = _open(folder, 0.2)
  train, val = _names(source, 'train'), _names(source, 'val')
  assert (len(train), len(val)) == (16, 4)
  assert sorted(train + val) == [f'{i:02d}.jpg' for i in range(20)]
  assert val == sorted(val)
  assert source.notes == ()
  assert _names(_open(folder, 0.2), 'val') == val
  assert _names(_open(folder, 0.2, seed=1), 'val') != val


def test_more_pictures_move_few_of_the_others(folder):
  _train(folder, [f'{i:02d}' for i in range(40)])
  before = set(_names(_open(folder, 0.25), 'val'))
  _train(folder, ['new'])
  assert len(before - set(_names(_open(folder, 0.25), 'val'))) <= 1


def test_groups_stay_together(folder):
  videos = [f'day_{video}' for video in 'abcdef']
  _train(folder, [f'{v}_{frame}' for v in videos for frame in range(5)])
  source = _open(folder, 0.3, group_separator='_')
  of_train, of_val = (
    {name.rpartition('_')[0] for name in _names(source, split)}
    for split in ('train', 'val')
  )
  assert not of_train & of_val
  assert of_train | of_val == set(videos)
  assert len(source.splits['val']) == 10


def test_a_folder_without_splits_can_be_divided(folder):
  for name in ('a', 'b', 'street/c'):
    for path in (
      folder.image('', f'{name}.jpg'),
      folder.label('', f'{name}.png'),
    ):
      path.parent.mkdir(parents=True, exist_ok=True)
      path.touch()
  source = _open(folder, 0.34)
  assert len(source.splits['val']) == 1
  names = _names(source, 'train') + _names(source, 'val')
  assert sorted(names) == ['a.jpg', 'b.jpg', 'street/c.jpg']


def test_other_splits_stay_as_they_are(folder):
  folder.fill()
  (folder.path / 'images' / 'val').rename(folder.path / 'images' / 'test')
  (folder.path / 'labels' / 'val').rename(folder.path / 'labels' / 'test')
  source = _open(folder, 0.2)
  assert {k: len(v) for k, v in source.splits.items()} == {
    'train': 4,
    'val': 1,
    'test': 2,
  }


@pytest.mark.parametrize('name', ['valid', 'validation'])
def test_val_may_have_other_names(folder, name):
  folder.fill()
  for kind in ('images', 'labels'):
    (folder.path / kind / 'val').rename(folder.path / kind / name)
  assert set(folder.source().splits) == {'train', 'val'}
  assert folder.source().notes == ()


def test_data_without_val_are_told_so_unless_splits_were_chosen(folder):
  folder.fill()
  for kind in ('images', 'labels'):
    (folder.path / kind / 'val').rename(folder.path / kind / 'test')
  (note,) = folder.source().notes
  assert note.startswith('There is no split val, on which a training is eval')
  chosen = layouts.open_source('folder', folder.path, splits=['train'])
  assert chosen.notes == ()


def test_the_note_is_a_warning_of_the_conversion(folder, tmp_path):
  folder.fill()
  for kind in ('images', 'labels'):
    (folder.path / kind / 'val').rename(folder.path / kind / 'test')
  (note,) = folder.source().notes
  assert folder.convert(tmp_path / 'data').warnings[0] == note


def test_what_cannot_be_divided_is_refused(folder):
  folder.fill()
  with pytest.raises(
    ValueError,
    match=re.escape('`val_fraction` (0.2) is for data without a split val'),
  ):
    _open(folder, 0.2)
  source = layouts.open_source('folder', folder.path)
  others = dataclasses.replace(
    source, splits={'a': source.splits['val'], 'b': source.splits['val']}
  )
  with pytest.raises(ValueError, match='divides the split train; folder has a'):
    splitting.set_aside(others, ValSplit(0.5))
  one = dataclasses.replace(
    source, splits={'train': source.splits['train'][:1]}
  )
  with pytest.raises(
    ValueError, match=r"needs two groups .* all 1 are of the group 'train_0.jpg"
  ):
    splitting.set_aside(one, ValSplit(0.5))


@pytest.mark.parametrize('fraction', [0, 1, -0.2, float('nan')])
def test_a_fraction_out_of_range_is_refused(fraction):
  with pytest.raises(
    ValueError, match=r'`val_fraction` .* must be above 0 and'
  ):
    ValSplit(fraction)
