# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Folders as searches, trainings, plans and studies leave them, in no time."""

import json
import pathlib

import numpy as np
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import decode
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.planning import planner
from auto_deeplab.runs import metrics_file, provenance
from tests import tiny
from tests.planning import plan_test

NAMES = ('sky', 'road', 'tree')


def search(
  path: pathlib.Path,
  num_snapshots: int = 3,
  num_layers: int = 4,
  blocks: int = 2,
) -> pathlib.Path:
  """The run of a search, a snapshot every ten steps."""
  path.mkdir(parents=True)
  config = tiny.search_config(
    supernet={'num_layers': num_layers, 'num_blocks': blocks},
    schedule={'train_steps': 10 * num_snapshots, 'snapshot_interval': 10},
  )
  (path / 'config.gin').write_text(configs.to_gin(config))
  dataset(path)
  metrics = metrics_file.MetricsFile(path / 'metrics.jsonl')
  random = np.random.default_rng(0)
  for number in range(1, num_snapshots + 1):
    step, strength = 10 * number, number / num_snapshots
    snapshot = decode.Snapshot(
      step,
      strength * random.normal(size=(blocks * (blocks + 3) // 2, 8)),
      strength * random.normal(size=(num_layers, 4, 3)),
    )
    decode.save_snapshot(path, snapshot)
    losses = {'weights/loss': 2 - strength, 'architecture/loss': 3 - strength}
    metrics.append_numbers(step, losses)
    scores = {
      'probe/mean_iou': 0.4 * strength,
      'probe/decoded_mean_iou': 0.2 * strength,
    }
    metrics.append(step, decode.describe(snapshot) | scores)
  provenance.append(path, provenance.present(0))
  return path


def training(
  path: pathlib.Path,
  names: tuple[str, ...] = NAMES,
  is_evaluated: bool = True,
) -> pathlib.Path:
  """The run of a training of 40 steps, evaluated every 20."""
  path.mkdir(parents=True)
  config = tiny.train_config(schedule={'train_steps': 40})
  (path / 'config.gin').write_text(configs.to_gin(config))
  dataset(path, names)
  tiny.GENOTYPE.save(path / 'genotype.json')
  metrics = metrics_file.MetricsFile(path / 'metrics.jsonl')
  scores = {'mean_iou': 0.5, 'pixel_accuracy': 0.75, 'mean_boundary_iou': 0.25}
  for kind in ('iou', 'boundary_iou'):
    scores |= {f'{kind}/{n}': 0.9 / (i + 1) for i, n in enumerate(names)}
  for step in range(10, 41, 10):
    values = {'train/loss': 4 / step, 'train/learning_rate': 0.1 / step}
    metrics.append_numbers(step, values)
    if step % 20 == 0:
      metrics.append_scores(step, {k: v * step / 40 for k, v in scores.items()})
  with tf.summary.create_file_writer(str(path / 'summaries')).as_default():
    for step in range(10, 41, 10):
      tf.summary.scalar('steps_per_second', 2.0 + step / 10, step)
  if is_evaluated:
    matrix = np.full((len(names),) * 2, 5) + 90 * np.eye(len(names), dtype=int)
    matrix[0, 1] = 50
    document = {'step': 40, 'split': 'val', 'config': {}, **scores}
    document['confusion_matrix'] = matrix.tolist()
    (path / 'evaluation-val-40.json').write_text(json.dumps(document))
  provenance.append(path, provenance.present(0))
  return path


def dataset(path: pathlib.Path, names: tuple[str, ...] = NAMES) -> pathlib.Path:
  """The table of a data set; there are no pictures."""
  shard = {'name': 'a', 'num_examples': 5, 'num_bytes': 9, 'sha256': 64 * '0'}
  split = {
    'num_examples': 5,
    'shards': [shard],
    'min_size': [48, 64],
    'max_size': [48, 64],
    'class_pixel_shares': [1 / len(names)] * len(names),
    'ignored_pixel_share': 0.0,
  }
  document = {
    'format': 'auto_deeplab.dataset',
    'version': 1,
    'name': 'drawn',
    'classes': [
      {'name': name, 'color': [i, 128, 255 - i]} for i, name in enumerate(names)
    ],
    'ignore_label': 255,
    'splits': {'train': split},
    'warnings': [f'The class {names[-1]} is rare.'],
  }
  path.mkdir(parents=True, exist_ok=True)
  (path / 'dataset.json').write_text(json.dumps(document))
  return path


def plan(path: pathlib.Path) -> pathlib.Path:
  """What the planner leaves."""
  made = planner.Made(
    plan_test.DATA, plan_test.MACHINE, plan_test.MEASURED, plan_test.made()
  )
  planner.write(made, path)
  return path


def study(path: pathlib.Path) -> pathlib.Path:
  """A study of two random genotypes and one decoded from a search."""
  search(path / 'searches/seed-0')
  scores = {'random-00': 0.5, 'random-01': 0.6, 'magnitude-0': 0.7}
  for name in scores:
    training(path / f'trainings/{name}/seed-0')
  estimate = {'mean': 0.5, 'count': 2, 'standard_error': 0.1, 'interval': None}
  difference = {**estimate, 'mean': 0.15, 'interval': [0.1, 0.2]}
  document = {
    'format': 'auto_deeplab.study',
    'version': 2,
    'score': 'val mean_iou',
    'tasks_done': 4,
    'tasks': 5,
    'cpu_seconds': 1234.5,
    'genotypes': [
      {'name': name, 'multiply_adds': 10**9, 'scores': {'0': score}}
      for name, score in scores.items()
    ],
    'commands': ['search --seed=0'],
    'random': {
      **estimate,
      'quantiles': {'0': 0.5, '50': 0.55, '90': 0.59, '100': 0.6},
      'rank_correlations': {'multiply-adds': None},
    },
    'spread': {'genotypes': 0.05, 'seeds': 0.01},
    'arms': {
      'magnitude': {
        **estimate,
        'percentiles': [100.0],
        'mean_percentile': 100.0,
        'difference': difference,
      }
    },
    'checklist': {'Ablations': 'arms magnitude'},
  }
  (path / 'study.json').write_text(json.dumps(document))
  return path


def published(path: pathlib.Path) -> pathlib.Path:
  """A folder with a genotype alone."""
  genotype_lib.PUBLISHED.save(path / 'genotype.json')
  return path
