# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A study's answers to the checklist of Lindauer and Hutter.

Best Practices for Scientific Research on Neural Architecture Search, JMLR 21
(2020), appendix A: what a reader has to be told to trust a comparison.
"""

from collections.abc import Mapping
import platform
from typing import Any

import tensorflow as tf

from auto_deeplab.studies.plan import RANDOM, Study


def answers(study: Study, summary: Mapping[str, Any]) -> dict[str, str]:
  """Returns what a study says to each point, by the point.

  Args:
    study: the study.
    summary: as of `report.summarize`.
  """
  config = study.config
  arms = [name for name in study.arms() if name != RANDOM]
  return {
    'Code of the training pipeline, the search space and the method': (
      'this package; `commands` has each command that was run'
    ),
    'Hyperparameters and seeds of the final trainings': (
      f'recipe {config.train_recipe} with {_shown(config.train_settings)}; '
      f'seeds {_shown(config.train_seeds)}'
    ),
    'Hyperparameters and seeds of the method': (
      f'recipe {config.search_recipe} with {_shown(config.search_settings)}; '
      f'seeds of searches {_shown(config.search_seeds)}, of tournaments '
      f'{_shown(config.tournament_seeds)}'
    ),
    'The same data, split, space and training for all methods': (
      f'yes: {study.data_dir}, one recipe; scores are of its val split'
    ),
    'Confounding factors': (
      f'one TensorFlow, {tf.__version__}, if all of it was run here '
      f'({platform.machine()}, {platform.system()}); CPU-seconds, not wall time'
    ),
    'Ablations': f'arms {_shown(arms)}',
    'The same evaluation protocol': 'yes: the last step, single scale',
    'Performance over time': 'snapshots and losses in each metrics.jsonl',
    'Comparison with random search': (
      f'{config.num_random} random genotypes; for each arm the best of as many '
      'as its choice and training cost'
    ),
    'Several runs, with seeds': (
      f'{len(config.search_seeds)} searches, {len(config.tournament_seeds)} '
      f'tournaments, {config.num_repeated} random genotypes with '
      f'{len(config.train_seeds)} seeds each'
    ),
    'Tabular benchmark': 'none; `genotypes` has the scores of this one',
    'How hyperparameters were tuned, and what that took': (
      'not known to the program: say it where you report this'
    ),
    'Time of the whole method from end to end': (
      f'{summary["cpu_seconds"]:,.0f} CPU-seconds for the study, searches '
      'included; `choice_cpu_seconds` of each arm'
    ),
    'All details of the setup': 'config.gin in each run folder',
  }


def _shown(values: Any) -> str:
  return ', '.join(map(str, values)) or 'none'
