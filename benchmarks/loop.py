# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""What the loop around the training step costs.

  python -m benchmarks.loop

Steps a second of a training as `tools/train.py` runs it (the loop, the
check of each step's values, the progress, `metrics.jsonl` and summaries) beside
those of the bare compiled step, both over the same batches from memory, in
turns. No checkpoint falls into it. Columns:

  step_ms  milliseconds of a bare step, the median of the rounds
  loop_ms  of a step within the loop
  share    the loop's steps a second over the bare ones: the median over the
           rounds; 1 is no overhead
"""

from collections.abc import Sequence
import contextlib
import dataclasses
import io
import itertools
import statistics
import tempfile

from absl import app, flags
import orbit
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.model import segmenter as segmenter_lib
from auto_deeplab.runs import outer_loop
from auto_deeplab.runs import run as run_lib
from auto_deeplab.training import (
  distribution,
  gradient_step,
  networks,
  optimizers,
  trainer,
)
from benchmarks import measure

FLAGS = flags.FLAGS
flags.DEFINE_integer('crop_size', 97, 'Height and width of the crops.')
flags.DEFINE_integer('filter_multiplier', 4, 'F.')
flags.DEFINE_integer('batch_size', 2, 'Of a step.')
flags.DEFINE_integer('num_steps', 20, 'Steps a round and way.')
flags.DEFINE_integer('num_rounds', 3, 'Rounds that count.')
flags.DEFINE_boolean('json', False, 'Print JSON.')

NUM_CLASSES = 19
NUM_BATCHES = 8


def measure_overhead() -> dict[str, float]:
  """Times both ways, and returns the columns."""
  distribution.leave_graphs_to_cpu_kernels()
  strategy = distribution.make_strategy('one_device')
  dataset = distribution.distribute(strategy, lambda _: _batches())
  with strategy.scope():
    train = _make_trainer(strategy, dataset)
  with tempfile.TemporaryDirectory() as run_dir:
    place = run_lib.Place(data_dir='', run_dir=run_dir)
    run = _Unsaved(place, _experiment(), {})
    runs = {
      'bare': _bare(train.step, dataset),
      'loop': _looping(train, strategy, run),
    }
    seconds = measure.alternating_seconds(runs, FLAGS.num_rounds)
  milliseconds = {
    name: statistics.median(values) / FLAGS.num_steps * 1000
    for name, values in seconds.items()
  }
  return {
    'step_ms': milliseconds['bare'],
    'loop_ms': milliseconds['loop'],
    'share': measure.median_ratio(seconds['bare'], seconds['loop']),
  }


def _experiment() -> configs.TrainExperiment:
  runtime = configs.RuntimeConfig(
    steps_per_loop=FLAGS.num_steps, checkpoint_interval=FLAGS.num_steps
  )
  return dataclasses.replace(
    configs.load(configs.TrainExperiment), runtime=runtime
  )


def _batches() -> tf.data.Dataset:
  shape = [NUM_BATCHES, FLAGS.batch_size, FLAGS.crop_size, FLAGS.crop_size]
  image = tf.random.uniform([*shape, 3], -1, 1)
  label = tf.random.uniform(shape, 0, NUM_CLASSES, tf.int32)
  batches = tf.data.Dataset.from_tensor_slices({'image': image, 'label': label})
  return batches.repeat()


def _make_trainer(
  strategy: tf.distribute.Strategy, dataset: distribution.Batches
) -> trainer.Trainer:
  model = segmenter_lib.Segmenter(
    genotype_lib.PUBLISHED,
    configs.SegmenterConfig(filter_multiplier=FLAGS.filter_multiplier),
    NUM_CLASSES,
  )
  size = (FLAGS.crop_size, FLAGS.crop_size)
  step = tf.constant(0)
  networks.build(
    model,
    configs.InputConfig(size, batch_size=FLAGS.batch_size),
    strategy,
    step=step,
  )
  compiled = gradient_step.GradientStep(
    strategy,
    lambda images, *_: model(images, training=True, step=step),
    model.trainable_variables,
    optimizers.make_optimizer(configs.WeightOptimizerConfig(), 1_000_000),
  )
  return trainer.Trainer(
    model, compiled, dataset, orbit.utils.create_global_step()
  )


def _bare(step: gradient_step.GradientStep, dataset):
  iterator = iter(dataset)

  def run() -> None:
    for _ in range(FLAGS.num_steps):
      values = step(next(iterator))
    values['loss'].numpy()

  return run


class _Unsaved(run_lib.Run):
  """A run that saves no checkpoints, which are no part of the loop."""

  def save(self) -> None:
    pass


def _looping(
  train: trainer.Trainer, strategy: tf.distribute.Strategy, run: run_lib.Run
):
  """Trains on by another `num_steps` at each call, as a run does."""
  targets = itertools.count(FLAGS.num_steps, FLAGS.num_steps)
  run.resume(train.global_step, model=train.model)

  def go_on() -> None:
    with contextlib.redirect_stderr(io.StringIO()):
      outer_loop.run('loop', run, train, strategy, num_steps=next(targets))

  return go_on


def main(argv: Sequence[str]) -> None:
  del argv
  measure.report([measure_overhead()], as_json=FLAGS.json)


if __name__ == '__main__':
  app.run(main)
