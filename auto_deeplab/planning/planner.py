# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Makes a plan: looks, chooses, tries what it chose, and writes the recipes.

PLAN/search.gin      only where a search fits into the time
PLAN/train.gin
PLAN/genotype.json   what is trained without a search; none if it was given
PLAN/plan.json       what it was made from, and what it is expected to take
"""

from collections.abc import Callable
import dataclasses
import itertools
import json
import math
import os
import pathlib
import tempfile
import time

from auto_deeplab.architecture import artifact
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.planning import (
  designs,
  fingerprint,
  machine,
  measuring,
  settings,
)
from auto_deeplab.planning import plan as plan_lib

PLAN, SEARCH, TRAIN = 'plan.json', 'search.gin', 'train.gin'
GENOTYPE = 'genotype.json'

# How often another network is tried where the first was misjudged. One that the
# memory does not hold is followed by one of half its multiply-adds, or less.
_MAX_TRIES, _MEMORY_FALL = 3, 0.5
# A step that takes this many times what was guessed was misjudged; the second
# is for where trying has taken so much of the time already. All were chosen.
_MISJUDGED, _FAR_MISJUDGED = 1.25, 2.0
_TRYING_SHARE = 0.1


@dataclasses.dataclass(frozen=True)
class Made:
  """A plan, and what it was made from.

  Attributes:
    data, machine: as they were seen.
    measured: what the network takes.
    plan: made from these.
  """

  data: fingerprint.Fingerprint
  machine: machine.Machine
  measured: designs.Measured
  plan: plan_lib.Plan


def make(
  data_dir: str,
  hours: float,
  genotype: genotype_lib.Genotype | None = None,
  tell: Callable[[str], None] = lambda _: None,
) -> Made:
  """Makes a plan; writes nothing.

  Args:
    data_dir: folder of a converted data set.
    hours: from now on, planning included.
    genotype: to train; None to search one, where there is time.
    tell: called with a line now and then.

  Raises:
    FileNotFoundError: there is no data set.
    ValueError: it cannot be read, the hours are too few, or nothing fits into
      the memory.
  """
  if not 0 < hours < math.inf:
    raise ValueError(f'`hours` ({hours:g}) must be greater than 0.')
  begin = time.monotonic()
  data, seen = fingerprint.read(data_dir), machine.measure()
  slowness, below = designs.SLOWNESS, float('inf')
  for attempt in itertools.count(1):
    design = designs.choose(data, seen, hours * 3600, slowness, below)
    tell(f'trying {_described(design)}')
    guessed = designs.estimate(data, seen, design)
    try:
      measured = _measure(data_dir, data, seen, hours, design, genotype)
    except measuring.OutOfMemory:
      if design == designs.designs(data)[-1]:
        raise
      below = _MEMORY_FALL * design.step_multiply_adds(data.num_classes)
      continue
    if attempt >= _MAX_TRIES:
      break
    if not plan_lib.fits(seen, measured):
      below = _MEMORY_FALL * design.step_multiply_adds(data.num_classes)
      continue
    ratio = measured.train_seconds / guessed.train_seconds
    slowness = designs.SLOWNESS * ratio
    better = designs.choose(data, seen, hours * 3600, slowness, below)
    is_late = time.monotonic() - begin > _TRYING_SHARE * hours * 3600
    limit = _FAR_MISJUDGED if is_late else _MISJUDGED
    if 1 / limit < ratio < limit or better == design:
      break
  left = hours - (time.monotonic() - begin) / 3600
  made = plan_lib.make(data, seen, left, design, measured, genotype is not None)
  return Made(data, seen, measured, made)


def _described(design: designs.Design) -> str:
  return (
    f'{design.layers} layers of {design.blocks} blocks, F={design.filters}, '
    f'crops of {design.crop}, {design.batch} a step'
  )


def _measure(
  data_dir: str,
  data: fingerprint.Fingerprint,
  seen: machine.Machine,
  hours: float,
  design: designs.Design,
  genotype: genotype_lib.Genotype | None,
) -> designs.Measured:
  """Tries the training, and the search if there may be time for one."""
  guessed = designs.estimate(data, seen, design)
  draft = plan_lib.draft(data, seen, design)
  with tempfile.TemporaryDirectory() as folder:
    recipe, network = f'{folder}/{TRAIN}', f'{folder}/{GENOTYPE}'
    pathlib.Path(recipe).write_text(settings.to_gin(draft.train, 'A draft.'))
    (genotype or design.genotype).save(network)
    tried = measuring.run('train', data_dir, recipe, network)
    measured = designs.Measured(
      start_seconds=tried['start'],
      train_seconds=tried['step'],
      evaluate_seconds=tried['picture'],
      train_bytes=int(tried['peak']),
      train_cpu_seconds=tried['cpu_step'],
      evaluate_start_seconds=tried['evaluation'],
      search_start_seconds=2 * tried['start'],
      search_seconds=guessed.search_seconds,
      architecture_seconds=guessed.architecture_seconds,
    )
    if genotype or not plan_lib.may_search(data, hours, design, measured):
      return measured
    recipe = f'{folder}/{SEARCH}'
    pathlib.Path(recipe).write_text(settings.to_gin(draft.search, 'A draft.'))
    tried = measuring.run('search', data_dir, recipe)
  return dataclasses.replace(
    measured,
    search_start_seconds=tried['start'],
    search_seconds=tried['step'],
    architecture_seconds=tried['architecture'],
    search_bytes=int(tried['peak']),
  )


def write(
  made: Made,
  output_dir: str | os.PathLike[str],
  genotype_file: str | None = None,
) -> list[str]:
  """Writes the recipes, and last `plan.json`; returns their paths."""
  folder, plan = pathlib.Path(output_dir), made.plan
  files = {TRAIN: settings.to_gin(plan.train, _heading(made, 'Training'))}
  if plan.search_steps:
    files[SEARCH] = settings.to_gin(plan.search, _heading(made, 'Search'))
  if genotype_file is None:
    plan.design.genotype.save(folder / GENOTYPE)
  files[PLAN] = to_json(made)
  if SEARCH not in files:  # Of a plan that was here before.
    (folder / SEARCH).unlink(missing_ok=True)
  for name, text in files.items():
    with artifact.writing(folder / name) as file:
      file.write(text.encode())
  return [str(folder / name) for name in files]


def to_json(made: Made) -> str:
  """Returns the contents of `plan.json`."""
  document = {'format': 'auto_deeplab.plan', 'version': 1}
  return json.dumps(document | dataclasses.asdict(made), indent=1) + '\n'


def load_seconds(output_dir: str | os.PathLike[str]) -> dict[str, float]:
  """Returns what each stage of a plan was expected to take, by its verb.

  Raises:
    ValueError: `plan.json` cannot be read.
  """
  path = pathlib.Path(output_dir, PLAN)
  try:
    stages = json.loads(path.read_text())['plan']['stages']
    return {stage['verb']: float(stage['seconds']) for stage in stages}
  except (ValueError, KeyError, TypeError) as e:
    raise ValueError(f'{path} cannot be read: {e!r}.') from e


def _heading(made: Made, what: str) -> str:
  data, seen = made.data, made.machine
  return (
    f'{what}, planned for {data.num_train} pictures of about '
    f'{data.size[0]}x{data.size[1]} with {data.num_classes} classes,\n'
    f'on {seen.cores} cores and {seen.gpus} GPUs. Change what you like.'
  )


def summary(made: Made) -> str:
  """Returns what a person wants to know of a plan."""
  data, plan, measured = made.data, made.plan, made.measured
  lines = [
    f'{data.num_train} pictures to train on, {data.num_val} to evaluate on, '
    f'about {data.size[0]}x{data.size[1]}, {data.num_classes} classes; objects '
    f'some {data.object_side:.0f} pixels wide, {data.boundary_share:.1%} of '
    'the pixels at a border.',
    f'{made.machine.cores} cores, '
    f'{made.machine.memory_bytes / 2**30:.1f} GiB free, '
    f'{made.machine.rate / 1e9:.0f} billion multiply-adds a second.',
    f'Network: {_described(plan.design)}.',
    f'{"Search" if plan.search_steps else "No search"}: {plan.why}',
    f'A step takes {measured.train_seconds:.2f} s '
    f'({measured.train_cpu_seconds:.2f} CPU-seconds); '
    f'{plan.train_steps} steps.',
    *(
      f'  {stage.verb:9} {stage.seconds / 60:6.1f} min'
      + (f'  {stage.peak_bytes / 2**30:5.1f} GiB' if stage.peak_bytes else '')
      for stage in plan.stages
    ),
    f'  {"all":9} {plan.seconds / 60:6.1f} min',
    *(f'Warning: {warning}' for warning in plan.warnings),
  ]
  return '\n'.join(lines)
