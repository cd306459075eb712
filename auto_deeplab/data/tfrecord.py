# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A data set on disk as training reads it: TFRecord shards and their index.

    DATA/dataset.json
    DATA/train-00000-of-00008.tfrecord
    DATA/val-00000-of-00008.tfrecord

`dataset.json` tells what is in the shards and holds their checksums: a data set
exists once it is there, and it is written last. Each record is a
`tf.train.Example` with the keys of DeepLab's own converters plus `image/index`,
the place of the picture in its split sorted by name.

The bytes depend on the pictures, the number of shards and the seed, and on
nothing else.
"""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
from typing import Any

import numpy as np
import tensorflow as tf

from auto_deeplab.data import datasets, pictures, sources
from auto_deeplab.data.datasets import DatasetInfo, ShardInfo, SplitInfo

FORMAT = 'auto_deeplab.dataset'
VERSION = 1
INFO_NAME = 'dataset.json'

_IMAGE = 'image/encoded'
_IMAGE_FORMAT = 'image/format'
_FILENAME = 'image/filename'
_HEIGHT = 'image/height'
_WIDTH = 'image/width'
_CHANNELS = 'image/channels'
_INDEX = 'image/index'
_LABEL = 'image/segmentation/class/encoded'
_LABEL_FORMAT = 'image/segmentation/class/format'

_STAGING = '.incomplete'


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
  feature = {
    _IMAGE: _bytes_feature(image.data),
    _IMAGE_FORMAT: _bytes_feature(image.format.encode()),
    _FILENAME: _bytes_feature(filename.encode()),
    _HEIGHT: _int64_feature(height),
    _WIDTH: _int64_feature(width),
    _CHANNELS: _int64_feature(3),
    _INDEX: _int64_feature(index),
    _LABEL: _bytes_feature(label.data),
    _LABEL_FORMAT: _bytes_feature(label.format.encode()),
  }
  example = tf.train.Example(features=tf.train.Features(feature=feature))
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


def _bytes_feature(value: bytes) -> tf.train.Feature:
  return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _int64_feature(value: int) -> tf.train.Feature:
  return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


# Writing ---------------------------------------------------------------------


def write_dataset(
  source: sources.Source,
  output_dir: str | os.PathLike[str],
  *,
  num_shards: int = 8,
  seed: int = 0,
  on_example: Callable[[str, int, int], None] = lambda *_: None,
) -> DatasetInfo:
  """Converts pictures to a data set.

  All is written into a folder aside and renamed at the end, so that a failure
  leaves nothing behind and a data set that was in `output_dir` as it was.

  Args:
    source: the pictures.
    output_dir: the folder to write to, made if it is missing.
    num_shards: files a split; a split of fewer pictures gets one a picture.
    seed: decides in which order the pictures of a split are written.
    on_example: called with (split, number written, number in all).

  Raises:
    FileNotFoundError: a picture is missing.
    ValueError: a picture or label cannot be used; see `data.pictures`.
  """
  if num_shards < 1:
    raise ValueError(f'`num_shards` ({num_shards}) must be at least 1.')
  output_dir = pathlib.Path(output_dir)
  is_new = not output_dir.exists()
  staging = output_dir / _STAGING
  # Of a run that was killed.
  shutil.rmtree(staging, ignore_errors=True)
  try:
    staging.mkdir(parents=True)
    splits = {
      split: _write_split(staging, source, split, num_shards, seed, on_example)
      for split in source.splits
    }
    info = DatasetInfo(
      source.name, source.class_names, source.colors, splits=splits
    )
    (staging / INFO_NAME).write_text(info_to_text(info), encoding='utf-8')
    _publish(staging, output_dir, info)
  except BaseException:
    shutil.rmtree(output_dir if is_new else staging, ignore_errors=True)
    raise
  staging.rmdir()
  return info


def _write_split(
  staging: pathlib.Path,
  source: sources.Source,
  split: str,
  num_shards: int,
  seed: int,
  on_example: Callable[[str, int, int], None],
) -> SplitInfo:
  pairs = source.splits[split]
  order = datasets.seeded_order(len(pairs), seed, split)
  num_shards = min(num_shards, len(pairs))
  tally = _Tally()
  shards = []
  for shard in range(num_shards):
    path = staging / f'{split}-{shard:05d}-of-{num_shards:05d}.tfrecord'
    members = order[shard::num_shards]
    with _record_writer(path) as writer:
      for index in members:
        writer.write(_convert(index, pairs[index], source, tally))
        on_example(split, tally.num_examples, len(pairs))
    shards.append(
      ShardInfo(path.name, len(members), path.stat().st_size, _sha256(path))
    )
  return tally.summarize(tuple(shards), len(source.class_names))


def _convert(
  index: int, pair: sources.Pair, source: sources.Source, tally: '_Tally'
) -> bytes:
  """Reads and checks a pair, counts it, and returns its Example."""
  image = pictures.read_image(pair.image)
  if pair.label is None:
    label, counts = pictures.ignored_label(image.size)
  else:
    label, counts = pictures.read_label(pair.label, source.label_values)
  if image.size != label.size:
    raise ValueError(
      f'{pair.image} has {_describe(image.size)} pixels, its label '
      f'{pair.label} has {_describe(label.size)}.'
    )
  if source.reduction > 1:
    image = pictures.reduce_image(image, source.reduction)
    label, counts = pictures.reduce_label(label, source.reduction)
  tally.add(image.size, counts)
  return encode_example(index, pair.name, image, label)


@contextlib.contextmanager
def _record_writer(path: pathlib.Path) -> Iterator[tf.io.TFRecordWriter]:
  """Opens a shard; a failure to write is an OSError, as of any file."""
  try:
    with tf.io.TFRecordWriter(str(path)) as writer:
      yield writer
  except tf.errors.OpError as e:
    raise OSError(f'{path} cannot be written: {e.message}') from e


class _Tally:
  """Sizes and label values of the pictures so far."""

  def __init__(self):
    self.num_examples = 0
    self._sizes: set[tuple[int, int]] = set()
    self._counts = np.zeros(256, np.int64)

  def add(self, size: tuple[int, int], counts: np.ndarray) -> None:
    self.num_examples += 1
    self._sizes.add(size)
    self._counts += counts

  def summarize(
    self, shards: tuple[ShardInfo, ...], num_classes: int
  ) -> SplitInfo:
    heights, widths = zip(*self._sizes, strict=True)
    shares = np.round(self._counts / self._counts.sum(), 6).tolist()
    return SplitInfo(
      num_examples=self.num_examples,
      shards=shards,
      min_size=(min(heights), min(widths)),
      max_size=(max(heights), max(widths)),
      class_pixel_shares=tuple(shares[:num_classes]),
      ignored_pixel_share=shares[datasets.IGNORE_LABEL],
    )


def _publish(
  staging: pathlib.Path, output_dir: pathlib.Path, info: DatasetInfo
) -> None:
  """Gives all files their final names, `dataset.json` last.

  A reader in between, or one after a kill in between, finds shards that are not
  the ones of the old `dataset.json`, and says so.
  """
  stale = _shard_names(output_dir)
  names = [s.name for split in info.splits.values() for s in split.shards]
  for name in (*names, INFO_NAME):
    os.replace(staging / name, output_dir / name)
  for name in stale - set(names):
    (output_dir / name).unlink(missing_ok=True)


def _shard_names(data_dir: pathlib.Path) -> set[str]:
  """Returns the shards of the data set in a folder, if there is one."""
  try:
    info = _info_from_text((data_dir / INFO_NAME).read_text(encoding='utf-8'))
  except (OSError, ValueError):
    return set()
  return {s.name for split in info.splits.values() for s in split.shards}


def _describe(size: tuple[int, int]) -> str:
  return f'{size[1]}x{size[0]}'


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
    raise FileNotFoundError(
      f'{path} does not exist; tools/build_tfrecords.py makes it.'
    )
  try:
    with tf.io.gfile.GFile(path, 'r') as file:
      return _info_from_text(file.read())
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
      _verify_shard(shard_path(data_dir, shard), shard, with_checksums)


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


def _verify_shard(path: str, shard: ShardInfo, with_checksum: bool) -> None:
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
  if with_checksum and shard.sha256 != _sha256(path):
    raise ValueError(
      f'{path} is damaged: {INFO_NAME} has another checksum; convert the data '
      'set again.'
    )


def _sha256(path: str | os.PathLike[str]) -> str:
  digest = hashlib.sha256()
  with tf.io.gfile.GFile(path, 'rb') as file:
    while chunk := file.read(2**22):
      digest.update(chunk)
  return digest.hexdigest()


# dataset.json ----------------------------------------------------------------


def info_to_text(info: DatasetInfo) -> str:
  """Returns the contents of a `dataset.json`."""
  classes = [
    {'name': name, 'color': list(color)}
    for name, color in zip(info.class_names, info.colors, strict=True)
  ]
  document = {
    'format': FORMAT,
    'version': VERSION,
    'made_by': 'tools/build_tfrecords.py',
    'name': info.name,
    'classes': classes,
    'ignore_label': info.ignore_label,
    'splits': {k: dataclasses.asdict(v) for k, v in info.splits.items()},
  }
  return json.dumps(document, indent=1) + '\n'


def _info_from_text(text: str) -> DatasetInfo:
  document = json.loads(text)
  if not isinstance(document, dict) or document.get('format') != FORMAT:
    raise ValueError(f'this is not a file of the format {FORMAT}.')
  if document.get('version') != VERSION:
    raise ValueError(
      f'"version" ({document.get("version")}) must be {VERSION}; convert the '
      'data set again.'
    )
  try:
    return DatasetInfo(
      name=document['name'],
      class_names=tuple(entry['name'] for entry in document['classes']),
      colors=tuple(_as_color(entry['color']) for entry in document['classes']),
      ignore_label=document['ignore_label'],
      splits={k: _parse_split(v) for k, v in document['splits'].items()},
    )
  except KeyError as e:
    raise ValueError(f'the key {e} is missing.') from e
  except (TypeError, AttributeError) as e:
    raise ValueError(f'a value is of the wrong type: {e}.') from e


def _parse_split(entry: dict[str, Any]) -> SplitInfo:
  return SplitInfo(
    num_examples=entry['num_examples'],
    shards=tuple(ShardInfo(**shard) for shard in entry['shards']),
    min_size=_as_size(entry['min_size']),
    max_size=_as_size(entry['max_size']),
    class_pixel_shares=tuple(entry['class_pixel_shares']),
    ignored_pixel_share=entry['ignored_pixel_share'],
  )


def _as_color(values: Sequence[int]) -> datasets.Color:
  red, green, blue = values
  return red, green, blue


def _as_size(values: Sequence[int]) -> tuple[int, int]:
  height, width = values
  return height, width
