# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What to search and train: from numbers to settings, each with its reason.

Pure: the same fingerprint, machine, budget and measurement give the same plan.
"""

from collections.abc import Iterator, Sequence
import dataclasses
import math
from typing import Any

from auto_deeplab.architecture import cost
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.planning import fingerprint as fingerprint_lib
from auto_deeplab.planning import machine as machine_lib

Fingerprint = fingerprint_lib.Fingerprint
Machine = machine_lib.Machine

# Maps nest at 32m + 1 pixels, whatever the path.
_NESTING = 32
_MIN_CROP, _MAX_CROP = 97, 513

# Of the hours that are given; the rest is for what was not foreseen.
_MARGIN = 0.9
_SEARCH_SHARE = 0.3

# Of the memory that is free.
_MEMORY_SHARE = 0.8

# What trainings from scratch were seen to need, and to gain from: CamVid's
# recipe makes 57 epochs.
_EPOCHS, _MAX_EPOCHS = 50, 200
_MIN_STEPS, _ENOUGH_STEPS = 800, 4000
# Of the steps that a training wants; with less of them nothing is searched.
_MIN_TRAIN_SHARE = 0.6
# Fewer leave alphas and betas about where they began.
_MIN_SEARCH_STEPS = 200

# A step computes forwards and twice as much backwards; small and depthwise
# convolutions are slower than the one that is timed. Both from the recipes.
_PASSES, SLOWNESS = 3, 2.5
# Of a supernet to the network that is decoded from it, seen with both recipes.
_SUPERNET_TIMES = 6.0


@dataclasses.dataclass(frozen=True)
class Design:
  """A network to train, and on what.

  Attributes:
    crop: side of the training crops in pixels.
    batch: crops a step.
    layers: cells.
    blocks: of a cell.
    filters: F.
    stem: channels of the three stem convolutions.
    head: channels of ASPP and decoder.
    low_level: channels of the decoder's low-level projection.
  """

  crop: int
  batch: int
  layers: int
  blocks: int
  filters: int
  stem: tuple[int, int, int]
  head: int
  low_level: int

  @property
  def genotype(self) -> genotype_lib.Genotype:
    """The network that is trained where nothing is searched.

    The blocks of the published cell, on a path of as many layers that begins
    and ends fine.
    """
    return genotype_lib.Genotype(
      genotype_lib.PUBLISHED.cell[: self.blocks], _PATHS[self.layers]
    )

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


_PATHS = {
  5: (0, 1, 1, 2, 1),
  8: (0, 0, 1, 1, 2, 2, 2, 1),
  12: genotype_lib.PUBLISHED.backbone,
}

# Layers, blocks, F, stem, head, low level: the demo's, CamVid's, one between,
# and Auto-DeepLab-S.
_NETWORKS = (
  (5, 3, 8, (16, 16, 32), 48, 16),
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


@dataclasses.dataclass(frozen=True)
class Choice:
  """A setting, and why it has this value."""

  setting: str
  value: Any
  reason: str = ''


@dataclasses.dataclass(frozen=True)
class Stage:
  """A step of the chain, and what it is expected to take."""

  verb: str
  seconds: float
  peak_bytes: int = 0


@dataclasses.dataclass(frozen=True)
class Plan:
  """What to do with the time.

  Attributes:
    design: the network.
    search_steps: 0 where nothing is searched.
    train_steps: of the training.
    why: on searching or not.
    warnings: on what is to be looked at first.
    stages: what each step of the chain takes.
    search: settings of search.gin.
    train: settings of train.gin.
  """

  design: Design
  search_steps: int
  train_steps: int
  why: str
  warnings: tuple[str, ...]
  stages: tuple[Stage, ...]
  search: tuple[Choice, ...]
  train: tuple[Choice, ...]

  @property
  def seconds(self) -> float:
    return sum(stage.seconds for stage in self.stages)


# Which network ---------------------------------------------------------------


def designs(data: Fingerprint) -> list[Design]:
  """Returns what these pictures can be trained with, the dearest first."""
  batch = max(1, min(8, data.num_train))
  found = [
    Design(crop, batch if crop <= 321 else min(batch, 4), *network)
    for network in _NETWORKS
    for crop in _crops(data)
  ]
  return sorted(
    found, key=lambda d: d.step_multiply_adds(data.num_classes), reverse=True
  )


def _crops(data: Fingerprint) -> list[int]:
  """Returns sides: as large as a picture, and smaller ones.

  Not smaller than three objects side by side, nor than half a picture, as far
  as that is not more than CamVid's recipe has.
  """
  largest = _nesting(min(min(data.size), _MAX_CROP))
  seen = max(3 * data.object_side, min(data.size) / 2)
  least = min(largest, _nesting(min(seen, 257)))
  sides = {_nesting(largest * share) for share in (1, 0.75, 0.5, 0.25)}
  return sorted(side for side in sides | {least} if side >= least)


def _nesting(side: float) -> int:
  """Returns the next side at which maps nest."""
  steps = math.ceil((side - 1) / _NESTING)
  return max(_MIN_CROP, steps * _NESTING + 1)


def wanted_steps(data: Fingerprint, batch: int) -> int:
  """Returns how many training steps are worth a smaller network."""
  steps = _EPOCHS * data.num_train / batch
  return round(min(max(steps, _MIN_STEPS), _ENOUGH_STEPS))


def choose(
  data: Fingerprint,
  machine: Machine,
  seconds: float,
  slowness: float = SLOWNESS,
  below: float = math.inf,
) -> Design:
  """Returns the dearest design that gets the steps it wants.

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
    if wanted_steps(data, design.batch) * step <= 0.6 * seconds:
      return design
  return fitting[-1]


def estimate(data: Fingerprint, machine: Machine, design: Design) -> Measured:
  """Guesses what `measuring` would measure, from multiply-adds alone."""
  step = design.step_multiply_adds(data.num_classes) * SLOWNESS / machine.rate
  crops = math.prod(data.size) / design.crop**2
  start = 15.0 + 2.0 * design.layers
  return Measured(
    start_seconds=start,
    train_seconds=step,
    evaluate_seconds=2 * step * crops / design.batch / _PASSES,
    train_bytes=0,
    search_start_seconds=4 * start,
    search_seconds=step * _search_share(design),
    architecture_seconds=step * _search_share(design),
  )


def _search_share(design: Design) -> float:
  """Returns how much a search step computes of a training step, about."""
  smaller = search_crop(design) ** 2 * search_batch(design) * 4
  larger = design.crop**2 * design.batch * design.filters
  return _SUPERNET_TIMES * smaller / larger * design.layers


def search_crop(design: Design) -> int:
  """Returns the side of a search's crops: half of the training's."""
  return _nesting(design.crop / 2)


def search_batch(design: Design) -> int:
  """Returns the crops of a search's step: of each half of the pictures."""
  return max(1, min(4, design.batch // 2))


# How long --------------------------------------------------------------------


def make(
  data: Fingerprint,
  machine: Machine,
  hours: float,
  design: Design,
  measured: Measured,
  genotype_is_given: bool = False,
) -> Plan:
  """Divides the hours.

  Args:
    data: the pictures.
    machine: that computes.
    hours: for the whole chain from here on.
    design: the network.
    measured: what it takes.
    genotype_is_given: whether one was searched already.

  Raises:
    ValueError: there is no time for a single loop of steps.
  """
  if not 0 < hours < math.inf:
    raise ValueError(f'`hours` ({hours}) must be greater than 0.')
  after = _after_training(data, measured)
  left = _MARGIN * hours * 3600 - measured.start_seconds
  left -= sum(stage.seconds for stage in after)
  wanted = wanted_steps(data, design.batch)
  search_steps, why = 0, 'the genotype is given.'
  if not genotype_is_given:
    search_steps, why = _search_steps(data, design, measured, left, wanted)
  before = _search_stages(search_steps, measured)
  left -= sum(stage.seconds for stage in before)
  train_steps = _train_steps(data, design, measured, left)
  if train_steps < 10:
    raise ValueError(
      f'`hours` ({hours:g}) are too few: beside starting, evaluating and '
      f'exporting, {max(left, 0):.0f} s are left to train, and a step takes '
      f'{measured.train_seconds:.2g} s.'
    )
  stage = Stage(
    'train',
    measured.start_seconds
    + train_steps * measured.train_seconds
    + data.num_val * measured.evaluate_seconds,
    measured.train_bytes,
  )
  plan = Plan(
    design,
    search_steps,
    train_steps,
    why,
    tuple(_warnings(data, machine, measured, train_steps, wanted)),
    (*before, stage, *after[1:]),
    (),
    (),
  )
  return dataclasses.replace(
    plan,
    search=tuple(_search_choices(plan)) if search_steps else (),
    train=tuple(_train_choices(data, machine, plan)),
  )


def draft(data: Fingerprint, machine: Machine, design: Design) -> Plan:
  """Returns a plan of plenty of steps, with a search, to try both."""
  plan = Plan(design, 1000, 1000, '', (), (), (), ())
  return dataclasses.replace(
    plan,
    search=tuple(_search_choices(plan)),
    train=tuple(_train_choices(data, machine, plan)),
  )


def may_search(
  data: Fingerprint, hours: float, design: Design, measured: Measured
) -> bool:
  """Whether a search is worth trying, going by what is only guessed of it."""
  hopeful = dataclasses.replace(
    measured,
    search_seconds=measured.search_seconds / 2,
    architecture_seconds=measured.architecture_seconds / 2,
  )
  left = _MARGIN * hours * 3600 - measured.start_seconds
  return bool(_search_steps(data, design, hopeful, left, _ENOUGH_STEPS)[0])


def _after_training(data: Fingerprint, measured: Measured) -> list[Stage]:
  """The evaluation within the training, then what follows it."""
  pictures = data.num_val * measured.evaluate_seconds
  start = 0.7 * measured.start_seconds
  return [
    Stage('train', pictures),
    Stage('evaluate', start + pictures, measured.train_bytes),
    Stage('export', 1.2 * measured.start_seconds),
  ]


def _search_stages(steps: int, measured: Measured) -> list[Stage]:
  if not steps:
    return []
  seconds = (
    measured.search_start_seconds
    + steps * measured.search_seconds
    + (steps - _arch_start(steps)) * measured.architecture_seconds
  )
  return [
    Stage('search', seconds, measured.search_bytes),
    Stage('decode', 0.5 * measured.start_seconds),
  ]


def _arch_start(steps: int) -> int:
  return round(0.4 * steps / 10) * 10


def _search_steps(
  data: Fingerprint,
  design: Design,
  measured: Measured,
  left: float,
  wanted: int,
) -> tuple[int, str]:
  """Returns the steps of a search, or 0, and why."""
  if data.num_train < 2 * search_batch(design):
    return 0, f'{data.num_train} pictures are too few to be halved.'
  per_step = measured.search_seconds + 0.6 * measured.architecture_seconds
  fixed = measured.search_start_seconds + 0.5 * measured.start_seconds
  share = _SEARCH_SHARE * left
  steps = int((share - fixed) / per_step) // 10 * 10
  steps = min(steps, 2 * wanted // 10 * 10)
  rest = int((left - share) / measured.train_seconds)
  if rest < _MIN_TRAIN_SHARE * wanted:
    return 0, (
      f'beside one, {max(rest, 0)} training steps would fit, of {wanted} that '
      'are needed.'
    )
  if steps < _MIN_SEARCH_STEPS:
    needed = (fixed + _MIN_SEARCH_STEPS * per_step) / _SEARCH_SHARE / 3600
    return 0, (
      f'of {left / 60:.0f} minutes {_SEARCH_SHARE:.0%} are for a search, in '
      f'which {max(steps, 0)} steps fit; {_MIN_SEARCH_STEPS} are the least '
      f'that it can be told from chance by. With about {needed:.1f} hours it '
      'would be searched.'
    )
  return steps, f'{steps} steps fit into {_SEARCH_SHARE:.0%} of the time.'


def _train_steps(
  data: Fingerprint, design: Design, measured: Measured, left: float
) -> int:
  """Returns steps, a multiple of 10 from 100 on."""
  most = max(_MAX_EPOCHS * data.num_train / design.batch, 2 * _MIN_STEPS)
  steps = int(min(left / measured.train_seconds, most))
  return steps // 10 * 10 if steps > 100 else steps


def _warnings(
  data: Fingerprint,
  machine: Machine,
  measured: Measured,
  steps: int,
  wanted: int,
) -> Iterator[str]:
  empty = [i for i, share in enumerate(data.class_shares) if not share]
  if empty:
    shown = ', '.join(map(str, empty[:5]))
    yield (
      f'{len(empty)} of {data.num_classes} classes have no pixel in train '
      f'({shown}{", ..." if len(empty) > 5 else ""}): they cannot be learned.'
    )
  if steps < wanted / 2:
    yield (
      f'{steps} training steps fit, {wanted} would be needed: expect a rough '
      'result, or give more hours.'
    )
  peak = max(measured.train_bytes, measured.search_bytes)
  if not machine.gpus and peak > _MEMORY_SHARE * machine.memory_bytes:
    yield (
      f'{peak / 2**30:.1f} GiB are needed of the '
      f'{machine.memory_bytes / 2**30:.1f} GiB that are free.'
    )
  if data.num_train < 20:
    yield f'{data.num_train} pictures are few: expect them learned by heart.'


def fits(machine: Machine, measured: Measured) -> bool:
  """Whether the memory suffices; of a GPU, what was measured has shown it."""
  peak = max(measured.train_bytes, measured.search_bytes)
  return bool(machine.gpus) or peak <= _MEMORY_SHARE * machine.memory_bytes


# Settings --------------------------------------------------------------------


def momentum(steps: int) -> float:
  """Returns batch norm's, which looks back over a twentieth of the steps."""
  return round(min(0.9997, max(0.5, 1 - 20 / steps)), 4)


def _loop(steps: int) -> int:
  """Steps between two lines of a run: at most fifty lines, or so."""
  return max(1, 10 * (steps // 1000)) if steps >= 1000 else max(1, steps // 50)


def _runtime(steps: int) -> list[Choice]:
  loop = _loop(steps)
  return [
    Choice('RuntimeConfig.steps_per_loop', loop, 'Some fifty lines in all.'),
    Choice(
      'RuntimeConfig.checkpoint_interval',
      5 * loop,
      'What a kill loses at most.',
    ),
  ]


def _search_choices(plan: Plan) -> Iterator[Choice]:
  design, steps = plan.design, plan.search_steps
  loop = _loop(steps)
  crop, batch = search_crop(design), search_batch(design)
  yield from _runtime(steps)
  yield Choice(
    'InputConfig.crop_size',
    (crop, crop),
    f'Half of the {design.crop} of the training: a supernet computes every '
    'path.',
  )
  yield Choice('InputConfig.batch_size', batch, 'Each half of train has it.')
  yield Choice(
    'SupernetConfig.num_layers', design.layers, 'As deep as what is trained.'
  )
  yield Choice('SupernetConfig.num_blocks', design.blocks)
  yield Choice(
    'SupernetConfig.filter_multiplier', 4, 'Narrow: what is trained is wider.'
  )
  yield Choice('SupernetConfig.stem_filters', (16, 16, 32))
  yield Choice('WeightOptimizerConfig.learning_rate', 0.05)
  yield Choice('WeightOptimizerConfig.clip_norm', 5.0)
  architecture_steps = steps - _arch_start(steps)
  yield Choice(
    'ArchitectureOptimizerConfig.learning_rate',
    round(min(0.02, max(0.003, 2.4 / architecture_steps)), 4),
    "The paper's 0.003 belongs to 15,000 architecture steps; here are "
    f'{architecture_steps}.',
  )
  yield Choice('SearchConfig.train_steps', steps, plan.why.capitalize())
  yield Choice(
    'SearchConfig.arch_start_step',
    _arch_start(steps),
    'The weights first, the architecture from two fifths on.',
  )
  yield Choice('SearchConfig.snapshot_interval', 5 * loop)
  yield Choice('SearchConfig.probe_batches', 2)


def _train_choices(
  data: Fingerprint, machine: Machine, plan: Plan
) -> Iterator[Choice]:
  steps = plan.train_steps
  yield from _runtime(steps)
  yield from _input_choices(data, plan.design)
  yield from _network_choices(plan.design)
  if machine.gpus and machine.bfloat16_rate > 1.3 * machine.rate:
    times = machine.bfloat16_rate / machine.rate
    yield Choice(
      'RuntimeConfig.precision',
      'mixed_bfloat16',
      f'A convolution is {times:.1f} times as fast here.',
    )
  yield Choice(
    'SegmenterConfig.batch_norm_momentum',
    momentum(steps),
    f'0.9997 would not forget its start within {steps} steps.'
    if momentum(steps) < 0.9997
    else "The paper's.",
  )
  yield Choice('WeightOptimizerConfig.optimizer', 'adamw')
  yield Choice(
    'WeightOptimizerConfig.learning_rate',
    0.003 if plan.design.filters <= 8 else 0.002,
    'Narrow networks bear a larger one.',
  )
  yield Choice('WeightOptimizerConfig.schedule', 'cosine')
  yield Choice('WeightOptimizerConfig.end_learning_rate', 0.0)
  yield Choice(
    'WeightOptimizerConfig.warmup_steps', min(100, max(1, steps // 16))
  )
  yield Choice('WeightOptimizerConfig.weight_decay', 0.01)
  yield Choice('WeightOptimizerConfig.clip_norm', 5.0)
  epochs = steps * plan.design.batch / data.num_train
  yield Choice(
    'TrainConfig.train_steps',
    steps,
    f'{epochs:.0f} epochs of {data.num_train} pictures: what the time allows, '
    f'and at most {_MAX_EPOCHS}, or {2 * _MIN_STEPS} steps.',
  )


def _input_choices(data: Fingerprint, design: Design) -> Iterator[Choice]:
  height, width = data.size
  yield Choice(
    'InputConfig.crop_size',
    (design.crop, design.crop),
    f'Of pictures of {height}x{width} whose objects are some '
    f'{data.object_side:.0f} pixels wide; 32m + 1, so that all maps nest.',
  )
  yield Choice(
    'InputConfig.batch_size',
    design.batch,
    f'There are {data.num_train} pictures.',
  )
  if design.crop >= min(data.size):
    reason = 'A crop shows a whole picture, which smaller scales would pad.'
    yield Choice('InputConfig.min_scale', 0.75, reason)
    yield Choice('InputConfig.max_scale', 1.5)
  if data.rarest_share < 0.01:
    yield Choice(
      'InputConfig.class_balance',
      0.5,
      f'The rarest class has {data.rarest_share:.2%} of the pixels.',
    )
  if data.num_train < 200:
    reason = 'Few pictures: colours that vary make them more.'
    yield Choice('InputConfig.brightness_jitter', 0.2, reason)
    yield Choice('InputConfig.saturation_jitter', 0.2)


def _network_choices(design: Design) -> Iterator[Choice]:
  yield Choice(
    'SegmenterConfig.filter_multiplier',
    design.filters,
    'The widest network that gets the steps which it needs.',
  )
  yield Choice('SegmenterConfig.stem_filters', design.stem)
  yield Choice('SegmenterConfig.aspp_filters', design.head)
  yield Choice('SegmenterConfig.low_level_filters', design.low_level)
  yield Choice('SegmenterConfig.decoder_filters', design.head)


def to_gin(choices: Sequence[Choice], heading: str) -> str:
  """Returns the text of a recipe, each reason as a comment."""
  lines = [f'# {line}'.rstrip() for line in heading.splitlines()]
  part = ''
  for choice in choices:
    name = choice.setting.partition('.')[0]
    if name != part:
      lines, part = [*lines, ''], name
    if choice.reason:
      lines.append(f'# {choice.reason}')
    lines.append(f'{choice.setting} = {choice.value!r}')
  return '\n'.join(lines) + '\n'
