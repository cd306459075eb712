# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A table of milliseconds as a file, with the networks that it is about.

`auto-deeplab cost --measure=FILE` writes it, a search with
`SearchConfig.target_milliseconds` reads it.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import json
import os
import pathlib
from typing import Any

import numpy as np

from auto_deeplab.architecture import artifact, cost, cost_table

FORMAT, VERSION = 'auto_deeplab.milliseconds', 1
_ARRAYS = ('projections', 'primitives', 'ends')


def save(
  path: str | os.PathLike[str],
  table: cost_table.CostTable,
  network: cost.Network,
  measured: Mapping[str, Any],
) -> None:
  """Writes a table.

  Args:
    path: JSON file.
    table: In milliseconds a picture.
    network: Any of the networks that it was measured for.
    measured: How, for people.
  """
  document = {
    'format': FORMAT,
    'version': VERSION,
    'network': _described(network),
    'names': table.names,
    'measured': dict(measured),
    **{name: getattr(table, name).tolist() for name in _ARRAYS},
  }
  with artifact.writing(path) as file:
    file.write((json.dumps(document, indent=1) + '\n').encode())


def load(
  path: str | os.PathLike[str], network: cost.Network, names: Sequence[str]
) -> cost_table.CostTable:
  """Reads a table.

  Args:
    path: That `save` wrote.
    network: Any of those that it is to be about.
    names: Of the primitives that it is to have, in their order.

  Raises:
    FileNotFoundError: There is no such file.
    ValueError: It does not parse, or is about other networks.
  """
  try:
    document = json.loads(pathlib.Path(path).read_text(encoding='utf-8'))
    if (document['format'], document['version']) != (FORMAT, VERSION):
      raise ValueError('it is of another format or version')
    found = {**document['network'], 'primitives': list(document['names'])}
    table = cost_table.CostTable(
      tuple(document['names']),
      *(np.array(document[name], np.float64) for name in _ARRAYS),
    )
    _check(table)
  except (ValueError, KeyError, TypeError) as e:
    raise ValueError(
      f'{path} is no table of `auto-deeplab cost --measure`: {e!r}'
    ) from e
  for key, value in {**_described(network), 'primitives': list(names)}.items():
    if found.get(key) != value:
      raise ValueError(
        f'{path} was measured with `{key}` {found.get(key)}, and the search '
        f'has {value}: measure anew.'
      )
  return table


def _described(network: cost.Network) -> dict[str, Any]:
  """All but the genotype, of which only the blocks count, as JSON has it."""
  document = {
    field.name: getattr(network, field.name)
    for field in dataclasses.fields(network)
    if field.name not in ('genotype', 'pooling_size')
  } | {'num_blocks': network.genotype.num_blocks}
  return json.loads(json.dumps(document))


def _check(table: cost_table.CostTable) -> None:
  like = cost_table.empty(table.names)
  for name in _ARRAYS:
    array, shape = getattr(table, name), getattr(like, name).shape
    if array.shape != shape or not np.isfinite(array).all():
      raise ValueError(f'`{name}` must be finite numbers of shape {shape}')
