# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What can be shown of TPUs without one: XLA compiles the passes of both loops.

XLA needs shapes that are known while compiling, and so do TPUs.
"""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.data import input_pipeline
from auto_deeplab.model import cells, operations
from auto_deeplab.training import experiment
from tests.training import tiny

pytestmark = pytest.mark.slow

# XLA draws other numbers for drop path and dropout from the same seeds.
SEGMENTER = {'drop_path_keep_prob': 1.0, 'dropout_rate': 0.0}
STEPS = 2


def rows_of(run_dir):
  rows = (pathlib.Path(run_dir) / 'metrics.jsonl').read_text().splitlines()
  return [json.loads(row) for row in rows]


def assert_same(plain, compiled, columns):
  for column in columns:
    first, second = (
      [row[column] for row in rows if column in row]
      for rows in (plain, compiled)
    )
    assert len(first) >= 1
    np.testing.assert_allclose(second, first, rtol=1e-4)


def test_xla_compiles_the_steps_of_a_training(data_dir, tmp_path):
  rows = []
  for use_xla in (False, True):
    config = tiny.train_config(
      runtime={'use_xla': use_xla},
      segmenter=SEGMENTER,
      schedule={'train_steps': STEPS},
    )
    place = experiment.Place(str(data_dir), str(tmp_path / str(use_xla)))
    experiment.run_training(config, tiny.GENOTYPE, place)
    rows.append(rows_of(place.run_dir))
  plain, compiled = rows
  assert_same(plain, compiled, ['train/loss', 'train/gradient_norm'])


def test_xla_compiles_the_passes_of_a_search_cell():
  cell = cells.SearchCell(1, 4, operations.NormSettings())
  inputs, previous = tf.random.stateless_normal([2, 2, 9, 9, 4], [1, 2])
  alpha = tf.one_hot([4, 7], len(genotype_lib.PRIMITIVES))
  cell.build(inputs.shape)

  def passes():
    with tf.GradientTape() as tape:
      tape.watch(alpha)
      outputs = cell(inputs, previous, alpha, training=True)
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
