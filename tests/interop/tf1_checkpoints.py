# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints as the authors' TF1 code writes them, of random values."""

from collections.abc import Mapping
import pathlib

import numpy as np
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.interop import tf1_names
from auto_deeplab.model import segmenter as segmenter_lib

Arrays = dict[str, np.ndarray]


def random_variables(
  genotype: genotype_lib.Genotype,
  config: configs.SegmenterConfig,
  num_classes: int,
) -> Arrays:
  """Random values of a network's variables, by the authors' names."""
  model = segmenter_lib.Segmenter(genotype, config, num_classes)
  trace = tf.function(lambda images: model(images))
  trace.get_concrete_function(tf.TensorSpec([1, 33, 33, 3]))
  generator = np.random.default_rng(0)
  return {
    name: generator.uniform(0.1, 0.2, variable.shape).astype(np.float32)
    for name, variable in tf1_names.variables_by_name(model).items()
  }


def training_state(variables: Mapping[str, np.ndarray], step: int) -> Arrays:
  """Adds the momentum of each trained variable, and the step."""
  slots = {
    f'{name}/Momentum': np.ones_like(value)
    for name, value in variables.items()
    if '/moving_' not in name
  }
  return {**variables, **slots, 'global_step': np.array(step, np.int64)}


def write(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> str:
  """Saves variables of these names by TF1's own saver; returns the prefix."""
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    variables = [
      tf.compat.v1.get_variable(name, initializer=value, use_resource=False)
      for name, value in arrays.items()
    ]
    session.run(tf.compat.v1.global_variables_initializer())
    saver = tf.compat.v1.train.Saver(variables)
    return saver.save(session, str(path / 'model.ckpt'))
