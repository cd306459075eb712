# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Scores of architectures that share the weights of one supernet."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from auto_deeplab.evaluation import metrics
from auto_deeplab.model import supernet as supernet_lib
from auto_deeplab.training import gradient_step, objectives, undoing

# Of primitives and transitions, as `Supernet.call` takes them.
Weights = tuple[Any, Any]


class OneShot:
  """Scores architectures on the same few batches.

  Batch norm takes the statistics of each batch, for its moving ones belong to
  the mixture of all architectures. The supernet stays as it is.
  """

  def __init__(
    self,
    supernet: supernet_lib.Supernet,
    strategy: tf.distribute.Strategy,
    batches: Sequence[gradient_step.Batch],
    num_classes: int,
  ):
    """Initializes the scores; the first one traces the network.

    Args:
      supernet: built.
      strategy: that it computes with.
      batches: `image` and `label`, as the steps of the search take them.
      num_classes: of its logits.
    """
    self._supernet = supernet
    self._strategy = strategy
    self._batches = list(batches)
    self._num_classes = num_classes
    self._pixel_loss = objectives.PixelLoss()
    is_graph = not supernet.config.draw_path
    self._compiled = (
      tf.function(self._run, autograph=False) if is_graph else self._run
    )

  def score(self, weights: Weights) -> dict[str, float]:
    """Returns `loss` and `mean_iou` of an architecture.

    Args:
      weights: of primitives and transitions, float32 of the shapes of alphas
        and betas: softmax of these, or those of a genotype
        (`architecture.discretization`).
    """
    weights = tuple(map(tf.convert_to_tensor, weights))
    moved = self._supernet.non_trainable_variables
    with undoing.undoing(self._strategy, moved):
      outputs = [self._compiled(batch, *weights) for batch in self._batches]
    losses, counts = zip(*outputs)
    matrix = np.sum([count.numpy() for count in counts], axis=0)
    return {
      'loss': float(np.mean([loss.numpy() for loss in losses])),
      'mean_iou': float(metrics.mean_iou(matrix)),
    }

  def score_mixture(self) -> dict[str, float]:
    """Returns the same of the supernet as it is."""
    return self.score(
      (
        self._supernet.alpha_weights(),
        self._supernet.transition_probabilities(),
      )
    )

  def _run(
    self, batch: gradient_step.Batch, alpha: tf.Tensor, beta: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    outputs = self._strategy.run(self._replica_step, args=(batch, alpha, beta))
    loss, counts = (
      self._strategy.reduce(tf.distribute.ReduceOp.SUM, output, axis=None)
      for output in outputs
    )
    return loss, counts

  def _replica_step(
    self, batch: gradient_step.Batch, alpha: tf.Tensor, beta: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    # As in the step of the weights, whose cells are traced already.
    logits = self._supernet(
      batch['image'], training=True, moved='weights', weights=(alpha, beta)
    )
    loss = self._pixel_loss(batch['label'], logits)
    predictions = tf.argmax(logits, axis=-1, output_type=tf.int32)
    return loss, metrics.confusion_matrix(
      batch['label'], predictions, self._num_classes
    )
