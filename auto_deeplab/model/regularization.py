# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Drop path and dropout, drawn from seeds."""

import tensorflow as tf


def drop_path_scales(
  keep_probs: tf.Tensor,
  num_operations: int,
  num_samples: int | tf.Tensor,
  seed: tf.Tensor,
) -> tf.Tensor:
  """Draws which samples drop which operations, for all cells at once.

  Args:
    keep_probs: float32 `[num_cells]`, in (0, 1].
    num_operations: of a cell.
    num_samples: of the batch.
    seed: int32 `[2]`; equal seeds drop equal samples.

  Returns:
    float32 `[num_cells, num_operations, num_samples]`, what to multiply an
    operation's output by: 0, or where it is kept the inverse of `keep_probs`.
  """
  keep_probs = keep_probs[:, None, None]
  shape = [keep_probs.shape[0], num_operations, num_samples]
  draw = tf.random.stateless_uniform(shape, seed)
  return tf.where(draw < keep_probs, 1 / keep_probs, 0.0)


def dropout(x: tf.Tensor, rate: float, seed: tf.Tensor) -> tf.Tensor:
  """Drops single values at `rate`; equal seeds drop equal values."""
  return tf.nn.experimental.stateless_dropout(x, rate, seed)


def schedule_keep_prob(
  keep_prob: float, num_layers: int, progress: tf.Tensor
) -> tf.Tensor:
  """ScheduledDropPath: keep(c, t) = 1 - min(1, t/T) (c+1)/L (1-p).

  Args:
    keep_prob: p, of the last cell at the end, in (0, 1].
    num_layers: L.
    progress: float32 scalar, t/T.

  Returns:
    float32 `[num_layers]`, of each c from 0 to L - 1.
  """
  depth = tf.range(1, num_layers + 1, dtype=tf.float32) / num_layers
  return 1.0 - tf.minimum(1.0, progress) * depth * (1.0 - keep_prob)


def fold_in(seed: tf.Tensor, index: int) -> tf.Tensor:
  """Returns another seed, int32 `[2]`, for the `index`-th use of one seed."""
  return tf.random.experimental.stateless_fold_in(seed, index)
