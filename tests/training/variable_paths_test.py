# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Paths are those of checkpoints."""

import tensorflow as tf

from auto_deeplab.training import variable_paths


class _Layer(tf.Module):
  def __init__(self):
    super().__init__()
    self.parts = [tf.Variable([1.0]), {'a/b.c': tf.Variable([2.0, 3.0])}]
    self.first = self.parts[0]
    self.parent = self


def test_paths_are_the_shortest_and_those_of_a_checkpoint(tmp_path):
  layer = _Layer()
  found = variable_paths.by_path(layer)
  assert set(found) == {'first', 'parts/1/a/b.c'}
  assert found['first'] is layer.first
  assert variable_paths.by_variable(layer)[layer.first.ref()] == 'first'
  checkpoint = tf.train.Checkpoint(layer=layer, other=tf.Variable(0.0))
  path = checkpoint.write(str(tmp_path / 'ckpt'))
  stored = variable_paths.in_checkpoint(path, 'layer')
  shapes = {name: shape for name, (_, shape) in stored.items()}
  assert shapes == {'first': [1], 'parts/1/a/b.c': [2]}
  value = tf.train.load_variable(path, stored['parts/1/a/b.c'][0])
  assert value.tolist() == [2, 3]
