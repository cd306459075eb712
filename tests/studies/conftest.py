# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the tests of studies share."""

import dataclasses
import json

import pytest

from auto_deeplab import configs
from auto_deeplab.studies import plan


@pytest.fixture
def study(tmp_path):
  """Three random genotypes, two of them repeated, and one search."""
  config = configs.StudyConfig(
    num_random=3, num_repeated=2, train_seeds=(0, 4), search_seeds=(7,)
  )
  return plan.Study(config, 'DATA', str(tmp_path / 'study'))


@pytest.fixture
def changed(study):
  """Returns the study with other settings."""

  def change(**fields):
    config = dataclasses.replace(study.config, **fields)
    return dataclasses.replace(study, config=config)

  return change


@pytest.fixture
def finish(study):
  """Writes what a training leaves that scored this."""

  def write(name, seed, score, step=800):
    run_dir = study.run_dir(name, seed)
    run_dir.mkdir(parents=True)
    row = {'step': step, 'eval/mean_iou': score}
    (run_dir / 'metrics.jsonl').write_text(json.dumps(row) + '\n')

  return write
