# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the check of a data set: each fault is found, and named."""

import io
import json
import re
import shutil

import numpy as np
from PIL import Image
import pytest
import tensorflow as tf

from auto_deeplab.data.records import inspection, tfrecord
from auto_deeplab.data.sources import pictures

SHARD = 'train-00001-of-00003.tfrecord'


@pytest.fixture
def data_dir(converted, tmp_path):
  """A copy of a data set of 13 and 3 examples, to be changed."""
  return shutil.copytree(converted, tmp_path / 'copy')


def _records(path):
  return [record.numpy() for record in tf.data.TFRecordDataset(str(path))]


def _rewrite(data_dir, records):
  """Writes other records into the shard, and their checksum to dataset.json."""
  path = data_dir / SHARD
  with tfrecord.record_writer(path) as writer:
    for record in records:
      writer.write(record)
  document = json.loads((data_dir / 'dataset.json').read_text())
  entry = document['splits']['train']['shards'][1]
  entry['num_bytes'] = path.stat().st_size
  entry['sha256'] = tfrecord.sha256(path)
  (data_dir / 'dataset.json').write_text(json.dumps(document))


def _change(data_dir, change):
  """Changes the features of the example 2 of the shard."""
  records = _records(data_dir / SHARD)
  example = tf.train.Example.FromString(records[2])
  change(example.features.feature)
  _rewrite(data_dir, [*records[:2], example.SerializeToString(), *records[3:]])


@pytest.mark.parametrize('num_workers', [1, 2])
def test_a_sound_data_set_has_no_faults(converted, num_workers):
  seen: list[tuple[int, int]] = []
  faults = inspection.find_faults(
    converted,
    num_workers=num_workers,
    on_progress=lambda *counts: seen.append(counts),
  )
  assert list(faults) == []
  assert seen[-1] == (16, 16)


def test_the_pictures_are_those_of_the_files(converted):
  found = inspection.read_pictures(converted, 'train', 20)
  assert sorted(p.index for p in found) == list(range(13))
  folder = converted.with_name('pictures')
  for picture in found:
    file = folder / 'images' / 'train' / picture.name
    expected = pictures.decode_image('', file.read_bytes())
    np.testing.assert_array_equal(picture.image, expected)
    label = folder / 'labels' / 'train' / f'{file.stem}.png'
    np.testing.assert_array_equal(picture.label, np.asarray(Image.open(label)))
  assert len(inspection.read_pictures(converted, 'val', 2)) == 2


def test_a_shard_that_is_gone_is_named(converted, tmp_path):
  folder = shutil.copytree(converted, tmp_path / 'data')
  shard = next(folder.glob('train-*'))
  shard.unlink()
  with pytest.raises(FileNotFoundError, match=f'{shard} is missing, though'):
    inspection.read_pictures(folder, 'train', 20)


def _png(values):
  label, _ = pictures.read_label(
    lambda: values, {value: value for value in range(256)}
  )
  return label.data


def _set(feature, key, value):
  values = feature[key].bytes_list.value or feature[key].int64_list.value
  values[0] = value


def _palette(feature):
  key = 'image/segmentation/class/encoded'
  values = pictures.decode_label('', feature[key].bytes_list.value[0])
  image = Image.fromarray(values, 'P')
  image.putpalette(range(30))
  file = io.BytesIO()
  image.save(file, 'PNG')
  _set(feature, key, file.getvalue())


def _relabel(feature, values):
  _set(feature, 'image/segmentation/class/encoded', _png(values))


def _size(feature):
  return tuple(
    feature[f'image/{side}'].int64_list.value[0] for side in ('height', 'width')
  )


def _spoil(feature):
  values = np.zeros(_size(feature), np.uint8)
  values[1, 3:5] = 3
  _relabel(feature, values)


@pytest.mark.parametrize(
  'change, message',
  [
    (lambda f: f.pop('image/height'), 'is no example of this format: .*height'),
    (
      lambda f: _set(f, 'image/height', 7),
      r'sizes differ: stored are \(7, \d+\), the image has ',
    ),
    (
      lambda f: _relabel(f, np.zeros((5, 6), np.uint8)),
      r'sizes differ: .* the label \(5, 6\)',
    ),
    (_spoil, r'its label has the value 3 in 2 pixels; the classes are 0\.\.2'),
    (_palette, 'its label is no 8-bit greyscale PNG'),
    (
      lambda f: _set(f, 'image/encoded', b'JPEG'),
      'its image cannot be decoded',
    ),
  ],
)
def test_a_bad_example_is_named(data_dir, change, message):
  _change(data_dir, change)
  (fault,) = inspection.find_faults(data_dir)
  assert re.search(rf'{SHARD}, example 2: {message}', fault), fault
  assert list(inspection.find_faults(data_dir, ['val'])) == []


def test_a_flipped_bit_names_shard_and_example(data_dir):
  data = bytearray((data_dir / SHARD).read_bytes())
  data[len(data) // 2] ^= 1
  (data_dir / SHARD).write_bytes(data)
  checksum, example = inspection.find_faults(data_dir)
  assert f'{SHARD} is damaged: dataset.json has another checksum' in checksum
  assert re.search(rf'{SHARD}, example [12]: neither it nor those', example)


def test_a_missing_and_a_shortened_shard_are_named(data_dir):
  (data_dir / 'val-00000-of-00003.tfrecord').unlink()
  _rewrite(data_dir, _records(data_dir / SHARD)[:-1])
  shortened, missing = inspection.find_faults(data_dir)
  assert f'{SHARD} has 3 examples, dataset.json says 4;' in shortened
  assert 'val-00000-of-00003.tfrecord is missing' in missing


def test_an_example_in_the_place_of_another_is_found(data_dir):
  records = _records(data_dir / SHARD)
  _rewrite(data_dir, [records[0], records[0], *records[2:]])
  faults = list(inspection.find_faults(data_dir))
  assert any('are not 0..12, each once' in fault for fault in faults)
  assert any('says `class_pixel_shares` is' in fault for fault in faults)


def test_no_such_split_is_named(converted):
  with pytest.raises(ValueError, match=r'`split` \(test\) is not one of train'):
    list(inspection.find_faults(converted, ['test']))


def test_the_description_tells_all_of_dataset_json(folder, tmp_path):
  folder.add('train', 'a', (10, 40))
  folder.add('train', 'b', (20, 30))
  folder.image('train', 'bad.jpg').write_bytes(b'')
  folder.label('train', 'bad.png').write_bytes(b'')
  info = folder.convert(tmp_path / 'data', num_shards=1, skip_invalid=True)
  lines = inspection.describe(tmp_path / 'data').splitlines()
  cells = [line.split() for line in lines]
  (shard,) = info.split('train').shards
  assert lines[0] == 'folder: 3 classes, ignore label 255.'
  assert cells[3][:3] == ['train', '2', '1']
  assert cells[3][4:] == ['10..20', '30..40']
  shares = info.split('train').class_pixel_shares
  assert ['road', '1', f'{100 * shares[1]:.2f}'] in cells
  assert ['(ignored)', '255', '0.00'] in cells
  assert [shard.name, '2', str(shard.num_bytes), shard.sha256] in cells
  assert lines[-2] == '1 pictures were left out:'
  assert lines[-1].endswith('bad.jpg is empty.')
