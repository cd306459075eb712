# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The training of a genotype, put together and run.

The order of start-up is that of `search`.
"""

import orbit
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.data import datasets
from auto_deeplab.data.input import class_weights
from auto_deeplab.data.records import tfrecord
from auto_deeplab.evaluation import evaluator
from auto_deeplab.experiments import opening, parts
from auto_deeplab.model import segmenter as segmenter_lib
from auto_deeplab.runs import outer_loop
from auto_deeplab.runs import run as run_lib
from auto_deeplab.training import (
  distribution,
  gradient_step,
  networks,
  objectives,
  trainer,
  weight_averages,
)


def run(
  config: configs.TrainExperiment,
  genotype: genotype_lib.Genotype,
  place: run_lib.Place,
) -> dict[str, float]:
  """Trains a genotype from `place.start`, or goes on in the run folder.

  Returns:
    The scores on `place.eval_split` at the end (`metrics.summarize`).

  Raises:
    ValueError: bad data or configuration, another run's folder, one that
      another process writes, or a non-finite loss.
    FileNotFoundError: no data set.
  """
  info = tfrecord.load_info(place.data_dir)
  evaluator.require_labels(info, place.eval_split)
  run = run_lib.TrainingRun(place, config, genotype, info)
  strategy = parts.start(config.runtime, place)
  with run.opened(strategy), tfrecord.naming_damaged_shards(place.data_dir):
    pixel_loss = make_pixel_loss(config.loss, info, place.train_split)
    distribution.replica_batch_size(
      strategy, config.input.batch_size, config.schedule.accumulation_steps
    )
    dataset = parts.distribute(strategy, config, place, run.first_step)
    with strategy.scope():
      model = networks.make_segmenter(config, genotype, info)
      networks.warn_of_crop(config.input.crop_size, model.coarsest_stride)
      networks.build(model, config.input, strategy, step=tf.constant(0))
      run.initialize(model)
      train = _make_trainer(config, model, strategy, dataset, pixel_loss)
      evaluate = _make_evaluator(config, genotype, info, place, strategy, train)
    run.resume(train.global_step, **train.checkpointed())
    opening.say(
      'train',
      run,
      strategy,
      info,
      pictures=opening.pictures_of(info, place.train_split),
      parameters={'parameters': parts.size(model.trainable_variables)},
      num_steps=config.schedule.train_steps,
    )
    run.claim()
    return outer_loop.run(
      'train',
      run,
      train,
      strategy,
      num_steps=config.schedule.train_steps,
      evaluator=evaluate,
      eval_interval=config.schedule.eval_interval,
    )


def _make_trainer(
  config: configs.TrainExperiment,
  model: segmenter_lib.Segmenter,
  strategy: tf.distribute.Strategy,
  dataset: distribution.Batches,
  pixel_loss: objectives.PixelLoss,
) -> trainer.Trainer:
  global_step = orbit.utils.create_global_step()
  step = make_step(config, model, strategy, global_step, pixel_loss)
  return trainer.Trainer(model, step, dataset, global_step)


def make_step(
  config: configs.TrainExperiment,
  model: segmenter_lib.Segmenter,
  strategy: tf.distribute.Strategy,
  global_step: tf.Variable,
  pixel_loss: objectives.PixelLoss,
) -> gradient_step.GradientStep:
  """Makes the step of a training, within the strategy's scope.

  Args:
    config: of the training.
    model: built.
    strategy: that it computes with.
    global_step: int64, counts the steps made.
    pixel_loss: as of `make_pixel_loss`.
  """

  def forward(
    images: tf.Tensor, micro_batch: tf.Tensor | None = None
  ) -> tf.Tensor:
    return model(
      images,
      training=True,
      step=global_step,
      micro_batch=micro_batch,
    )

  return parts.make_step(
    strategy,
    forward,
    model.trainable_variables,
    config.weight_optimizer,
    config.schedule.train_steps,
    ema_momentum=config.schedule.ema_momentum,
    use_xla=config.runtime.use_xla,
    pixel_loss=pixel_loss,
    accumulation_steps=config.schedule.accumulation_steps,
  )


def _make_evaluator(
  config: configs.TrainExperiment,
  genotype: genotype_lib.Genotype,
  info: datasets.DatasetInfo,
  place: run_lib.Place,
  strategy: tf.distribute.Strategy,
  train: trainer.Trainer,
) -> evaluator.Evaluator:
  """Makes what evaluates the trained weights in float32."""
  evaluated = networks.make_evaluated(config, genotype, info)
  averages = weight_averages.of(train.step.optimizer, train.model)
  return evaluator.make_evaluator(
    strategy,
    evaluated,
    place.data_dir,
    place.eval_split,
    # As large as they are trained on.
    configs.EvalConfig(long_side=config.input.long_side),
    before=lambda: weight_averages.lend(train.model, averages, evaluated),
  )


def make_pixel_loss(
  config: configs.LossConfig, info: datasets.DatasetInfo, split: str
) -> objectives.PixelLoss:
  """Makes the loss of a training on a split."""
  weights = None
  if config.class_weights == 'median_frequency':
    weights = class_weights.median_frequency(info, split)
  return objectives.PixelLoss(
    weights,
    config.hard_pixel_fraction,
    config.hard_pixel_warmup_steps,
    kind=config.kind,
  )
