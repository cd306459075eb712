# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The search cell edge by edge: equations 1 to 3 with no thought of speed."""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import primitives

FILTERS = 4
EPSILON = 1e-3

# A primitive of (x, a cell's kernels by name, the edge's place in them).
Primitive = Callable[..., tf.Tensor]


def random_map(batch=3, height=7, width=6, channels=FILTERS, seed=0):
  return tf.random.stateless_normal([batch, height, width, channels], [seed, 1])


def norm(x):
  """Batch norm of training without scale and offset."""
  mean, variance = tf.nn.moments(x, [0, 1, 2])
  return (x - mean) / tf.sqrt(variance + EPSILON)


def separable(name, x, kernels, position):
  for layer in range(2):
    depthwise = kernels[f'{name}_depthwise'][layer, ..., position, :, None]
    pointwise = kernels[f'{name}_pointwise'][layer, ..., position, :]
    x = norm(
      tf.nn.separable_conv2d(
        tf.nn.relu(x), depthwise, pointwise, [1, 1, 1, 1], 'SAME'
      )
    )
  return x


def atrous(name, x, kernels, position):
  kernel = kernels[name][..., position, :]
  return norm(tf.nn.convolution(tf.nn.relu(x), kernel, 1, 'SAME', dilations=2))


def primitive(name, x, kernels, position):
  """One of the paper's primitives."""
  if name == 'none':
    return tf.zeros_like(x)
  if name == 'skip_connect':
    return x
  if name == 'max_pool_3x3':
    return norm(tf.nn.max_pool2d(x, 3, 1, 'SAME'))
  if name == 'avg_pool_3x3':
    return norm(tf.nn.avg_pool2d(x, 3, 1, 'SAME'))
  if name.startswith('atrous'):
    return atrous(name, x, kernels, position)
  assert name.startswith('sep_conv'), name
  return separable(name, x, kernels, position)


def compute(
  kernels: Mapping[str, tf.Tensor],
  inputs: tf.Tensor,
  previous: tf.Tensor,
  alpha: tf.Tensor,
  num_mixed: int = FILTERS,
  names=primitives.PAPER,
  others: Mapping[str, Primitive] | None = None,
) -> tf.Tensor:
  """Computes the cell.

  Of each state the first `num_mixed` channels pass the operations, and come
  last in the sum; the others pass by.

  Args:
    kernels: of the cell, the axis before the last is the edge.
    inputs: H[l-1].
    previous: H[l-2], of the same batch.
    alpha: `[num_edges, num_primitives]`.
    num_mixed: channels.
    names: of the primitives, in the order of alpha's columns.
    others: primitives that the paper does not have, by name.
  """
  num_edges = alpha.shape[0]
  num_blocks = next(
    b for b in range(1, 9) if len(genotype_lib.edges(b)) == num_edges
  )
  edges = genotype_lib.edges(num_blocks)
  # The cell keeps its kernels by the state that an edge leaves, then by block.
  positions = sorted(edges, key=lambda edge: (edge[1], edge[0]))

  def weighted(name, weight, x, position):
    own = (others or {}).get(name)
    if own:
      return weight * own(x, kernels, position)
    return weight * primitive(name, x, kernels, position)

  def edge(block, state, x):
    weights = alpha[edges.index((block, state))]
    mixed, position = x[..., :num_mixed], positions.index((block, state))
    outputs = [
      weighted(name, weights[k], mixed, position)
      for k, name in enumerate(names)
    ]
    return tf.concat([x[..., num_mixed:], tf.add_n(outputs)], axis=-1)

  states = [previous, inputs]
  for block in range(num_blocks):
    sources = range(genotype_lib.num_states(block))
    states.append(tf.add_n([edge(block, s, states[s]) for s in sources]))
  return tf.concat(states[2:], axis=-1)


def assert_close(actual, expected, tolerance=1e-4):
  actual, expected = np.asarray(actual), np.asarray(expected)
  assert actual.shape == expected.shape
  scale = np.abs(expected).max()
  assert scale > 0
  np.testing.assert_allclose(actual / scale, expected / scale, atol=tolerance)


def gradients_of(function, variables, alpha):
  """The output, and gradients of a sum in which each value counts its own."""
  with tf.GradientTape() as tape:
    tape.watch(alpha)
    outputs = function(alpha)
    weights = tf.random.stateless_normal(tf.shape(outputs), [8, 9])
    target = tf.reduce_sum(outputs * weights)
  names = list(variables)
  values = tape.gradient(target, [alpha, *variables.values()])
  dense = [tf.convert_to_tensor(value) for value in values]
  return outputs, dict(zip(['alpha', *names], dense))
