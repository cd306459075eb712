# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A search and a training of `tiny`, and what they leave."""

import json

import tensorflow as tf

from auto_deeplab.experiments import search as search_lib
from auto_deeplab.experiments import train as train_lib
from auto_deeplab.runs import run as run_lib
from tests import tiny


def search(data_dir, run_dir, place=None, **parts) -> str:
  """Searches; `place` has more fields of `Place`, `parts` other values."""
  at = run_lib.Place(str(data_dir), str(run_dir), **(place or {}))
  return search_lib.run(tiny.search_config(**parts), at)


def train(data_dir, run_dir, place=None, **parts) -> dict[str, float]:
  """Trains the same way, and returns the last evaluation's scores."""
  at = run_lib.Place(str(data_dir), str(run_dir), **(place or {}))
  return train_lib.run(tiny.train_config(**parts), tiny.GENOTYPE, at)


def checkpoint(run_dir, step):
  """Returns every value of a checkpoint by its key."""
  reader = tf.train.load_checkpoint(str(run_dir / f'checkpoints/ckpt-{step}'))
  keys = reader.get_variable_to_shape_map()
  ours = {'_CHECKPOINTABLE_OBJECT_GRAPH'}  # Text, in no certain order.
  # How often was saved: one more where the broken run had saved too.
  ours |= {key for key in keys if key.startswith('save_counter/')}
  return {key: reader.get_tensor(key) for key in keys if key not in ours}


def metrics(run_dir):
  """Returns the rows of a run's `metrics.jsonl`."""
  rows = (run_dir / 'metrics.jsonl').read_text().splitlines()
  return [json.loads(row) for row in rows]
