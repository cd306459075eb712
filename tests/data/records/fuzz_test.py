# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Thousands of damaged inputs: each is refused or read as it was.

What is read is what training would see. A crash of the process, an error that
no caller expects, and another label than the true one are failures. The damage
is drawn from a seed; a failure names the number of its input.
"""

import io

import numpy as np
from PIL import Image
import pytest
import tensorflow as tf

from auto_deeplab.data.datasets import ShardInfo
from auto_deeplab.data.records import tfrecord
from auto_deeplab.data.sources import pictures
from tests.data import mutations

# Labels and records of several kinds share them out.
NUM_LABELS, NUM_RECORDS, NUM_FILES = 10_000, 10_000, 10_000

LABEL = np.random.default_rng(0).integers(0, 4, (6, 7), np.uint8)
IDENTITY = {value: value for value in range(256)}


# Labels ----------------------------------------------------------------------


def _encoded(values, mode, **kwargs):
  image = Image.fromarray(values, mode)
  if mode == 'P':
    image.putpalette(range(12))
  file = io.BytesIO()
  image.save(file, 'PNG', **kwargs)
  return file.getvalue()


@pytest.mark.parametrize(
  'data',
  [
    _encoded(LABEL, 'L'),
    _encoded(LABEL, 'L', transparency=1),
    _encoded(LABEL, 'P'),
    _encoded(LABEL, 'P', bits=2),
  ],
  ids=['grey', 'transparent', 'palette', 'two_bits'],
)
def test_a_damaged_label_is_refused_or_read_as_it_was(tmp_path, data):
  rng = np.random.default_rng(1)
  path = tmp_path / 'a.png'
  num_refused = 0
  for number in range(NUM_LABELS // 4):
    path.write_bytes(mutations.mutate_bytes(data, rng))
    try:
      label, counts = pictures.read_label(path, IDENTITY)
    except ValueError:
      num_refused += 1
    else:
      decoded = pictures.decode_label('', label.data)
      np.testing.assert_array_equal(decoded, LABEL, f'input {number}')
      assert counts[:4].tolist() == np.bincount(LABEL.ravel()).tolist()
  assert num_refused > NUM_LABELS // 8


# Records ---------------------------------------------------------------------


@pytest.fixture(scope='module')
def record():
  label = pictures.EncodedPicture(_encoded(LABEL, 'L'), 'png', (6, 7))
  return tfrecord.encode_example(3, 'a.png', label, label)


def _read_label(record):
  example = tfrecord.parse_example(record)
  return pictures.decode_label('', example['label'].numpy())


def test_a_damaged_example_is_refused_or_has_its_label(record):
  # As if written so: with the right checksums of the record around it.
  rng = np.random.default_rng(2)
  num_refused = 0
  for number in range(NUM_RECORDS):
    try:
      label = _read_label(mutations.mutate_bytes(record, rng))
    except (ValueError, tf.errors.InvalidArgumentError):
      num_refused += 1
    else:
      np.testing.assert_array_equal(label, LABEL, f'input {number}')
  assert num_refused > NUM_RECORDS // 4


@pytest.fixture(scope='module')
def damaged_shards(record, tmp_path_factory):
  """A shard of three records, and paths of damaged copies."""
  folder = tmp_path_factory.mktemp('shards')
  with tfrecord.record_writer(folder / 'a') as writer:
    for _ in range(3):
      writer.write(record)
  data = (folder / 'a').read_bytes()
  rng = np.random.default_rng(3)
  paths = [folder / str(number) for number in range(NUM_FILES)]
  for path in paths:
    path.write_bytes(mutations.mutate_bytes(data, rng))
  return folder / 'a', paths


def test_of_damaged_shards_whole_records_are_read(damaged_shards, record):
  _, paths = damaged_shards
  dataset = tf.data.TFRecordDataset([str(path) for path in paths])
  # What follows an error is the next file.
  found = list(dataset.ignore_errors().as_numpy_iterator())
  assert set(found) == {record}
  assert NUM_FILES // 2 < len(found) < 2 * NUM_FILES


def test_damaged_shards_are_found_before_they_are_read(damaged_shards):
  whole, paths = damaged_shards
  size, digest = whole.stat().st_size, tfrecord.sha256(whole)
  shard = ShardInfo(whole.name, 3, size, digest)
  tfrecord.verify_shard(str(whole), shard)
  for path in paths:
    if path.read_bytes() != whole.read_bytes():
      with pytest.raises(ValueError, match='is damaged'):
        tfrecord.verify_shard(str(path), shard)
