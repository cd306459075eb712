# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Time, memory and size of one network in several runtimes.

  auto-deeplab export --run_dir=runs/demo/train --output_dir=/tmp/demo \
    --format=tflite,onnx,openvino
  python -m benchmarks.engines --data_dir=runs/demo/data \
    --models=/tmp/demo,/tmp/demo.tflite,/tmp/demo.onnx,/tmp/demo.xml

The files compute probabilities besides labels, the SavedModel labels alone.
All models are called in turns in one process, with one picture of --size; then
each is loaded in a process of its own, for the sake of its memory. Without
--models the published network S with random weights is written to a temporary
folder, in each format, and measured. Columns:

  ratio     CPU seconds of a call over those of the first model; the median of
            the rounds, as are
  cpu_s     CPU seconds of a call
  wall_s    seconds of a call
  peak_MiB  the most memory that a process held which loads the model and calls
            it a few times
  MiB       size of the file, or of all files of the folder
  mean_iou  of the split val of --data_dir, if that is given
"""

from collections.abc import Sequence
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

from absl import app, flags
import numpy as np

from auto_deeplab.serving import engines
from benchmarks import measure

FLAGS = flags.FLAGS
flags.DEFINE_list('models', None, 'What export wrote; the first is the unit.')
flags.DEFINE_integer('size', 513, 'Height and width of the picture.')
flags.DEFINE_integer('num_threads', 0, 'That compute; 0: all cores.')
flags.DEFINE_integer('num_rounds', 5, 'Timed calls of each model.')
flags.DEFINE_string('data_dir', None, 'A converted data set, for the mIoU.')
flags.DEFINE_boolean('json', False, 'Print JSON.')
flags.DEFINE_boolean(
  'only_call', False, 'Internal: call the one model, and print the memory.'
)

NUM_CLASSES = 19
_NUM_CALLS = 3


def _load(path: str):
  """Returns a function of a picture, computed with the asked threads."""
  threads = FLAGS.num_threads or None
  model = engines.load(path, threads)
  return lambda picture: model.predict(picture).labels


def _set_tensorflow_threads() -> None:
  import tensorflow as tf

  tf.config.threading.set_intra_op_parallelism_threads(FLAGS.num_threads)
  tf.config.threading.set_inter_op_parallelism_threads(FLAGS.num_threads)


def _picture() -> np.ndarray:
  shape = [FLAGS.size, FLAGS.size, 3]
  return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def _peak_mib(path: str) -> float:
  """Returns the peak of another process, with the same flags."""
  result = subprocess.run(
    [
      *(sys.executable, '-m', 'benchmarks.engines', *sys.argv[1:]),
      *('--only_call', f'--models={path}'),
    ],
    stdout=subprocess.PIPE,
    check=True,
  )
  return json.loads(result.stdout)


def _call(path: str) -> float:
  """Calls a model a few times; returns the peak memory of this process."""
  if pathlib.Path(path).is_dir():
    _set_tensorflow_threads()
  label = _load(path)
  for _ in range(_NUM_CALLS):
    label(_picture())
  # Not `getrusage`, whose peak a process takes over from the one that began it.
  status = pathlib.Path('/proc/self/status').read_text()
  found = re.search(r'VmHWM:\s+(\d+) kB', status)
  assert found
  return int(found[1]) / 2**10


def _mib(path: str) -> float:
  """Returns the size of a model's files."""
  place = pathlib.Path(path)
  if place.is_dir():
    files = [each for each in place.rglob('*') if each.is_file()]
  else:
    weights = place.with_suffix('.bin')
    has_weights = place.suffix == '.xml' and weights.exists()
    files = [place, weights] if has_weights else [place]
  return sum(each.stat().st_size for each in files) / 2**20


def _mean_iou(path: str) -> float:
  from auto_deeplab.evaluation import exported

  names = engines.load(path).class_names
  found = exported.evaluate(_load(path), names, FLAGS.data_dir, 'val')
  return found.scores['mean_iou']


def measure_models(paths: Sequence[str]) -> list[dict[str, object]]:
  """Returns the columns of each model."""
  _set_tensorflow_threads()
  picture = _picture()
  labels = {path: _load(path) for path in paths}
  runs = {
    path: (lambda label=label: label(picture)) for path, label in labels.items()
  }
  walls = measure.alternating_seconds(runs, FLAGS.num_rounds)
  seconds = measure.alternating_seconds(
    runs, FLAGS.num_rounds, time.process_time
  )
  rows: list[dict[str, object]] = []
  for path in paths:
    row: dict[str, object] = {
      'model': pathlib.Path(path).name,
      'ratio': measure.median_ratio(seconds[path], seconds[paths[0]]),
      'cpu_s': statistics.median(seconds[path]),
      'wall_s': statistics.median(walls[path]),
      'peak_MiB': _peak_mib(path),
      'MiB': _mib(path),
    }
    if FLAGS.data_dir:
      row['mean_iou'] = _mean_iou(path)
    rows.append(row)
  return rows


def write_published(folder: pathlib.Path) -> list[str]:
  """Writes S with random weights in each format; returns the paths."""
  import tensorflow as tf

  from auto_deeplab import configs
  from auto_deeplab.architecture import genotype
  from auto_deeplab.data import datasets, palette
  from auto_deeplab.model import segmenter
  from auto_deeplab.serving import comparison, conversions, exporter

  model = segmenter.Segmenter(
    genotype.PUBLISHED, configs.SegmenterConfig(), NUM_CLASSES
  )
  model(tf.zeros([1, 33, 33, 3]))
  info = datasets.DatasetInfo(
    name='benchmark',
    class_names=tuple(f'class {i}' for i in range(NUM_CLASSES)),
    colors=palette.default_colors(NUM_CLASSES),
  )
  exported = exporter.export(
    model,
    dataset_info=info,
    genotype=genotype.PUBLISHED,
    output_dir=folder / 's',
    step=0,
  )
  paths = [str(exported)]
  pictures = comparison.drawn_pictures()
  size = (FLAGS.size, FLAGS.size)
  for name in engines.FORMATS:
    for precision in engines.FORMATS[name].PRECISIONS:
      path, _ = conversions.convert(
        model,
        exported,
        name,
        pictures=pictures,
        precision=precision,
        size=size,
        calibration=pictures if precision == 'int8' else (),
        accept=None if precision == 'float32' else lambda engine: None,
      )
      paths.append(str(path))
  return paths


def main(argv: Sequence[str]) -> None:
  del argv
  if FLAGS.only_call:
    print(json.dumps(_call(FLAGS.models[0])))
    return
  with tempfile.TemporaryDirectory() as folder:
    paths = FLAGS.models or write_published(pathlib.Path(folder))
    measure.report(measure_models(paths), as_json=FLAGS.json)


if __name__ == '__main__':
  app.run(main)
