# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Masks of CVAT are classes by the colours of their list of labels."""

import shutil

import numpy as np
from PIL import Image
import pytest

from auto_deeplab.data.sources import layouts
from tests.data import scene


@pytest.fixture
def cvat_dir(tmp_path):
  scene.write_cvat(tmp_path)
  return tmp_path


def test_cvat_brings_its_colours(cvat_dir):
  source = layouts.open_source('cvat', cvat_dir)
  assert source.colors == tuple(scene.COLORS.values())
  assert source.own_values == ()


@pytest.mark.parametrize('mode', ['P', 'L'])
def test_masks_of_cvat_may_have_one_channel(cvat_dir, mode):
  path = cvat_dir / 'SegmentationClass/a.png'
  names = list(scene.COLORS)
  order = [2, 0, 1] if mode == 'P' else [0, 1, 2]  # Its palette decides.
  values = np.zeros([scene.HEIGHT, scene.WIDTH], np.uint8)
  for index, name in enumerate(names):
    values[scene.label() == name] = order[index]
  mask = Image.fromarray(values)
  if mode == 'P':
    palette = np.zeros([3, 3], np.uint8)
    palette[order] = list(scene.COLORS.values())
    mask.putpalette(palette.tobytes())
  mask.save(path)
  np.testing.assert_array_equal(
    scene.only_label(cvat_dir, 'cvat'), scene.label()
  )


def test_each_list_of_cvat_is_a_split(cvat_dir):
  shutil.copy(cvat_dir / 'JPEGImages/a.jpg', cvat_dir / 'JPEGImages/b c.jpg')
  lists = cvat_dir / 'ImageSets/Segmentation'
  (lists / 'Validation.txt').write_text('"b c"\n')
  source = layouts.open_source('cvat', cvat_dir)
  assert set(source.splits) == {'train', 'val'}
  (pair,) = source.splits['val']
  assert pair.name == 'b c.jpg'
  assert (scene.named_label(source, pair) == 'background').all()
  assert source.notes == (
    'Pictures of the split validation without a label file: 1; all of them is '
    'background.',
  )
  shutil.rmtree(cvat_dir / 'ImageSets')
  assert len(layouts.open_source('cvat', cvat_dir).splits['train']) == 2


@pytest.mark.parametrize(
  ('file', 'text', 'message'),
  [
    ('labelmap.txt', 'a:1,2::\n', "line 1: expected 'label:red,green,blue::'"),
    ('labelmap.txt', '#\na:1,2,256::', "line 2: expected 'label:red"),
    ('labelmap.txt', ':1,2,3::\n', "line 1: expected 'label:red"),
    ('labelmap.txt', 'a\n', "line 1: expected 'label:red"),
    ('labelmap.txt', 'a:1,2,3:::x\n', "line 1: expected 'label:red"),
    ('labelmap.txt', 'a:0,0,0::\nb:0,0,0::', 'a and b have the same colour'),
    ('labelmap.txt', 'a:0,0,0::\na:0,0,1::', "'a' is given twice"),
    ('labelmap.txt', '', r'number of classes \(0\) must be in 2..255'),
    (
      'ImageSets/Segmentation/default.txt',
      '../../x\n',
      "line 1: JPEGImages holds no picture '../../x'",
    ),
    ('ImageSets/Segmentation/default.txt', 'a\n\na', 'line 3: a is listed twi'),
    ('ImageSets/Segmentation/default.txt', '', 'default.txt lists no pictures'),
    (
      'ImageSets/Segmentation/Train.txt',
      'a',
      'a second list of the split trai',
    ),
  ],
)
def test_a_wrong_file_of_cvat_is_named(cvat_dir, file, text, message):
  path = cvat_dir / file
  path.write_text(text)
  with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
    layouts.open_source('cvat', cvat_dir)
  assert 'labelmap.txt' in str(error.value) or '.txt' in str(error.value)


def test_a_mask_in_other_colours_is_named(cvat_dir):
  path = cvat_dir / 'SegmentationClass/a.png'
  Image.new('RGB', (scene.WIDTH, scene.HEIGHT), (1, 2, 3)).save(path)
  with pytest.raises(ValueError, match=r'a\.png has the colour \(1, 2, 3\) in'):
    scene.only_label(cvat_dir, 'cvat')


def test_what_is_missing_of_cvat_is_named(cvat_dir):
  (cvat_dir / 'SegmentationClass/a.png').unlink()
  (cvat_dir / 'labelmap.txt').write_text('car:1,2,3::\ntree:4,5,6::')
  with pytest.raises(FileNotFoundError, match=r'a\.jpg has no mask'):
    layouts.open_source('cvat', cvat_dir)
  (cvat_dir / 'JPEGImages/a.jpg').unlink()
  (cvat_dir / 'ImageSets/Segmentation/default.txt').unlink()
  with pytest.raises(ValueError, match='JPEGImages holds no pictures'):
    layouts.open_source('cvat', cvat_dir)
  shutil.rmtree(cvat_dir / 'JPEGImages')
  with pytest.raises(
    FileNotFoundError, match='JPEGImages is missing; export with'
  ):
    layouts.open_source('cvat', cvat_dir)
