# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The cost model against the networks that are built."""

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import cost
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.model import segmenter

pytestmark = pytest.mark.slow

SETTINGS: dict[str, Any] = {
  'filter_multiplier': 3,
  'stem_filters': (4, 6, 10),
  'aspp_filters': 16,
  'low_level_filters': 5,
  'decoder_filters': 12,
}
NUM_CLASSES = 4


def draw(seed):
  """A random genotype of a random size."""
  generator = np.random.default_rng(seed)
  return genotype_lib.random_genotype(
    generator,
    num_layers=int(generator.integers(2, 6)),
    num_blocks=int(generator.integers(1, 3)),
  )


def build(genotype, input_size, pooling_size=None):
  """Returns the model and the graph of its inference on one image."""
  config = configs.SegmenterConfig(pooling_size=pooling_size, **SETTINGS)
  model = segmenter.Segmenter(genotype, config, NUM_CLASSES)
  function = tf.function(lambda images: model.endpoints(images, training=False))
  spec = tf.TensorSpec([1, *input_size, 3])
  return model, function.get_concrete_function(spec).graph


def multiply_adds(graph):
  """Output positions x kernel of each convolution of a graph."""
  total = 0
  for operation in graph.get_operations():
    if operation.type not in ('Conv2D', 'DepthwiseConv2dNative'):
      continue
    _, height, width, _ = operation.outputs[0].shape
    total += height * width * math.prod(operation.inputs[1].shape)
  return total


@pytest.mark.parametrize('first_seed', range(0, 50, 10))
def test_random_genotypes_cost_what_their_models_have(first_seed):
  for seed in range(first_seed, first_seed + 10):
    # Sizes that nest (32m + 1) and sizes that do not.
    input_size = [(65, 97), (64, 100), (47, 61)][seed % 3]
    genotype = draw(seed)
    model, graph = build(genotype, input_size)
    network = cost.Network(
      genotype, input_size, num_classes=NUM_CLASSES, **SETTINGS
    )
    counted = cost.count(network)
    parameters = sum(math.prod(v.shape) for v in model.trainable_variables)
    assert counted.parameters == parameters, (seed, genotype)
    assert counted.multiply_adds == multiply_adds(graph), (seed, genotype)


def test_a_pooling_window_costs_what_it_costs_in_the_graph():
  block = ((0, 'atrous_conv_3x3'), (1, 'sep_conv_5x5'))
  genotype = genotype_lib.Genotype((block,), (0, 1))
  _, graph = build(genotype, (65, 97), pooling_size=(5, 7))
  network = cost.Network(
    genotype,
    (65, 97),
    num_classes=NUM_CLASSES,
    pooling_size=(5, 7),
    **SETTINGS,
  )
  assert cost.count(network).multiply_adds == multiply_adds(graph)
