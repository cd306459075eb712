# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How fast pictures are converted, as a share of only reading them; the memory.

    python -m benchmarks.conversion
    python -m benchmarks.conversion --dataset=camvid --data_dir=CamVid
    python -m benchmarks.conversion --memory

Without --data_dir it draws pictures of the sizes of CamVid and Cityscapes.
`ratio` is the conversion's pictures/s over those of reading and decoding the
same files and counting the label values, and no more, by the same processes. In
the rows `mapped`, the values of the labels are not the classes, so that all
labels are encoded anew.

--memory converts 2,000 and then 20,000 tiny pictures, and iterates over the
20,000 five times, each in a fresh process: the peak of the process that shares
out, of the largest of its workers, and of the one that iterates.
"""

from collections.abc import Callable, Iterator
import dataclasses
import functools
import itertools
import multiprocessing
import os
import pathlib
import re
import shutil
import statistics
import tempfile
import threading
from typing import Any

from absl import app, flags
import numpy as np
from PIL import Image
import tensorflow as tf

from auto_deeplab.data.records import conversion, shards, tfrecord
from auto_deeplab.data.records.workers import Workers
from auto_deeplab.data.sources import layouts, sources, synthetic
from benchmarks import measure

_DATASET = flags.DEFINE_string('dataset', 'folder', 'Layout of --data_dir.')
_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'Pictures to convert instead of drawn ones.'
)
_NUM_WORKERS = flags.DEFINE_integer('num_workers', 2, 'Processes.')
_ROUNDS = flags.DEFINE_integer('rounds', 5, 'Rounds; medians are printed.')
_JSON = flags.DEFINE_bool('json', False, 'Print JSON.')
_MEMORY = flags.DEFINE_bool('memory', False, 'Measure memory, not speed.')

# Name, (height, width), suffix, pictures to draw, and how often each is read.
_PICTURES = (
  ('camvid', (360, 480), '.jpg', 32, 16),
  ('camvid', (360, 480), '.png', 32, 8),
  ('cityscapes', (1024, 2048), '.png', 6, 8),
)
_SHARDS = 8

_FEW, _MANY, _EPOCHS = 2_000, 20_000, 5
_WORKERS_OF_MEMORY = 2


def main(_) -> None:
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder)
    rows = list(_memory(path) if _MEMORY.value else _speed(path))
  measure.report(rows, as_json=_JSON.value)


# Speed -----------------------------------------------------------------------


def _speed(folder: pathlib.Path) -> Iterator[dict[str, object]]:
  with Workers(_NUM_WORKERS.value) as workers:
    for name, source in _sources(folder):
      tasks = _tasks(source, folder / 'shards')
      seconds = measure.alternating_seconds(
        {
          'read': functools.partial(_run, workers, _read_shard, tasks),
          'convert': functools.partial(
            _run, workers, shards.write_shard, tasks
          ),
        },
        _ROUNDS.value,
      )
      count = sum(len(task.members) for task in tasks)
      yield {
        'pictures': name,
        'count': count,
        'read_per_second': count / statistics.median(seconds['read']),
        'converted_per_second': count / statistics.median(seconds['convert']),
        'ratio': measure.median_ratio(seconds['read'], seconds['convert']),
      }


def _sources(
  folder: pathlib.Path,
) -> Iterator[tuple[str, sources.Source]]:
  """Yields what to convert, drawn one after the other."""
  if _DATA_DIR.value:
    yield _DATASET.value, layouts.open_source(_DATASET.value, _DATA_DIR.value)
    return
  for name, size, suffix, count, repeats in _PICTURES:
    source = _draw(folder / f'{name}{suffix}', size, suffix, count)
    pairs = [
      dataclasses.replace(pair, name=f'{number}/{pair.name}')
      for number in range(repeats)
      for pair in source.splits['train']
    ]
    source = dataclasses.replace(source, splits={'train': tuple(pairs)})
    yield f'{name}{suffix}', source
    # As labelIds of Cityscapes, of which only some are classes.
    values = {
      key: (value + 1) % 7 for key, value in source.label_values.items()
    }
    mapped = dataclasses.replace(source, label_values=values)
    yield f'{name}{suffix} mapped', mapped


def _draw(
  folder: pathlib.Path, size: tuple[int, int], suffix: str, count: int
) -> sources.Source:
  synthetic.draw_folder(folder, num_examples={'train': count}, image_size=size)
  for path in (folder / 'images' / 'train').iterdir():
    if suffix != path.suffix:
      with Image.open(path) as image:
        image.save(path.with_suffix(suffix))
      path.unlink()
  return layouts.open_source('folder', folder)


def _tasks(
  source: sources.Source, folder: pathlib.Path
) -> list[shards.ShardTask]:
  folder.mkdir(exist_ok=True)
  return [
    shards.ShardTask(
      folder / f'{split}-{shard}',
      split,
      tuple(enumerate(pairs))[shard::_SHARDS],
      source.label_values,
      source.reduction,
    )
    for split, pairs in source.splits.items()
    for shard in range(_SHARDS)
  ]


def _run(
  workers: Workers, function: Callable[..., Any], tasks: list[shards.ShardTask]
) -> None:
  for path in itertools.chain.from_iterable(task.files for task in tasks):
    path.unlink(missing_ok=True)  # A finished shard would be kept.
  for _ in workers.run(function, tasks, lambda _: None):
    pass


def _read_shard(task: shards.ShardTask, advance: Callable[[int], None]) -> None:
  """Reads and checks the files of a shard, as simply as can be."""
  for _, pair in task.members:
    tf.io.decode_image(pair.image.read_bytes(), channels=3)
    if isinstance(pair.label, pathlib.Path):
      label = tf.io.decode_png(pair.label.read_bytes(), channels=1)
      np.bincount(label.numpy().ravel(), minlength=256)
    advance(1)


# Memory ----------------------------------------------------------------------


def _memory(folder: pathlib.Path) -> Iterator[dict[str, object]]:
  for count in (_FEW, _MANY):
    pictures, data = folder / f'{count} pictures', folder / f'{count}'
    _link_pictures(pictures, count)
    peaks = _in_fresh_process(_convert, pictures, data)
    yield {'what': f'convert {count:,}', **peaks}
  for count in (_FEW, _MANY):
    peaks = _in_fresh_process(_iterate, folder / str(_MANY), count * _EPOCHS)
    yield {'what': f'iterate over {count * _EPOCHS:,}', **peaks}


def _link_pictures(folder: pathlib.Path, count: int) -> None:
  """Makes a folder of so many names of one tiny picture."""
  pixels = np.random.default_rng(0).integers(0, 2, (32, 48), np.uint8)
  for kind in ('images', 'labels'):
    (folder / kind / 'train').mkdir(parents=True)
    Image.fromarray(pixels).save(folder / f'{kind}.png')
    for number in range(count):
      os.link(
        folder / f'{kind}.png', folder / kind / 'train' / f'{number:06}.png'
      )
  (folder / 'classes.json').write_text('{"classes": ["a", "b"]}')


def _convert(pictures: pathlib.Path, data: pathlib.Path) -> None:
  source = layouts.open_source('folder', pictures)
  conversion.write_dataset(source, data, num_workers=_WORKERS_OF_MEMORY)
  shutil.rmtree(pictures)


def _iterate(data: pathlib.Path, count: int) -> None:
  info = tfrecord.load_info(data).split('train')
  paths = [tfrecord.shard_path(data, shard) for shard in info.shards]
  records = tf.data.TFRecordDataset(paths).repeat().take(count)
  for example in records.map(tfrecord.parse_example):
    tf.io.decode_png(example['label'])


def _in_fresh_process(
  function: Callable[..., None], *args: object
) -> dict[str, object]:
  """Returns the peaks of a process that calls a function, in MB."""
  context = multiprocessing.get_context('spawn')
  queue = context.SimpleQueue()
  process = context.Process(target=_watch, args=(queue, function, args))
  process.start()
  process.join()
  if process.exitcode:
    raise ChildProcessError(f'{function.__name__} has failed.')
  own, of_worker = queue.get()
  return {'peak_mb': own / 1e6, 'peak_mb_of_a_worker': of_worker / 1e6}


def _watch(queue: Any, function: Callable[..., None], args: Any) -> None:
  """Calls a function and looks at its child processes all the while."""
  done, largest = threading.Event(), [0]

  def look() -> None:
    while not done.wait(0.1):
      for child in multiprocessing.active_children():
        largest[0] = max(largest[0], _peak_bytes(child.pid))

  thread = threading.Thread(target=look)
  thread.start()
  function(*args)
  done.set()
  thread.join()
  queue.put((_peak_bytes('self'), largest[0]))


def _peak_bytes(process: object) -> int:
  """The most memory that a process had in RAM at once; 0 once it has ended.

  Not of `getrusage`, whose figure a child takes over from its parent.
  """
  try:
    status = pathlib.Path(f'/proc/{process}/status').read_text()
  except OSError:
    return 0
  found = re.search(r'VmHWM:\s*(\d+) kB', status)
  return int(found[1]) * 1024 if found else 0


if __name__ == '__main__':
  app.run(main)
