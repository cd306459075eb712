# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses against numpy."""

import numpy as np
import pytest
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
    objectives.PixelLoss()(labels, logits), losses.mean(), rtol=1e-6
  )


def test_ignored_pixels_have_no_gradient():
  labels, logits = _batch()
  logits = tf.constant(logits)
  with tf.GradientTape() as tape:
    tape.watch(logits)
    loss = objectives.PixelLoss()(labels, logits)
  gradient = tape.gradient(loss, logits).numpy()
  assert np.all(gradient[labels == 255] == 0)
  assert np.all(np.abs(gradient[labels != 255]).sum(-1) > 0)


def test_nothing_but_ignored_pixels_is_no_loss_and_no_nan():
  _, logits = _batch()
  logits = tf.constant(logits)
  with tf.GradientTape() as tape:
    tape.watch(logits)
    loss = objectives.PixelLoss()(np.full([2, 3, 5], 255, np.int32), logits)
  assert loss.numpy() == 0
  assert np.all(tape.gradient(loss, logits).numpy() == 0)


def test_shares_of_replicas_add_up_to_the_mean_of_the_global_batch(mirrored):
  labels, logits = _batch()
  labels[0, :, 1:] = 255  # Unlike numbers of valid pixels.

  def replica_step():
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    return objectives.PixelLoss()(
      tf.gather(labels, [replica]), tf.gather(logits, [replica])
    )

  shares = tf.function(lambda: mirrored.run(replica_step))()
  values = [float(v) for v in mirrored.experimental_local_results(shares)]
  assert len(values) == 2
  mean = _losses(labels, logits).mean()
  np.testing.assert_allclose(sum(values), mean, rtol=1e-6)


def _expected(labels, logits, class_weights, num_hard=None):
  """The weighted mean, in numpy, and its gradient to the logits."""
  valid = labels != 255
  weights = np.zeros(labels.shape)
  weights[valid] = np.asarray(class_weights)[labels[valid]]
  losses = np.zeros(labels.shape)
  losses[valid] = _losses(labels, logits)
  losses *= weights
  total = weights.sum()
  counts = valid
  if num_hard is not None:
    least = np.sort(losses[valid])[-num_hard]
    counts = valid & (losses >= least)
    assert counts.sum() == num_hard
    total *= num_hard / valid.sum()
  softmax = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
  one_hot = np.eye(4)[np.where(valid, labels, 0)]
  gradient = (softmax - one_hot) * (weights * counts / total)[..., None]
  return losses[counts].sum() / total, gradient


@pytest.mark.parametrize('class_weights', [None, (0.5, 2.0, 0.0, 1.0)])
@pytest.mark.parametrize('fraction', [1.0, 0.26])
def test_weights_and_hard_pixels_against_numpy(class_weights, fraction):
  labels, logits = _batch()
  loss = objectives.PixelLoss(class_weights, fraction)
  logits = tf.constant(logits)
  with tf.GradientTape() as tape:
    tape.watch(logits)
    value = loss(labels, logits)
  num_hard = int(np.ceil(fraction * (labels != 255).sum()))
  assert fraction == 1 or 1 < num_hard < 8
  expected, gradient = _expected(
    labels,
    logits.numpy(),
    class_weights or np.ones(4),
    num_hard if fraction < 1 else None,
  )
  np.testing.assert_allclose(value, expected, rtol=1e-5)
  np.testing.assert_allclose(
    tape.gradient(value, logits), gradient, rtol=1e-4, atol=1e-7
  )


def test_equal_weights_change_nothing():
  labels, logits = _batch()
  plain = objectives.PixelLoss()(labels, logits)
  weighted = objectives.PixelLoss([3.0] * 4)(labels, logits)
  np.testing.assert_allclose(weighted, plain, rtol=1e-6)


def test_the_share_of_hard_pixels_falls_from_all_to_its_value():
  labels, logits = _batch()
  losses = np.sort(_losses(labels, logits))[::-1]
  loss = objectives.PixelLoss(
    hard_pixel_fraction=0.2, hard_pixel_warmup_steps=10
  )
  for step, share in ((0, 1.0), (5, 0.6), (10, 0.2), (11, 0.2)):
    num_hard = int(np.ceil(share * losses.size - 1e-5))
    value = loss(labels, logits, tf.constant(step, tf.int64))
    np.testing.assert_allclose(value, losses[:num_hard].mean(), rtol=1e-6)


def test_hard_pixels_of_nothing_but_ignored_ones_are_no_loss():
  _, logits = _batch()
  loss = objectives.PixelLoss([1.0] * 4, 0.5)
  logits = tf.constant(logits)
  with tf.GradientTape() as tape:
    tape.watch(logits)
    value = loss(np.full([2, 3, 5], 255, np.int32), logits)
  assert value.numpy() == 0
  assert np.all(tape.gradient(value, logits).numpy() == 0)


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
  loss = objectives.PixelLoss(ignore_label=2)([[[0, 1, 2]]], logits)
  np.testing.assert_allclose(loss, np.log(2), rtol=1e-6)


def test_an_unknown_kind_is_refused():
  with pytest.raises(
    ValueError,
    match=r'^`kind` \(x\) of the loss is not one of cross_entropy\.$',
  ):
    objectives.PixelLoss(kind='x')
