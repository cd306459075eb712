# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A data set that is added as docs/extending.md says."""

import re
import types

import numpy as np
from PIL import Image
import pytest
import tensorflow as tf

from auto_deeplab.data.records import conversion, tfrecord
from auto_deeplab.data.sources import layouts
from tests import pages


@pytest.fixture
def page():
  return pages.section(pages.read('docs/extending.md'), 'Add a data set')


@pytest.fixture(autouse=True)
def added(page, monkeypatch):
  """The page's file, and its line of the table."""
  file, table = pages.blocks(page, 'python')
  weeds = types.ModuleType('weeds')
  exec(file, vars(weeds))
  names = {'weeds': weeds}
  exec(table, names)
  monkeypatch.setattr(
    layouts, 'SOURCES', {**layouts.SOURCES, **names['SOURCES']}
  )


@pytest.fixture
def folder(page, tmp_path):
  """The files that the page lists; masks have four columns of a value each."""
  (listing,) = pages.blocks(page, '')
  names = listing.split()
  assert len(names) == 4
  for name in names:
    path = tmp_path / 'weeds' / name
    path.parent.mkdir(parents=True)
    mask = np.tile(np.array([0, 100, 200, 255], np.uint8), [4, 1])
    Image.fromarray(mask).convert('RGB' if 'rgb' in name else 'L').save(path)
  return tmp_path / 'weeds'


def test_its_values_become_classes(folder, tmp_path):
  source = layouts.open_source('weeds', folder)
  info = conversion.write_dataset(source, tmp_path / 'data', num_shards=1)
  assert info.class_names == ('soil', 'crop', 'weed')
  assert {name: s.num_examples for name, s in info.splits.items()} == {
    'train': 1,
    'val': 1,
  }
  shard = tfrecord.shard_path(tmp_path / 'data', info.split('train').shards[0])
  example = tfrecord.parse_example(next(iter(tf.data.TFRecordDataset(shard))))
  assert example['filename'].numpy() == b'row_1/0001.jpg'
  label = tf.io.decode_png(example['label'])[..., 0].numpy()
  assert label.tolist() == [[0, 1, 2, 255]] * 4


def test_a_picture_without_a_mask_is_refused(folder):
  (folder / 'masks/val/row_7/0001_mask.png').unlink()
  with pytest.raises(ValueError, match=r'rgb/val/row_7/0001\.jpg has no label'):
    layouts.open_source('weeds', folder)


def test_another_value_is_refused(folder, tmp_path):
  path = folder / 'masks/train/row_1/0001_mask.png'
  Image.fromarray(np.full([4, 4], 7, np.uint8)).save(path)
  with pytest.raises(ValueError, match='has the label value 7'):
    conversion.write_dataset(
      layouts.open_source('weeds', folder), tmp_path / 'data'
    )


def test_the_help_explains_what_there_is(repository, monkeypatch):
  monkeypatch.undo()
  text = (repository / 'auto_deeplab/cli/verbs/build_tfrecords.py').read_text(
    encoding='utf-8'
  )
  explained = re.findall(r'^(\w+) {2,}\S', text, re.MULTILINE)
  assert sorted(explained) == sorted(layouts.SOURCES)
