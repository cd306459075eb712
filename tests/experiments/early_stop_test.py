# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A search ends when its curvature grows, once, and says what it found."""

import json
import pathlib

import numpy as np
import pytest

from auto_deeplab.architecture import decode, within_cost
from auto_deeplab.training import cost_target, curvature
from tests import tiny
from tests.experiments import runs

CHANGING = {'allow_config_change': True}
STOPPING = {
  'train_steps': 8,
  'hessian_products': 1,
  'early_stop': 1.5,
  'early_stop_window': 1,
}
# Of the snapshots of steps 1, 2, ...; the first architecture step is the second
# step, so that of the first snapshot does not count.
EIGENVALUES = [0.1, 1.0, 1.4, 2.2, 9.0, 9.0, 9.0, 9.0]


@pytest.fixture(autouse=True)
def eigenvalues(monkeypatch):
  """Without tracing a second derivative."""
  left = iter(EIGENVALUES)
  monkeypatch.setattr(curvature.Curvature, 'eigenvalue', lambda *_: next(left))


def steps(run_dir):
  return [row['step'] for row in runs.metrics(run_dir) if 'genotype' in row]


def test_it_stops_and_stays_stopped(data_dir, tmp_path, capfd):
  run_dir = tmp_path / 'run'
  path = runs.search(data_dir, run_dir, schedule=STOPPING)
  assert pathlib.Path(path).name == 'step-00000003.npz'
  stopped = json.loads((run_dir / 'stopped_early.json').read_text())
  assert stopped == {'step': 4, 'snapshot': 3}
  assert steps(run_dir) == [1, 2, 3, 4]
  told = capfd.readouterr().err
  assert 'eigenvalue 2.2' in told
  assert (
    'has grown more than 1.5 times over 1 snapshots; stopped at step 4, the '
    'result is the snapshot of step 3' in told
  )
  again = runs.search(data_dir, run_dir, schedule=STOPPING)
  assert again == path
  assert steps(run_dir) == [1, 2, 3, 4]


def test_the_network_of_a_target_s_cost_is_that_of_the_result(
  data_dir, tmp_path, monkeypatch
):
  asked = []

  def within(_, snapshot):
    asked.append(snapshot)
    return tiny.GENOTYPE

  monkeypatch.setattr(cost_target.CostTarget, 'within', within)
  schedule = {**STOPPING, 'target_parameters': 7.0}
  path = runs.search(data_dir, tmp_path, schedule=schedule)
  (snapshot,) = asked
  result = decode.load_snapshot(path)
  assert snapshot.step == result.step == 3
  np.testing.assert_array_equal(snapshot.alphas, result.alphas)
  kept = json.loads((tmp_path / within_cost.FILE).read_text())
  assert kept['searched']['step'] == 3


def test_without_an_early_stop_it_goes_on_from_there(data_dir, tmp_path):
  run_dir = tmp_path / 'run'
  runs.search(data_dir, run_dir, schedule=STOPPING)
  going_on = {**STOPPING, 'early_stop': 0.0}
  runs.search(data_dir, run_dir, CHANGING, schedule=going_on)
  assert steps(run_dir) == list(range(1, 9))
  assert pathlib.Path(decode.latest_snapshot(run_dir)).stem == 'step-00000008'


def test_a_stop_beyond_the_last_checkpoint_does_not_count(data_dir, tmp_path):
  """As when a kill comes between the two: it is found again, or is not."""
  run_dir = tmp_path / 'run'
  short = {**STOPPING, 'train_steps': 2}
  runs.search(data_dir, run_dir, schedule=short)
  decode.save_early_stop(run_dir, decode.EarlyStop(step=6, snapshot=1))
  path = runs.search(data_dir, run_dir, CHANGING, schedule=STOPPING)
  assert decode.load_early_stop(run_dir) == decode.EarlyStop(4, 3)
  assert pathlib.Path(path).stem == 'step-00000003'


@pytest.mark.parametrize(
  'text, message',
  [
    ('{', 'stopped_early.json: not where a search stopped early'),
    ('{"step": 4}', 'not where a search stopped early'),
    ('{"step": 4, "snapshot": "3"}', 'must be whole numbers'),
  ],
)
def test_a_torn_file_is_named(tmp_path, text, message):
  (tmp_path / 'stopped_early.json').write_text(text)
  with pytest.raises(ValueError, match=message):
    decode.latest_snapshot(tmp_path)


@pytest.mark.parametrize(
  'values, message',
  [
    ({'hessian_products': 8, 'probe_batches': 0}, '`probe_batches` is'),
    ({'early_stop': 1.3}, '0 where `hessian_products` is'),
    ({'early_stop': 1.0, 'hessian_products': 8}, '0 or above 1'),
    ({'early_stop_window': 0}, '`SearchConfig.early_stop_window` \\(0\\)'),
  ],
)
def test_a_schedule_that_cannot_be_is_refused(values, message):
  with pytest.raises(ValueError, match=message):
    tiny.search_config(schedule=values)


@pytest.mark.parametrize('field', ['recompute', 'draw_path'])
def test_what_has_no_second_derivative_is_refused(field):
  supernet = {field: True, 'draw_primitives': field == 'draw_path'}
  message = f'`SupernetConfig.{field}` .*`SearchConfig.hessian_products`'
  with pytest.raises(ValueError, match=message):
    tiny.search_config(schedule={'hessian_products': 8}, supernet=supernet)


def test_half_precision_has_no_second_derivative_to_go_by():
  message = "precision` .*must be not 'mixed_float16' where"
  with pytest.raises(ValueError, match=message):
    tiny.search_config(
      schedule={'hessian_products': 8}, runtime={'precision': 'mixed_float16'}
    )
