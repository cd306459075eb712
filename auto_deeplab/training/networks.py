# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The network of a training, made with its variables."""

from typing import Any

from absl import logging
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import cost
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.data import datasets
from auto_deeplab.model import segmenter as segmenter_lib
from auto_deeplab.model.ops import sizes
from auto_deeplab.training import (
  distribution,
  keras_internals,
  weight_averages,
)


def make_segmenter(
  config: configs.TrainExperiment,
  genotype: genotype_lib.Genotype,
  info: datasets.DatasetInfo,
) -> segmenter_lib.Segmenter:
  """Makes the segmenter of a training; its variables follow with `build`.

  Raises:
    ValueError: if the window of the image pooling, which stands for a crop at
      inference, is larger than a crop's feature map.
  """
  _check_window(config, genotype)
  return segmenter_lib.Segmenter(
    genotype,
    config.segmenter,
    info.num_classes,
    synchronized_batch_norm=config.runtime.synchronized_batch_norm,
    seed=config.runtime.seed,
    drop_path_steps=config.schedule.train_steps,
  )


def _check_window(
  config: configs.TrainExperiment, genotype: genotype_lib.Genotype
) -> None:
  window, crop = config.segmenter.pooling_size, config.input.crop_size
  network = cost.Network(genotype, input_size=crop)
  if window is not None and not network.can_pool(window):
    raise ValueError(
      f'`SegmenterConfig.pooling_size` ({window}) must not be larger than the '
      f'feature map {network.feature_size} of an `InputConfig.crop_size` of '
      f'{crop}.'
    )


def warn_of_crop(crop_size: tuple[int, int], stride: int) -> None:
  """Warns of training crops whose maps do not nest, as those evaluated do.

  Args:
    crop_size: (height, width) in pixels.
    stride: the coarsest output stride of the network, in pixels.
  """
  nesting = sizes.nesting(crop_size, stride)
  if nesting != crop_size:
    logging.warning(
      '`InputConfig.crop_size` %s is no size at which the maps of this network '
      'nest: it learns with resizes that no evaluation has. %s is the next '
      'that is.',
      crop_size,
      nesting,
    )


def build(
  model: tf.keras.Model,
  config: configs.InputConfig,
  strategy: tf.distribute.Strategy | None = None,
  **settings: Any,
) -> None:
  """Creates the variables.

  In a graph, so that nothing is computed: an eager call would run the whole
  network once. With the shapes of training, so that what the supernet's cells
  share is traced here once for all.
  """
  batch_size = config.batch_size
  if strategy is not None:
    batch_size = distribution.replica_batch_size(strategy, batch_size)
  shape = [batch_size, *config.crop_size, 3]
  forward = tf.autograph.experimental.do_not_convert(model)
  with keras_internals.scratch_graph('build'):
    images = tf.compat.v1.placeholder(tf.float32, shape)
    forward(images, training=True, **settings)


def make_evaluated(
  config: configs.TrainExperiment,
  genotype: genotype_lib.Genotype,
  info: datasets.DatasetInfo,
  precision: str = 'float32',
) -> segmenter_lib.Segmenter:
  """Makes and builds the network that evaluations and exports compute with.

  It is that of `make_segmenter` in `precision`, one of `configs.PRECISIONS`,
  whatever the training computes in.
  """
  policy = tf.keras.mixed_precision.global_policy()
  tf.keras.mixed_precision.set_global_policy(precision)
  try:
    model = make_segmenter(config, genotype, info)
    build(model, config.input, step=tf.constant(0))
  finally:
    tf.keras.mixed_precision.set_global_policy(policy)
  return model


def checkpointed(
  model: segmenter_lib.Segmenter, optimizer: tf.keras.optimizers.Optimizer
) -> dict[str, Any]:
  """Returns what a training's checkpoint holds besides the step, by name.

  Args:
    model: built.
    optimizer: built for its trainable variables.
  """
  objects = {'model': model, 'optimizer': optimizer}
  averages = weight_averages.of(optimizer, model)
  return objects | ({weight_averages.PREFIX: averages} if averages else {})
