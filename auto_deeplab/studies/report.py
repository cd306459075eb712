# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a study has found so far: STUDY/study.json, and as a table."""

from collections.abc import Mapping, Sequence
import dataclasses
import itertools
import json
import pathlib
from typing import Any

import numpy as np

from auto_deeplab.architecture import artifact, baseline
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.runs import metrics_file
from auto_deeplab.studies import checklist, comparison, execution
from auto_deeplab.studies.plan import RANDOM, Study

_FORMAT, _VERSION = 'auto_deeplab.study', 2

# What a training is judged by.
_SCORE = 'mean_iou'

# Of a training the second half, and that of its first half, quarter and eighth:
# what a shorter one would tell of the genotype.
_PARTS = (8, 4, 2, 1)


@dataclasses.dataclass(frozen=True)
class Trained:
  """A genotype and what its trainings scored.

  Attributes:
    name: of the genotype.
    multiply_adds: as `baseline.multiply_adds` counts them.
    scores: mean IoU on the val split at the last step, by seed.
    paired: those scores without what the seeds add (`comparison.paired`).
    losses: of the first seed's training, the means over some of its steps, by
      what says which.
  """

  name: str
  multiply_adds: int
  scores: Mapping[int, float]
  paired: Mapping[int, float]
  losses: Mapping[str, float]

  @property
  def mean(self) -> float:
    """Mean of the paired scores."""
    return float(np.mean([*self.paired.values()]))


def load(study: Study, names: Sequence[str]) -> list[Trained]:
  """Returns those of some genotypes that were trained, at least once."""
  last_step = study.load_trained().schedule.train_steps
  found = []
  for name in names:
    scores: dict[int, float] = {}
    losses: dict[str, float] = {}
    for seed in study.seeds_of(name):
      metrics = metrics_file.MetricsFile(
        study.run_dir(name, seed) / 'metrics.jsonl'
      )
      if row := metrics.scores_of(last_step):
        scores[seed] = row[_SCORE]
        losses = losses or _losses(metrics, last_step)
    if scores:
      genotype = genotype_lib.Genotype.load(study.genotype_path(name))
      cost = baseline.multiply_adds(genotype)
      found.append(Trained(name, cost, scores, scores, losses))
  return found


def _losses(
  metrics: metrics_file.MetricsFile, last_step: int
) -> dict[str, float]:
  """Returns the mean losses of parts of a training, by their names."""
  rows = metrics.rows_with('train/loss')
  means = {}
  for part in _PARTS:
    first, last = last_step / part / 2, last_step / part
    losses = [row['train/loss'] for row in rows if first < row['step'] <= last]
    if losses:
      means[f'loss of steps {first:.0f} to {last:.0f}'] = float(np.mean(losses))
  return means


def summarize(study: Study) -> dict[str, Any]:
  """Returns what was found, as JSON values.

  Keys are absent while what they need is not there: `spread` needs a genotype
  with two seeds, `random` two random genotypes, each of `arms` one of its own
  and a random one.
  """
  trained = _paired(
    {name: load(study, names) for name, names in study.arms().items()}
  )
  random = trained.pop(RANDOM, [])
  records = [execution.load_record(study, task) for task in study.tasks()]
  summary: dict[str, Any] = {
    'format': _FORMAT,
    'version': _VERSION,
    'score': f'val {_SCORE}',
    'tasks_done': sum(record.is_done for record in records),
    'tasks': len(records),
    'cpu_seconds': round(sum(record.cpu_seconds for record in records), 1),
    'genotypes': [
      dataclasses.asdict(each)
      for each in itertools.chain(random, *trained.values())
    ],
    'commands': [record.command for record in records if record.is_done],
  }
  if len(random) > 1:
    summary['random'] = _of_random(random)
    if any(len(each.scores) > 1 for each in random):
      spread = comparison.spread([each.scores for each in random])
      summary['spread'] = dataclasses.asdict(spread)
  if random:
    summary['arms'] = {
      name: _of_arm(arm, random) | _cost_of_arm(study, arm, random)
      for name, arm in trained.items()
      if arm
    }
  summary['checklist'] = checklist.answers(study, summary)
  return summary


def _paired(arms: Mapping[str, Sequence[Trained]]) -> dict[str, list[Trained]]:
  """Takes from the scores of all arms what their seeds add."""
  trained = list(itertools.chain(*arms.values()))
  scores = iter(comparison.paired([each.scores for each in trained]))
  return {
    name: [dataclasses.replace(each, paired=next(scores)) for each in arm]
    for name, arm in arms.items()
  }


def _of_random(random: Sequence[Trained]) -> dict[str, Any]:
  scores = [trained.mean for trained in random]
  proxies = {
    'multiply-adds': [float(trained.multiply_adds) for trained in random]
  }
  for name in random[0].losses:
    # A small loss is to rank as a large score does.
    proxies[name] = [-trained.losses[name] for trained in random]
  return {
    **dataclasses.asdict(comparison.estimate(scores)),
    'quantiles': {
      str(percent): float(np.percentile(scores, percent))
      for percent in (0, 10, 50, 90, 100)
    },
    'rank_correlations': {
      name: comparison.rank_correlation(proxy, scores)
      for name, proxy in proxies.items()
    },
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
      comparison.difference([t.paired for t in arm], [t.paired for t in random])
    ),
  }


def _cost_of_arm(
  study: Study, arm: Sequence[Trained], random: Sequence[Trained]
) -> dict[str, float]:
  """Returns what a genotype of an arm took, and what chance makes of that.

  Of a search that several methods decode each has all. Empty before a training
  has left its record.
  """
  trainings = [
    record.cpu_seconds
    for task in study.tasks()
    if task.verb == 'train'
    and (record := execution.load_record(study, task)).is_done
  ]
  if not trainings:
    return {}
  choices = [
    sum(
      execution.load_record(study, task).cpu_seconds
      for task in study.tasks_behind(trained.name)
    )
    for trained in arm
  ]
  choice = float(np.mean(choices))
  number = 1 + choice / float(np.mean(trainings))
  return {
    'choice_cpu_seconds': round(choice, 1),
    'trainings_of_equal_cost': round(number, 2),
    'random_search_of_equal_cost': comparison.best_of(
      [trained.mean for trained in random], number
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
    quantiles = random['quantiles']
    lines += [
      f'random      {_shown(random)}; from {quantiles["0"]:.3f} to '
      f'{quantiles["100"]:.3f}, 90th percentile {quantiles["90"]:.3f}',
      *(
        f'            rank correlation with {name}: '
        + ('none' if tau is None else f'{tau:.2f}')
        for name, tau in random['rank_correlations'].items()
      ),
    ]
  if spread := summary.get('spread'):
    lines.append(
      f'spread      {spread["genotypes"]:.4f} between genotypes, '
      f'{spread["seeds"]:.4f} between seeds'
    )
  for name, arm in summary.get('arms', {}).items():
    lines += _lines_of_arm(name, arm)
  return '\n'.join(lines)


def _lines_of_arm(name: str, arm: Mapping[str, Any]) -> list[str]:
  percentiles = ', '.join(f'{p:.0f}' for p in arm['percentiles'])
  lines = [
    f'{name:<11} {_shown(arm)}; percentiles among the random ones: '
    f'{percentiles}',
    f'            above random by {arm["difference"]["mean"]:+.4f} '
    f'({_interval(arm["difference"])})',
  ]
  if 'choice_cpu_seconds' in arm:
    lines.append(
      f'            a choice takes {arm["choice_cpu_seconds"]:,.0f} '
      f'CPU-seconds; the best of {arm["trainings_of_equal_cost"]:.1f} random '
      f'ones, for the same in all: {arm["random_search_of_equal_cost"]:.4f}'
    )
  return lines


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
