# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How many milliseconds the parts of a network take on this machine.

Cells and small networks are timed, one picture at a time, and what a primitive
takes is the difference that it makes to a cell (`cost_table.assemble`). In a
whole network they take a little longer, as maps leave the caches: so some
random networks are timed too, and all is multiplied by what they have in
common. All functions are called in turn, round by round, and the fastest call
counts: what else the machine does is then left out as far as it can be.
"""

from collections.abc import Callable, Sequence
import dataclasses
import statistics
import time
from typing import Any

import numpy as np
import tensorflow as tf
import tqdm

from auto_deeplab import configs
from auto_deeplab.architecture import cost, cost_table, lattice
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.model import segmenter as segmenter_lib
from auto_deeplab.model.ops import sizes

# Of each function; the first two trace and warm up.
_ROUNDS, _CALLS = 8, 5
_NUM_NETWORKS = 5

# Makes one run, until its result is there.
Run = Callable[[], Any]


@dataclasses.dataclass(frozen=True)
class Timed:
  """A table, and how right it is.

  Attributes:
    table: in milliseconds a picture.
    scale: by which what the parts took alone was multiplied.
    ratios: expected over taken, of random networks that it was fitted to.
  """

  table: cost_table.CostTable
  scale: float
  ratios: tuple[float, ...]


def measure(
  network: cost.Network, names: Sequence[str], num_layers: int
) -> Timed:
  """Times what the networks take that differ from one by genotype alone.

  Args:
    network: any of them.
    names: of the primitives.
    num_layers: of the random networks.
  """
  pictures = tf.random.stateless_uniform(
    [1, *network.input_size, 3], [0, 0], -1.0, 1.0
  )
  num_blocks = network.genotype.num_blocks
  parts = cost_table.parts(num_blocks, names)
  rng = np.random.default_rng(0)
  genotypes = [
    genotype_lib.random_genotype(
      rng, num_layers=num_layers, num_blocks=num_blocks, names=tuple(names)
    )
    for _ in range(_NUM_NETWORKS)
  ]
  whole = [cost_table.Part(genotype) for genotype in genotypes]
  runs = [
    _run_of(part, network, pictures)
    for part in tqdm.tqdm([*parts, *whole], 'trace', unit='part')
  ]
  call, *taken = fastest([_call(), *runs])
  alone = {
    part: seconds - (call if part.layer is not None else 0.0)
    for part, seconds in zip([*parts, *whole], taken, strict=True)
  }
  return fitted(alone, genotypes, num_blocks, names)


def fitted(
  milliseconds: dict[cost_table.Part, float],
  genotypes: Sequence[genotype_lib.Genotype],
  num_blocks: int,
  names: Sequence[str],
) -> Timed:
  """Makes the table of what was taken.

  Args:
    milliseconds: of all `cost_table.parts`, and of these networks.
    genotypes: of whole networks, to fit the sums to.
    num_blocks: of a cell.
    names: of the primitives.
  """
  # A difference of noise may be below 0, and nothing takes less than no time.
  table = _multiplied(
    cost_table.assemble(milliseconds.__getitem__, num_blocks, names), 1.0
  )
  found = [
    cost_table.cost_of(table, genotype)
    / milliseconds[cost_table.Part(genotype)]
    for genotype in genotypes
  ]
  scale = 1 / statistics.median(found)
  return Timed(
    _multiplied(table, scale), scale, tuple(scale * ratio for ratio in found)
  )


def _multiplied(
  table: cost_table.CostTable, factor: float
) -> cost_table.CostTable:
  return cost_table.CostTable(
    table.names,
    *(
      np.maximum(array * factor, 0.0)
      for array in (table.projections, table.primitives, table.ends)
    ),
  )


def fastest(runs: Sequence[Run]) -> list[float]:
  """Returns the milliseconds of the fastest call of each, called in turn."""
  best = [float('inf')] * len(runs)
  for run in runs:
    run()
    run()
  for _ in tqdm.trange(_ROUNDS, desc='time', unit='round'):
    for index, run in enumerate(runs):
      for _ in range(_CALLS):
        begin = time.perf_counter()
        run()
        best[index] = min(best[index], 1000 * (time.perf_counter() - begin))
  return best


def _call() -> Run:
  """What calling a function takes, whatever it does."""
  one = tf.ones([])
  add = tf.function(lambda x: x + 1.0).get_concrete_function(one)
  return lambda: add(one).numpy()


def _run_of(
  part: cost_table.Part, network: cost.Network, pictures: tf.Tensor
) -> Run:
  """Returns what runs a cell, or the whole network, in a graph."""
  model = segmenter_lib.Segmenter(
    part.genotype,
    configs.SegmenterConfig(
      filter_multiplier=network.filter_multiplier,
      stem_filters=network.stem_filters,
      aspp_filters=network.aspp_filters,
      low_level_filters=network.low_level_filters,
      decoder_filters=network.decoder_filters,
    ),
    network.num_classes,
  )
  if part.layer is None:
    compute = tf.function(lambda x: model(x)).get_concrete_function(pictures)
    return lambda: compute(pictures)[0, 0, 0, 0].numpy()
  return _run_of_cell(model, part.layer, pictures)


def _run_of_cell(
  model: segmenter_lib.Segmenter, layer: int, pictures: tf.Tensor
) -> Run:
  """A cell with the maps that it reads, upsampled where it goes up."""
  padded = sizes.pad_to(
    pictures,
    sizes.nesting(sizes.spatial_size(pictures), model.coarsest_stride),
  )
  outputs = model.endpoints(padded)
  half, stem = model.stem(padded)
  maps = [half, stem, *(outputs[f'Cell_{i}'] for i in range(layer))]
  before, last = maps[-2:]
  cell = model.cells[layer]
  size = sizes.spatial_size(outputs[f'Cell_{layer}'])

  def compute(before: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
    if cell.direction == lattice.UP:
      last = sizes.resize_aligned(last, size)
    return cell(last, before)

  compute = tf.function(compute).get_concrete_function(before, last)
  return lambda: compute(before, last)[0, 0, 0, 0].numpy()
