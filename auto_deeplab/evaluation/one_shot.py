# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Scores of architectures that share the weights of one supernet."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from auto_deeplab.evaluation import batch_scores
from auto_deeplab.model import supernet as supernet_lib
from auto_deeplab.training import gradient_step

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
    self._scores = batch_scores.BatchScores(
      self._forward,
      supernet.non_trainable_variables,
      strategy,
      batches,
      num_classes,
      is_compiled=not supernet.config.draw_path,
    )

  def score(self, weights: Weights) -> dict[str, float]:
    """Returns `loss` and `mean_iou` of an architecture.

    Args:
      weights: of primitives and transitions, float32 of the shapes of alphas
        and betas: softmax of these, or those of a genotype
        (`architecture.discretization`).
    """
    return self._scores(*map(tf.convert_to_tensor, weights))

  def score_mixture(self) -> dict[str, float]:
    """Returns the same of the supernet as it is."""
    return self.score(
      (
        self._supernet.alpha_weights(),
        self._supernet.transition_probabilities(),
      )
    )

  def _forward(
    self, images: tf.Tensor, alpha: tf.Tensor, beta: tf.Tensor
  ) -> tf.Tensor:
    # As in the step of the weights, whose cells are traced already.
    return self._supernet(
      images, training=True, moved='weights', weights=(alpha, beta)
    )
