# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A small network in the segmenter's place, and its export."""

import os
from pathlib import Path

import tensorflow as tf

from auto_deeplab.architecture.genotype import PUBLISHED
from auto_deeplab.data.datasets import DatasetInfo
from auto_deeplab.serving import exporter

DATASET_INFO = DatasetInfo(
  name='tiny',
  class_names=('sky', 'road', 'car', 'tree'),
  colors=((70, 130, 180), (128, 64, 128), (0, 0, 142), (107, 142, 35)),
  values=(23, 7, 26, 0),
)
STEP = 1200


@tf.custom_gradient
def _rectified(x):
  y = tf.nn.relu(x)
  return y, lambda dy: dy * tf.cast(y > 0, dy.dtype)


class TinySegmenter(tf.keras.Model):
  """Logits at the input size, with all that an export has to leave behind.

  Batch norm and dropout behave otherwise in training; the optimizer's slots
  and the moving average are variables that inference does not read. The
  rectifier has a gradient of its own.
  """

  def __init__(self, num_classes: int):
    super().__init__()
    self.conv = tf.keras.layers.Conv2D(8, 3, strides=2, padding='same')
    self.norm = tf.keras.layers.BatchNormalization()
    self.dropout = tf.keras.layers.Dropout(0.5)
    self.logits = tf.keras.layers.Conv2D(num_classes, 1)
    self.moving_average = tf.Variable(tf.zeros([3]), name='moving_average')

  def call(self, images, training=False):
    features = self.norm(self.conv(images), training=training)
    features = self.dropout(_rectified(features), training=training)
    return tf.image.resize(self.logits(features), tf.shape(images)[1:3])


def make() -> TinySegmenter:
  """Returns the network with weights of its own, ready for training."""
  tf.keras.utils.set_random_seed(1)
  model = TinySegmenter(DATASET_INFO.num_classes)
  model(tf.zeros([1, 9, 9, 3]))
  for weight in model.norm.weights:
    weight.assign(tf.random.uniform(weight.shape, 0.5, 1.5))
  model.compile(optimizer=tf.keras.optimizers.Adam())
  model.optimizer.build(model.trainable_variables)
  return model


def export(
  output_dir: str | os.PathLike, model: tf.keras.Model, **options
) -> Path:
  return exporter.export(
    model,
    dataset_info=DATASET_INFO,
    genotype=PUBLISHED,
    output_dir=output_dir,
    step=STEP,
    **options,
  )
