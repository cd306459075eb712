# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How sharply the loss on half B bends along alphas and betas.

A search that falls for skip connections was seen to reach sharp minima of the
validation loss before (Zela et al., ICLR 2020, arXiv 1909.09656): the largest
eigenvalue of its Hessian grows, and with it the loss of decoding. They end a
search when its mean over the last snapshots is a third above what it was
(there: the old one less than 0.75 of the new one).

Products of the Hessian are exact, by the gradient of a gradient. Differences of
gradients are cheaper to trace and of no use here: over the kinks of ReLU they
gave 1.4, 0.6 and 1.6 for three lengths of the step.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from auto_deeplab.model import supernet as supernet_lib
from auto_deeplab.model.ops import sizes
from auto_deeplab.training import gradient_step, objectives, undoing

Vector = Sequence[tf.Tensor]

# Of what a product has that the products before do not, to it as a whole.
_NOTHING_NEW = 1e-6


class Curvature:
  """The largest eigenvalue of the Hessian by alphas and betas.

  Of the loss of the pixels of the same few batches, the mixture being what the
  search computes; in training mode, by the statistics of each batch. The
  supernet stays as it is.
  """

  def __init__(
    self,
    supernet: supernet_lib.Supernet,
    strategy: tf.distribute.Strategy,
    batches: Sequence[gradient_step.Batch],
  ):
    """Initializes it; the first call traces the second derivative.

    Args:
      supernet: built.
      strategy: that it computes with.
      batches: `image` and `label`, as the steps of the search take them.
    """
    self._supernet = supernet
    self._strategy = strategy
    self._batches = list(batches)
    self._pixel_loss = objectives.PixelLoss()
    self._run_one = tf.function(self._run, autograph=False)

  def eigenvalue(self, num_products: int) -> float:
    """Returns the largest eigenvalue, by the method of Lanczos.

    That is the largest one within the space of so many products, which is not
    above that of the Hessian, and soon near it: power iteration would be slow
    where there is another one of the same size and the other sign. NaN where a
    product is not finite: what only watches is not to end a search.

    Args:
      num_products: of the Hessian with a vector, at most.
    """
    size = sum(v.shape.num_elements() for v in self._supernet.arch_variables)
    # The same each time, so that a resumed search finds the same.
    vector = np.random.default_rng(0).normal(size=size)
    basis, products = np.zeros([0, size]), np.zeros([0, size])
    with undoing.undoing(
      self._strategy, self._supernet.non_trainable_variables
    ):
      for _ in range(min(num_products, size)):
        basis = np.vstack([basis, vector / np.linalg.norm(vector)])
        products = np.vstack([products, self.product(basis[-1])])
        if not np.isfinite(products[-1]).all():
          return float('nan')
        vector = products[-1]
        for _ in range(2):  # Once leaves what rounding has left.
          vector = vector - basis.T @ (basis @ vector)
        if np.linalg.norm(vector) <= _NOTHING_NEW * np.linalg.norm(
          products[-1]
        ):
          break
    within = basis @ products.T
    return float(np.linalg.eigvalsh((within + within.T) / 2)[-1])

  def product(self, vector: np.ndarray) -> np.ndarray:
    """Returns the Hessian times a vector; moves batch norm's statistics.

    Args:
      vector: of alphas and betas, one after the other, flat.
    """
    shapes = [v.shape for v in self._supernet.arch_variables]
    ends = np.cumsum([shape.num_elements() for shape in shapes])[:-1]
    parts = [
      tf.constant(part.reshape(shape), tf.float32)
      for part, shape in zip(np.split(vector, ends), shapes)
    ]
    products = [self._run_one(batch, parts) for batch in self._batches]
    flat = [
      np.concatenate([part.numpy().ravel() for part in product])
      for product in products
    ]
    return np.mean(flat, axis=0, dtype=np.float64)

  def _run(self, batch: gradient_step.Batch, vector: Vector) -> Vector:
    products = self._strategy.run(self._replica_product, args=(batch, vector))
    return [
      self._strategy.reduce(tf.distribute.ReduceOp.SUM, product, axis=None)
      for product in products
    ]

  def _replica_product(
    self, batch: gradient_step.Batch, vector: Vector
  ) -> Vector:
    """Returns a replica's share: that of its own pixels."""
    variables = self._supernet.arch_variables
    with sizes.differentiable_twice(), tf.GradientTape() as outer:
      with tf.GradientTape() as inner:
        weights = (
          self._supernet.alpha_weights(),
          self._supernet.transition_probabilities(),
        )
        logits = self._supernet(
          batch['image'],
          training=True,
          moved='architecture_twice',
          weights=weights,
        )
        loss = self._pixel_loss(batch['label'], logits)
      gradients = inner.gradient(loss, variables)
      along = tf.add_n(
        [tf.reduce_sum(g * v) for g, v in zip(gradients, vector)]
      )
    return outer.gradient(along, variables)


def has_grown(eigenvalues: Sequence[float], factor: float, window: int) -> bool:
  """Whether the mean of the last ones is `factor` times that of those before.

  Args:
    eigenvalues: of the snapshots so far, in order.
    factor: of growth, above 1.
    window: how many snapshots each mean is of; False before twice as many,
      and where one of them is not a number.
  """
  if len(eigenvalues) < 2 * window:
    return False
  before = np.mean(eigenvalues[-2 * window : -window])
  return bool(0 < before * factor < np.mean(eigenvalues[-window:]))
