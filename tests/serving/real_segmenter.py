# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A small network of a genotype, whose kernels are those of a large one."""

import numpy as np
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture.genotype import Genotype
from auto_deeplab.model.segmenter import Segmenter

GENOTYPE = Genotype(
  cell=(
    ((0, 'sep_conv_3x3'), (1, 'atrous_conv_3x3')),
    ((1, 'skip_connect'), (2, 'max_pool_3x3')),
  ),
  backbone=(0, 1, 2),
)


def make(num_classes: int) -> Segmenter:
  config = configs.SegmenterConfig(
    filter_multiplier=2,
    stem_filters=(4, 4, 8),
    aspp_filters=8,
    low_level_filters=4,
    decoder_filters=8,
    drop_path_keep_prob=0.5,
    dropout_rate=0.5,
  )
  tf.keras.utils.set_random_seed(2)
  model = Segmenter(GENOTYPE, config, num_classes)
  model(tf.zeros([1, 33, 33, 3]))
  return model


def make_decided(num_classes: int) -> Segmenter:
  """Returns the same with logits by which each class has its pixels."""
  model = make(num_classes)
  images = np.random.default_rng(3).integers(0, 256, [1, 65, 65, 3], np.uint8)
  mean, variance = tf.nn.moments(model(images, training=False), axes=[0, 1, 2])
  kernel, bias = model.logits.weights
  kernel.assign(kernel / tf.sqrt(variance))
  bias.assign((bias - mean) / tf.sqrt(variance))
  return model
