# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What can be shown of TPUs without one: XLA compiles the passes of both loops.

XLA needs shapes that are known while compiling, and so do TPUs.
"""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.architecture import primitives
from auto_deeplab.data.input import input_pipeline
from auto_deeplab.model.ops import normalization
from auto_deeplab.model.search import search_cell
from tests import tiny
from tests.experiments import runs

pytestmark = pytest.mark.slow

# XLA draws other numbers for drop path and dropout from the same seeds.
SEGMENTER = {'drop_path_keep_prob': 1.0, 'dropout_rate': 0.0}
STEPS = 2


def test_xla_compiles_the_steps_of_a_training(data_dir, tmp_path):
  rows = {}
  for use_xla in (False, True):
    run_dir = tmp_path / str(use_xla)
    runs.train(
      data_dir,
      run_dir,
      runtime={'use_xla': use_xla},
      segmenter=SEGMENTER,
      schedule={'train_steps': STEPS},
    )
    steps = [row for row in runs.metrics(run_dir) if 'train/loss' in row]
    rows[use_xla] = steps
  assert len(rows[False]) == STEPS
  for column in ('train/loss', 'train/gradient_norm'):
    np.testing.assert_allclose(
      [row[column] for row in rows[True]],
      [row[column] for row in rows[False]],
      rtol=1e-4,
    )


def test_xla_compiles_the_passes_of_a_search_cell():
  cell = search_cell.SearchCell(1, 4, normalization.NormSettings())
  inputs, previous = tf.random.stateless_normal([2, 2, 9, 9, 4], [1, 2])
  alpha = tf.one_hot([4, 7], len(primitives.PAPER))
  cell.build(inputs.shape)

  def passes():
    with tf.GradientTape() as tape:
      tape.watch(alpha)
      architecture = search_cell.Architecture(alpha)
      outputs = cell(inputs, previous, architecture, training=True)
      loss = tf.reduce_sum(outputs**2 * inputs)
    gradients = tape.gradient(loss, [alpha, *cell.kernels.values()])
    return [outputs, *map(tf.convert_to_tensor, gradients)]

  plain, compiled = (
    [y.numpy() for y in tf.function(passes, jit_compile=use_xla)()]
    for use_xla in (None, True)
  )
  for expected, actual in zip(plain, compiled):
    tolerance = 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, atol=tolerance)
  assert np.abs(plain[0]).max() > 0.1


def test_a_batch_has_a_static_shape(data_dir):
  config = tiny.train_config().input
  dataset = input_pipeline.train_dataset(data_dir, 'train', config, seed=0)
  for name, spec in dataset.element_spec.items():
    if name in ('image', 'label'):
      assert spec.shape.is_fully_defined(), name
      assert spec.shape[0] == config.batch_size
