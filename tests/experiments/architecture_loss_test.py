# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A search whose architecture steps add to their loss, or drop skips."""

import shutil

import numpy as np
import pytest

from auto_deeplab.architecture import (
  cost,
  cost_table,
  decode,
  genotype,
  milliseconds,
  within_cost,
)
from auto_deeplab.experiments import search
from tests import tiny
from tests.experiments import runs

TERMS = {'beta_decay': 0.5, 'entropy': 0.5, 'topology': 0.5}
DRAWN = {'num_layers': 3, 'draw_primitives': True, 'draw_path': True}


def _penalties(run_dir):
  rows = runs.metrics(run_dir)
  return [r['architecture/penalty'] for r in rows if 'weights/loss' in r]


@pytest.mark.parametrize(
  'parts',
  [
    {'architecture_loss': {**TERMS, 'skip_dropout': 0.8}},
    {'architecture_loss': TERMS, 'supernet': DRAWN},
  ],
  ids=['all', 'drawn'],
)
def test_it_goes_on_as_the_unbroken_one(data_dir, tmp_path, parts):
  whole, broken = tmp_path / 'whole', tmp_path / 'broken'
  parts = {'schedule': {'arch_start_step': 0}, **parts}
  runs.search(data_dir, whole, **parts)
  shutil.copytree(whole, broken)
  # As if killed before its last two steps were saved.
  for path in (broken / 'checkpoints').glob('*-4.*'):
    path.unlink()
  runs.search(data_dir, broken, **parts)
  values, others = runs.checkpoint(whole, 4), runs.checkpoint(broken, 4)
  assert values.keys() == others.keys()
  for key, value in values.items():
    np.testing.assert_array_equal(others[key], value, err_msg=key)
  assert runs.metrics(whole) == runs.metrics(broken)
  penalties = _penalties(whole)
  assert penalties[0] == 0
  # Linear: by steps alpha and beta move too little to show.
  np.testing.assert_allclose(
    penalties[1:], penalties[3] * np.array([1, 2, 3]) / 3, rtol=0.02
  )


def test_a_run_that_knew_nothing_of_it_goes_on(data_dir, tmp_path):
  runs.search(data_dir, tmp_path, schedule={'train_steps': 4})
  for path in (tmp_path / 'checkpoints').glob('*-4.*'):
    path.unlink()
  config = tmp_path / 'config.gin'
  lines = config.read_text().splitlines(keepends=True)
  old = ''.join(x for x in lines if 'ArchitectureLossConfig' not in x)
  assert old != config.read_text()
  config.write_text(old)
  runs.search(data_dir, tmp_path, schedule={'train_steps': 4})
  assert runs.checkpoint(tmp_path, 4)
  assert all('architecture/penalty' not in r for r in runs.metrics(tmp_path))


def test_a_search_with_a_target_goes_on_and_keeps_its_network(
  data_dir, tmp_path, capsys
):
  whole, broken = tmp_path / 'whole', tmp_path / 'broken'
  target = 0.9 * _cost(((0, 'sep_conv_3x3'), (1, 'sep_conv_3x3')), (0, 0))
  parts = {'schedule': {'target_multiply_adds': target}}
  runs.search(data_dir, whole, **parts)
  shutil.copytree(whole, broken)
  for path in (broken / 'checkpoints').glob('*-4.*'):
    path.unlink()
  capsys.readouterr()
  runs.search(data_dir, broken, **parts)
  said = capsys.readouterr().err
  values, others = runs.checkpoint(whole, 4), runs.checkpoint(broken, 4)
  assert values.keys() == others.keys()
  for key, value in values.items():
    np.testing.assert_array_equal(others[key], value, err_msg=key)
  assert any(key.startswith('cost_weight') for key in values)
  rows = [r for r in runs.metrics(whole) if 'cost/target' in r]
  assert rows == [r for r in runs.metrics(broken) if 'cost/target' in r]
  assert len({row['cost/weight'] for row in rows}) == 4
  snapshot = decode.load_snapshot(decode.latest_snapshot(whole)).decode()
  counted = cost.count(cost.Network(snapshot, num_classes=7)).multiply_adds
  assert rows[-1]['cost/decoded'] == counted
  kept = genotype.Genotype.load(broken / within_cost.FILE)
  found = cost.count(cost.Network(kept, num_classes=7)).multiply_adds
  assert abs(found - target) <= within_cost.TOLERANCE * target
  assert f'costs {counted / target:.2f} of the target' in said
  assert (
    f'is the likeliest network that costs {target:,.0f}, or up to 5% more or '
    f'less: {found:,.0f}'
  ) in said


def test_a_target_may_come_later(data_dir, tmp_path):
  runs.search(data_dir, tmp_path, schedule={'train_steps': 2})
  before = runs.checkpoint(tmp_path, 2)
  runs.search(
    data_dir,
    tmp_path,
    {'allow_config_change': True},
    schedule={'train_steps': 4, 'target_parameters': 7.0},
  )
  after = runs.checkpoint(tmp_path, 4)
  added = {key.partition('/')[0] for key in after.keys() - before.keys()}
  assert added == {'cost_weight', 'lasting_cost_weight'}
  rows = [r for r in runs.metrics(tmp_path) if 'cost/target' in r]
  assert [row['step'] for row in rows] == [3, 4]
  assert 0 < rows[0]['cost/weight'] < rows[1]['cost/weight']


def _cost(block, backbone):
  network = cost.Network(genotype.Genotype((block,), backbone), num_classes=7)
  return cost.count(network).multiply_adds


def test_milliseconds_may_be_the_target(data_dir, tmp_path, capsys):
  path = tmp_path / 'milliseconds.json'
  config = tiny.search_config()
  network = search.target_network(config, 7)
  # As if a multiply-add took as long everywhere.
  table = cost_table.make(network, config.supernet.primitives)
  milliseconds.save(path, table, network, {})
  target = cost_table.cost_of(table, tiny.GENOTYPE)
  runs.search(
    data_dir,
    tmp_path / 'run',
    schedule={'target_milliseconds': target, 'train_steps': 2},
    target_network={'milliseconds_file': str(path)},
  )
  assert f'costs {target:,.0f}, or up to 5%' in capsys.readouterr().err
  rows = runs.metrics(tmp_path / 'run')
  assert [r['cost/target'] for r in rows if 'cost/target' in r][-1] == target


def test_a_target_out_of_reach_is_said(data_dir, tmp_path, capsys):
  schedule = {'target_parameters': 7.0, 'train_steps': 2}
  runs.search(data_dir, tmp_path, schedule=schedule)
  said = 'search: no network near the decoded one costs 7'
  assert said in capsys.readouterr().err
  assert not (tmp_path / within_cost.FILE).exists()
