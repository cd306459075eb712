# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A search whose architecture steps add to their loss, or drop skips."""

import shutil

import numpy as np
import pytest

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
