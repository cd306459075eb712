# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Scores of networks on the same few batches, by the statistics of each.

For networks whose moving statistics say nothing: those of a supernet belong to
a mixture, those of a training that has just begun to what it began with.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from auto_deeplab.evaluation import metrics
from auto_deeplab.training import gradient_step, objectives, undoing


class BatchScores:
  """Scores what a function computes; the network stays as it is."""

  def __init__(
    self,
    forward: Callable[..., tf.Tensor],
    moved: Sequence[tf.Variable],
    strategy: tf.distribute.Strategy,
    batches: Sequence[gradient_step.Batch],
    num_classes: int,
    is_compiled: bool = True,
  ):
    """Initializes the scores.

    Args:
      forward: images, uint8 `[n, h, w, 3]`, and what a call adds -> logits, in
        training mode.
      moved: what `forward` moves; it is put back.
      strategy: that it computes with.
      batches: `image` and `label`, as steps take them.
      num_classes: of the logits.
      is_compiled: whether the first call traces a graph for all; without, a
        call takes longer, and none of it is for tracing.
    """
    self._forward = forward
    self._moved = list(moved)
    self._strategy = strategy
    self._batches = list(batches)
    self._num_classes = num_classes
    self._pixel_loss = objectives.PixelLoss()
    self._run_one = (
      tf.function(self._run, autograph=False) if is_compiled else self._run
    )

  def __call__(self, *arguments: Any) -> dict[str, float]:
    """Returns `loss` and `mean_iou` over all batches.

    Args:
      *arguments: tensors that `forward` takes after the images.
    """
    with undoing.undoing(self._strategy, self._moved):
      outputs = [self._run_one(batch, *arguments) for batch in self._batches]
    losses, counts = zip(*outputs)
    matrix = np.sum([count.numpy() for count in counts], axis=0)
    return {
      'loss': float(np.mean([loss.numpy() for loss in losses])),
      'mean_iou': float(metrics.mean_iou(matrix)),
    }

  def _run(
    self, batch: gradient_step.Batch, *arguments: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    outputs = self._strategy.run(self._replica_step, args=(batch, *arguments))
    loss, counts = (
      self._strategy.reduce(tf.distribute.ReduceOp.SUM, output, axis=None)
      for output in outputs
    )
    return loss, counts

  def _replica_step(
    self, batch: gradient_step.Batch, *arguments: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    logits = self._forward(batch['image'], *arguments)
    loss = self._pixel_loss(batch['label'], logits)
    predictions = tf.argmax(logits, axis=-1, output_type=tf.int32)
    return loss, metrics.confusion_matrix(
      batch['label'], predictions, self._num_classes
    )
