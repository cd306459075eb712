# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Time and memory of the published network, in training and inference.

  python -m benchmarks.segmenter --crop_size=513 --batch_size=2

Each case runs in a process of its own, for the sake of its peak memory, beside
one large convolution in float32 and one in the case's dtype. Columns:

  cpu_s       CPU seconds of a training step, or of a call of the exported
              SavedModel with one picture; the median of the rounds
  wall_s      seconds of the same
  to_float32  cpu_s in units of the float32 convolution, over those of the first
              case of the same kind: what comes of bfloat16 or recomputation
  Gmadds_s    10^9 multiply-adds a CPU second; a training step counts as three
              forward passes, what recomputation adds does not count
  share       the same over that of the convolution in the case's dtype
  peak_GiB    the most memory the process held; base_GiB of it before the
              network was built (TensorFlow itself)
"""

from collections.abc import Callable, Sequence
import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
import time

from absl import app, flags
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import cost
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.data import datasets, palette
from auto_deeplab.model import segmenter as segmenter_lib
from auto_deeplab.serving import exporter
from auto_deeplab.training import (
  distribution,
  gradient_step,
  networks,
  optimizers,
)
from benchmarks import convolution, measure

FLAGS = flags.FLAGS
flags.DEFINE_integer('crop_size', 513, 'Height and width of the pictures.')
flags.DEFINE_integer('batch_size', 2, 'Of a training step.')
flags.DEFINE_integer('filter_multiplier', 20, 'F of the network.')
flags.DEFINE_integer('num_rounds', 5, 'Timed steps of each case.')
flags.DEFINE_integer('num_threads', 0, 'Within and between ops; 0: all cores.')
flags.DEFINE_boolean('json', False, 'Print JSON.')
flags.DEFINE_string('case', None, 'Internal: the one case to run, as JSON.')

NUM_CLASSES = 19


@dataclasses.dataclass(frozen=True)
class Case:
  """What one process measures."""

  kind: str
  precision: str
  recompute: bool = False


CASES = (
  Case('training', 'float32'),
  Case('training', 'float32', recompute=True),
  Case('training', 'mixed_bfloat16'),
  Case('training', 'mixed_bfloat16', recompute=True),
  Case('inference', 'float32'),
  Case('inference', 'mixed_bfloat16'),
)


def measure_case(case: Case) -> dict[str, float]:
  """Builds the network, times it, and returns the case's columns."""
  for set_threads in (
    tf.config.threading.set_intra_op_parallelism_threads,
    tf.config.threading.set_inter_op_parallelism_threads,
  ):
    set_threads(FLAGS.num_threads)
  tf.keras.mixed_precision.set_global_policy(case.precision)
  dtype = tf.keras.mixed_precision.global_policy().compute_dtype
  limits = {
    'float32': convolution.large(tf.float32),
    'limit': convolution.large(tf.as_dtype(dtype)),
  }
  for limit in limits.values():
    limit()
  base = measure.rss_bytes()
  run = {'training': _training, 'inference': _inference}[case.kind](case)
  walls = measure.alternating_seconds({'run': run}, FLAGS.num_rounds)
  seconds = measure.alternating_seconds(
    {'run': run, **limits}, FLAGS.num_rounds, time.process_time
  )
  peak = measure.peak_rss_bytes()
  madds = _multiply_adds(case.kind)
  share = measure.median_ratio(seconds['limit'], seconds['run'])
  return {
    'cpu_s': statistics.median(seconds['run']),
    'wall_s': statistics.median(walls['run']),
    'to_float32': measure.median_ratio(seconds['run'], seconds['float32']),
    'Gmadds_s': madds / statistics.median(seconds['run']) / 1e9,
    'share': share * madds / convolution.MULTIPLY_ADDS,
    'peak_GiB': peak / 2**30,
    'base_GiB': base / 2**30,
  }


def _make_model(case: Case) -> segmenter_lib.Segmenter:
  return segmenter_lib.Segmenter(
    genotype_lib.PUBLISHED,
    configs.SegmenterConfig(
      filter_multiplier=FLAGS.filter_multiplier,
      recompute=case.recompute,
    ),
    NUM_CLASSES,
  )


def _training(case: Case) -> Callable[[], object]:
  """Returns a training step over one batch, as `tools/train.py` makes it."""
  distribution.leave_graphs_to_cpu_kernels()
  size = (FLAGS.crop_size, FLAGS.crop_size)
  model = _make_model(case)
  networks.build(
    model,
    configs.InputConfig(crop_size=size, batch_size=FLAGS.batch_size),
    step=tf.constant(0),
  )
  config = configs.WeightOptimizerConfig()
  step = gradient_step.GradientStep(
    tf.distribute.get_strategy(),
    lambda images: model(images, training=True, step=tf.constant(0)),
    model.trainable_variables,
    optimizers.make_optimizer(config, train_steps=1000),
    config.weight_decay,
  )
  batch = {
    'image': tf.random.uniform([FLAGS.batch_size, *size, 3], -1, 1),
    'label': tf.random.uniform(
      [FLAGS.batch_size, *size], 0, NUM_CLASSES, tf.int32
    ),
  }
  return lambda: step(batch)['loss'].numpy()


def _inference(case: Case) -> Callable[[], object]:
  """Returns a call of the exported SavedModel, read back from disk."""
  model = _make_model(case)
  model(tf.zeros([1, 33, 33, 3]))
  info = datasets.DatasetInfo(
    name='benchmark',
    class_names=tuple(f'class {i}' for i in range(NUM_CLASSES)),
    colors=palette.default_colors(NUM_CLASSES),
  )
  with tempfile.TemporaryDirectory() as folder:
    exporter.export(
      model,
      dataset_info=info,
      genotype=genotype_lib.PUBLISHED,
      output_dir=folder,
      step=0,
      compute_dtype=model.compute_dtype,
    )
    served = tf.saved_model.load(folder)
  shape = [1, FLAGS.crop_size, FLAGS.crop_size, 3]
  images = tf.cast(tf.random.uniform(shape, 0, 256, tf.int32), tf.uint8)
  predict = served.signatures['serving_default']
  # Keeps `served`, and so the variables, alive.
  return lambda: (served, [y.numpy() for y in predict(images).values()])


def _multiply_adds(kind: str) -> int:
  forward = cost.count(
    cost.Network(
      genotype_lib.PUBLISHED,
      (FLAGS.crop_size, FLAGS.crop_size),
      FLAGS.filter_multiplier,
      NUM_CLASSES,
    )
  ).multiply_adds
  return 3 * FLAGS.batch_size * forward if kind == 'training' else forward


def _run_apart(case: Case) -> dict[str, float]:
  """Runs this module in another process, with the same flags."""
  result = subprocess.run(
    [
      *(sys.executable, '-m', 'benchmarks.segmenter', *sys.argv[1:]),
      f'--case={json.dumps(dataclasses.asdict(case))}',
    ],
    stdout=subprocess.PIPE,
    check=True,
  )
  return json.loads(result.stdout)


def main(argv: Sequence[str]) -> None:
  del argv
  if FLAGS.case:
    print(json.dumps(measure_case(Case(**json.loads(FLAGS.case)))))
    return
  rows = []
  first: dict[str, float] = {}
  for case in CASES:
    row = _run_apart(case)
    first.setdefault(case.kind, row['to_float32'])
    row['to_float32'] /= first[case.kind]
    rows.append(dataclasses.asdict(case) | row)
  measure.report(rows, as_json=FLAGS.json)


if __name__ == '__main__':
  app.run(main)
