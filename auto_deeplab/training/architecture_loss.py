# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What an architecture step may add to its loss: functions of alphas and betas.

All entropies are in nats. The transition probabilities are those of
`Supernet.transition_probabilities`, `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]`:
softmax of beta where there is a transition, and 0 elsewhere.
"""

import numpy as np
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import lattice, primitives
from auto_deeplab.model import supernet as supernet_lib


def beta_decay(alphas: tf.Tensor) -> tf.Tensor:
  """Returns the mean over the edges of logsumexp alpha (Ye et al., CVPR 2022).

  Its gradient by an edge's alphas is their softmax: what leads is held back
  most.

  Args:
    alphas: `[num_edges, num_primitives]`, logits.
  """
  return tf.reduce_mean(tf.reduce_logsumexp(alphas, axis=-1))


def alpha_entropy(alphas: tf.Tensor) -> tf.Tensor:
  """Returns the mean entropy of an edge's softmax, 0 where all is decided.

  Args:
    alphas: `[num_edges, num_primitives]`, logits.
  """
  return tf.reduce_mean(_entropy(tf.nn.softmax(alphas, axis=-1)))


def beta_entropy(transitions: tf.Tensor) -> tf.Tensor:
  """Returns the mean entropy of the transitions out of a node.

  Args:
    transitions: probabilities of transitions.
  """
  num_sources = lattice.legal_mask(transitions.shape[0]).any(axis=-1).sum()
  return tf.reduce_sum(_entropy(transitions)) / float(num_sources)


def topology_entropy(transitions: tf.Tensor) -> tf.Tensor:
  """Returns the mean entropy of the level that a layer lies at.

  DiNTS (He et al., CVPR 2021) penalises connections that form no network. Here
  every node passes on all that it gets, so any decision of the betas is a path.
  What is left is that a layer may spread what flows over nodes of several
  levels, of which the decoded network has one: this is 0 if all of it flows
  along one path, whatever nodes do that nothing reaches.

  Args:
    transitions: probabilities of transitions.
  """
  return tf.reduce_mean(_entropy(level_probabilities(transitions)))


def level_probabilities(transitions: tf.Tensor) -> tf.Tensor:
  """Returns how likely a path from the stem lies at each level of each layer.

  Args:
    transitions: probabilities of transitions.

  Returns:
    `[num_layers, NUM_LEVELS]`; each row sums to 1.
  """
  reached = tf.one_hot(0, lattice.NUM_LEVELS)
  rows = []
  for move in tf.unstack(moves(transitions)):
    reached = tf.linalg.matvec(move, reached, transpose_a=True)
    rows.append(reached)
  return tf.stack(rows)


def moves(transitions: tf.Tensor) -> tf.Tensor:
  """Returns the probabilities of transitions by the level where they arrive.

  Args:
    transitions: by direction, `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]`.

  Returns:
    `[num_layers, NUM_LEVELS, NUM_LEVELS]`: from the level of the layer before
    to that of the layer.
  """
  targets = np.zeros(
    [lattice.NUM_LEVELS, lattice.NUM_DIRECTIONS, lattice.NUM_LEVELS], np.float32
  )
  for level in range(lattice.NUM_LEVELS):
    for direction in lattice.outgoing(level):
      targets[level, direction, lattice.target_level(level, direction)] = 1
  return tf.einsum('lsd,sdt->lst', transitions, targets)


def _entropy(probabilities: tf.Tensor) -> tf.Tensor:
  """Returns the entropies along the last axis; a row of zeros has none."""
  # What is 0 adds 0, and has a gradient that is finite.
  logs = tf.math.log(tf.maximum(probabilities, np.finfo(np.float32).tiny))
  return -tf.reduce_sum(probabilities * logs, axis=-1)


class ArchitectureLoss:
  """What is added to the loss as `ArchitectureLossConfig` says."""

  def __init__(
    self,
    config: configs.ArchitectureLossConfig,
    schedule: configs.SearchConfig,
    supernet: supernet_lib.Supernet,
    global_step: tf.Variable,
  ):
    """Initializes the terms.

    Args:
      config: weighs them.
      schedule: says from when on the weights grow, and until when.
      supernet: whose alphas and betas they are of.
      global_step: int64, counts the steps made.
    """
    self._config = config
    self._schedule = schedule
    self._supernet = supernet
    self._global_step = global_step

  @property
  def is_on(self) -> bool:
    """Whether there is anything to add to the loss."""
    config = self._config
    return any((config.beta_decay, config.entropy, config.topology))

  def __call__(self) -> tf.Tensor:
    """Returns what the present step adds, a float32 scalar."""
    config = self._config
    alphas = tf.convert_to_tensor(self._supernet.alphas)
    transitions = self._supernet.transition_probabilities()
    total = tf.zeros([])
    if config.beta_decay:
      total += config.beta_decay * beta_decay(alphas)
    if config.entropy:
      both = alpha_entropy(alphas) + beta_entropy(transitions)
      total += config.entropy * both
    if config.topology:
      total += config.topology * topology_entropy(transitions)
    return total * self._share(self._schedule.arch_start_step)

  def _share(self, first_step: int) -> tf.Tensor:
    """Returns the share of the steps from a first to the last one, in [0, 1].

    0 at the first, and until then, and 1 at the last one.
    """
    number = max(self._schedule.train_steps - 1 - first_step, 1)
    passed = tf.cast(self._global_step - first_step, tf.float32)
    return tf.clip_by_value(passed / number, 0.0, 1.0)

  def weights(self, draw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor] | None:
    """Returns what weighs primitives and transitions in a step.

    None, which leaves it to the supernet, unless skip connections are dropped.

    Args:
      draw: integer scalar, numbers what is drawn.
    """
    if not self._config.skip_dropout:
      return None
    supernet = self._supernet
    weights = drop_skips(
      supernet.alpha_weights(),
      supernet.config.primitives.index(primitives.SKIP_CONNECT),
      self._config.skip_dropout * (1.0 - self._share(0)),
      supernet.seed_of(draw),
    )
    return weights, supernet.transition_probabilities()


def drop_skips(
  weights: tf.Tensor, column: int, rate: tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
  """Takes the skip connections off randomly drawn edges, of all cells alike.

  The others weigh more for it, so that the mean is what it was.

  Args:
    weights: float32 `[num_edges, num_primitives]`, of the primitives.
    column: of the skip connection.
    rate: probability that an edge goes without, in [0, 1).
    seed: integers `[2]`; of equal ones the same edges are drawn.
  """
  draws = tf.random.stateless_uniform(weights.shape[:1], seed)
  kept = tf.cast(draws >= rate, weights.dtype) / (1.0 - rate)
  is_skip = tf.one_hot(column, weights.shape[1])
  return weights * (1.0 + (kept[:, None] - 1.0) * is_skip)
