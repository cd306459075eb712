# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A second pass has the gradients of the first, and moves nothing again."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture.genotype import Genotype
from auto_deeplab.model import segmenter
from auto_deeplab.model.ops import normalization, recomputation
from auto_deeplab.training import distribution

AGAIN = normalization.Pass.AGAIN
CELL = (((0, 'sep_conv_3x3'), (1, 'atrous_conv_3x3')),)


@pytest.mark.parametrize('is_graph', [False, True])
def test_gradients_are_those_of_the_second_pass(is_graph):
  weight = tf.Variable(3.0)
  passes = []

  def first(parts):
    passes.append('first')
    return {'y': parts['x'] * weight, 'z': parts['x'] + 1}

  def second(parts):
    passes.append('second')
    # Another function, to be known by its gradient.
    return {'y': parts['x'] * weight * 10, 'z': parts['x'] + 1}

  def run(x):
    with tf.GradientTape() as tape:
      tape.watch(x)
      outputs = recomputation.recomputed(first, second)({'x': x})
      target = outputs['y'] + outputs['z']
    assert passes == ['first']
    return outputs['y'], *tape.gradient(target, [x, weight])

  run = tf.function(run, autograph=False) if is_graph else run
  y, of_x, of_weight = run(tf.constant(2.0))
  assert passes == ['first', 'second']
  assert (float(y), float(of_x), float(of_weight)) == (6.0, 31.0, 20.0)


@pytest.mark.parametrize('value', [np.nan, np.inf, 0.0])
def test_a_gradient_of_any_value_leaves_the_second_pass_as_it_is(value):
  seen = []

  def second(x):
    seen.append(x)
    return 2 * x

  with tf.GradientTape() as tape:
    x = tf.constant([1.0, 2.0])
    tape.watch(x)
    y = recomputation.recomputed(lambda x: 2 * x, second)(x)
  tape.gradient(y, x, tf.fill([2], value))
  np.testing.assert_array_equal(seen[0], x)


def make_norm(**settings):
  norm = normalization.NormSettings(momentum=0.5, **settings).layer()
  norm.build([None, None, None, 3])
  norm.gamma.assign([1.0, 2.0, 3.0])
  norm.beta.assign([0.0, -1.0, 1.0])
  return norm


def values_and_gradients(norm, x, training):
  with tf.GradientTape() as tape:
    tape.watch(x)
    y = norm(x, training=training)
    weights = tf.random.stateless_normal(tf.shape(y), [1, 2])
    target = tf.reduce_sum(y * weights)
  return y, *tape.gradient(target, [x, norm.gamma, norm.beta])


@pytest.mark.parametrize('is_known', [True, False])
@pytest.mark.parametrize('size', [(2, 4, 5, 3), (1, 1, 1, 3)])
@pytest.mark.parametrize('synchronized', [False, True])
def test_a_norm_that_trains_again_leaves_its_statistics(
  synchronized, size, is_known
):
  """A single pixel is too little: there the moving ones are taken."""
  norm = make_norm(synchronized=synchronized)
  x = 3 * tf.random.stateless_normal(size, [0, 1]) + 1
  spec = tf.TensorSpec(size if is_known else [None, None, None, 3])
  statistics = norm.non_trainable_variables

  def compute(training):
    return tf.function(
      lambda x: values_and_gradients(norm, x, training), input_signature=[spec]
    )(x)

  before = [v.numpy() for v in statistics]
  again = compute(AGAIN)
  for value, old in zip(statistics, before, strict=True):
    np.testing.assert_array_equal(value, old)
  once = compute(True)
  for a, b in zip(again, once, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
  has_moved = [np.any(v != old) for v, old in zip(statistics, before)]
  assert has_moved == [size != (1, 1, 1, 3)] * 2


def test_a_frozen_norm_is_the_same_again():
  norm = make_norm(frozen=True)
  x = 3 * tf.random.stateless_normal([2, 4, 5, 3], [0, 1]) + 1
  np.testing.assert_array_equal(norm(x, training=AGAIN), norm(x))


def make_segmenter(recompute, synchronized):
  tf.keras.utils.set_random_seed(1)
  config = configs.SegmenterConfig(
    filter_multiplier=2,
    stem_filters=(4, 4, 8),
    aspp_filters=8,
    low_level_filters=4,
    decoder_filters=8,
    dropout_rate=0.0,
    batch_norm_momentum=0.5,
    recompute=recompute,
  )
  return segmenter.Segmenter(
    Genotype(CELL, (0, 1)), config, 3, synchronized_batch_norm=synchronized
  )


@pytest.mark.slow
@pytest.mark.parametrize('synchronized', [False, True])
def test_two_replicas_that_recompute_move_what_two_others_do(synchronized):
  strategy = distribution.make_strategy('mirrored')
  images = tf.random.stateless_uniform([4, 33, 33, 3], [0, 1], -1, 1)
  halves = strategy.experimental_distribute_values_from_function(
    lambda context: tf.split(images, 2)[context.replica_id_in_sync_group]
  )

  def step(recompute):
    with strategy.scope():
      model = make_segmenter(recompute, synchronized)
      strategy.run(model, (halves,))

    def gradients(images):
      with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(images, training=True) ** 2)
      return tape.gradient(loss, model.trainable_variables)

    found = tf.function(lambda: strategy.run(gradients, (halves,)))()
    # Of both replicas.
    local = strategy.experimental_local_results
    moved = [local(v) for v in model.non_trainable_variables]
    assert {len(parts) for parts in moved} == {2}
    return tf.nest.flatten([[local(g) for g in found], moved])

  kept, recomputed = step(False), step(True)
  for a, b in zip(recomputed, kept, strict=True):
    a, b = (tf.convert_to_tensor(x).numpy() for x in (a, b))
    np.testing.assert_allclose(a, b, atol=1e-4 * max(1.0, np.abs(b).max()))
