# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the halves and of the order of records."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.data.input import sampling
from auto_deeplab.data.records import tfrecord


def _indices(data_dir, count, *, half=None, seed=0, stream=0, first=0):
  """Returns the first `count` image/index of the stream of records."""
  split = tfrecord.load_info(data_dir).split('train')
  records = sampling.numbered_records(
    [tfrecord.shard_path(data_dir, shard) for shard in split.shards],
    sampling.half_mask(split.num_examples, seed, half),
    stream,
    5,
    first=first,
  )
  pairs = [
    (int(position), int(tfrecord.parse_index(record)))
    for position, record in records.take(count)
  ]
  assert [p for p, _ in pairs] == list(range(first, first + count))
  return [index for _, index in pairs]


def test_each_epoch_holds_each_example_once_in_another_order(converted):
  indices = _indices(converted, 39)
  epochs = [indices[i : i + 13] for i in (0, 13, 26)]
  assert all(sorted(epoch) == list(range(13)) for epoch in epochs)
  assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_the_order_depends_on_the_stream_alone(converted):
  tf.random.set_seed(1)
  first = _indices(converted, 20)
  tf.random.set_seed(2)
  assert _indices(converted, 20) == first
  assert _indices(converted, 20, stream=1) != first


@pytest.mark.parametrize('first', [0, 4, 12, 13, 30])
def test_a_stream_may_start_anywhere(converted, first):
  assert (
    _indices(converted, 15, first=first)
    == _indices(converted, 45)[first : first + 15]
  )


@pytest.mark.parametrize('num_examples', [2, 7, 100])
@pytest.mark.parametrize('seed', [0, 1])
def test_halves_are_disjoint_complete_and_of_equal_size(num_examples, seed):
  a = sampling.half_mask(num_examples, seed, 'A')
  b = sampling.half_mask(num_examples, seed, 'B')
  np.testing.assert_array_equal(a, ~b)
  assert 0 <= a.sum() - b.sum() <= 1
  assert sampling.half_mask(num_examples, seed).all()


def test_halves_depend_on_the_seed_and_stay_for_ever():
  def members(seed):
    return np.flatnonzero(sampling.half_mask(10, seed, 'A')).tolist()

  # Runs under way rest on these very numbers.
  assert members(0) == [0, 1, 7, 8, 9]
  assert members(0) != members(1)


def test_the_halves_that_are_read_do_not_depend_on_the_shards(folder, tmp_path):
  folder.fill(num_train=9)
  read = []
  for num_shards in (1, 4):
    folder.convert(tmp_path / str(num_shards), num_shards=num_shards)
    for half in ('A', 'B'):
      count = 5 if half == 'A' else 4
      # Two epochs: nothing of the other half turns up later.
      indices = _indices(tmp_path / str(num_shards), 2 * count, half=half)
      assert sorted(indices[:count]) == sorted(indices[count:])
      read.append(set(indices))
  assert read[0] == read[2]
  assert read[1] == read[3]
  assert read[0] | read[1] == set(range(9))
  assert not read[0] & read[1]
