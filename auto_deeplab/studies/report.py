# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a study has found so far: STUDY/study.json, and as a table."""

from collections.abc import Mapping, Sequence
import dataclasses
import json
import pathlib
from typing import Any

import numpy as np

from auto_deeplab.architecture import artifact, baseline
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.runs import metrics_file
from auto_deeplab.studies import comparison, execution
from auto_deeplab.studies.plan import Study

_FORMAT, _VERSION = 'auto_deeplab.study', 1

# What a training is judged by.
_SCORE = 'mean_iou'


@dataclasses.dataclass(frozen=True)
class Trained:
  """A genotype and what its trainings scored.

  Attributes:
    name: of the genotype.
    multiply_adds: as `baseline.multiply_adds` counts them.
    scores: mean IoU on the val split at the last step, by seed.
  """

  name: str
  multiply_adds: int
  scores: Mapping[int, float]

  @property
  def mean(self) -> float:
    """Mean of the scores."""
    return float(np.mean([*self.scores.values()]))


def load(study: Study, names: Sequence[str]) -> list[Trained]:
  """Returns those of some genotypes that were trained, at least once."""
  last_step = study.load_trained().schedule.train_steps
  found = []
  for name in names:
    scores = {}
    for seed in study.seeds_of(name):
      metrics = metrics_file.MetricsFile(
        study.run_dir(name, seed) / 'metrics.jsonl'
      )
      if row := metrics.scores_of(last_step):
        scores[seed] = row[_SCORE]
    if scores:
      genotype = genotype_lib.Genotype.load(study.genotype_path(name))
      cost = baseline.multiply_adds(genotype)
      found.append(Trained(name, cost, scores))
  return found


def summarize(study: Study) -> dict[str, Any]:
  """Returns what was found, as JSON values.

  Keys are absent while what they need is not there: `spread` needs a genotype
  with two seeds, `magnitude` a searched genotype.
  """
  random = load(study, study.random_names())
  searched = load(study, study.searched_names())
  records = [execution.load_record(study, task) for task in study.tasks()]
  summary: dict[str, Any] = {
    'format': _FORMAT,
    'version': _VERSION,
    'score': f'val {_SCORE}',
    'tasks_done': sum(record.is_done for record in records),
    'tasks': len(records),
    'cpu_seconds': round(sum(record.cpu_seconds for record in records), 1),
    'genotypes': [dataclasses.asdict(trained) for trained in random + searched],
    'commands': [record.command for record in records if record.is_done],
  }
  if len(random) > 1:
    summary['random'] = _of_random(random)
    if any(len(trained.scores) > 1 for trained in random):
      spread = comparison.spread([trained.scores for trained in random])
      summary['spread'] = dataclasses.asdict(spread)
  if searched and random:
    summary['magnitude'] = _of_arm(searched, random)
  return summary


def _of_random(random: Sequence[Trained]) -> dict[str, Any]:
  scores = [trained.mean for trained in random]
  return {
    **dataclasses.asdict(comparison.estimate(scores)),
    'quantiles': {
      str(percent): float(np.percentile(scores, percent))
      for percent in (0, 10, 50, 90, 100)
    },
    'tau_of_multiply_adds': comparison.rank_correlation(
      [trained.multiply_adds for trained in random], scores
    ),
  }


def _of_arm(
  arm: Sequence[Trained], random: Sequence[Trained]
) -> dict[str, Any]:
  others = [trained.mean for trained in random]
  percentiles = [comparison.percentile(trained.mean, others) for trained in arm]
  return {
    **dataclasses.asdict(comparison.estimate([t.mean for t in arm])),
    'percentiles': percentiles,
    'mean_percentile': float(np.mean(percentiles)),
    'difference': dataclasses.asdict(
      comparison.difference([t.scores for t in arm], [t.scores for t in random])
    ),
  }


def write(study: Study, summary: Mapping[str, Any]) -> str:
  """Writes `STUDY/study.json`, and returns its path."""
  path = pathlib.Path(study.study_dir, 'study.json')
  with artifact.writing(path) as file:
    file.write((json.dumps(summary, indent=1) + '\n').encode())
  return str(path)


def table(summary: Mapping[str, Any]) -> str:
  """Returns a summary in words, some ten lines."""
  lines = [
    f'{summary["tasks_done"]} of {summary["tasks"]} tasks done, '
    f'{summary["cpu_seconds"]:,.0f} CPU-seconds'
  ]
  if random := summary.get('random'):
    quantiles, tau = random['quantiles'], random['tau_of_multiply_adds']
    lines += [
      f'random      {_shown(random)}; from {quantiles["0"]:.3f} to '
      f'{quantiles["100"]:.3f}, 90th percentile {quantiles["90"]:.3f}',
      '            rank correlation with multiply-adds: '
      + ('none' if tau is None else f'{tau:.2f}'),
    ]
  if spread := summary.get('spread'):
    lines.append(
      f'spread      {spread["genotypes"]:.4f} between genotypes, '
      f'{spread["seeds"]:.4f} between seeds'
    )
  if arm := summary.get('magnitude'):
    percentiles = ', '.join(f'{p:.0f}' for p in arm['percentiles'])
    lines += [
      f'magnitude   {_shown(arm)}; percentiles among the random ones: '
      f'{percentiles}',
      f'            above random by {arm["difference"]["mean"]:+.4f} '
      f'({_interval(arm["difference"])})',
    ]
  return '\n'.join(lines)


def _shown(estimate: Mapping[str, Any]) -> str:
  count, error = estimate['count'], estimate['standard_error']
  if error is None:
    return f'{estimate["mean"]:.4f} ({count} genotype)'
  return f'{estimate["mean"]:.4f} +- {error:.4f} ({count} genotypes)'


def _interval(estimate: Mapping[str, Any]) -> str:
  if estimate['interval'] is None:
    return 'one genotype tells no interval'
  low, high = estimate['interval']
  return f'95 %: {low:+.4f} to {high:+.4f}'
