# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""One replica and two take the same steps of the same global batch."""

import json
import pathlib

import numpy as np
import pytest

from auto_deeplab.training import experiment
from tests.training import tiny

pytestmark = pytest.mark.slow

STEPS = 20
# Statistics of the whole batch on two replicas as on one.
RUNTIME = {
  'synchronized_batch_norm': True,
  'steps_per_loop': 1,
  'checkpoint_interval': STEPS,
}


def losses(run_dir, column):
  rows = (pathlib.Path(run_dir) / 'metrics.jsonl').read_text().splitlines()
  values = map(json.loads, rows)
  return [row[column] for row in values if column in row]


def assert_same_curve(one, two):
  assert len(one) == len(two) > STEPS // 2
  # The curve is no flat line, and stays one over all steps.
  assert np.ptp(one) > 0.01
  np.testing.assert_allclose(two, one, atol=1e-4)


def test_two_replicas_train_as_one(data_dir, tmp_path):
  config = tiny.train_config(
    runtime=RUNTIME,
    input={'batch_size': 4},
    # What each replica draws for itself is left out.
    segmenter={'drop_path_keep_prob': 1.0, 'dropout_rate': 0.0},
    schedule={'train_steps': STEPS},
  )
  curves = []
  for name in ('one_device', 'mirrored'):
    place = experiment.Place(str(data_dir), str(tmp_path / name), name)
    experiment.run_training(config, tiny.GENOTYPE, place)
    curves.append(losses(place.run_dir, 'train/loss'))
  assert_same_curve(*curves)
