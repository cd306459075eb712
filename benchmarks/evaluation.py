# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Time and memory of an evaluation.

  python -m benchmarks.evaluation --size=257,513 --num_pictures=500

First, multi-scale evaluation beside its parts: a picture evaluated over all
scales, mirrored and not, with all that is counted, and the plain forward passes
over the same pictures, resized beforehand, each mirrored and not. Columns:

  multi_scale_s  CPU seconds of the evaluation; the median of the rounds
  forward_s      CPU seconds of all forward passes
  ratio          the median over the rounds of the one over the other

Then the memory of evaluating a split at 1024x2048, by a tiny network on drawn
pictures, in a process of its own: what it holds after a tenth of the pictures
and after all (first_GiB, last_GiB, their ratio), and the most that it held.
"""

from collections.abc import Sequence
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from absl import app, flags
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.data.records import conversion
from auto_deeplab.data.sources import layouts, synthetic
from auto_deeplab.evaluation import evaluator, inference, metrics
from auto_deeplab.model import segmenter as segmenter_lib
from benchmarks import measure

FLAGS = flags.FLAGS
flags.DEFINE_list('size', ['513', '1025'], 'Height and width, multi-scale.')
flags.DEFINE_integer('filter_multiplier', 20, 'F of the multi-scale network.')
flags.DEFINE_integer('num_rounds', 3, 'Timed evaluations of the picture.')
flags.DEFINE_integer(
  'num_pictures', 500, 'Of the split for the memory; 0 leaves that out.'
)
flags.DEFINE_boolean('json', False, 'Print JSON.')
flags.DEFINE_boolean('memory', False, 'Internal: the process for the memory.')

NUM_CLASSES = 19
# The paper's.
MULTI_SCALE = configs.EvalConfig(
  scales=(0.5, 0.75, 1.0, 1.25, 1.5, 1.75), use_flip=True
)
PICTURE_SIZE = (1024, 2048)
# Pictures differ in what PNG makes of them, which is all that memory could see.
NUM_DRAWN = 10

TINY_GENOTYPE = genotype_lib.Genotype(
  cell=(((0, 'skip_connect'), (1, 'skip_connect')),), backbone=(1, 2)
)
TINY = configs.SegmenterConfig(
  filter_multiplier=2,
  stem_filters=(2, 2, 2),
  aspp_filters=4,
  low_level_filters=2,
  decoder_filters=4,
)


# Time ------------------------------------------------------------------------


def measure_time() -> dict[str, object]:
  """Times the evaluation of one picture, and the forward passes alone."""
  height, width = (int(n) for n in FLAGS.size)
  model = segmenter_lib.Segmenter(
    genotype_lib.PUBLISHED,
    configs.SegmenterConfig(filter_multiplier=FLAGS.filter_multiplier),
    NUM_CLASSES,
  )
  images = tf.random.uniform([1, height, width, 3], -1, 1)
  labels = tf.random.uniform([1, height, width], 0, NUM_CLASSES, tf.int32)
  forward = tf.function(
    lambda x: model(x, training=False),
    input_signature=[tf.TensorSpec([None, None, None, 3])],
  )
  views = [_resized(images, scale) for scale in MULTI_SCALE.scales]
  views += [tf.reverse(view, [2]) for view in views]

  def run_forward() -> None:
    for view in views:
      forward(view)

  @tf.function(
    input_signature=[
      tf.TensorSpec([None, None, None, 3]),
      tf.TensorSpec([None, None, None], tf.int32),
    ]
  )
  def evaluate(images, labels):
    predictions = inference.predict(
      lambda x: model(x, training=False),
      images,
      NUM_CLASSES,
      MULTI_SCALE,
    )
    distance = metrics.boundary_distance(
      tf.shape(images)[1:3], MULTI_SCALE.boundary_ratio
    )
    return (
      metrics.confusion_matrix(labels, predictions, NUM_CLASSES),
      metrics.boundary_counts(labels, predictions, NUM_CLASSES, distance),
    )

  seconds = measure.alternating_seconds(
    {
      'multi_scale': lambda: evaluate(images, labels),
      'forward': run_forward,
    },
    FLAGS.num_rounds,
    time.process_time,
  )
  return {
    'size': f'{height}x{width}',
    'filter_multiplier': FLAGS.filter_multiplier,
    'multi_scale_s': statistics.median(seconds['multi_scale']),
    'forward_s': statistics.median(seconds['forward']),
    'ratio': measure.median_ratio(seconds['multi_scale'], seconds['forward']),
  }


def _resized(images: tf.Tensor, scale: float) -> tf.Tensor:
  size = [int((n - 1) * scale) + 1 for n in images.shape[1:3]]
  return tf.image.resize(images, size)


# Memory ----------------------------------------------------------------------


def measure_memory() -> dict[str, float]:
  """Evaluates a split of large pictures; returns what the process held."""
  model = segmenter_lib.Segmenter(TINY_GENOTYPE, TINY, 7)
  first = FLAGS.num_pictures // 10
  held: list[int] = []

  def count(picture: evaluator.Picture) -> None:
    del picture
    held.append(measure.rss_bytes())

  with tempfile.TemporaryDirectory() as folder:
    evaluate = evaluator.make_evaluator(
      tf.distribute.OneDeviceStrategy('/cpu:0'),
      model,
      _write_data(pathlib.Path(folder)),
      'val',
      on_picture=count,
    )
    evaluate.evaluate(tf.constant(-1))
  return {
    'num_pictures': len(held),
    'first_pictures': first,
    'first_GiB': held[first - 1] / 2**30,
    'last_GiB': held[-1] / 2**30,
    'ratio': held[-1] / held[first - 1],
    'peak_GiB': measure.peak_rss_bytes() / 2**30,
  }


def _measure_memory_apart() -> dict[str, object]:
  """Runs this module in another process, with the same flags."""
  result = subprocess.run(
    [sys.executable, '-m', 'benchmarks.evaluation', *sys.argv[1:], '--memory'],
    stdout=subprocess.PIPE,
    check=True,
  )
  return json.loads(result.stdout)


def _write_data(folder: pathlib.Path) -> pathlib.Path:
  """Draws few pictures, and makes a split of links to them."""
  pictures = folder / 'pictures'
  synthetic.draw_folder(
    pictures, num_examples={'val': NUM_DRAWN}, image_size=PICTURE_SIZE
  )
  for kind in ('images', 'labels'):
    drawn = sorted((pictures / kind / 'val').iterdir())
    for index in range(NUM_DRAWN, FLAGS.num_pictures):
      file = drawn[index % NUM_DRAWN]
      os.link(file, file.with_name(f'copy_{index:05d}{file.suffix}'))
  source = layouts.open_source('folder', pictures)
  conversion.write_dataset(source, folder / 'data', num_workers=2)
  return folder / 'data'


def main(argv: Sequence[str]) -> None:
  del argv
  if FLAGS.memory:
    print(json.dumps(measure_memory()))
    return
  rows = [measure_time()]
  if FLAGS.num_pictures:
    rows.append(_measure_memory_apart())
  if FLAGS.json:
    measure.report(rows, as_json=True)
  else:
    for row in rows:
      measure.report([row], as_json=False)


if __name__ == '__main__':
  app.run(main)
