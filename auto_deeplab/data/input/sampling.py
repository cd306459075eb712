# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which record comes when: halves, epochs, and the order within an epoch.

The record at position p (0, 1, 2, ... across epochs) is a pure function of the
data set, the half, the stream of random numbers and the size of the shuffle
buffer. Which examples a half has does not even depend on the shards.
"""

import sys

import numpy as np
import tensorflow as tf

from auto_deeplab.data import datasets
from auto_deeplab.data.records import tfrecord

# trainA and trainB; None is the whole split.
HALVES = ('A', 'B')

# Shards that are read in turns, one example each. Part of the order of
# examples, so not left to tf.data to tune.
_SHARDS_IN_TURN = 16


def half_mask(
  num_examples: int, seed: int, half: str | None = None
) -> np.ndarray:
  """Tells by `image/index` which examples are of a half, bool [num_examples].

  A function of the arguments alone: not of shards, workers or library versions,
  so that a restart finds the halves of the start.
  """
  mask = np.full(num_examples, half is None)
  if half is not None:
    order = datasets.seeded_order(num_examples, seed, 'halves')
    mask[order[HALVES.index(half) :: len(HALVES)]] = True
  return mask


def stream_number(seed: int, half: str | None) -> int:
  """Returns the stream of random numbers of a half, or of the whole split."""
  return 3 * seed + (0 if half is None else 1 + HALVES.index(half))


def numbered_records(
  shards: list[str],
  is_kept: np.ndarray,
  stream: int,
  shuffle_buffer: int,
  *,
  first: int,
) -> tf.data.Dataset:
  """Returns endless (position int64 [], record string []) from `first` on.

  What lies before is skipped without decoding, whole epochs without reading.

  Args:
    shards: files of the split.
    is_kept: bool [num_examples], by `image/index`.
    stream: number of the random stream.
    shuffle_buffer: records in the shuffle buffer.
    first: position of the first record.
  """

  def is_member(record: tf.Tensor) -> tf.Tensor:
    return tf.gather(tf.constant(is_kept), tfrecord.parse_index(record))

  def epoch(number: tf.Tensor) -> tf.data.Dataset:
    # tf.data mixes the global seed of the graph into its own seeds; the order
    # is to depend on `stream` alone.
    tf.compat.v1.set_random_seed(1)
    seed = tf.stack([tf.constant(stream, tf.int64), number])
    files = tf.random.experimental.stateless_shuffle(shards, seed, 'philox')
    records = tf.data.Dataset.from_tensor_slices(files).interleave(
      tf.data.TFRecordDataset,
      cycle_length=min(len(shards), _SHARDS_IN_TURN),
      num_parallel_calls=tf.data.AUTOTUNE,
    )
    if not is_kept.all():
      records = records.filter(is_member)
    order_seed = tf.random.stateless_uniform(
      [], seed, maxval=sys.maxsize, dtype=tf.int64, alg='philox'
    )
    return records.shuffle(
      shuffle_buffer, order_seed, reshuffle_each_iteration=False
    )

  first_epoch, num_skipped = divmod(first, np.count_nonzero(is_kept))
  epochs = tf.data.Dataset.range(first_epoch, sys.maxsize)
  records = epochs.flat_map(epoch).skip(num_skipped)
  positions = tf.data.Dataset.range(first, sys.maxsize)
  return tf.data.Dataset.zip((positions, records))
