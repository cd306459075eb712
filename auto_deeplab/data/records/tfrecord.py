# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A data set on disk as training reads it: TFRecord shards and their index.

    DATA/dataset.json
    DATA/train-00000-of-00008.tfrecord
    DATA/val-00000-of-00008.tfrecord

`dataset.json` tells what is in the shards and holds their checksums: a data set
exists once it is there, and `conversion` writes it last. Each record is a
`tf.train.Example` with the keys of DeepLab's own converters plus `image/index`,
the place of the picture in its split sorted by name.

A record carries checksums of its length and of its bytes, and so does the PNG
of a label within it: a label that was changed on its way is an error, not
another label.
"""

from collections.abc import Iterator
import contextlib
import hashlib
import os
import pathlib
import struct

import tensorflow as tf

from auto_deeplab.data.datasets import DatasetInfo, ShardInfo
from auto_deeplab.data.records import info_file
from auto_deeplab.data.sources import pictures

INFO_NAME = 'dataset.json'

# A record has its length before it, and checksums of the length and of itself.
_RECORD_HEADER, _RECORD_BYTES = struct.Struct('<Q'), 16

_IMAGE = 'image/encoded'
_IMAGE_FORMAT = 'image/format'
_FILENAME = 'image/filename'
_HEIGHT = 'image/height'
_WIDTH = 'image/width'
_CHANNELS = 'image/channels'
_INDEX = 'image/index'
_LABEL = 'image/segmentation/class/encoded'
_LABEL_FORMAT = 'image/segmentation/class/format'


# One example -----------------------------------------------------------------


def encode_example(
  index: int,
  filename: str,
  image: pictures.EncodedPicture,
  label: pictures.EncodedPicture,
) -> bytes:
  """Returns a serialised Example.

  Args:
    index: place of the picture in its split sorted by name.
    filename: the picture's name within its split.
    image: its encoded pixels.
    label: its encoded label map, of the same size.
  """
  height, width = image.size
  example = tf.train.Example()
  # Filled in place: each message that is passed on is copied, picture and all.
  feature = example.features.feature
  for key, data in (
    (_IMAGE, image.data),
    (_IMAGE_FORMAT, image.format.encode()),
    (_FILENAME, filename.encode()),
    (_LABEL, label.data),
    (_LABEL_FORMAT, label.format.encode()),
  ):
    feature[key].bytes_list.value.append(data)
  for key, number in (
    (_HEIGHT, height),
    (_WIDTH, width),
    (_CHANNELS, 3),
    (_INDEX, index),
  ):
    feature[key].int64_list.value.append(number)
  return example.SerializeToString(deterministic=True)


def parse_example(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
  """Parses a serialised Example; the pictures stay encoded.

  Args:
    serialized: string [].

  Returns:
    'image', 'label', 'filename': string []; 'size': int32 [2], (height, width)
    in pixels; 'index': int64 [].
  """
  parsed = tf.io.parse_single_example(
    serialized,
    {
      **dict.fromkeys((_IMAGE, _LABEL, _FILENAME), _STRING),
      **dict.fromkeys((_HEIGHT, _WIDTH, _INDEX), _INT64),
    },
  )
  return {
    'image': parsed[_IMAGE],
    'label': parsed[_LABEL],
    'filename': parsed[_FILENAME],
    'size': tf.cast(tf.stack([parsed[_HEIGHT], parsed[_WIDTH]]), tf.int32),
    'index': parsed[_INDEX],
  }


def parse_index(serialized: tf.Tensor) -> tf.Tensor:
  """Parses `image/index` alone, int64 [], without copying the pictures."""
  return tf.io.parse_single_example(serialized, {_INDEX: _INT64})[_INDEX]


_STRING = tf.io.FixedLenFeature([], tf.string)
_INT64 = tf.io.FixedLenFeature([], tf.int64)


@contextlib.contextmanager
def record_writer(path: pathlib.Path) -> Iterator[tf.io.TFRecordWriter]:
  """Opens a shard to write to.

  Raises:
    OSError: it cannot be written, as of any file.
  """
  try:
    with tf.io.TFRecordWriter(str(path)) as writer:
      yield writer
  except tf.errors.OpError as e:
    raise OSError(f'{path} cannot be written: {e.message}.') from e


# Reading ---------------------------------------------------------------------


def load_info(data_dir: str | os.PathLike[str]) -> DatasetInfo:
  """Reads `dataset.json`; `verify` looks at what it tells of.

  Args:
    data_dir: a folder that holds it, on any file system that TensorFlow knows.

  Raises:
    FileNotFoundError: it is missing.
    ValueError: it cannot be read, or is of another version.
  """
  path = os.path.join(data_dir, INFO_NAME)
  if not tf.io.gfile.exists(path):
    raise FileNotFoundError(f'{path} does not exist; build_tfrecords makes it.')
  try:
    with tf.io.gfile.GFile(path, 'r') as file:
      return info_file.from_text(file.read())
  except ValueError as e:
    raise ValueError(f'{path}: {e}') from e


def verify(
  data_dir: str | os.PathLike[str],
  split: str | None = None,
  *,
  with_checksums: bool = True,
) -> None:
  """Looks whether the shards are those of which `dataset.json` tells.

  Args:
    data_dir: the data set's folder.
    split: the split to look at; None for all.
    with_checksums: whether to read the shards (1 to 2 GB a second from memory),
      or to look at their sizes only.

  Raises:
    FileNotFoundError: a file is missing.
    ValueError: a shard is damaged, or there is no such split.
  """
  info = load_info(data_dir)
  for name in info.splits if split is None else (split,):
    for shard in info.split(name).shards:
      verify_shard(shard_path(data_dir, shard), shard, with_checksums)


@contextlib.contextmanager
def naming_damaged_shards(
  data_dir: str | os.PathLike[str],
) -> Iterator[None]:
  """Turns TensorFlow's DataLossError, which names no file, into one that does.

  For the loop that reads a data set: a disk may fail after `verify` too.

  Raises:
    ValueError: in the place of a DataLossError; it names the damaged shard.
  """
  try:
    yield
  except tf.errors.DataLossError as e:
    verify(data_dir)
    raise ValueError(f'{data_dir} has a damaged record: {e.message}') from e


def shard_path(data_dir: str | os.PathLike[str], shard: ShardInfo) -> str:
  """Returns where a shard lies."""
  return os.path.join(data_dir, shard.name)


def verify_shard(
  path: str, shard: ShardInfo, with_checksum: bool = True
) -> None:
  """Does for one file what `verify` does for all."""
  if not tf.io.gfile.exists(path):
    raise FileNotFoundError(
      f'{path} is missing, though {INFO_NAME} names it; convert the data set '
      'again.'
    )
  num_bytes = tf.io.gfile.stat(path).length
  if num_bytes != shard.num_bytes:
    raise ValueError(
      f'{path} is damaged: it has {num_bytes} bytes, {INFO_NAME} says '
      f'{shard.num_bytes}; convert the data set again.'
    )
  if with_checksum and shard.sha256 != sha256(path):
    raise ValueError(
      f'{path} is damaged: {INFO_NAME} has another checksum; convert the data '
      'set again.'
    )
  if with_checksum and os.path.exists(path):
    num_examples = _count_records(path)
    if num_examples != shard.num_examples:
      raise ValueError(
        f'{path} has {num_examples} examples, {INFO_NAME} says '
        f'{shard.num_examples}; convert the data set again.'
      )


def _count_records(path: str) -> int:
  """Returns the records of a local file, by their lengths alone."""
  count = position = 0
  with open(path, 'rb') as file:
    while header := file.read(_RECORD_HEADER.size):
      position += _RECORD_BYTES + _RECORD_HEADER.unpack(header)[0]
      file.seek(position)
      count += 1
  return count


def sha256(path: str | os.PathLike[str]) -> str:
  """Returns the hexadecimal digest of a file."""
  digest = hashlib.sha256()
  # TensorFlow's reading takes four times as long, and is for buckets.
  is_local = os.path.exists(path)
  with open(path, 'rb') if is_local else tf.io.gfile.GFile(path, 'rb') as file:
    while chunk := file.read(2**22):
      digest.update(chunk)
  return digest.hexdigest()
