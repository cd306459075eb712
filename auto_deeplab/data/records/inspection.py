# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A look into a data set: what it says of itself, and whether that is true."""

from collections.abc import Callable, Iterator, Sequence
import dataclasses
import os

import numpy as np
import tensorflow as tf

from auto_deeplab.data.datasets import DatasetInfo, ShardInfo
from auto_deeplab.data.records import conversion, shards, tfrecord
from auto_deeplab.data.records.workers import Workers
from auto_deeplab.data.sources import label_classes, pictures


@dataclasses.dataclass(frozen=True)
class LabelledPicture:
  """An example, decoded.

  Attributes:
    name: the picture's name within its split.
    index: its place in the split sorted by name.
    image: uint8 [height, width, 3].
    label: uint8 [height, width].
  """

  name: str
  index: int
  image: np.ndarray
  label: np.ndarray

  @property
  def size(self) -> tuple[int, int]:
    """(height, width) in pixels."""
    return self.label.shape[0], self.label.shape[1]


def read_pictures(
  data_dir: str | os.PathLike[str], split: str, count: int
) -> list[LabelledPicture]:
  """Returns the first pictures of a split, in the seeded order of its shards.

  Raises:
    FileNotFoundError: there is no data set, or a shard is missing.
    ValueError: there is no such split, or an example cannot be used.
  """
  info = tfrecord.load_info(data_dir)
  shards_of_split = info.split(split).shards
  paths = [tfrecord.shard_path(data_dir, shard) for shard in shards_of_split]
  for path, shard in zip(paths, shards_of_split, strict=True):
    tfrecord.verify_shard(path, shard, with_checksum=False)
  with tfrecord.naming_damaged_shards(data_dir):
    records = tf.data.TFRecordDataset(paths).take(count)
    return [decode_example(record, info) for record in records]


def decode_example(record: tf.Tensor, info: DatasetInfo) -> LabelledPicture:
  """Decodes an example and holds it to all that training takes for granted.

  Args:
    record: string [], a serialised Example.
    info: of its data set.

  Raises:
    ValueError: a key is missing, image or label do not decode, their sizes are
      not the one that is stored, or a label value belongs to no class.
  """
  try:
    example = tfrecord.parse_example(record)
  except tf.errors.InvalidArgumentError as e:
    raise ValueError(f'is no example of this format: {e.message}') from e
  image = pictures.decode_image('its image', example['image'].numpy())
  label = pictures.decode_label('its label', example['label'].numpy())
  size = tuple(example['size'].numpy().tolist())
  if not size == image.shape[:2] == label.shape:
    raise ValueError(
      f'sizes differ: stored are {size}, the image has {image.shape[:2]}, the '
      f'label {label.shape} (height, width).'
    )
  counts = label_classes.count_values(label)
  counts[: info.num_classes] = counts[info.ignore_label] = 0
  for value in np.flatnonzero(counts):
    raise ValueError(
      f'its label has the value {value} in {counts[value]} pixels; the classes '
      f'are 0..{info.num_classes - 1}.'
    )
  name = example['filename'].numpy().decode(errors='replace')
  return LabelledPicture(name, int(example['index']), image, label)


# Whether it is true ----------------------------------------------------------


def find_faults(
  data_dir: str | os.PathLike[str],
  splits: Sequence[str] = (),
  *,
  num_workers: int = 1,
  on_progress: Callable[[int, int], None] = lambda *_: None,
) -> Iterator[str]:
  """Reads and decodes all examples.

  Held to: checksums and sizes of the shards; each example to `decode_example`;
  the places of a split to 0, 1, 2, ... without gaps; sizes and class shares to
  those of `dataset.json`.

  Args:
    data_dir: the data set's folder.
    splits: the splits to look at; all if there are none.
    num_workers: processes; more than shards have nothing to do.
    on_progress: called now and then with (examples done, examples in all).

  Yields:
    A sentence a fault, which names the shard and, if it is of one, the example
    by its number in the shard from 0.

  Raises:
    FileNotFoundError: there is no data set.
    ValueError: `dataset.json` cannot be read, or there is no such split.
  """
  info = tfrecord.load_info(data_dir)
  names = list(splits) or list(info.splits)
  tasks = [
    _Check(tfrecord.shard_path(data_dir, shard), split, shard, info)
    for split in names
    for shard in info.split(split).shards
  ]
  total = sum(task.shard.num_examples for task in tasks)
  findings: list[_Finding] = []
  with Workers(num_workers) as workers:
    for finding in workers.run(
      _check_shard, tasks, lambda done: on_progress(done, total)
    ):
      yield from finding.faults
      findings.append(finding)
  for split in names:
    yield from _split_faults(
      info, split, [f for f in findings if f.report.split == split]
    )


@dataclasses.dataclass(frozen=True)
class _Check:
  """A shard to look at."""

  path: str
  split: str
  shard: ShardInfo
  info: DatasetInfo


@dataclasses.dataclass(frozen=True)
class _Finding:
  """What was seen in a shard; `indices` are the places of its examples."""

  path: str
  report: shards.ShardReport
  indices: tuple[int, ...]
  faults: tuple[str, ...]


def _check_shard(task: _Check, advance: Callable[[int], None]) -> _Finding:
  tally, indices, faults = shards.Tally(), [], []
  try:
    tfrecord.verify_shard(task.path, task.shard)
  except (OSError, ValueError) as e:
    faults.append(str(e))
  number = -1
  try:
    for number, record in enumerate(tf.data.TFRecordDataset(task.path)):
      try:
        picture = decode_example(record, task.info)
      except ValueError as e:
        faults.append(f'{task.path}, example {number}: {e}')
      else:
        tally.add(picture.size, label_classes.count_values(picture.label))
        indices.append(picture.index)
      advance(1)
  except tf.errors.NotFoundError:
    pass  # Told above.
  except tf.errors.OpError as e:
    faults.append(
      f'{task.path}, example {number + 1}: neither it nor those behind it can '
      f'be read: {e.message}.'
    )
  else:
    if not faults and number + 1 != task.shard.num_examples:
      faults.append(
        f'{task.path} has {number + 1} examples, {tfrecord.INFO_NAME} says '
        f'{task.shard.num_examples}.'
      )
  report = tally.report(task.split, task.shard)
  return _Finding(task.path, report, tuple(indices), tuple(faults))


def _split_faults(
  info: DatasetInfo, split: str, findings: Sequence[_Finding]
) -> Iterator[str]:
  """Holds a split of sound examples to what is said of it as a whole."""
  if any(finding.faults for finding in findings):
    return
  indices = sorted(index for finding in findings for index in finding.indices)
  if indices != list(range(len(indices))):
    yield (
      f'The split {split}: the places of its examples (image/index) are not '
      f'0..{len(indices) - 1}, each once.'
    )
  # Of several workers, they come in any order.
  reports = [f.report for f in sorted(findings, key=lambda f: f.path)]
  seen = conversion.summarize_split(reports, info.num_classes)
  for field in dataclasses.fields(seen):
    said = getattr(info.split(split), field.name)
    if said != getattr(seen, field.name):
      yield (
        f'The split {split}: {tfrecord.INFO_NAME} says `{field.name}` is '
        f'{said}, its examples have {getattr(seen, field.name)}.'
      )


# In words --------------------------------------------------------------------


def describe(data_dir: str | os.PathLike[str]) -> str:
  """Returns what `dataset.json` and `skipped.json` say, as tables and lines.

  Raises:
    FileNotFoundError: there is no data set.
    ValueError: a file cannot be read.
  """
  info = tfrecord.load_info(data_dir)
  skipped = conversion.load_skipped(data_dir)
  parts = [
    f'{info.name}: {info.num_classes} classes, ignore label '
    f'{info.ignore_label}.',
    _table(_split_rows(info)),
    'Share of all pixels, in %:\n' + _table(_class_rows(info)),
    _table(_shard_rows(info)),
  ]
  if info.warnings:
    parts.append(
      'Warnings:\n' + '\n'.join(f'  {warning}' for warning in info.warnings)
    )
  if skipped:
    parts.append(
      f'{len(skipped)} pictures were left out:\n'
      + '\n'.join(f'  {fault.split}: {fault.reason}' for fault in skipped)
    )
  return '\n\n'.join(parts)


def _split_rows(info: DatasetInfo) -> Iterator[tuple[object, ...]]:
  yield 'split', 'examples', 'shards', 'MB', 'heights', 'widths'
  for name, split in info.splits.items():
    heights, widths = zip(split.min_size, split.max_size, strict=True)
    num_bytes = sum(shard.num_bytes for shard in split.shards)
    yield (
      name,
      split.num_examples,
      len(split.shards),
      f'{num_bytes / 1e6:.1f}',
      '..'.join(map(str, sorted(set(heights)))),
      '..'.join(map(str, sorted(set(widths)))),
    )


def _class_rows(info: DatasetInfo) -> Iterator[tuple[object, ...]]:
  splits = info.splits.values()
  yield ('class', '', *info.splits)
  for index, name in enumerate(info.class_names):
    shares = [split.class_pixel_shares[index] for split in splits]
    yield (name, index, *(f'{100 * share:.2f}' for share in shares))
  ignored = [f'{100 * split.ignored_pixel_share:.2f}' for split in splits]
  yield ('(ignored)', info.ignore_label, *ignored)


def _shard_rows(info: DatasetInfo) -> Iterator[tuple[object, ...]]:
  yield 'shard', 'examples', 'bytes', 'SHA-256'
  for split in info.splits.values():
    for shard in split.shards:
      yield shard.name, shard.num_examples, shard.num_bytes, shard.sha256


def _table(rows: Iterator[tuple[object, ...]]) -> str:
  """Aligns the first column to the left and the others to the right."""
  cells = [[str(value) for value in row] for row in rows]
  widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
  return '\n'.join(
    '  '.join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
    for row in cells
  )
