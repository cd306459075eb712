# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""All runs side by side."""

from collections.abc import Iterator

from auto_deeplab.architecture import signals
from auto_deeplab.page import blocks, training_section, words
from auto_deeplab.page.gathered import Gathered, Search, Training


def section(gathered: Gathered) -> blocks.Section | None:
  """Shows the best of what was found, and a table of all runs."""
  found = tuple(_of(gathered))
  return blocks.Section('runs', 'At a glance', found) if found else None


def _of(gathered: Gathered) -> Iterator[blocks.Block]:
  best = training_section.best_first(gathered.trainings)
  if best and best[0].mean_iou is not None:
    yield blocks.Facts(tuple(_headline(best[0], len(best))))
  if gathered.trainings:
    yield blocks.Table(
      'Trainings',
      (
        'training',
        'steps',
        'mean IoU',
        'boundary IoU',
        'parameters',
        'multiply-adds',
        'time',
      ),
      tuple(_row(training) for training in gathered.trainings),
      is_folded=len(gathered.trainings) > 12,
    )
  if gathered.searches:
    yield blocks.Table(
      'Searches',
      (
        'search',
        'steps',
        'snapshots',
        'lead in the cell',
        'lead in the lattice',
        'mean IoU, decoded',
        'time',
      ),
      tuple(_row_of_search(search) for search in gathered.searches),
    )


def _headline(best: Training, number: int) -> Iterator[tuple[str, str]]:
  yield (
    'mean IoU' if number == 1 else f'best mean IoU, {best.name}',
    words.number(best.mean_iou, '{:.3f}'),
  )
  if best.info is not None:
    yield 'classes', f'{best.info.num_classes}'
  if counted := training_section.counted_cost(best):
    yield 'parameters', words.large(counted.parameters)
  yield 'time of the training', words.duration(best.timing.seconds)


def _row(training: Training) -> tuple[str, ...]:
  counted = training_section.counted_cost(training)
  return (
    training.name,
    words.steps(training.step, training.num_steps),
    words.number(training.mean_iou),
    words.number(training.scores.get('mean_boundary_iou')),
    words.large(counted.parameters if counted else None),
    words.large(counted.multiply_adds if counted else None),
    words.duration(training.timing.seconds),
  )


def _row_of_search(search: Search) -> tuple[str, ...]:
  result = search.result
  margins = signals.margins(result) if result else {}
  _, decoded = search.series('probe/decoded_mean_iou')
  return (
    search.name,
    words.steps(search.step, search.num_steps),
    f'{len(search.snapshots)}',
    words.percent(margins.get('margin/alpha')),
    words.percent(margins.get('margin/beta')),
    words.number(decoded[-1] if decoded else None),
    words.duration(search.timing.seconds),
  )
