# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""One update of one set of variables, on all replicas.

The search has two of these (weights; alphas and betas), retraining has one.
"""

from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from auto_deeplab.training import objectives

Batch = Mapping[str, tf.Tensor]


class GradientStep:
  """Forward, backward and update, compiled once.

  Attributes:
    optimizer: what moves the variables; its state belongs into checkpoints.
  """

  def __init__(
    self,
    strategy: tf.distribute.Strategy,
    forward: Callable[[tf.Tensor], tf.Tensor],
    variables: Sequence[tf.Variable],
    optimizer: tf.keras.optimizers.Optimizer,
    weight_decay: float = 0.0,
    use_xla: bool = False,
  ):
    """Initializes the step and the optimizer's variables.

    Args:
      strategy: within whose scope this is called.
      forward: images -> logits, in training mode.
      variables: what the step moves; it moves no other trainable variable.
      optimizer: moves them.
      weight_decay: wd, for wd/2 * sum(w^2) as part of the loss.
      use_xla: compile `forward` and its gradient by XLA. Not the rest: sums
        over replicas may not lie within a compiled function.
    """
    self._strategy = strategy
    if use_xla:
      forward = tf.function(forward, jit_compile=True)
    self._forward = forward
    self._variables = list(variables)
    self.optimizer = optimizer
    self._weight_decay = weight_decay
    self._is_loss_scaled = isinstance(
      optimizer, tf.keras.mixed_precision.LossScaleOptimizer
    )
    optimizer.build(self._variables)
    self._compiled = tf.function(self._run)

  def __call__(self, batch: Batch) -> dict[str, tf.Tensor]:
    """Makes one step.

    Args:
      batch: `image`, uint8 or what else `forward` takes, `[n, h, w, 3]`, and
        `label`, integers `[n, h, w]`, as the strategy's distributed data set
        gives them.

    Returns:
      float32 scalars `loss`, the cross-entropy of the global batch, and
      `gradient_norm`, the mean over replicas. Not finite if the step is not.
    """
    return self._compiled(batch)

  def _run(self, batch: Batch) -> dict[str, tf.Tensor]:
    results = self._strategy.run(self._replica_step, args=(batch,))
    reduce, op = self._strategy.reduce, tf.distribute.ReduceOp
    return {
      'loss': reduce(op.SUM, results['loss'], axis=None),
      'gradient_norm': reduce(op.MEAN, results['gradient_norm'], axis=None),
    }

  def _replica_step(self, batch: Batch) -> dict[str, tf.Tensor]:
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      tape.watch(self._variables)
      logits = self._forward(batch['image'])
      loss = objectives.cross_entropy(batch['label'], logits)
      target = loss
      if self._is_loss_scaled:
        target = self.optimizer.get_scaled_loss(loss)
    gradients = tape.gradient(target, self._variables)
    if self._is_loss_scaled:
      gradients = self.optimizer.get_unscaled_gradients(gradients)
    norm = tf.linalg.global_norm(gradients)
    if self._weight_decay:
      gradients = objectives.add_weight_decay(
        gradients, self._variables, self._weight_decay
      )
    self.optimizer.apply_gradients(zip(gradients, self._variables))
    if self._is_loss_scaled:
      # A scaled gradient may overflow; the optimizer skips such a step.
      norm = tf.zeros_like(norm)
    return {'loss': loss, 'gradient_norm': norm}


class StepLog:
  """Collects what steps return and checks it once a loop.

  The host does not wait for a step; it looks at the values when the loop ends.
  """

  def __init__(self) -> None:
    self._rows: list[tuple[int, str, dict[str, tf.Tensor]]] = []

  def add(self, step: int, name: str, values: dict[str, tf.Tensor]) -> None:
    """Adds the values of one step of the kind `name`."""
    self._rows.append((step, name, values))

  def flush(self) -> dict[str, float]:
    """Returns the mean of each quantity since the last flush.

    Raises:
      ValueError: if a value is not finite; the message names the first step
        and the quantity.
    """
    columns: dict[str, list[float]] = {}
    for step, name, values in self._rows:
      for key, tensor in values.items():
        value = float(tensor)
        if not tf.math.is_finite(value):
          raise ValueError(
            f'{name}/{key} is {value} at step {step}; the run stops, its last '
            'checkpoint is intact. A smaller learning rate, gradient clipping '
            'or float32 are what to try.'
          )
        columns.setdefault(f'{name}/{key}', []).append(value)
    self._rows = []
    return {key: sum(v) / len(v) for key, v in columns.items()}
