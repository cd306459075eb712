# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the names of layouts."""

import pathlib

import pytest
import tensorflow as tf

from auto_deeplab.data.records import conversion, tfrecord
from auto_deeplab.data.sources import layouts, pictures


def test_unknown_data_sets_and_folders_are_named(tmp_path):
  with pytest.raises(
    ValueError, match=r'`dataset` \(kitti\) is not one of ade'
  ):
    layouts.open_source('kitti', tmp_path)
  with pytest.raises(FileNotFoundError, match=r'`data_dir` \(/nope\) is not a'):
    layouts.open_source('camvid', '/nope')
  with pytest.raises(ValueError, match='`data_dir` must name the folder of ca'):
    layouts.open_source('camvid', None)


@pytest.mark.parametrize(
  'dataset, message',
  [
    ('ade20k', r'The folder .*ADEChallengeData2016 is missing'),
    (
      'cityscapes',
      r'no split of cityscapes: .*leftImg8bit/train or .*gtFine/tr',
    ),
    (
      'cityscapes_coarse',
      r'no split of cityscapes_coarse: .* or .*gtCoarse/tra',
    ),
    (
      'coco',
      r'no split of COCO: a file annotations/instances_NAME\.json and a',
    ),
    (
      'coco_voc',
      r'no split of COCO: a file annotations/instances_NAME\.json an',
    ),
    ('cvat', r'labelmap\.txt does not exist'),
    ('labelme', r'holds no \.json file of labelme'),
    ('yolo', r'data\.yaml does not exist'),
    ('folder', r'classes\.json does not exist'),
    ('voc', r'The folder .*VOCdevkit/VOC2012 is missing'),
    ('voc_aug', r'The folder .*VOCdevkit/VOC2012 is missing'),
  ],
)
def test_a_folder_without_the_layout_is_named(tmp_path, dataset, message):
  with pytest.raises(FileNotFoundError, match=message) as error:
    layouts.open_source(dataset, tmp_path)
  assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize(
  'dataset, archives, num_pictures',
  [
    ('ade20k', 'ade20k', 1),
    ('cityscapes', 'cityscapes', 1),
    ('coco', 'coco', 2),
    ('coco_voc', 'coco', 1),
    ('voc', 'voc', 1),
  ],
)
def test_true_pictures_are_converted_and_copied(
  shared_dir, tmp_path, dataset, archives, num_pictures
):
  source = layouts.open_source(
    dataset, shared_dir / 'data' / 'samples' / archives
  )
  info = conversion.write_dataset(source, tmp_path)
  ((split, pairs),) = source.splits.items()
  assert (info.name, info.split(split).num_examples) == (dataset, num_pictures)
  examples = _examples(tmp_path, info.split(split))
  for pair in pairs:
    example = examples[pair.name]
    assert example['image'].numpy() == pair.image.read_bytes()
    label = pair.label
    assert label is not None
    read, _ = pictures.read_label(label, source.label_values)
    assert example['label'].numpy() == read.data


def _examples(data_dir: pathlib.Path, split):
  """Returns the parsed examples of a split by their names."""
  shards = [str(data_dir / shard.name) for shard in split.shards]
  parsed = map(tfrecord.parse_example, tf.data.TFRecordDataset(shards))
  return {example['filename'].numpy().decode(): example for example in parsed}
