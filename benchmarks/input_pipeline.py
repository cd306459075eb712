# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How fast the input pipeline is, as a share of bare decoding; its memory.

    python -m benchmarks.input_pipeline
    python -m benchmarks.input_pipeline --data_dir=runs/camvid/data
    python -m benchmarks.input_pipeline --memory

Without --data_dir it draws pictures of the sizes of CamVid and Cityscapes and
writes them as JPEG and as PNG. `ratio` is the pipeline's images/s over those of
a stream of the same records that decodes image and label and does no more, with
the same threads; `cpu_ratio` is the same of the seconds of processor, which are
steadier where others use the machine. --memory iterates over 100,000 tiny
examples instead.
"""

from collections.abc import Callable, Iterator
import dataclasses
import functools
import json
import pathlib
import statistics
import tempfile
import time
from typing import NamedTuple

from absl import app, flags
import tensorflow as tf

from auto_deeplab.configs import InputConfig
from auto_deeplab.data import datasets
from auto_deeplab.data.input import augmentation, input_pipeline
from auto_deeplab.data.records import conversion, tfrecord
from auto_deeplab.data.sources import landscape, layouts, synthetic
from benchmarks import measure

_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, "Data set whose 'train' to read instead of drawn pictures."
)
_ROUNDS = flags.DEFINE_integer('rounds', 5, 'Rounds; medians are printed.')
_JSON = flags.DEFINE_bool('json', False, 'Print JSON.')
_MEMORY = flags.DEFINE_bool('memory', False, 'Measure memory, not speed.')

_CROPS = (321, 769)
_BATCH = 4

# Name, (height, width), pictures to draw, and how often each is written, so
# that an epoch has hundreds of them.
_PICTURES = (
  ('camvid', (360, 480), 32, 8),
  ('cityscapes', (1024, 2048), 6, 16),
)
# To decode; a second or two.
_PIXELS_A_ROUND = 150e6


class _Cost(NamedTuple):
  """Seconds an image."""

  wall: float
  cpu: float


def main(_) -> None:
  with tempfile.TemporaryDirectory() as folder:
    rows = _memory(folder) if _MEMORY.value else _speed(folder)
  measure.report(rows, as_json=_JSON.value)


def _speed(folder: str) -> list[dict[str, object]]:
  rows: list[dict[str, object]] = []
  for name, data_dir in _data_sets(folder):
    costs = measure.alternating(_runs(data_dir), _ROUNDS.value)
    wall = {run: [c.wall for c in rounds] for run, rounds in costs.items()}
    cpu = {run: [c.cpu for c in rounds] for run, rounds in costs.items()}
    for crop in _CROPS:
      run = str(crop)
      row = {
        'pictures': name,
        'crop': crop,
        'decode_images_per_second': 1 / statistics.median(wall['decode']),
        'images_per_second': 1 / statistics.median(wall[run]),
        'ratio': measure.median_ratio(wall['decode'], wall[run]),
        'cpu_ratio': measure.median_ratio(cpu['decode'], cpu[run]),
      }
      rows.append(row)
  return rows


def _data_sets(folder: str) -> Iterator[tuple[str, str]]:
  """Yields names and folders of data sets, made one after the other."""
  if _DATA_DIR.value:
    yield pathlib.Path(_DATA_DIR.value).name, _DATA_DIR.value
    return
  for name, size, num_drawn, copies in _PICTURES:
    for suffix in ('jpg', 'png'):
      data_dir = pathlib.Path(folder, f'{name}-{suffix}')
      _convert(data_dir, size, num_drawn, copies, suffix)
      yield data_dir.name, str(data_dir)


def _convert(
  data_dir: pathlib.Path,
  size: tuple[int, int],
  num_drawn: int,
  copies: int,
  suffix: str,
) -> None:
  """Draws pictures and writes each of them several times as TFRecords."""
  pictures_dir = data_dir / 'pictures'
  for kind in ('images', 'labels'):
    (pictures_dir / kind / 'train').mkdir(parents=True)
  for index in range(num_drawn):
    image, label = synthetic.draw(0, 'train', index, size)
    image.save(pictures_dir / f'images/train/{index}.{suffix}', quality=95)
    label.save(pictures_dir / f'labels/train/{index}.png')
  table = json.dumps({'classes': list(landscape.CLASSES)})
  (pictures_dir / 'classes.json').write_text(table)
  source = layouts.open_source('folder', pictures_dir)
  pairs = [
    dataclasses.replace(pair, name=f'{copy}/{pair.name}')
    for copy in range(copies)
    for pair in source.splits['train']
  ]
  source = dataclasses.replace(source, splits={'train': tuple(pairs)})
  conversion.write_dataset(source, data_dir)


def _runs(data_dir: str) -> dict[str, Callable[[], _Cost]]:
  """Returns what to time: bare decoding, and the pipeline a crop size."""
  split = tfrecord.load_info(data_dir).split('train')
  pixels_a_batch = _BATCH * split.max_size[0] * split.max_size[1]
  num_batches = max(4, round(_PIXELS_A_ROUND / pixels_a_batch))
  decoded = _decoded(data_dir, split)
  runs: dict[str, Callable[[], _Cost]] = {
    'decode': functools.partial(_cost, decoded, num_batches * _BATCH, 1)
  }
  for crop in _CROPS:
    # A short shuffle buffer: to fill a long one belongs to the start of a run.
    config = InputConfig(
      crop_size=(crop, crop), batch_size=_BATCH, shuffle_buffer=2 * _BATCH
    )
    batches = input_pipeline.train_dataset(data_dir, 'train', config, seed=0)
    runs[str(crop)] = functools.partial(_cost, batches, num_batches, _BATCH)
  return runs


def _decoded(data_dir: str, split: datasets.SplitInfo) -> tf.data.Dataset:
  """Returns endless images and labels, decoded and nothing else."""

  def decode(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    example = tfrecord.parse_example(record)
    image = augmentation.decode_image(example['image'])
    return image, augmentation.decode_label(example['label'])

  shards = [tfrecord.shard_path(data_dir, shard) for shard in split.shards]
  records = tf.data.TFRecordDataset(shards).repeat()
  return records.map(decode, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _cost(dataset: tf.data.Dataset, count: int, num_images: int) -> _Cost:
  """Takes `count` elements of `num_images` each from a stream under way."""
  iterator = iter(dataset)
  # Its start, and what it did ahead meanwhile, do not count.
  _advance(iterator, tf.constant(max(1, count // 4)))
  wall, cpu = time.perf_counter(), time.process_time()
  _advance(iterator, tf.constant(count))
  wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
  return _Cost(wall / count / num_images, cpu / count / num_images)


@tf.function
def _advance(iterator: tf.data.Iterator, count: tf.Tensor) -> None:
  for _ in tf.range(count):
    next(iterator)


def _memory(folder: str) -> list[dict[str, object]]:
  data_dir = pathlib.Path(folder, 'tiny')
  _convert(data_dir, (64, 64), 50, 20, 'jpg')
  config = InputConfig(crop_size=(33, 33), batch_size=50)
  dataset = input_pipeline.train_dataset(data_dir, 'train', config, seed=0)
  rows: list[dict[str, object]] = []
  for number, _ in enumerate(dataset.take(2000), start=1):
    if number in (20, 200, 1000, 2000):
      num_examples = number * config.batch_size
      rss = measure.rss_bytes() / 2**20
      rows.append({'examples': num_examples, 'rss_mib': rss})
  return rows


if __name__ == '__main__':
  app.run(main)
