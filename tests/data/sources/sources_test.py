# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of sources: their checks, and what becomes of all kinds of labels."""

import dataclasses
import pathlib
import pickle

import numpy as np
from PIL import Image
import pytest
import tensorflow as tf

from auto_deeplab.data.records import conversion, tfrecord
from auto_deeplab.data.sources import sources
from auto_deeplab.data.sources.sources import Pair, Source

PALE = (200, 100, 50)


@dataclasses.dataclass(frozen=True)
class Stripes:
  """A label whose left half is of one value and whose right half is 1."""

  value: int
  size: tuple[int, int] = (4, 6)

  def __call__(self) -> np.ndarray:
    label = np.ones(self.size, np.uint8)
    label[:, : self.size[1] // 2] = self.value
    return label

  def __str__(self) -> str:
    return f'stripes of {self.value}'


def _source(path: pathlib.Path, label, **changes) -> Source:
  image = path / 'a.png'
  Image.new('RGB', (6, 4), PALE).save(image)
  return Source(
    name='x',
    class_names=('a', 'b'),
    colors=((0, 0, 0), (1, 1, 1)),
    label_values={7: 0, 1: 1, 9: 255},
    splits={'val': (Pair('a.png', image, label),)},
    **changes,
  )


def _convert(source: Source, data_dir: pathlib.Path):
  """Returns image [h, w, 3] and label [h, w] of the one example, as uint8."""
  conversion.write_dataset(source, data_dir)
  (shard,) = data_dir.glob('*.tfrecord')
  (record,) = tf.data.TFRecordDataset(str(shard))
  example = tfrecord.parse_example(record)
  label = tf.io.decode_png(example['label'], channels=1).numpy()
  assert example['size'].numpy().tolist() == list(label.shape[:2])
  return tf.io.decode_png(example['image']).numpy(), label[:, :, 0].tolist()


def test_a_label_may_be_drawn(tmp_path):
  source = pickle.loads(pickle.dumps(_source(tmp_path, Stripes(7))))
  _, label = _convert(source, tmp_path / 'data')
  assert label == [[0, 0, 0, 1, 1, 1]] * 4


def test_a_drawn_label_is_checked_like_a_file(tmp_path):
  source = _source(tmp_path, Stripes(2))
  with pytest.raises(ValueError, match='stripes of 2 has the label value 2 in'):
    conversion.write_dataset(source, tmp_path / 'data')
  source = _source(tmp_path, Stripes(1, (4, 5)))
  with pytest.raises(ValueError, match='6x4 pixels, its label stripes of 1 h'):
    conversion.write_dataset(source, tmp_path / 'data')


def test_without_a_label_all_pixels_are_ignored(tmp_path):
  _, label = _convert(_source(tmp_path, None), tmp_path / 'data')
  assert label == [[255] * 6] * 4
  split = tfrecord.load_info(tmp_path / 'data').split('val')
  assert (split.class_pixel_shares, split.ignored_pixel_share) == ((0, 0), 1)


def test_a_reduction_averages_pictures_and_samples_labels(tmp_path):
  source = _source(tmp_path, Stripes(9), reduction=2)
  pixels = np.full((4, 6, 3), PALE, np.uint8)
  pixels[0, 0] += 8
  Image.fromarray(pixels).save(tmp_path / 'a.png')
  image, label = _convert(source, tmp_path / 'data')
  # Columns 0, 2, 4, of which 0 and 2 are in the left half.
  assert label == [[255, 255, 1]] * 2
  info = tfrecord.load_info(tmp_path / 'data').split('val')
  assert (info.min_size, info.max_size) == ((2, 3), (2, 3))
  assert info.ignored_pixel_share == pytest.approx(2 / 3, abs=1e-6)
  expected = np.full((2, 3, 3), PALE)
  expected[0, 0] += 2
  assert (image == expected).all()


def test_unlike_sizes_are_named_before_they_are_reduced(tmp_path):
  # Both would be 3x2.
  source = _source(tmp_path, Stripes(1, (4, 5)), reduction=2)
  with pytest.raises(ValueError, match=r'6x4 pixels, its label .* has 5x4'):
    conversion.write_dataset(source, tmp_path / 'data')


def test_splits_can_be_chosen(tmp_path):
  source = _source(tmp_path, None)
  both = dataclasses.replace(
    source, splits={'train': source.splits['val'], **source.splits}
  )
  assert list(both.only(['val']).splits) == ['val']
  with pytest.raises(
    ValueError,
    match=r'`split` \(test\) is not one of train, '
    'val, which are the splits of x that are there',
  ):
    both.only(['test'])


@pytest.mark.parametrize(
  'changes, message',
  [
    ({'splits': {'val': ()}}, 'The split val of x has no pictures'),
    ({'splits': {}}, 'x has no splits'),
    ({'reduction': 0}, r'`reduction` \(0\) must be at least 1'),
    ({'class_names': ('a', 'a')}, "The class name 'a' is given twice"),
  ],
)
def test_a_source_that_cannot_be_used_is_refused(tmp_path, changes, message):
  with pytest.raises(ValueError, match=message):
    dataclasses.replace(_source(tmp_path, None), **changes)


def test_a_tab_parts_names_with_spaces(tmp_path):
  for name in ('an image.png', 'its label.png'):
    (tmp_path / name).touch()
  (tmp_path / 'l.txt').write_text('an image.png\tits label.png\n')
  (pair,) = sources.read_pairs(tmp_path / 'l.txt')
  assert pair == Pair(
    'an image.png', tmp_path / 'an image.png', tmp_path / 'its label.png'
  )
