# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The settings of a plan's recipes, each with its reason."""

from collections.abc import Iterator, Sequence
import dataclasses
import math
from typing import Any

from auto_deeplab.planning import designs
from auto_deeplab.planning.designs import Design
from auto_deeplab.planning.fingerprint import Fingerprint
from auto_deeplab.planning.machine import Machine

# More learns pictures by heart.
MAX_EPOCHS = 200


@dataclasses.dataclass(frozen=True)
class Choice:
  """A setting, and why it has this value."""

  setting: str
  value: Any
  reason: str = ''


def arch_start(steps: int) -> int:
  """Returns the weight steps before the first of the architecture.

  An eighth, as in the search of 500 that chose better than chance on the
  synthetic pictures (docs/results.md); the paper's half is of 30,000.
  """
  return round(steps / 8 / 10) * 10


def momentum(steps: int) -> float:
  """Returns batch norm's, which looks back over a twentieth of the steps."""
  return round(min(0.9997, max(0.5, 1 - 20 / steps)), 4)


def warmup_steps(steps: int) -> int:
  """Returns the steps in which the learning rate rises."""
  return min(100, max(1, steps // 16))


def _loop(steps: int) -> int:
  """Steps between two lines of a run: at most two hundred lines."""
  return max(1, 10 * (steps // 1000)) if steps >= 1000 else max(1, steps // 50)


def _runtime(steps: int) -> list[Choice]:
  loop = _loop(steps)
  return [
    Choice('RuntimeConfig.steps_per_loop', loop, 'At most 200 lines in all.'),
    Choice(
      'RuntimeConfig.checkpoint_interval',
      5 * loop,
      'What a kill loses at most.',
    ),
  ]


def of_search(design: Design, steps: int, why: str) -> Iterator[Choice]:
  """Yields those of search.gin."""
  loop = _loop(steps)
  crop, batch = designs.search_crop(design), design.search_batch
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
  architecture_steps = steps - arch_start(steps)
  yield Choice(
    'ArchitectureOptimizerConfig.learning_rate',
    round(min(0.02, max(0.003, 15_000 * 0.003 / architecture_steps)), 4),
    "As far in all as the paper's 15,000 architecture steps of 0.003, and at "
    f'most 0.02 each; here are {architecture_steps}.',
  )
  yield Choice('SearchConfig.train_steps', steps, why.capitalize())
  yield Choice(
    'SearchConfig.arch_start_step',
    arch_start(steps),
    'The weights alone for an eighth of the steps.',
  )
  yield Choice(
    'ArchitectureLossConfig.skip_dropout',
    0.5,
    'Skips learn fastest, and would be chosen for that.',
  )
  yield Choice('SearchConfig.snapshot_interval', 5 * loop)
  yield Choice('SearchConfig.probe_batches', 2)


def of_training(
  data: Fingerprint,
  machine: Machine,
  design: Design,
  steps: int,
  evaluations: int,
) -> Iterator[Choice]:
  """Yields those of train.gin."""
  yield from _runtime(steps)
  yield from _input_choices(data, design)
  yield from _network_choices(design)
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
    0.003 if design.filters <= 8 else 0.002,
    'Narrow networks bear a larger one.',
  )
  yield Choice('WeightOptimizerConfig.schedule', 'cosine')
  yield Choice('WeightOptimizerConfig.end_learning_rate', 0.0)
  yield Choice('WeightOptimizerConfig.warmup_steps', warmup_steps(steps))
  yield Choice('WeightOptimizerConfig.weight_decay', 0.01)
  yield Choice('WeightOptimizerConfig.clip_norm', 5.0)
  epochs = steps * design.batch / data.num_train
  yield Choice(
    'TrainConfig.train_steps',
    steps,
    f'{epochs:.0f} epochs of {data.num_train} pictures: what the time allows, '
    f'and at most {MAX_EPOCHS}, or {2 * designs.MIN_STEPS} steps.',
  )
  if evaluations > 1:
    yield Choice(
      'TrainConfig.eval_interval',
      math.ceil(steps / evaluations),
      'To see how it goes; RUN/best keeps the best of them.',
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
    f'Of {data.num_train} pictures: many small steps teach more than few.',
  )
  if design.crop >= min(data.size):
    reason = 'A crop shows a whole picture, which smaller scales would pad.'
    yield Choice('InputConfig.min_scale', 0.75, reason)
    yield Choice('InputConfig.max_scale', 1.5)
  yield from _balance(data)
  if data.num_train < 200:
    reason = 'Few pictures: colours that vary make them more.'
    yield Choice('InputConfig.brightness_jitter', 0.2, reason)
    yield Choice('InputConfig.saturation_jitter', 0.2)


def _balance(data: Fingerprint) -> Iterator[Choice]:
  """Yields what has a rare class learnt at all.

  Crops that show it are no help where nearly all do. Of 60 drawn cells whose
  nuclei are 1.3 % of the pixels, 914 steps without weights never said nucleus;
  400 with weights had an IoU of 0.79 (docs/results.md). The line, 2 % of the
  pixels and nine pictures of ten, was chosen with that one case in mind.
  """
  share = data.rarest_share
  if share >= 0.02:
    return
  reason = f'The rarest class has {share:.2%} of the pixels'
  if data.rarest_presence >= 0.9:
    yield Choice(
      'LossConfig.class_weights',
      'median_frequency',
      f'{reason}, and nearly all pictures show it.',
    )
  else:
    yield Choice('InputConfig.class_balance', 0.5, f'{reason}.')


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
