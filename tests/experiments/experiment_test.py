# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs end as they would have ended unbroken, whatever is switched on.

A run is broken here by an error in the middle of a loop; tests/tools/chain_test
kills processes.
"""

import shutil

import numpy as np
import pytest

from auto_deeplab.architecture import decode
from auto_deeplab.evaluation import evaluation
from auto_deeplab.runs import (
  initialization,
  metrics_file,
  trained_network,
)
from auto_deeplab.runs import run as run_lib
from tests.experiments import runs

pytestmark = pytest.mark.slow


class Broken(Exception):
  """In the place of a power cut."""


@pytest.fixture
def break_after(monkeypatch):
  """Breaks the run when it has written the metrics of a step."""

  def arm(step):
    append = metrics_file.MetricsFile.append_numbers

    def append_and_break(self, at, values):
      append(self, at, values)
      if at == step:
        raise Broken

    monkeypatch.setattr(
      metrics_file.MetricsFile, 'append_numbers', append_and_break
    )
    return monkeypatch.undo

  return arm


def _assert_equal_checkpoints(run_dir, other_dir, step):
  values, others = (
    runs.checkpoint(run_dir, step),
    runs.checkpoint(other_dir, step),
  )
  assert set(values) == set(others)
  for key, value in values.items():
    np.testing.assert_array_equal(value, others[key], err_msg=key)
  return values


# Resume ----------------------------------------------------------------------


@pytest.mark.parametrize(
  ('precision', 'arch_start_step'), [('float32', 1), ('mixed_float16', 3)]
)
def test_a_broken_search_ends_as_the_unbroken_one(
  data_dir, tmp_path, break_after, precision, arch_start_step
):
  parts = {
    'runtime': {'precision': precision},
    'schedule': {'arch_start_step': arch_start_step},
  }
  whole, broken = tmp_path / 'whole', tmp_path / 'broken'
  path = runs.search(data_dir, whole, **parts)
  assert path == str(whole / 'architecture' / 'step-00000004.npz')
  mend = break_after(step=3)
  with pytest.raises(Broken):
    runs.search(data_dir, broken, **parts)
  mend()
  *_, last = (r for r in runs.metrics(broken) if 'weights/loss' in r)
  assert last['step'] == 3
  # The snapshots of a search that is not done are there to be decoded.
  snapshot = decode.load_snapshot(decode.latest_snapshot(broken))
  assert snapshot.step == 2
  logged = {'step': 2, **decode.describe(snapshot)}
  row = [r for r in runs.metrics(broken) if 'genotype' in r][-1]
  assert logged.items() <= row.items()
  assert [p.name for p in broken.glob('checkpoints/*.index')] == [
    'ckpt-2.index'
  ]
  runs.search(data_dir, broken, **parts)
  values = _assert_equal_checkpoints(whole, broken, 4)
  for part in (
    'model/alphas/',
    'model/betas/',
    'weight_optimizer/',
    'architecture_optimizer/',
    'global_step/',
  ):
    assert any(key.startswith(part) for key in values), part
  # The loss scale's counters are of the steps alone, not of their rehearsals.
  counts = [int(v) for k, v in values.items() if '/good_steps/' in k]
  steps = [4 - arch_start_step, 4]
  assert sorted(counts) == (steps if precision == 'mixed_float16' else [])
  assert runs.metrics(broken) == runs.metrics(whole)
  losses = [r for r in runs.metrics(whole) if 'weights/loss' in r]
  assert all(r['architecture/loss'] > 0 for r in losses)
  has_begun = ['architecture/gradient_norm' in r for r in losses]
  assert has_begun == [step >= arch_start_step for step in range(4)]
  snapshots = [
    decode.load_snapshot(decode.latest_snapshot(d)) for d in (whole, broken)
  ]
  np.testing.assert_array_equal(snapshots[0].alphas, snapshots[1].alphas)
  np.testing.assert_array_equal(snapshots[0].betas, snapshots[1].betas)


def test_a_broken_training_ends_as_the_unbroken_one(
  data_dir, tmp_path, break_after
):
  whole, broken = tmp_path / 'whole', tmp_path / 'broken'
  scores = runs.train(data_dir, whole)
  mend = break_after(step=3)
  with pytest.raises(Broken):
    runs.train(data_dir, broken)
  mend()
  assert runs.train(data_dir, broken) == scores
  values = _assert_equal_checkpoints(whole, broken, 4)
  assert any(key.startswith('optimizer/') for key in values)
  assert runs.metrics(broken) == runs.metrics(whole)
  assert [row['step'] for row in runs.metrics(whole)] == [1, 2, 3, 4, 4]
  assert runs.metrics(whole)[-1]['eval/mean_iou'] == scores['mean_iou']


_EVERY_OPTION = {
  'segmenter': {'freeze_batch_norm': True},
  'loss': {
    'hard_pixel_fraction': 0.5,
    'hard_pixel_warmup_steps': 3,
    'class_weights': 'median_frequency',
  },
  'schedule': {'accumulation_steps': 2, 'ema_momentum': 0.3},
}


@pytest.mark.parametrize('precision', ['float32', 'mixed_float16'])
def test_a_broken_training_with_every_option_ends_as_the_unbroken_one(
  data_dir, tmp_path, break_after, precision
):
  parts = {**_EVERY_OPTION, 'runtime': {'precision': precision}}
  whole, broken = tmp_path / 'whole', tmp_path / 'broken'
  scores = runs.train(data_dir, whole, **parts)
  mend = break_after(step=3)
  with pytest.raises(Broken):
    runs.train(data_dir, broken, **parts)
  mend()
  assert runs.train(data_dir, broken, **parts) == scores
  values = _assert_equal_checkpoints(whole, broken, 4)
  assert runs.metrics(broken) == runs.metrics(whole)

  # What is evaluated and exported are the averages.
  average = values['averages/logits.Skernel/.ATTRIBUTES/VARIABLE_VALUE']
  last = values['model/logits/kernel/.ATTRIBUTES/VARIABLE_VALUE']
  assert (average != last).any()
  kernel = trained_network.load_segmenter(whole).model.logits.kernel
  np.testing.assert_array_equal(kernel, average)
  if precision == 'float32':  # In which all networks are evaluated later.
    found = evaluation.run(run_lib.Place(str(data_dir), str(whole)))
    assert found.scores == scores


def test_a_run_that_is_done_stays_as_it_is(data_dir, tmp_path):
  scores = runs.train(data_dir, tmp_path, schedule={'train_steps': 1})
  before, rows = runs.checkpoint(tmp_path, 1), runs.metrics(tmp_path)
  assert runs.train(data_dir, tmp_path, schedule={'train_steps': 1}) == scores
  assert runs.metrics(tmp_path) == rows
  for key, value in runs.checkpoint(tmp_path, 1).items():
    np.testing.assert_array_equal(value, before[key])


def test_recomputation_changes_no_result(data_dir, tmp_path):
  losses = {}
  for recompute in (False, True):
    run_dir = tmp_path / str(recompute)
    parts = {'recompute': recompute}
    runs.train(data_dir, run_dir, segmenter=parts, schedule={'train_steps': 2})
    rows = runs.metrics(run_dir)
    losses[recompute] = [r['train/loss'] for r in rows if 'train/loss' in r]
  assert len(losses[False]) == 2
  np.testing.assert_allclose(losses[True], losses[False], rtol=1e-5)


def test_hard_pixels_and_class_weights_arrive_in_the_loss(data_dir, tmp_path):
  parts = {
    'plain': {},
    'hard': {'hard_pixel_fraction': 0.25},
    'weighted': {'class_weights': 'median_frequency'},
  }
  first = {}
  for name, loss in parts.items():
    runs.train(
      data_dir, tmp_path / name, loss=loss, schedule={'train_steps': 1}
    )
    first[name] = runs.metrics(tmp_path / name)[0]['train/loss']
  # Both alter little where the network is new, and all losses are alike.
  assert first['hard'] > 1.005 * first['plain']
  assert first['weighted'] != pytest.approx(first['plain'], rel=1e-3)


def test_accumulation_changes_no_result_where_batch_norm_is_frozen(
  data_dir, tmp_path
):
  parts = {
    'input': {'batch_size': 4},
    'segmenter': {
      'freeze_batch_norm': True,
      'drop_path_keep_prob': 1.0,
      'dropout_rate': 0.0,
    },
  }
  for name, accumulation_steps in (('whole', 1), ('accumulated', 2)):
    schedule = {'train_steps': 2, 'accumulation_steps': accumulation_steps}
    runs.train(data_dir, tmp_path / name, schedule=schedule, **parts)
  whole, accumulated = (
    runs.checkpoint(tmp_path / name, 2) for name in ('whole', 'accumulated')
  )
  assert set(whole) == set(accumulated)
  for key, value in whole.items():
    np.testing.assert_allclose(
      accumulated[key], value, rtol=1e-4, atol=1e-6, err_msg=key
    )
  assert any('moving_mean' in key for key in whole)
  for key, value in whole.items():
    if 'moving_mean' in key:
      assert not value.any(), key


# Another training's weights --------------------------------------------------


def test_a_training_begins_with_another_s_weights_once(
  data_dir, tmp_path, break_after
):
  source = tmp_path / 'source'
  runs.train(data_dir, source, schedule={'train_steps': 2, 'ema_momentum': 0.1})
  start = {'start': initialization.Start(run_dir=str(source))}
  # No step is large enough to hide where they came from.
  parts = {
    'weight_optimizer': {'learning_rate': 1e-9, 'schedule': 'constant'},
    'schedule': {'train_steps': 4, 'ema_momentum': 0.1},
    # Statistics that begin with a training's need not forget them.
    'segmenter': {'batch_norm_momentum': 0.9},
  }
  whole, broken = tmp_path / 'whole', tmp_path / 'broken'
  runs.train(data_dir, whole, start, **parts)
  first = runs.checkpoint(whole, 2)
  key = 'averages/logits.Skernel/.ATTRIBUTES/VARIABLE_VALUE'
  expected = runs.checkpoint(source, 2)[key]
  weight = first['model/logits/kernel/.ATTRIBUTES/VARIABLE_VALUE']
  for value in (weight, first[key]):
    np.testing.assert_allclose(value, expected, atol=1e-6)

  mend = break_after(step=3)
  with pytest.raises(Broken):
    runs.train(data_dir, broken, start, **parts)
  mend()
  shutil.rmtree(source)  # It is needed no more.
  runs.train(data_dir, broken, start, **parts)
  _assert_equal_checkpoints(whole, broken, 4)
  with pytest.raises(ValueError, match=r'start\.json differs from what'):
    runs.train(data_dir, broken, **parts)
