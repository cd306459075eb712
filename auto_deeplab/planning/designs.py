# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which network pictures, machine and time suffice for."""

import dataclasses
import math

from auto_deeplab.architecture import cost, lattice
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.planning.fingerprint import Fingerprint
from auto_deeplab.planning.machine import Machine

# Maps nest at 32m + 1 pixels, whatever the path.
_NESTING = 32
_MIN_CROP, _MAX_CROP = 97, 513
# Of the largest crop.
_CROP_SHARES = (1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25)

# Below these a smaller network is trained. After some 45 CPU-minutes on CamVid
# F=8 is at 0.556 (98 epochs), F=16 at 0.487 (58); after two hours F=16 is at
# 0.625 (145), with one seed each (docs/results.md).
_EPOCHS = 100
MIN_STEPS, ENOUGH_STEPS = 800, 12_000
# The fewest for which image pooling is normalized. After some ten CPU-minutes
# on CamVid, steps of 4 crops were ahead of half as many of 8, and crops of 257
# of those of 193 and 385, with one seed (docs/results.md). Not tried on a GPU.
_BATCH = 4
# Of the hours, at most, for the steps that a training needs; chosen, for what
# is not training.
_TRAINING_SHARE = 0.85

# A step computes forwards and twice as much backwards; small and depthwise
# convolutions are slower than the one that is timed: 1.8 to 2.5 times with the
# recipes on two kinds of CPU.
_PASSES, SLOWNESS = 3, 2.0
# What a supernet takes, weight and architecture step together, for each edge of
# each of its cells: in multiply-adds of the convolution that is timed, and more
# for each pixel of a step's crops. Fitted to six searches of F=4 on a core of a
# Xeon with AMX, of which it is within 26 %. The last is the share of the
# weights, measured with five layers.
_EDGE, _EDGE_PIXEL, _WEIGHT_SHARE = 4.7e7, 1560.0, 0.57


@dataclasses.dataclass(frozen=True)
class Design:
  """A network to train, and on what.

  Attributes:
    crop: side of the training crops in pixels.
    batch: crops a step.
    search_batch: crops a step of a search, of each half of the pictures.
    layers: cells.
    blocks: of a cell.
    filters: F.
    stem: channels of the three stem convolutions.
    head: channels of ASPP and decoder.
    low_level: channels of the decoder's low-level projection.
  """

  crop: int
  batch: int
  search_batch: int
  layers: int
  blocks: int
  filters: int
  stem: tuple[int, int, int]
  head: int
  low_level: int

  @property
  def genotype(self) -> genotype_lib.Genotype:
    """The network that is trained where nothing is searched.

    With three blocks that which reached the best score on CamVid
    (docs/results.md); with more the first ones of the published cell.
    """
    published = genotype_lib.PUBLISHED.cell[: self.blocks]
    cell = published if self.blocks > len(_SMALL_CELL) else _SMALL_CELL
    return genotype_lib.Genotype(cell, _PATHS[self.layers])

  def step_multiply_adds(self, num_classes: int) -> float:
    """Returns about what a training step computes."""
    network = cost.Network(
      self.genotype,
      (self.crop, self.crop),
      self.filters,
      num_classes,
      self.stem,
      self.head,
      self.low_level,
      self.head,
    )
    return _PASSES * self.batch * cost.count(network).multiply_adds


# Written by hand.
_SMALL_CELL = (
  ((0, 'sep_conv_3x3'), (1, 'sep_conv_3x3')),
  ((0, 'skip_connect'), (2, 'atrous_conv_3x3')),
  ((1, 'skip_connect'), (3, 'sep_conv_3x3')),
)
_PATHS = {
  5: (0, 1, 1, 2, 1),
  8: (1, 1, 2, 2, 3, 2, 2, 1),
  12: genotype_lib.PUBLISHED.backbone,
}

# Layers, blocks, F, stem, head, low level: the demo's, a deeper one, CamVid's,
# one between, and Auto-DeepLab-S.
_NETWORKS = (
  (5, 3, 8, (16, 16, 32), 48, 16),
  (8, 3, 8, (16, 16, 32), 48, 16),
  (8, 3, 16, (24, 24, 48), 64, 24),
  (8, 4, 20, (32, 32, 64), 128, 32),
  (12, 5, 20, (64, 64, 128), 256, 48),
)


@dataclasses.dataclass(frozen=True)
class Measured:
  """What a design was seen to take on the machine.

  Attributes:
    start_seconds: from nothing to the first step, tracing included.
    train_seconds: a training step.
    evaluate_seconds: a picture of val.
    evaluate_start_seconds: to begin an evaluation, tracing included.
    train_bytes: peak memory of the process that trains and evaluates.
    search_start_seconds: as above, of the search; 0 if none was tried.
    search_seconds: a step that moves the weights alone.
    architecture_seconds: what an architecture step adds.
    search_bytes: peak memory of the process that searches.
    train_cpu_seconds: processor time of a training step, over all cores.
  """

  start_seconds: float
  train_seconds: float
  evaluate_seconds: float
  train_bytes: int
  search_start_seconds: float = 0.0
  search_seconds: float = 0.0
  architecture_seconds: float = 0.0
  search_bytes: int = 0
  train_cpu_seconds: float = 0.0
  evaluate_start_seconds: float = 0.0


def designs(data: Fingerprint) -> list[Design]:
  """Returns what these pictures can be trained with, the dearest first."""
  batch = max(1, min(_BATCH, data.num_train))
  search_batch = max(1, min(_BATCH, data.num_train // 2))
  found = [
    Design(crop, batch, search_batch, *network)
    for network in _NETWORKS
    for crop in _crops(data)
  ]
  return sorted(
    found, key=lambda d: d.step_multiply_adds(data.num_classes), reverse=True
  )


def _crops(data: Fingerprint) -> list[int]:
  """Returns sides: as large as a picture, and smaller ones.

  Not smaller than three objects side by side, nor than two thirds of a picture,
  as far as that is not more than CamVid's recipe has.
  """
  largest = _nesting(min(min(data.size), _MAX_CROP))
  seen = max(3 * data.object_side, min(data.size) * 2 / 3)
  least = min(largest, _nesting(min(seen, 257)))
  sides = {_nesting(largest * share) for share in _CROP_SHARES}
  return sorted(side for side in sides | {least} if side >= least)


def _nesting(side: float) -> int:
  """Returns the next side at which maps nest."""
  steps = math.ceil((side - 1) / _NESTING)
  return max(_MIN_CROP, steps * _NESTING + 1)


def wanted_steps(data: Fingerprint, batch: int) -> int:
  """Returns how many training steps are worth a smaller network."""
  steps = _EPOCHS * data.num_train / batch
  return round(min(max(steps, MIN_STEPS), ENOUGH_STEPS))


def choose(
  data: Fingerprint,
  machine: Machine,
  seconds: float,
  slowness: float = SLOWNESS,
  below: float = math.inf,
) -> Design:
  """Returns the dearest design that gets the steps it needs.

  Args:
    data: the pictures.
    machine: that computes.
    seconds: for the whole chain.
    slowness: how many times as long a step takes as its multiply-adds would.
    below: multiply-adds a step that are too many, as was seen.
  """
  num_classes = data.num_classes
  fitting = [
    design
    for design in designs(data)
    if design.step_multiply_adds(num_classes) < below
  ] or designs(data)[-1:]
  for design in fitting:
    step = design.step_multiply_adds(num_classes) * slowness / machine.rate
    if wanted_steps(data, design.batch) * step <= _TRAINING_SHARE * seconds:
      return design
  return fitting[-1]


def estimate(data: Fingerprint, machine: Machine, design: Design) -> Measured:
  """Guesses what `measuring` would measure, from multiply-adds alone."""
  step = design.step_multiply_adds(data.num_classes) * SLOWNESS / machine.rate
  crops = math.prod(data.size) / design.crop**2
  start = 15.0 + 2.0 * design.layers
  searching = _search_multiply_adds(design) / machine.rate
  return Measured(
    start_seconds=start,
    train_seconds=step,
    evaluate_seconds=2 * step * crops / design.batch / _PASSES,
    train_bytes=0,
    search_start_seconds=2 * start,
    search_seconds=_WEIGHT_SHARE * searching,
    architecture_seconds=(1 - _WEIGHT_SHARE) * searching,
  )


def _search_multiply_adds(design: Design) -> float:
  """Returns as many as take as long as a weight and an architecture step."""
  # Each way into a node of the lattice has a cell of its own.
  cells = len(lattice.transitions(design.layers))
  pixels = design.search_batch * search_crop(design) ** 2
  num_edges = len(genotype_lib.edges(design.blocks))
  return cells * num_edges * (_EDGE + _EDGE_PIXEL * pixels)


def search_crop(design: Design) -> int:
  """Returns the side of a search's crops: half of the training's."""
  return _nesting(design.crop / 2)
