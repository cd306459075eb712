# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses against numpy."""

import numpy as np
import tensorflow as tf

from auto_deeplab.training import objectives


def _batch(seed=0):
  rng = np.random.default_rng(seed)
  logits = rng.normal(size=[2, 3, 5, 4]).astype(np.float32)
  labels = rng.integers(0, 4, [2, 3, 5]).astype(np.int32)
  labels[rng.random(labels.shape) < 0.3] = 255
  return labels, logits


def _losses(labels, logits):
  """Cross-entropies of the valid pixels."""
  valid = labels != 255
  chosen = np.take_along_axis(
    logits, np.where(valid, labels, 0)[..., None], axis=-1
  )[..., 0]
  return (np.log(np.exp(logits).sum(-1)) - chosen)[valid]


def test_cross_entropy_is_the_mean_over_valid_pixels():
  labels, logits = _batch()
  losses = _losses(labels, logits)
  assert 0 < losses.size < labels.size
  np.testing.assert_allclose(
    objectives.cross_entropy(labels, logits), losses.mean(), rtol=1e-6
  )


def test_ignored_pixels_have_no_gradient():
  labels, logits = _batch()
  logits = tf.constant(logits)
  with tf.GradientTape() as tape:
    tape.watch(logits)
    loss = objectives.cross_entropy(labels, logits)
  gradient = tape.gradient(loss, logits).numpy()
  assert np.all(gradient[labels == 255] == 0)
  assert np.all(np.abs(gradient[labels != 255]).sum(-1) > 0)


def test_nothing_but_ignored_pixels_is_no_loss_and_no_nan():
  _, logits = _batch()
  logits = tf.constant(logits)
  with tf.GradientTape() as tape:
    tape.watch(logits)
    loss = objectives.cross_entropy(np.full([2, 3, 5], 255, np.int32), logits)
  assert loss.numpy() == 0
  assert np.all(tape.gradient(loss, logits).numpy() == 0)


def test_shares_of_replicas_add_up_to_the_mean_of_the_global_batch(mirrored):
  labels, logits = _batch()
  labels[0, :, 1:] = 255  # Unlike numbers of valid pixels.

  def replica_step():
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    return objectives.cross_entropy(
      tf.gather(labels, [replica]), tf.gather(logits, [replica])
    )

  shares = tf.function(lambda: mirrored.run(replica_step))()
  values = [float(v) for v in mirrored.experimental_local_results(shares)]
  assert len(values) == 2
  mean = _losses(labels, logits).mean()
  np.testing.assert_allclose(sum(values), mean, rtol=1e-6)


def test_weight_decay_is_the_gradient_of_half_the_squares():
  kernel = tf.Variable([1.0, -2.0], name='layer/kernel')
  others = [
    tf.Variable([3.0], name=f'layer/{n}') for n in ('gamma', 'beta', 'bias')
  ]
  variables = [kernel, *others]
  gradients = objectives.add_weight_decay(
    [tf.zeros_like(v) for v in variables], variables, 0.5
  )
  np.testing.assert_allclose(gradients[0], [0.5, -1.0])
  for gradient in gradients[1:]:
    np.testing.assert_array_equal(gradient, [0])


def test_alphas_and_betas_are_decayed():
  for name in ('alphas', 'betas', 'conv/depthwise_kernel'):
    assert objectives.is_decayed(tf.Variable([0.0], name=name))


def test_another_ignore_label():
  logits = np.zeros([1, 1, 3, 2], np.float32)
  loss = objectives.cross_entropy([[[0, 1, 2]]], logits, ignore_label=2)
  np.testing.assert_allclose(loss, np.log(2), rtol=1e-6)
