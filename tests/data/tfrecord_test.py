# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the shards and of dataset.json, whole and damaged."""

import dataclasses
import json
import re
import shutil

import numpy as np
from PIL import Image
import pytest
import tensorflow as tf

from auto_deeplab.data import layouts, pictures, tfrecord


def _examples(data_dir, split):
  info = tfrecord.load_info(data_dir).split(split)
  paths = [tfrecord.shard_path(data_dir, shard) for shard in info.shards]
  records = tf.data.TFRecordDataset(paths)
  return [
    {key: value.numpy() for key, value in tfrecord.parse_example(r).items()}
    for r in records
  ]


def _contents(path):
  return {p.name: p.read_bytes() for p in path.iterdir() if p.is_file()}


# Writing ---------------------------------------------------------------------


def test_an_example_is_parsed_as_it_was_written():
  image = pictures.EncodedPicture(b'image', 'jpeg', (3, 5))
  label = pictures.EncodedPicture(b'label', 'png', (3, 5))
  serialized = tfrecord.encode_example(7, 'a/b.jpg', image, label)
  parsed = tfrecord.parse_example(serialized)
  assert parsed['image'].numpy() == b'image'
  assert parsed['label'].numpy() == b'label'
  assert parsed['filename'].numpy() == b'a/b.jpg'
  assert parsed['size'].numpy().tolist() == [3, 5]
  assert parsed['index'].numpy() == 7
  assert tfrecord.parse_index(serialized).numpy() == 7


def test_an_example_has_the_keys_of_deeplab():
  picture = pictures.EncodedPicture(b'x', 'png', (3, 5))
  serialized = tfrecord.encode_example(7, 'a.png', picture, picture)
  feature = tf.train.Example.FromString(serialized).features.feature
  assert sorted(feature) == [
    'image/channels',
    'image/encoded',
    'image/filename',
    'image/format',
    'image/height',
    'image/index',
    'image/segmentation/class/encoded',
    'image/segmentation/class/format',
    'image/width',
  ]
  assert feature['image/channels'].int64_list.value == [3]


def test_every_pair_is_written_once_with_its_bytes(folder, tmp_path):
  folder.fill(num_train=7)
  info = folder.convert(tmp_path / 'data', num_shards=3)
  assert [s.name for s in info.split('train').shards] == [
    f'train-0000{i}-of-00003.tfrecord' for i in range(3)
  ]
  assert [s.num_examples for s in info.split('train').shards] == [3, 2, 2]
  examples = _examples(tmp_path / 'data', 'train')
  assert sorted(e['index'] for e in examples) == list(range(7))
  for example in examples:
    name = f'train_{example["index"]}'
    assert example['filename'].decode() == f'{name}.jpg'
    image = folder.image('train', f'{name}.jpg').read_bytes()
    label = folder.label('train', f'{name}.png').read_bytes()
    assert example['image'] == image
    assert example['label'] == label


def test_dataset_json_tells_what_is_there(folder, tmp_path):
  folder.add('train', 'a', (10, 40))
  folder.add('train', 'b', (20, 30))
  label = np.full((20, 30), 255, np.uint8)
  label[:, :3] = 2
  Image.fromarray(label).save(folder.label('train', 'b.png'))
  written = folder.convert(tmp_path / 'data')
  assert tfrecord.load_info(tmp_path / 'data') == written
  split = written.split('train')
  assert (split.min_size, split.max_size) == ((10, 30), (20, 40))
  # Of 1000 pixels: a has 140, 130, 130 of the classes, b has 60 of class 2.
  assert split.class_pixel_shares == (0.14, 0.13, 0.19)
  assert split.ignored_pixel_share == 0.54
  assert written.class_names == ('sky', 'road', 'car')
  document = json.loads((tmp_path / 'data/dataset.json').read_text())
  assert document['format'] == 'auto_deeplab.dataset'
  assert document['version'] == 1
  tfrecord.verify(tmp_path / 'data')


def test_the_bytes_depend_on_pictures_shards_and_seed_alone(folder, tmp_path):
  folder.fill(num_train=9)
  for name, seed in (('a', 0), ('b', 0), ('c', 1)):
    folder.convert(tmp_path / name, num_shards=2, seed=seed)
  assert _contents(tmp_path / 'a') == _contents(tmp_path / 'b')
  assert _contents(tmp_path / 'a') != _contents(tmp_path / 'c')


def test_a_split_has_no_more_shards_than_pictures(folder, tmp_path):
  info = folder.fill(num_train=5, num_val=2).convert(tmp_path, num_shards=4)
  assert len(info.split('train').shards) == 4
  assert len(info.split('val').shards) == 2
  with pytest.raises(
    ValueError, match=r'`num_shards` \(0\) must be at least 1'
  ):
    folder.convert(tmp_path, num_shards=0)


def test_progress_is_told_for_each_example(folder, tmp_path):
  seen = []
  folder.fill(num_train=2, num_val=1).convert(
    tmp_path, on_example=lambda *args: seen.append(args)
  )
  assert seen == [('train', 1, 2), ('train', 2, 2), ('val', 1, 1)]


def test_camvid_is_copied_and_its_void_ignored(camvid_dir, tmp_path):
  source = layouts.open_source('camvid', camvid_dir)
  pairs = source.splits['val'][:12]
  source = dataclasses.replace(source, splits={'val': pairs})
  info = tfrecord.write_dataset(source, tmp_path, num_shards=2)
  assert info.num_classes == 11
  split = info.split('val')
  assert (split.min_size, split.max_size) == ((360, 480), (360, 480))
  for example in _examples(tmp_path, 'val'):
    pair = pairs[example['index']]
    assert example['image'] == pair.image.read_bytes()
    raw = np.asarray(Image.open(pair.label))
    expected = np.where(raw == 11, 255, raw)
    label = tf.io.decode_png(example['label'], 1).numpy()[:, :, 0]
    np.testing.assert_array_equal(label, expected)


# Failing ---------------------------------------------------------------------


def _break_last_picture(folder):
  folder.image('val', 'val_1.jpg').write_bytes(b'')


def test_a_failure_leaves_nothing(folder, tmp_path):
  folder.fill()
  _break_last_picture(folder)
  with pytest.raises(ValueError, match=r'val_1\.jpg is empty'):
    folder.convert(tmp_path / 'data')
  assert not (tmp_path / 'data').exists()


def test_a_failure_leaves_the_old_data_set_as_it_was(folder, tmp_path):
  folder.fill()
  folder.convert(tmp_path / 'data')
  old = _contents(tmp_path / 'data')
  _break_last_picture(folder)
  folder.add('train', 'one_more')
  with pytest.raises(ValueError, match=r'val_1\.jpg is empty'):
    folder.convert(tmp_path / 'data')
  assert _contents(tmp_path / 'data') == old
  tfrecord.verify(tmp_path / 'data')


def test_a_second_conversion_replaces_the_first_and_nothing_else(
  folder, tmp_path
):
  folder.fill()
  folder.convert(tmp_path / 'data', num_shards=5)
  (tmp_path / 'data' / 'notes.txt').write_text('mine')
  # What a killed run leaves.
  (tmp_path / 'data' / '.incomplete').mkdir()
  (tmp_path / 'data' / '.incomplete' / 'x').write_text('x')
  folder.convert(tmp_path / 'data', num_shards=1)
  assert sorted(p.name for p in (tmp_path / 'data').iterdir()) == [
    'dataset.json',
    'notes.txt',
    'train-00000-of-00001.tfrecord',
    'val-00000-of-00001.tfrecord',
  ]
  tfrecord.verify(tmp_path / 'data')


def test_an_image_and_a_label_of_unlike_size_are_named(folder, tmp_path):
  folder.fill()
  label = np.zeros((32, 24), np.uint8)
  Image.fromarray(label).save(folder.label('val', 'val_0.png'))
  with pytest.raises(
    ValueError,
    match=r'val_0\.jpg has 32x24 pixels, its label .*val_0\.png has 24x32',
  ):
    folder.convert(tmp_path / 'data')


def test_a_label_value_outside_the_classes_is_named(folder, tmp_path):
  folder.fill()
  label = np.full((24, 32), 3, np.uint8)
  Image.fromarray(label).save(folder.label('train', 'train_2.png'))
  with pytest.raises(
    ValueError, match=r'train_2\.png has the label value 3 in 768 pixels'
  ):
    folder.convert(tmp_path / 'data')


def test_a_picture_that_vanished_is_named(folder, tmp_path):
  source = folder.fill().source()
  folder.image('train', 'train_1.jpg').unlink()
  with pytest.raises(FileNotFoundError, match=r'train_1\.jpg does not exist'):
    tfrecord.write_dataset(source, tmp_path / 'data')


def test_a_shard_that_cannot_be_written_is_an_error_of_files(tmp_path):
  with (
    pytest.raises(OSError, match=r'no/x\.tfrecord cannot be written'),
    tfrecord._record_writer(tmp_path / 'no' / 'x.tfrecord') as writer,
  ):
    writer.write(b'x')


def test_no_data_set_is_named(tmp_path):
  with pytest.raises(FileNotFoundError, match=r'dataset\.json does not exist'):
    tfrecord.load_info(tmp_path)


@pytest.mark.parametrize(
  'change, message',
  [
    (lambda d: d.update(version=2), '"version" (2) must be 1'),
    (
      lambda d: d.update(format='x'),
      'not a file of the format auto_deeplab.da',
    ),
    (lambda d: d.pop('classes'), "the key 'classes' is missing"),
    (lambda d: d.update(splits=[]), 'a value is of the wrong type'),
    (lambda d: d['splits']['val'].pop('shards'), "the key 'shards' is missing"),
    (
      lambda d: d['splits']['val']['shards'][0].update(x=1),
      'a value is of the wrong type',
    ),
    (lambda d: d['classes'].pop(), 'The number of classes (1) must be in 2..'),
  ],
)
def test_a_bad_dataset_json_is_refused_by_name(
  folder, tmp_path, change, message
):
  folder.fill()
  folder.write_classes({'classes': ['a', 'b'], 'ignore_label': 2})
  folder.convert(tmp_path / 'data')
  path = tmp_path / 'data' / 'dataset.json'
  document = json.loads(path.read_text())
  change(document)
  path.write_text(json.dumps(document))
  with pytest.raises(ValueError, match=re.escape(message)) as error:
    tfrecord.load_info(tmp_path / 'data')
  assert str(path) in str(error.value)


def test_a_dataset_json_that_is_not_json_is_refused(tmp_path):
  for text in (b'{"format"', b'\xff', b'[]'):
    (tmp_path / 'dataset.json').write_bytes(text)
    with pytest.raises(ValueError, match=r'dataset\.json: '):
      tfrecord.load_info(tmp_path)


@pytest.fixture
def damaged(converted, tmp_path):
  """A copy of a data set and the second of its shards, to be damaged."""
  data_dir = tmp_path / 'copy'
  shutil.copytree(converted, data_dir)
  return data_dir, data_dir / 'train-00001-of-00003.tfrecord'


def test_a_missing_shard_is_named(damaged):
  data_dir, shard = damaged
  shard.unlink()
  tfrecord.verify(data_dir, 'val')
  with pytest.raises(
    FileNotFoundError, match=r'train-00001.* is missing, thou'
  ):
    tfrecord.verify(data_dir)


def test_a_truncated_shard_is_named(damaged):
  data_dir, shard = damaged
  shard.write_bytes(shard.read_bytes()[:-1])
  with pytest.raises(ValueError, match=r'train-00001.* is damaged: it has'):
    tfrecord.verify(data_dir, 'train', with_checksums=False)


def _flip_a_bit(path):
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 1
  path.write_bytes(data)


def test_a_flipped_bit_is_found_by_its_checksum(damaged):
  data_dir, shard = damaged
  tfrecord.verify(data_dir)
  _flip_a_bit(shard)
  tfrecord.verify(data_dir, with_checksums=False)
  with pytest.raises(ValueError, match=r'train-00001.* has another checksum'):
    tfrecord.verify(data_dir)


def test_damage_while_reading_names_the_shard(damaged):
  data_dir, shard = damaged
  _flip_a_bit(shard)
  with (
    pytest.raises(ValueError, match=r'train-00001.* has another checksum'),
    tfrecord.naming_damaged_shards(data_dir),
  ):
    list(tf.data.TFRecordDataset(str(shard)))


def test_damage_that_is_gone_is_told_all_the_same(converted):
  with (
    pytest.raises(ValueError, match='has a damaged record: corrupted'),
    tfrecord.naming_damaged_shards(converted),
  ):
    raise tf.errors.DataLossError(None, None, 'corrupted record at 12')
