# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""One update of one set of variables, on all replicas.

The search has two of these (weights; alphas and betas), retraining has one.
"""

from collections.abc import Callable, Mapping, Sequence
import itertools
import math
from typing import NoReturn

import numpy as np
import tensorflow as tf

from auto_deeplab.training import objectives

Batch = Mapping[str, tf.Tensor]


class GradientStep:
  """Forward, backward and update, compiled once unless told otherwise.

  Attributes:
    strategy: on whose replicas it runs.
    variables: what the step moves.
    optimizer: what moves them; its state belongs into checkpoints.
    weight_decay: wd, for wd/2 * sum(w^2) as part of the loss.
  """

  def __init__(
    self,
    strategy: tf.distribute.Strategy,
    forward: Callable[..., tf.Tensor],
    variables: Sequence[tf.Variable],
    optimizer: tf.keras.optimizers.Optimizer,
    weight_decay: float = 0.0,
    use_xla: bool = False,
    pixel_loss: objectives.PixelLoss | None = None,
    accumulation_steps: int = 1,
    clip_norm: float = 0.0,
    is_compiled: bool = True,
    penalty: Callable[[], tf.Tensor] | None = None,
  ):
    """Initializes the step and the optimizer's variables.

    Args:
      strategy: within whose scope this is called.
      forward: images -> logits, in training mode. Where gradients are
        accumulated, it also takes the number of the micro-batch, int32 scalar.
      variables: what the step moves; it moves no other trainable variable.
      optimizer: moves them.
      weight_decay: wd, for wd/2 * sum(w^2) as part of the loss.
      use_xla: compile `forward` and its gradient by XLA. Not the rest: sums
        over replicas may not lie within a compiled function.
      pixel_loss: which pixels count, and how much; all alike by default.
      accumulation_steps: into how many micro-batches, one after the other, each
        replica divides its batch; their gradients are summed. The loss is
        divided by the weight of the whole batch, so that, apart from batch norm
        and what draws random numbers, the step is the same for any number.
      clip_norm: largest norm of the gradient, which is scaled down to it; 0
        does not clip. Not for the optimizer to do: its norm is what is logged.
      is_compiled: whether the step is a graph; of a `forward` that computes
        another network each time it cannot be. Variables that this leaves out
        then stay as they are, momentum included.
      penalty: returns a scalar, float32, of the variables and no pixel, which
        is added to the loss that is differentiated, once a global batch.
    """
    self.strategy = strategy
    if use_xla:
      forward = tf.function(forward, jit_compile=True)
    self._forward = forward
    self.variables = list(variables)
    self.optimizer = optimizer
    self.weight_decay = weight_decay
    self._pixel_loss = pixel_loss or objectives.PixelLoss()
    self._is_loss_scaled = isinstance(
      optimizer, tf.keras.mixed_precision.LossScaleOptimizer
    )
    optimizer.build(self.variables)
    if not is_compiled:
      # It would number anew the variables that a step takes, as if they were
      # all.
      inner = getattr(optimizer, 'inner_optimizer', optimizer)
      inner.build = lambda variables: None
    self._clip_norm = clip_norm
    self._penalty = penalty
    self._num_parts = accumulation_steps
    self._sums: list[tf.Variable] = []
    if accumulation_steps > 1:
      shapes = [tf.TensorShape([]), *(v.shape for v in self.variables)]
      self._sums = [_replica_sum(shape) for shape in shapes]
    self._compiled = tf.function(self._run) if is_compiled else self._run

  def state(self) -> list[tf.Variable]:
    """Returns all that a step moves but what its network moves by itself.

    Of the optimizer that is what checkpoints hold: the loss scale and its
    counter are not among its `variables`.
    """
    parts = tf.train.TrackableView(self.optimizer).descendants()
    kept = [part for part in parts if isinstance(part, tf.Variable)]
    return [*self.variables, *kept, *self._sums]

  def __call__(self, batch: Batch) -> dict[str, tf.Tensor]:
    """Makes one step.

    Args:
      batch: `image`, uint8 or what else `forward` takes, `[n, h, w, 3]`, and
        `label`, integers `[n, h, w]`, as `distribution.distribute`
        gives them.

    Returns:
      `loss`, of the pixels of the global batch, and what `update` returns.
    """
    return self._compiled(batch)

  def _run(self, batch: Batch) -> dict[str, tf.Tensor]:
    run = self.strategy.run
    if self._num_parts == 1:
      return self.reduce(*run(self._replica_step, args=(batch,)))
    weight = run(self._weight, args=(batch,))
    # A loop of the graph, which so holds the network once, around the replicas:
    # within them it could hold no sum over all, which batch norm may take.
    for index in tf.range(self._num_parts):
      run(self._accumulate, args=(batch, index, weight))
    return self.reduce(*run(self._update_by_sums))

  # AutoGraph has nothing to convert on a replica, but takes its time to look.
  @tf.autograph.experimental.do_not_convert
  def _replica_step(
    self, batch: Batch
  ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    loss, gradients = self.loss_and_gradients(batch, self.variables)
    return loss, self.update(gradients)

  @tf.autograph.experimental.do_not_convert
  def _weight(self, batch: Batch) -> tf.Tensor:
    """Returns what the losses of all micro-batches are divided by."""
    parts = tf.unstack(_in_parts(batch['label'], self._num_parts))
    step = self.optimizer.iterations
    weights = [self._pixel_loss.weight(part, step) for part in parts]
    return objectives.sum_over_replicas(tf.add_n(weights))

  @tf.autograph.experimental.do_not_convert
  def _accumulate(
    self, batch: Batch, index: tf.Tensor, weight: tf.Tensor
  ) -> None:
    part = {k: _in_parts(v, self._num_parts)[index] for k, v in batch.items()}
    loss, gradients = self.loss_and_gradients(
      part, self.variables, (index,), weight
    )
    for total, value in zip(self._sums, (loss, *gradients)):
      total.assign_add(tf.cast(value, total.dtype))

  @tf.autograph.experimental.do_not_convert
  def _update_by_sums(self) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    loss, *gradients = [tf.identity(total) for total in self._sums]
    for total in self._sums:
      total.assign(tf.zeros_like(total))
    return loss, self.update(gradients)

  def loss_and_gradients(
    self,
    batch: Batch,
    variables: Sequence[tf.Variable],
    settings: Sequence[tf.Tensor] = (),
    weight: tf.Tensor | None = None,
  ) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Returns this replica's share of the loss and of its gradient.

    Args:
      batch: as of `__call__`, or a part of it.
      variables: to take the gradient by.
      settings: further arguments of `forward`.
      weight: what the loss is divided by; by default that of the batch.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      tape.watch(variables)
      logits = self._forward(batch['image'], *settings)
      loss = self._pixel_loss(
        batch['label'], logits, self.optimizer.iterations, weight
      )
      target = loss
      if self._penalty is not None:
        target += tf.cast(self._share_of_penalty(), loss.dtype)
      if self._is_loss_scaled:
        target = self.optimizer.get_scaled_loss(target)
    gradients = tape.gradient(target, variables)
    if self._is_loss_scaled:
      gradients = self.optimizer.get_unscaled_gradients(gradients)
    return loss, gradients

  def _share_of_penalty(self) -> tf.Tensor:
    """Returns what a micro-batch of a replica adds to the loss."""
    assert self._penalty is not None
    shares = self.strategy.num_replicas_in_sync * self._num_parts
    return self._penalty() / shares

  def update(self, gradients: list[tf.Tensor]) -> dict[str, tf.Tensor]:
    """Moves the variables by what the replicas' shares add up to.

    Returns:
      The same on each replica: `gradient_norm`, float32, of the gradient that
      the replicas' shares add up to, without the loss's scale, with the weight
      decay that is part of the gradient, before it is clipped;
      `gradient_norms`, of each variable. Where the loss is scaled, `is_skipped`
      as well: whether the scaled gradient overflowed, so that the optimizer
      moves nothing and halves the scale. At a scale of 1 that is no excuse.
      Where there is one, `penalty` as it was before.
    """
    is_taken = [gradient is not None for gradient in gradients]
    taken = list(itertools.compress(self.variables, is_taken))
    gradients = objectives.sum_over_replicas(
      list(itertools.compress(gradients, is_taken))
    )
    if self.weight_decay:
      gradients = objectives.add_weight_decay(
        gradients, taken, self.weight_decay
      )
    # The norm is a sum of these, so that naming a variable costs nothing.
    left = iter(gradients)
    nothing = tf.zeros([])
    half_squares = tf.stack(
      [tf.nn.l2_loss(next(left)) if i else nothing for i in is_taken]
    )
    norm = tf.sqrt(2.0 * tf.reduce_sum(half_squares))
    values = {
      'gradient_norm': norm,
      'gradient_norms': tf.sqrt(2.0 * half_squares),
    }
    if self._penalty is not None:
      values['penalty'] = self._penalty()
    if self._is_loss_scaled:
      is_scaled = self.optimizer.loss_scale > 1
      values['is_skipped'] = ~tf.math.is_finite(norm) & is_scaled
    if self._clip_norm:
      gradients, _ = tf.clip_by_global_norm(gradients, self._clip_norm, norm)
    self.optimizer.apply_gradients(
      zip(gradients, taken), skip_gradients_aggregation=True
    )
    return values

  def reduce(
    self, loss: tf.Tensor, values: Mapping[str, tf.Tensor]
  ) -> dict[str, tf.Tensor]:
    """Returns what a step returns, from what its replicas returned."""
    local = self.strategy.experimental_local_results
    return {
      'loss': self.strategy.reduce(tf.distribute.ReduceOp.SUM, loss, axis=None),
      **{key: local(value)[0] for key, value in values.items()},
    }


def _replica_sum(shape: tf.TensorShape) -> tf.Variable:
  """Returns a variable of zeros that each replica has for itself."""
  return tf.Variable(
    tf.zeros(shape),
    trainable=False,
    synchronization=tf.VariableSynchronization.ON_READ,
    aggregation=tf.VariableAggregation.SUM,
  )


def _in_parts(x: tf.Tensor, number: int) -> tf.Tensor:
  """Reshapes `[n, ...]` to `[number, n / number, ...]`."""
  size = tf.shape(x)[0] if x.shape[0] is None else x.shape[0]
  return tf.reshape(x, [number, size // number, *x.shape[1:]])


class NotFiniteError(ValueError):
  """A loss or a gradient that is not finite; the message names it.

  Attributes:
    step: the first one that had it.
    tensor: the loss, or the variable whose gradient it is.
  """

  def __init__(self, message: str, step: int, tensor: str):
    super().__init__(message)
    self.step = step
    self.tensor = tensor


# Of the columns that are summed.
_SKIPPED = 'skipped_steps'


class StepLog:
  """Collects what steps return and checks it once a loop.

  The host does not wait for a step; it looks at the values when the loop ends.

  Attributes:
    columns: what the last flush took the means, or sums, of.
  """

  def __init__(self, variables: Mapping[str, Sequence[tf.Variable]]) -> None:
    """Initializes the log.

    Args:
      variables: what the steps of each kind move.
    """
    self._variables = variables
    self._rows: list[tuple[int, str, dict[str, tf.Tensor]]] = []
    self.columns: dict[str, list[float]] = {}
    self._begun: dict[str, list[float]] = {}

  def add(self, step: int, name: str, values: dict[str, tf.Tensor]) -> None:
    """Adds the values of one step of the kind `name`."""
    self._rows.append((step, name, values))

  def go_on_from(self, columns: dict[str, list[float]]) -> None:
    """Adds the values of the steps of this loop that another process made."""
    self._begun = columns

  def flush(self) -> dict[str, float]:
    """Returns the mean of each scalar since the last flush.

    Where the loss is scaled, `skipped_steps` is how many of the steps were
    skipped; the mean of `gradient_norm` is over the others.

    Raises:
      NotFiniteError: if a value is not finite and its step was not skipped; the
        message names the first step, the quantity and of a gradient the
        variable.
    """
    rows, self._rows = self._rows, []
    columns, self._begun = self._begun, {}
    for step, name, values in rows:
      for key, value in _numbers(values).items():
        if not math.isfinite(value):
          self._refuse(step, name, key, values)
        columns.setdefault(f'{name}/{key}', []).append(value)
    self.columns = columns
    return {
      key: sum(v) if key.endswith(_SKIPPED) else sum(v) / len(v)
      for key, v in columns.items()
    }

  def _refuse(
    self, step: int, name: str, key: str, values: dict[str, tf.Tensor]
  ) -> NoReturn:
    """Names the loss, or the first gradient, that is not finite."""
    tensor, where = f'{name}/{key}', ''
    if key == 'gradient_norm':
      is_bad = ~np.isfinite(values['gradient_norms'].numpy())
      tensor = self._variables[name][is_bad.argmax()].name
      where = f', from the gradient of {tensor}'
      if 'is_skipped' in values:
        where += ', and the loss scale has fallen to 1 already'
    raise NotFiniteError(
      f'{name}/{key} is {float(values[key])} at step {step}{where}; the run '
      'stops. A smaller learning rate, gradient clipping or float32 are what '
      'to try.',
      step,
      tensor,
    )


def _numbers(values: Mapping[str, tf.Tensor]) -> dict[str, float]:
  """Returns what is logged of a step."""
  numbers = {
    key: float(values[key])
    for key in ('loss', 'penalty', 'gradient_norm')
    if key in values
  }
  if 'is_skipped' in values:
    numbers[_SKIPPED] = float(values['is_skipped'])
    if numbers[_SKIPPED]:
      del numbers['gradient_norm']
  return numbers
