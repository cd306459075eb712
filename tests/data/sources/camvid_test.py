# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of CamVid and of lists of pairs."""

import pytest

from auto_deeplab.data import datasets
from auto_deeplab.data.sources import layouts, sources


def _write_camvid(path, line, split='train'):
  for name in ('i.png', 'l.png'):
    (path / name).write_bytes(b'x')
  for name in ('train', 'val'):
    text = line if name == split else 'i.png l.png\n'
    (path / f'{name}.txt').write_text(text)


def test_camvid_lists_pairs_of_paths(tmp_path):
  _write_camvid(tmp_path, '\n/SegNet/CamVid/i.png /SegNet/CamVid/l.png\n')
  source = layouts.open_source('camvid', tmp_path)
  pair = sources.Pair('i.png', tmp_path / 'i.png', tmp_path / 'l.png')
  assert source.splits == {'train': (pair,), 'val': (pair,)}
  assert len(source.class_names) == 11
  assert source.label_values[11] == datasets.IGNORE_LABEL


@pytest.mark.parametrize(
  'line, message',
  [
    ('i.png', "train.txt, line 1: expected 'image label', found 'i.png'"),
    ('i.png l.png\ni.png l.png', 'train.txt, line 2: i.png is listed twice'),
    ('i.png no.png', 'no.png does not exist'),
    ('\n\n', 'train.txt lists no pictures'),
  ],
)
def test_a_bad_list_is_refused_by_name(tmp_path, line, message):
  _write_camvid(tmp_path, line)
  with pytest.raises((ValueError, FileNotFoundError), match=message):
    layouts.open_source('camvid', tmp_path)


def test_a_missing_list_is_named(tmp_path):
  with pytest.raises(FileNotFoundError, match=r'train\.txt does not exist'):
    layouts.open_source('camvid', tmp_path)


def test_the_whole_of_camvid_is_found(camvid_dir):
  source = layouts.open_source('camvid', camvid_dir)
  counts = {name: len(pairs) for name, pairs in source.splits.items()}
  assert counts == {'train': 367, 'val': 101}
