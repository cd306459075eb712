# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The cost of networks side by side, as a table or as a JSON object."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

from auto_deeplab.architecture import cost

FORMAT = 'auto_deeplab.cost'
VERSION = 1

_NAME_WIDTH, _NUMBER_WIDTH = 18, 13


def table(networks: Mapping[str, cost.Network]) -> str:
  """Parameters and exact multiply-adds by part and by operation.

  Args:
    networks: By name; all of one input size, in the columns' order.

  Returns:
    Lines of at most 18 + 26 characters a network; multiply-adds in billions.
  """
  costs = {name: cost.count(network) for name, network in networks.items()}
  lines = [*_header(networks), '']
  lines += _groups('part', [c.by_part() for c in costs.values()])
  lines += _totals(list(costs.values()))
  lines += [
    '',
    *_groups('operation', [c.by_operation() for c in costs.values()]),
  ]
  return '\n'.join(lines)


def to_json(networks: Mapping[str, cost.Network]) -> dict[str, Any]:
  """The same with everything that was counted, and what was asked for."""
  return {
    'format': FORMAT,
    'version': VERSION,
    'networks': [_document(name, net) for name, net in networks.items()],
  }


def _document(name: str, network: cost.Network) -> dict[str, Any]:
  counted = cost.count(network)
  described = {
    field.name: getattr(network, field.name)
    for field in dataclasses.fields(network)
  }
  return {
    'name': name,
    **described,
    'genotype': network.genotype.to_json(),
    **counted.to_json(),
    'parts': {key: c.to_json() for key, c in counted.by_part().items()},
    'operations': {
      key: c.to_json() for key, c in counted.by_operation().items()
    },
    'items': [dataclasses.asdict(item) for item in counted.items],
  }


def _header(networks: Mapping[str, cost.Network]) -> list[str]:
  first = next(iter(networks.values()))
  pooling = 'the whole map'
  if first.pooling_size is not None:
    pooling = 'x'.join(map(str, first.pooling_size))
  height, width = first.input_size
  titles = [f'{name} (F={n.filter_multiplier})' for name, n in networks.items()]
  columns = ['parameters', 'mult-adds B'] * len(networks)
  return [
    f'Input {height}x{width}, {first.num_classes} classes, image pooling over '
    f'{pooling}.',
    '',
    ' ' * _NAME_WIDTH + ''.join(t.rjust(2 * _NUMBER_WIDTH) for t in titles),
    _row('', columns),
  ]


def _groups(title: str, groups: Sequence[Mapping[str, cost.Cost]]) -> list[str]:
  """A line for each key of any of the networks."""
  keys = dict.fromkeys(key for group in groups for key in group)
  lines = [f'By {title}']
  for key in keys:
    numbers = []
    for group in groups:
      counted = group.get(key, cost.Cost(()))
      numbers += [f'{counted.parameters:,}', _billions(counted.multiply_adds)]
    lines.append(_row(f'  {key}', numbers))
  return lines


def _totals(costs: Sequence[cost.Cost]) -> list[str]:
  exact, profiler = [], []
  for counted in costs:
    exact += [f'{counted.parameters:,}', _billions(counted.multiply_adds)]
    profiler += ['', _billions(counted.profiler_multiply_adds)]
  return [_row('Total', exact), _row("In paper's count", profiler)]


def _row(name: str, columns: Sequence[str]) -> str:
  cells = ''.join(column.rjust(_NUMBER_WIDTH) for column in columns)
  return f'{name.ljust(_NAME_WIDTH)}{cells}'.rstrip()


def _billions(number: float) -> str:
  return f'{number / 1e9:.3f}'
