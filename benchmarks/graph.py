# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How many nodes a call of a compiled function executes."""

import collections
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import tensorflow as tf

# Of their bodies, one call executes one.
_BRANCHING = ('Case', 'If', 'StatelessCase', 'StatelessIf')

Counts = collections.Counter[str]


def executed_nodes(
  function: tf.types.experimental.ConcreteFunction,
) -> Counts:
  """Counts the nodes that one call executes, by the type of their operation.

  Nodes are those of the graph as it was traced, before a device rewrites it,
  that an output or an effect depends on, constants and placeholders among them.
  In the place of a call stand the nodes of the called function, in the place of
  a branch those of its largest body, in the place of a loop those of one turn.
  """
  graph = function.graph.as_graph_def()
  bodies = {body.signature.name: body for body in graph.library.function}
  operations = function.graph.get_operations()
  effects = [op.name for op in operations if op.op_def.is_stateful]
  outputs = [tensor.op.name for tensor in function.graph.outputs]
  return _count(graph.node, effects + outputs, bodies, {})


def _count(
  nodes: Iterable[Any],
  needed: Iterable[str],
  bodies: Mapping[str, Any],
  counts: dict[str, Counts],
) -> Counts:
  """Counts the nodes that the needed ones depend on.

  Args:
    nodes: those of one graph or function.
    needed: names of nodes or of their outputs.
    bodies: the functions that may be called, by name.
    counts: of the functions that have been counted, by name.
  """
  total: Counts = collections.Counter()
  by_name = {node.name: node for node in nodes}
  waiting = list(needed)
  while waiting:
    # As in 'node:output:0', or '^node' where it is to come before. A function's
    # arguments are no nodes.
    name = waiting.pop().removeprefix('^').split(':')[0]
    node = by_name.pop(name, None)
    if node is None:
      continue
    waiting += node.input
    inside = []
    for called in _functions(node):
      if called not in counts:
        body = bodies[called]
        results = [*body.ret.values(), *body.control_ret.values()]
        counts[called] = _count(body.node_def, results, bodies, counts)
      inside.append(counts[called])
    if node.op in _BRANCHING:
      inside = [max(inside, key=lambda count: count.total())]
    for count in inside or [collections.Counter({node.op: 1})]:
      total += count
  return total


def _functions(node: Any) -> Iterator[str]:
  """Yields the names of the functions that a node calls."""
  for attribute in node.attr.values():
    if attribute.WhichOneof('value') == 'func':
      yield attribute.func.name
    yield from (function.name for function in attribute.list.func)
