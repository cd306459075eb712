# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The second-order architecture step of DARTS, by finite differences.

DARTS (Liu, Simonyan, Yang, ICLR 2019, arXiv 1806.09055, equations 6 to 8)
descends the loss on B at the weights that one more step on A would reach:

  w' = w + momentum * velocity - xi * (grad_w L_A(w, arch) + wd * w)

  d L_B(w', arch) / d arch = grad_arch L_B(w', arch)
                             - xi * d/d arch (grad_w L_A(w, arch) . v),

with v = grad_w L_B(w', arch), and the last product as

  (grad_arch L_A(w + r v, arch) - grad_arch L_A(w - r v, arch)) / 2 r

where r is 0.01 over the norm of v. Finite differences, because a second
derivative through the supernet holds several times the memory, and operations
with a gradient of their own (recomputation, cuDNN's batch norm) have none.
"""

from collections.abc import Sequence

import tensorflow as tf

from auto_deeplab.training import gradient_step, objectives, optimizers

Batch = gradient_step.Batch

# |r v|, from the code of DARTS.
_RADIUS = 0.01


class UnrolledStep:
  """Four forward and backward passes; only the architecture moves.

  The weights walk to w', w + r v and w - r v and come back; so do the moving
  statistics of batch norm.

  Attributes:
    variables: of the architecture.
    optimizer: what moves them; its state belongs into checkpoints.
  """

  def __init__(
    self,
    architecture_step: gradient_step.GradientStep,
    weight_step: gradient_step.GradientStep,
    statistics: Sequence[tf.Variable],
  ):
    """Initializes the step.

    Args:
      architecture_step: the step of first order that this one stands for.
      weight_step: the step that is looked ahead, by SGD in float32. Its
        clipping is not looked ahead, as in DARTS.
      statistics: what a forward pass moves, and is put back.
    """
    self._step = architecture_step
    self._weight_step = weight_step
    self._statistics = list(statistics)
    self.variables = architecture_step.variables
    self.optimizer = architecture_step.optimizer
    self._compiled = tf.function(self._run)

  def state(self) -> list[tf.Variable]:
    """Returns all that a step moves, as `GradientStep.state`."""
    return self._step.state()

  def __call__(self, batch: Batch, next_batch: Batch) -> dict[str, tf.Tensor]:
    """Makes one step.

    Args:
      batch: of half B, as of `GradientStep`.
      next_batch: of half A, which the next weight step takes.

    Returns:
      As of `GradientStep`: `loss` is L_B(w', arch).
    """
    return self._compiled(batch, next_batch)

  def _run(self, batch: Batch, next_batch: Batch) -> dict[str, tf.Tensor]:
    run, weights = self._step.strategy.run, self._weight_step.variables
    statistics = run(_values, args=(self._statistics,))
    start = run(_values, args=(weights,))
    self._assign(run(self._look_ahead, args=(next_batch,)))
    loss, direct, vector = run(self._gradients_ahead, args=(batch,))
    self._assign(run(_walk, args=(start, vector, 1.0)))
    above = run(self._architecture_gradient, args=(next_batch,))
    self._assign(run(_walk, args=(start, vector, -1.0)))
    below = run(self._architecture_gradient, args=(next_batch,))
    self._assign(start)
    run(_restore, args=(self._statistics, statistics))
    values = run(self._update, args=(direct, above, below, vector))
    return self._step.reduce(loss, values)

  def _assign(self, values: Sequence[tf.Tensor]) -> None:
    """Moves the weights; outside of the replicas, which may not."""
    update = self._step.strategy.extended.update
    for variable, value in zip(self._weight_step.variables, values):
      update(variable, lambda v, x: v.assign(x), args=(value,))

  def _look_ahead(self, next_batch: Batch) -> list[tf.Tensor]:
    """Returns w', where the next weight step would end."""
    step = self._weight_step
    _, gradients = step.loss_and_gradients(next_batch, step.variables)
    gradients = objectives.add_weight_decay(
      objectives.sum_over_replicas(gradients),
      step.variables,
      step.weight_decay,
    )
    moves = zip(step.variables, step.optimizer.momentums, gradients)
    return [
      w + step.optimizer.momentum * m - self._rate(w) * g for w, m, g in moves
    ]

  def _rate(self, x: tf.Tensor) -> tf.Tensor:
    """Returns xi, the learning rate of the weights, in the dtype of `x`."""
    rate = optimizers.learning_rate(self._weight_step.optimizer)
    return tf.cast(rate, x.dtype)

  def _gradients_ahead(self, batch: Batch):
    """Returns shares of the loss and gradient at w', and v."""
    loss, gradients = self._step.loss_and_gradients(
      batch, [*self.variables, *self._weight_step.variables]
    )
    number = len(self.variables)
    vector = objectives.sum_over_replicas(gradients[number:])
    return loss, gradients[:number], vector

  def _architecture_gradient(self, next_batch: Batch) -> list[tf.Tensor]:
    return self._step.loss_and_gradients(next_batch, self.variables)[1]

  def _update(self, direct, above, below, vector) -> dict[str, tf.Tensor]:
    """Moves the architecture, as `GradientStep.update`."""
    diameter = 2.0 * _radius(vector)
    gradients = []
    for gradient, plus, minus in zip(direct, above, below):
      # Where v is 0, nothing depends on the weights.
      product = tf.math.divide_no_nan(plus - minus, diameter)
      gradients.append(gradient - self._rate(gradient) * product)
    return self._step.update(gradients)


def _walk(start, vector, sign: float) -> list[tf.Tensor]:
  """Returns w + sign * r v."""
  radius = sign * _radius(vector)
  return [w + radius * v for w, v in zip(start, vector)]


def _values(variables: Sequence[tf.Variable]) -> list[tf.Tensor]:
  return [tf.identity(v) for v in variables]


def _restore(
  variables: Sequence[tf.Variable], values: Sequence[tf.Tensor]
) -> None:
  for variable, value in zip(variables, values):
    variable.assign(value)


def _radius(vector: Sequence[tf.Tensor]) -> tf.Tensor:
  norm = tf.linalg.global_norm(vector)
  return tf.math.divide_no_nan(tf.constant(_RADIUS, norm.dtype), norm)
