# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How far a chain is, and how fast."""

import dataclasses
import os
import time

import pytest

from auto_deeplab.planning import standing
from tests.planning import made_chain


@pytest.fixture
def chain(tmp_path):
  return made_chain.make(tmp_path)


def test_it_says_how_far_it_is(chain):
  made_chain.plan(chain)
  made_chain.write(
    f'{chain.out}/train/config.gin',
    'TrainConfig.train_steps = 40\nTrainConfig.eval_interval = 1\n',
  )
  made_chain.write(
    f'{chain.out}/train/metrics.jsonl',
    '{"step": 10, "eval/mean_iou": 0.25}\n{"step": 20}\n',
  )
  found = standing.of(chain, 'train', 90)
  # Half of 200 seconds, after 110 and before 90.
  assert found == standing.Standing(210 / 400, 190, 0.25)
  assert str(found) == '52% done, 3 min left, mIoU 0.250'
  assert dataclasses.replace(found, rate=0.5).details == (
    '0.5 steps/s, 3 min left, mIoU 0.250'
  )
  # It will not go on for longer than it may.
  found = standing.of(chain, 'train', 90, 60)
  assert found is not None
  assert found.seconds_left == 60
  assert standing.of(chain, 'inspect_dataset', 90) is None


def test_it_says_how_much_slower_than_planned_it_is(chain):
  made_chain.plan(chain)
  made_chain.write(
    f'{chain.out}/train/config.gin', 'TrainConfig.train_steps = 40\n'
  )
  made_chain.write(f'{chain.out}/train/metrics.jsonl', '{"step": 20}\n')
  # Half of 200 seconds.
  assert standing.slowness(chain, 'train', 150) == 1.5
  assert standing.slowness(chain, 'train', 50) == 1.0
  assert standing.slowness(chain, 'export', 150) == 1.0
  made_chain.write(f'{chain.out}/train/metrics.jsonl', '{"step": 2}\n')
  assert standing.slowness(chain, 'train', 150) == 1.0


def test_its_rate_is_that_of_the_steps_made_here(chain, monkeypatch):
  monkeypatch.setattr(standing, '_age', lambda *_: 0.0)
  metrics = f'{chain.out}/train/metrics.jsonl'
  made_chain.write(metrics, '{"step": 100}\n')
  pace = standing.Pace(chain, 'train', 10.0)
  assert pace.rate(10.0) is None
  assert pace.steps_by(90.0, 10.0) is None
  made_chain.write(metrics, '{"step": 110}\n')
  # What came before took the start.
  assert pace.rate(40.0) is None
  made_chain.write(metrics, '{"step": 130}\n')
  assert pace.rate(50.0) == 2.0
  assert (pace.starting, pace.line_seconds) == (30, 10)
  # A twenty-fifth of the time is for evaluations.
  assert pace.steps_by(100.0, 50.0) == 130 + 2 * 48
  assert pace.steps_by(40.0, 50.0) == 130
  # Between two lines it makes steps that it has not told of yet.
  assert pace.rate(58.0) == 2.0
  assert pace.steps_by(100.0, 58.0) == 130 + 2 * 48
  # Between these two it was evaluated.
  made_chain.write(
    metrics, '{"step": 130, "eval/mean_iou": 0.5}\n{"step": 150}\n'
  )
  assert pace.rate(100.0) == 2.0
  assert standing.Pace(chain, 'export', 10.0).rate(50.0) is None


def test_its_rate_is_by_when_it_told_and_not_by_when_one_looked(chain):
  metrics = f'{chain.out}/train/metrics.jsonl'
  pace = standing.Pace(chain, 'train', 0.0)
  # Told 3 s and 1 s before somebody looks, 10 s later.
  for step, age, now in (10, 3.0, 20.0), (130, 1.0, 30.0):
    made_chain.write(metrics, f'{{"step": {step}}}\n')
    told = time.time() - age
    os.utime(metrics, (told, told))
    rate = pace.rate(now)
  assert rate == pytest.approx(10.0, rel=0.05)
  assert pace.line_seconds == pytest.approx(12.0, rel=0.05)


def test_before_there_is_a_plan_nobody_knows(chain):
  assert standing.of(chain, 'train', 1) is None
