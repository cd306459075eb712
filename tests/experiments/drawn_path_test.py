# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A search that draws paths: it goes on exactly, and replicas draw alike."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.model import supernet
from tests import tiny
from tests.experiments import runs

SUPERNET = {'num_layers': 3, 'draw_primitives': True, 'draw_path': True}


def assert_equal(one, other, **tolerances):
  values, others = runs.checkpoint(one, 4), runs.checkpoint(other, 4)
  assert values.keys() == others.keys()
  for key, value in values.items():
    np.testing.assert_allclose(others[key], value, err_msg=key, **tolerances)
  return values


@pytest.fixture(scope='module')
def whole(data_dir, tmp_path_factory):
  folder = tmp_path_factory.mktemp('whole')
  runs.search(data_dir, folder, supernet=SUPERNET)
  return folder


def test_it_goes_on_as_the_unbroken_one(data_dir, whole, tmp_path):
  shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
  # As if killed before its last two steps were saved.
  for path in (tmp_path / 'checkpoints').glob('*-4.*'):
    path.unlink()
  runs.search(data_dir, tmp_path, supernet=SUPERNET)
  values = assert_equal(whole, tmp_path, rtol=0, atol=0)
  first = runs.checkpoint(whole, 2)
  has_moved = [k for k, v in values.items() if np.any(v != first[k])]
  for part in ('model/alphas', 'model/betas', '/cell/'):
    assert any(part in key for key in has_moved), part


def test_each_step_and_each_snapshot_is_recorded(whole):
  rows = runs.metrics(whole)
  losses = [row['weights/loss'] for row in rows if 'weights/loss' in row]
  assert len(losses) == 4
  assert all(0 < loss < 10 for loss in losses)
  scores = [row for row in rows if 'probe/decoded_loss' in row]
  assert len(scores) == 4


@pytest.mark.slow
def test_a_search_on_two_replicas_moves_both_alike(data_dir, tmp_path):
  parts = {'supernet': SUPERNET, 'input': {'batch_size': 4}}
  runs.search(data_dir, tmp_path, {'distribution': 'mirrored'}, **parts)
  rows = runs.metrics(tmp_path)
  losses = [row['weights/loss'] for row in rows if 'weights/loss' in row]
  assert len(losses) == 4
  assert all(0 < loss < 10 for loss in losses)


def test_replicas_draw_the_same_paths(mirrored):
  with mirrored.scope():
    config = tiny.search_config(supernet=SUPERNET).supernet
    net = supernet.Supernet(config, 3)
  paths: list[tuple[int, ...]] = []
  for number in range(5):
    draw = tf.constant(number, tf.int64)
    mirrored.run(lambda d=draw: paths.append(net._draw_path(d)[0]))
  assert len(paths) == 10
  assert paths[::2] == paths[1::2]
  assert len(set(paths)) > 1
