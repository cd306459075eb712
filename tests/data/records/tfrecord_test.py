# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the records and of dataset.json, whole and damaged."""

import json
import re
import shutil

import pytest
import tensorflow as tf

from auto_deeplab.data.records import info_file, tfrecord
from auto_deeplab.data.sources import pictures


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


def test_a_shard_that_cannot_be_written_is_an_error_of_files(tmp_path):
  with (
    pytest.raises(OSError, match=r'no/x\.tfrecord cannot be written'),
    tfrecord.record_writer(tmp_path / 'no' / 'x.tfrecord') as writer,
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
    (
      lambda d: d['classes'].reverse(),
      '"classes" (b, a) are not those of the conversion, or in another order',
    ),
    (
      lambda d: (d['classes'].pop(), d.pop('class_digest')),
      '"class_pixel_shares" and "ignored_pixel_share" must be a share a class',
    ),
    (lambda d: d['classes'][0].update(name=3), '"name" (3) must be a text'),
    (lambda d: d['classes'][0].update(color=3), 'a value is of the wrong type'),
    (lambda d: d['classes'][0].update(color=[1, 2]), 'not enough values to'),
    (lambda d: d.update(ignore_label=0), '"ignore_label" (0) must be 255'),
    (
      lambda d: d['classes'][0].update(value=0),
      '2 classes have the values [0]; each must have one of its own',
    ),
    *(
      (
        lambda d, name=name: d['splits']['val']['shards'][0].update(name=name),
        f'split val: the shard {name!r} must lie in the folder itself',
      )
      for name in ('../x.tfrecord', '/x.tfrecord', 'a\\x', '..')
    ),
    (
      lambda d: d['splits']['val']['shards'].append(
        d['splits']['train']['shards'][0]
      ),
      'split val: "num_examples" (2) must be 3, the sum of its shards',
    ),
    (
      lambda d: d['splits'].update(val=d['splits']['train']),
      'the shard train-00000-of-00005.tfrecord is named twice',
    ),
    (
      lambda d: d['splits']['val'].update(num_examples=2.0),
      'split val: "num_examples" (2.0) must be a whole number above 0',
    ),
    (
      lambda d: d['splits']['val'].update(num_examples=9),
      'split val: "num_examples" (9) must be 2, the sum of its shards',
    ),
    (
      lambda d: d['splits']['val']['shards'][0].update(num_bytes='1'),
      """"num_bytes" ('1') must be a whole number above 0""",
    ),
    (
      lambda d: d['splits']['val']['shards'][0].update(sha256='1'),
      '"sha256" (1) of val-00000-of-00002.tfrecord is no SHA-256',
    ),
    (
      lambda d: d['splits']['val'].update(min_size=[0, 3]),
      'split val: "min_size" ([0, 3]) must be [height, width] in pixels',
    ),
    (
      lambda d: d['splits']['val'].update(min_size=[99, 3]),
      'split val: "min_size" ((99, 3)) is larger than "max_size"',
    ),
    (
      lambda d: d['splits']['val'].update(class_pixel_shares=[0.5, 0.9]),
      'split val: "class_pixel_shares" and "ignored_pixel_share" must be',
    ),
    (
      lambda d: d['splits']['val'].update(ignored_pixel_share='x'),
      'a value is of the wrong type',
    ),
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


def test_counts_that_agree_with_each_other_but_not_with_the_shards(damaged):
  data_dir, shard = damaged
  path = data_dir / 'dataset.json'
  document = json.loads(path.read_text())
  split = document['splits']['train']
  split['num_examples'] += 1
  split['shards'][1]['num_examples'] += 1
  path.write_text(json.dumps(document))
  message = f'{shard} has 4 examples, dataset.json says 5; convert the data set'
  with pytest.raises(ValueError, match=re.escape(message)):
    tfrecord.verify(data_dir)


def test_a_dataset_json_of_before_has_no_digest(converted):
  document = json.loads((converted / 'dataset.json').read_text())
  del document['class_digest']
  info = info_file.from_text(json.dumps(document))
  assert info.class_digest == ''
  # The copy in a run's folder, by which it is known again, stays as it was.
  assert json.loads(info_file.to_text(info)) == document


def test_a_dataset_json_that_is_not_json_is_refused(tmp_path):
  for text in (b'{"format"', b'\xff', b'[]', b'[' * 100_000):
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
