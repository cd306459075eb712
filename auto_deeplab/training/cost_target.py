# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A search with a cost in mind: the expected cost, and what steers to a target.

The expected cost is a smooth function of alphas and betas. What counts is the
cost of the network that they decode to, which jumps, and of undecided alphas
lies anywhere. So the loss has the logarithm of the first, with a weight that
follows the second: it grows while the decoded network is too dear, and falls
below 0, which rewards cost, while it is too cheap.
"""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from auto_deeplab.architecture import (
  cost_table,
  decode,
  lattice,
  primitives,
  within_cost,
)
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.model import supernet as supernet_lib
from auto_deeplab.training import architecture_loss

# By what the logarithm of decoded over wanted cost is multiplied: in the weight
# at once, and added to it for good at each step. The first alone would leave a
# distance, the second alone would swing about the target.
_AT_ONCE = 1.0
_FOR_GOOD = 0.05


def expected_cost(
  table: cost_table.CostTable, alphas: tf.Tensor, transitions: tf.Tensor
) -> tf.Tensor:
  """Returns the cost of a network that is drawn from alphas and betas.

  Of weights that are all 0 or 1 that is the cost of the genotype they decode
  to, where the edges that it leaves out have chosen `none`.

  Args:
    table: of costs.
    alphas: `[num_edges, num_primitives]`, logits.
    transitions: probabilities of transitions, `[num_layers, NUM_LEVELS,
      NUM_DIRECTIONS]`.

  Returns:
    float32 scalar, in the unit of the table.
  """
  # Pairs of levels: of the layer before, and of the layer.
  pairs = _one_hot_pair()
  never = tf.one_hot(0, lattice.NUM_LEVELS)  # Was at level 0: the stem alone.
  total = tf.zeros([])
  cells = tf.zeros([lattice.NUM_LEVELS] * 2)
  is_coarser = np.array([0.0] + [1.0] * (lattice.NUM_LEVELS - 1), np.float32)
  for layer, move in enumerate(
    tf.unstack(architecture_loss.moves(transitions))
  ):
    triples = pairs[:, :, None] * move[None]
    projections = table.projections[min(layer, cost_table.NUM_KINDS - 1)]
    total += tf.reduce_sum(triples * projections.astype(np.float32))
    pairs = tf.reduce_sum(triples, axis=0)
    cells += pairs
    never = tf.linalg.matvec(move, never, transpose_a=True) * is_coarser
  ends = table.ends.astype(np.float32)
  last = tf.reduce_sum(pairs, axis=0)
  total += tf.reduce_sum(never * ends[:, 0] + (last - never) * ends[:, 1])
  return total + tf.reduce_sum(cells * _cell_costs(table, kept(alphas, table)))


def _one_hot_pair() -> tf.Tensor:
  """Both of what lies before layer 0 is at level 0."""
  return tf.reshape(
    tf.one_hot(0, lattice.NUM_LEVELS**2), [lattice.NUM_LEVELS] * 2
  )


def _cell_costs(table: cost_table.CostTable, alpha: tf.Tensor) -> tf.Tensor:
  """Returns what a cell's primitives cost, by source level and own level."""
  reads_input = cost_table.reads_inputs(alpha.shape[0]).astype(np.float32)
  costs = table.primitives.astype(np.float32)
  others = tf.einsum('ep,e,lp->l', alpha, 1 - reads_input, costs[:, 0])
  inputs = tf.einsum('ep,e,lsp->ls', alpha, reads_input, costs)
  levels = np.arange(lattice.NUM_LEVELS)
  strides = levels[None] > levels[:, None]
  return others + tf.where(strides, inputs[None, :, 1], inputs[None, :, 0])


def kept(alphas: tf.Tensor, table: cost_table.CostTable) -> tf.Tensor:
  """Returns how likely an edge is kept, with each of its primitives.

  As if the two edges of a block were drawn one after the other, with odds by
  their strengths, the largest probabilities of a primitive other than `none`;
  and then of each its primitive, with odds by their probabilities.

  Args:
    alphas: `[num_edges, num_primitives]`, logits.
    table: names the primitives.

  Returns:
    float32 of the shape of alphas: 0 for `none`, 2 in sum over a block.
  """
  is_one = np.array([name != primitives.NONE for name in table.names])
  chances = tf.nn.softmax(alphas, axis=-1) * is_one.astype(np.float32)
  strengths = tf.reduce_max(chances, axis=-1)
  odds = tf.math.divide_no_nan(
    chances, tf.reduce_sum(chances, axis=-1, keepdims=True)
  )
  num_blocks = decode.num_blocks(alphas)
  sizes = [genotype_lib.num_states(block) for block in range(num_blocks)]
  blocks = tf.split(strengths, sizes)
  return tf.concat([_drawn_twice(b) for b in blocks], axis=0)[:, None] * odds


def _drawn_twice(strengths: tf.Tensor) -> tf.Tensor:
  """Returns how likely each is among two that are drawn, `[n]`."""
  first = strengths / tf.reduce_sum(strengths)
  # If another one was first: the sum over these of both in turn.
  left = tf.math.divide_no_nan(first, 1.0 - first)
  return first + first * (tf.reduce_sum(left) - left)


class CostTarget:
  """Steers a search to a cost.

  Attributes:
    target: the cost, in the unit of the table.
    weight: float32 variable, of the logarithm of the expected cost in the loss.
    lasting: float32 variable, the part of it that was gathered over the steps.
  """

  def __init__(
    self,
    supernet: supernet_lib.Supernet,
    table: cost_table.CostTable,
    target: float,
  ):
    """Initializes the weight to 0, within the strategy's scope.

    Args:
      supernet: whose alphas and betas decode to the network.
      table: of the costs of networks among the supernet's primitives.
      target: the cost to steer to.
    """
    self._supernet = supernet
    self._table = table
    self.target = target
    self.weight = _variable('cost_weight')
    self.lasting = _variable('lasting_cost_weight')

  def checkpointed(self) -> dict[str, Any]:
    """Returns what a checkpoint holds of it, by name."""
    return {'cost_weight': self.weight, 'lasting_cost_weight': self.lasting}

  def __call__(self) -> tf.Tensor:
    """Returns what is added to the loss of an architecture step."""
    expected = expected_cost(
      self._table,
      tf.convert_to_tensor(self._supernet.alphas),
      self._supernet.transition_probabilities(),
    )
    return self.weight * tf.math.log(expected / self.target)

  def decoded(self) -> float:
    """Returns the cost of the network that is decoded now."""
    alphas, betas = (v.numpy() for v in self._supernet.arch_variables)
    names = self._supernet.config.primitives
    return self.cost_of(decode.decode(alphas, betas, names))

  def cost_of(self, genotype: genotype_lib.Genotype) -> float:
    """Returns the cost of a network."""
    return cost_table.cost_of(self._table, genotype)

  def within(self, snapshot: decode.Snapshot) -> genotype_lib.Genotype | None:
    """Returns the likeliest network of the target's cost, if there is one.

    Args:
      snapshot: of the search.
    """
    return within_cost.decode_within(snapshot, self._table, self.target)

  def steer(self) -> None:
    """Sets the weight by what is decoded after a step."""
    distance = math.log(self.decoded() / self.target)
    self.lasting.assign_add(_FOR_GOOD * distance)
    self.weight.assign(self.lasting + _AT_ONCE * distance)

  def describe(self) -> dict[str, float]:
    """Returns what a snapshot tells: costs and weight, by name."""
    return {
      'cost/decoded': self.decoded(),
      'cost/target': float(self.target),
      'cost/weight': float(self.weight.numpy()),
    }


def _variable(name: str) -> tf.Variable:
  return tf.Variable(0.0, trainable=False, name=name)
