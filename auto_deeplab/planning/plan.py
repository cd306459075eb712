# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What to do with the time: from numbers to steps, and their recipes.

Pure: the same fingerprint, machine, budget and measurement give the same plan.
"""

from collections.abc import Iterator
import dataclasses
import math

from auto_deeplab.planning import designs, settings
from auto_deeplab.planning.designs import Design, Measured
from auto_deeplab.planning.fingerprint import Fingerprint
from auto_deeplab.planning.machine import Machine
from auto_deeplab.planning.settings import Choice

# Of the hours that are given; the rest is for what was not foreseen. A training
# that turns out slower than that is given a shorter schedule (`execution`).
_MARGIN = 0.95
_SEARCH_SHARE = 0.3
# Of the memory that is free.
_MEMORY_SHARE = 0.8

# Of a search in time that a training could use: chosen. Searches of 600 on
# CamVid could not be told from chance. In time that no training could use, what
# chose better than chance on the synthetic pictures (docs/results.md).
_MIN_SEARCH_STEPS, _IDLE_SEARCH_STEPS = 2000, 500
# What evaluate (without its pictures), export and report take, in starts of a
# training: the usual ones of five runs of 7 minutes to 2 hours on one core each
# of a Xeon with AMX, of which an export took 1.7 to 2.4.
_STARTS = 1.5, 2.2, 0.5
# Of a training, for evaluations before the one at its end.
EVALUATION_SHARE = 0.04
_MAX_EVALUATIONS = 10


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
    evaluations: within it, the one at its end included.
    why: on searching or not.
    warnings: on what is to be looked at first.
    stages: what each step of the chain takes.
    search: settings of search.gin.
    train: settings of train.gin.
  """

  design: Design
  search_steps: int
  train_steps: int
  evaluations: int
  why: str
  warnings: tuple[str, ...]
  stages: tuple[Stage, ...]
  search: tuple[Choice, ...]
  train: tuple[Choice, ...]

  @property
  def seconds(self) -> float:
    return sum(stage.seconds for stage in self.stages)


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
    hours: for the whole chain from here on; none, if below 0.
    design: the network.
    measured: what it takes.
    genotype_is_given: whether one was searched already.

  Raises:
    ValueError: there is no time for a single loop of steps.
  """
  after = _after_training(data, measured)
  left = _MARGIN * hours * 3600 - measured.start_seconds
  left -= sum(stage.seconds for stage in after)
  wanted = designs.wanted_steps(data, design.batch)
  search_steps, why = 0, 'the genotype is given.'
  if not genotype_is_given:
    search_steps, why = _search_steps(data, design, measured, left, wanted)
  before = _search_stages(search_steps, measured)
  left -= sum(stage.seconds for stage in before)
  evaluations = _evaluations(data, measured, left)
  evaluating = (evaluations - 1) * data.num_val * measured.evaluate_seconds
  train_steps = _train_steps(data, design, measured, left - evaluating)
  if train_steps < 10:
    raise ValueError(
      f'`hours` are too few: of the {max(hours * 60, 0):.1f} minutes that are '
      f'left after planning, starting, evaluating and exporting leave '
      f'{max(left, 0):.0f} s to train, and a step takes '
      f'{measured.train_seconds:.2g} s.'
    )
  stage = Stage(
    'train',
    measured.start_seconds
    + train_steps * measured.train_seconds
    + evaluating
    + after[0].seconds,
    measured.train_bytes,
  )
  plan = Plan(
    design,
    search_steps,
    train_steps,
    evaluations,
    why,
    tuple(_warnings(data, machine, measured, train_steps, wanted)),
    (*before, stage, *after[1:]),
    (),
    (),
  )
  return _with_settings(plan, data, machine)


def draft(data: Fingerprint, machine: Machine, design: Design) -> Plan:
  """Returns a plan of plenty of steps, with a search, to try both."""
  plan = Plan(design, 1000, 1000, 1, '', (), (), (), ())
  return _with_settings(plan, data, machine)


def _with_settings(plan: Plan, data: Fingerprint, machine: Machine) -> Plan:
  design = plan.design
  return dataclasses.replace(
    plan,
    search=tuple(settings.of_search(design, plan.search_steps, plan.why))
    if plan.search_steps
    else (),
    train=tuple(
      settings.of_training(
        data, machine, design, plan.train_steps, plan.evaluations
      )
    ),
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
  wanted = designs.wanted_steps(data, design.batch)
  return bool(_search_steps(data, design, hopeful, left, wanted)[0])


def _after_training(data: Fingerprint, measured: Measured) -> list[Stage]:
  """The evaluation within the training, then what follows it."""
  pictures = data.num_val * measured.evaluate_seconds
  pictures += measured.evaluate_start_seconds
  evaluate, export, report = (
    times * measured.start_seconds for times in _STARTS
  )
  return [
    Stage('train', pictures),
    Stage('evaluate', evaluate + pictures, measured.train_bytes),
    Stage('export', export),
    Stage('report', report),
  ]


def _search_stages(steps: int, measured: Measured) -> list[Stage]:
  if not steps:
    return []
  seconds = (
    measured.search_start_seconds
    + steps * measured.search_seconds
    + (steps - settings.arch_start(steps)) * measured.architecture_seconds
  )
  return [
    Stage('search', seconds, measured.search_bytes),
    Stage('decode', 0.5 * measured.start_seconds),
  ]


def _search_steps(
  data: Fingerprint,
  design: Design,
  measured: Measured,
  left: float,
  wanted: int,
) -> tuple[int, str]:
  """Returns the steps of a search, or 0, and why."""
  if data.num_train < 2 * design.search_batch:
    return 0, f'{data.num_train} pictures are too few to be halved.'
  per_step = measured.search_seconds + measured.architecture_seconds
  fixed = measured.search_start_seconds + 0.5 * measured.start_seconds
  # The training comes first: short searches on CamVid could not be told from
  # chance, and longer trainings were better (docs/results.md).
  training = wanted * measured.train_seconds
  over = left - _most_steps(data, design) * measured.train_seconds
  share = max(min(_SEARCH_SHARE * left, left - training), over)
  least = fixed + _MIN_SEARCH_STEPS * per_step
  if share < least and over < fixed + _IDLE_SEARCH_STEPS * per_step:
    more = max(least / _SEARCH_SHARE, least + training) - left
    return 0, (
      f'the {wanted} training steps that are needed take '
      f'{training / 60:.0f} minutes and come first; a search of '
      f'{_MIN_SEARCH_STEPS} steps takes {least / 60:.0f}, and would fit with '
      f'some {math.ceil(more / _MARGIN / 60)} minutes more.'
    )
  steps = int((share - fixed) / per_step) // 10 * 10
  steps = min(steps, 2 * wanted // 10 * 10)
  return steps, f'{steps} steps fit into what the training does not need.'


def _evaluations(data: Fingerprint, measured: Measured, left: float) -> int:
  """Returns how often val is evaluated within the training."""
  pictures = max(data.num_val * measured.evaluate_seconds, 1e-9)
  return min(1 + int(EVALUATION_SHARE * left / pictures), _MAX_EVALUATIONS)


def _train_steps(
  data: Fingerprint, design: Design, measured: Measured, left: float
) -> int:
  """Returns steps, a multiple of 10 from 100 on."""
  steps = int(min(left / measured.train_seconds, _most_steps(data, design)))
  return steps // 10 * 10 if steps > 100 else steps


def _most_steps(data: Fingerprint, design: Design) -> float:
  """More would learn the pictures by heart."""
  epochs = settings.MAX_EPOCHS * data.num_train / design.batch
  return max(epochs, 2 * designs.MIN_STEPS)


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
