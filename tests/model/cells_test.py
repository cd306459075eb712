# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The final cell by its parts."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.architecture import lattice
from auto_deeplab.model import cells, regularization
from auto_deeplab.model.ops import normalization, sizes
from tests.model.search import plain_cell

NORM = normalization.NormSettings(momentum=0.0)
FILTERS = plain_cell.FILTERS
random_map = plain_cell.random_map
assert_close = plain_cell.assert_close

BLOCKS_OF_FINAL_CELL = (
  ((0, 'avg_pool_3x3'), (1, 'atrous_conv_3x3')),
  ((2, 'sep_conv_3x3'), (0, 'skip_connect')),
  ((3, 'max_pool_3x3'), (1, 'sep_conv_5x5')),
)


def final_cell(direction, **settings):
  tf.keras.utils.set_random_seed(3)
  return cells.Cell(BLOCKS_OF_FINAL_CELL, FILTERS, direction, NORM, **settings)


@pytest.mark.parametrize('size', [(9, 7), (8, 6)])
@pytest.mark.parametrize('direction', [lattice.UP, lattice.SAME, lattice.DOWN])
def test_final_cell_wires_its_operations(direction, size):
  inputs = random_map(2, size[0], size[1], 5)
  previous = random_map(2, 5, 12, channels=6, seed=1)
  cell = final_cell(direction)
  outputs = cell(inputs, previous)
  resized = sizes.resize_aligned(previous, size)
  states = [
    cell.previous_projection(tf.nn.relu(resized)),
    cell.projection(tf.nn.relu(inputs)),
  ]
  for block, layers in zip(BLOCKS_OF_FINAL_CELL, cell.operations):
    states.append(sum(op(states[s]) for (s, _), op in zip(block, layers)))
  assert_close(outputs, tf.concat(states[2:], axis=-1))
  is_halved = direction == lattice.DOWN
  assert outputs.shape[1:3] == (sizes.halved(size) if is_halved else size)


def test_a_previous_map_of_the_right_width_and_size_is_taken_as_it_is():
  cell = final_cell(lattice.SAME, project_previous=False, resize_previous=False)
  inputs, previous = random_map(channels=5), random_map(seed=1)
  outputs = cell(inputs, previous)
  assert cell.previous_projection is None
  state = cell.projection(tf.nn.relu(inputs))
  pool, atrous = cell.operations[0]
  assert_close(outputs[..., :FILTERS], pool(previous) + atrous(state))


def test_drop_path_draws_for_each_operation_and_sample():
  blocks = (((0, 'skip_connect'), (1, 'skip_connect')),) * 2
  cell = cells.Cell(blocks, FILTERS, lattice.SAME, NORM)
  inputs, previous = random_map(batch=64), random_map(batch=64, seed=1)
  drawn = regularization.drop_path_scales(tf.constant([0.5]), 4, 64, [1, 2])
  scales = tf.unstack(drawn[0, :, :, None, None, None])
  outputs = cell(inputs, previous, scales=scales)
  assert cell.previous_projection is not None
  states = [
    cell.previous_projection(tf.nn.relu(previous)),
    cell.projection(tf.nn.relu(inputs)),
  ]
  # Which of its two operations a block keeps, by sample.
  seen = set()
  for sample in range(64):
    first, second = (states[s][sample].numpy() for s in (0, 1))
    kept: list[int] = []
    for block in tf.split(outputs[sample], 2, axis=-1):
      matches = [
        (i, j)
        for i in (0, 1)
        for j in (0, 1)
        if np.allclose(block, 2 * (i * first + j * second), atol=1e-5)
      ]
      assert len(matches) == 1
      kept += matches[0]
    seen.add(tuple(kept))
  # Sixteen outcomes; four operations that drop together would give two.
  assert len(seen) > 8
