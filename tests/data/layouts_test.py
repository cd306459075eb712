# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the names of layouts."""

import pytest

from auto_deeplab.data import layouts


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
    ('folder', r'classes\.json does not exist'),
    ('voc', r'The folder .*VOCdevkit/VOC2012 is missing'),
    ('voc_aug', r'The folder .*VOCdevkit/VOC2012 is missing'),
  ],
)
def test_a_folder_without_the_layout_is_named(tmp_path, dataset, message):
  with pytest.raises(FileNotFoundError, match=message) as error:
    layouts.open_source(dataset, tmp_path)
  assert str(tmp_path) in str(error.value)
