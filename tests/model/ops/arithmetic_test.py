# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is held for a gradient, and what stands in the graph for one."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.model.ops import arithmetic


def random_map(channels=3):
  return tf.random.stateless_normal([2, 8, 6, channels], [0, 1])


def gradients_of(function, *inputs):
  with tf.GradientTape() as tape:
    tape.watch(inputs)
    y = function(*inputs)
    target = tf.reduce_sum(y * random_map(y.shape[-1]))
  return tape.gradient(target, inputs)


@pytest.mark.parametrize('holds_all', [False, True])
def test_what_holds_its_arguments_hands_nothing_else_to_the_backward_pass(
  holds_all,
):
  def compute(ops, x, scale):
    del ops
    return tf.exp(tf.sin(x) * scale)

  @tf.function(autograph=False)
  def inner(x, scale):
    held = arithmetic.Arithmetic(holds_all=holds_all).hold(compute)
    return 2.0 * held(x, scale)

  @tf.function(autograph=False)
  def outer(x, scale):
    return gradients_of(inner, x, scale)

  x, scale = random_map(), random_map() + 1
  plain = gradients_of(lambda x, scale: compute(None, x, scale), x, scale)
  for a, b in zip(outer(x, scale), plain):
    np.testing.assert_allclose(a, 2 * b, rtol=1e-5)
  graph = outer.get_concrete_function(x, scale).graph
  forward, _ = [op for op in graph.get_operations() if 'Call' in op.type]
  handed_on = makers_of_outputs(graph, forward.get_attr('f').name)
  assert 'Exp' in handed_on
  assert ('Sin' in handed_on) == holds_all


def makers_of_outputs(graph, function_name):
  """The types of the operations that a function's outputs come from."""
  [function] = [
    function
    for function in graph.as_graph_def().library.function
    if function.signature.name == function_name
  ]
  nodes = {node.name: node for node in function.node_def}

  def maker(tensor):
    # 'node:output:0', or an argument's name alone.
    name, *_, index = tensor.split(':') if ':' in tensor else (tensor, 0)
    if name not in nodes:
      return 'argument'
    node = nodes[name]
    if not node.op.startswith('Identity'):
      return node.op
    return maker(node.input[int(index)])

  return {maker(tensor) for tensor in function.ret.values()}


def everything(ops, x, depthwise, pointwise):
  x = ops.copies(ops.concat([x, -x]), 2)
  x = ops.depthwise_conv2d(x, depthwise)
  return ops.conv2d(x, pointwise)


EVERYTHING = (
  random_map(),
  tf.random.stateless_normal([5, 5, 12, 1], [1, 1]),
  tf.random.stateless_normal([1, 1, 12, 4], [2, 2]),
)


def num_traces(ops):
  """How many gradients of our own stand in the graph."""
  concrete = tf.function(
    lambda *inputs: ops.hold(everything)(*inputs), autograph=False
  ).get_concrete_function(*EVERYTHING)
  types = [op.type for op in concrete.graph.get_operations()]
  return types.count('IdentityN')


def test_what_nobody_asks_for_a_gradient_of_has_none_in_the_graph():
  assert num_traces(arithmetic.HOLDING_ALL) > 1
  assert num_traces(arithmetic.FORWARD) == 0
  # Its own gradient alone, which nothing within stands beside.
  assert num_traces(arithmetic.Arithmetic()) == 1


def test_every_mode_computes_the_same():
  expected = everything(arithmetic.HOLDING_ALL, *EVERYTHING)
  for ops in (arithmetic.FORWARD, arithmetic.Arithmetic()):
    actual = ops.hold(everything)(*EVERYTHING)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_what_is_held_has_the_gradients_of_what_is_not():
  expected = gradients_of(arithmetic.HOLDING_ALL.hold(everything), *EVERYTHING)
  actual = gradients_of(arithmetic.Arithmetic().hold(everything), *EVERYTHING)
  for a, b in zip(actual, expected):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
