# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What has diverged stays out, whenever it was saved."""

from typing import Any

import pytest
import tensorflow as tf

from auto_deeplab.training import rivals


def make(losses):
  """Rivals whose steps return these losses and move nothing."""
  models = {
    name: tf.keras.Sequential([tf.keras.layers.Dense(2)]) for name in losses
  }
  for model in models.values():
    model.build([None, 3])
  steps: Any = {
    name: lambda _, loss=loss: {'loss': tf.constant(loss)}
    for name, loss in losses.items()
  }
  step = tf.Variable(0, dtype=tf.int64)
  return rivals.Rivals(models, steps, tf.data.Dataset.range(9), step)


def test_what_diverged_is_out_after_a_checkpoint_as_well():
  losses = {'a': 1.0, 'b': float('nan'), 'c': 2.0}
  trained, again = make(losses), make(losses)
  trained.train(tf.constant(1))
  assert trained.left == ('a', 'c')
  assert trained.losses == {'a': 1.0, 'c': 2.0}
  for name, model in trained.models.items():
    again.models[name].set_weights(model.get_weights())
  assert again.left == ('a', 'b', 'c')
  again.leave_out_the_diverged()
  assert again.left == ('a', 'c')


def test_all_that_diverge_end_the_run():
  with pytest.raises(
    ValueError, match='no network has a finite loss at step 1'
  ):
    make({'a': float('inf')}).train(tf.constant(1))
