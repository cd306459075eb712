# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A study: genotypes of several origins against random ones."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from auto_deeplab.page import blocks, charts, words
from auto_deeplab.page.gathered import Gathered, Study
from auto_deeplab.studies import report


def section(gathered: Gathered) -> blocks.Section | None:
  """Shows each study."""
  groups = tuple(
    blocks.Group(study.name, tuple(_of(study))) for study in gathered.studies
  )
  if not groups:
    return None
  shown = groups[0].blocks if len(groups) == 1 else groups
  return blocks.Section('study', 'Better than chance?', shown)


def _of(study: Study) -> Iterator[blocks.Block]:
  if study.missing:
    yield blocks.Notes(study.missing)
    return
  try:
    shown = list(_shown(study))
  except blocks.UNFIT as e:
    line = f'{study.path}/study.json is of another form: {e!r}.'
    shown = [blocks.Notes((line,))]
  yield from shown


def _shown(study: Study) -> Iterator[blocks.Block]:
  summary = study.summary
  yield blocks.Facts(
    (
      ('tasks', f'{summary["tasks_done"]:,} of {summary["tasks"]:,} done'),
      ('time', f'{summary["cpu_seconds"]:,.0f} CPU-seconds'),
      *_spread(summary),
    )
  )
  groups = _by_arm(summary)
  if groups:
    told = '; '.join(
      f'{name}: mean {np.mean(values):.4f} of {len(values)}'
      for name, values in groups
    )
    yield blocks.Figure(
      f'{study.name}-genotypes',
      f'{_score(summary)} of each genotype, and their mean',
      f'Dot plot. {told}.',
      charts.strips(groups, _score(summary)),
      is_wide=True,
    )
  if summary.get('arms'):
    yield _arms(summary)
  yield blocks.Code('The same in words', report.table(summary))
  yield _genotypes(summary)
  if checklist := summary.get('checklist'):
    yield blocks.Table(
      'What a study of this kind should tell',
      ('question', 'answer'),
      tuple((str(k), str(v)) for k, v in checklist.items()),
      num_words=2,
      is_folded=True,
    )
  yield blocks.Code(
    'Its commands', '\n'.join(map(str, summary.get('commands', ())))
  )


def _score(summary: Mapping[str, Any]) -> str:
  names = {'val mean_iou': 'Mean IoU on val'}
  return names.get(summary['score'], str(summary['score']))


def _spread(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
  if spread := summary.get('spread'):
    yield (
      'standard deviation',
      f'{spread["genotypes"]:.4f} between genotypes, {spread["seeds"]:.4f} '
      'between seeds',
    )


def _mean(genotype: Mapping[str, Any]) -> float:
  # Without what the seeds add, where the file is new enough to know it.
  scores = genotype.get('paired') or genotype['scores']
  return float(np.mean([*scores.values()]))


def _by_arm(summary: Mapping[str, Any]) -> list[tuple[str, list[float]]]:
  """Returns the scores of the genotypes, by what their names begin with."""
  groups: dict[str, list[float]] = {}
  for genotype in summary['genotypes']:
    arm = str(genotype['name']).rpartition('-')[0] or str(genotype['name'])
    groups.setdefault(arm, []).append(_mean(genotype))
  return list(groups.items())


def _arms(summary: Mapping[str, Any]) -> blocks.Table:
  return blocks.Table(
    'Each way to choose, and chance',
    (
      'way',
      'genotypes',
      'mean',
      'above random',
      '95 % interval',
      'mean percentile',
      'CPU-seconds a choice',
    ),
    tuple(
      (
        str(name),
        f'{arm["count"]}',
        f'{arm["mean"]:.4f}',
        f'{arm["difference"]["mean"]:+.4f}',
        _interval(arm['difference']),
        f'{arm["mean_percentile"]:.0f}',
        words.number(arm.get('choice_cpu_seconds'), '{:,.0f}'),
      )
      for name, arm in summary['arms'].items()
    ),
  )


def _interval(estimate: Mapping[str, Any]) -> str:
  if not estimate.get('interval'):
    return words.NOTHING
  low, high = estimate['interval']
  return f'{low:+.4f} to {high:+.4f}'


def _genotypes(summary: Mapping[str, Any]) -> blocks.Table:
  return blocks.Table(
    'All genotypes, the best first',
    ('genotype', _score(summary), 'trainings', 'multiply-adds'),
    tuple(
      (
        str(g['name']),
        f'{_mean(g):.4f}',
        f'{len(g["scores"])}',
        words.large(g['multiply_adds']),
      )
      for g in sorted(summary['genotypes'], key=_mean, reverse=True)
    ),
    is_folded=True,
  )
