# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs with TensorFlow's op determinism, which a process cannot switch off."""

import os
import subprocess
import sys

import numpy as np
import pytest

from auto_deeplab.architecture import decode
from tests.experiments import runs

pytestmark = pytest.mark.slow

# Every part of a run: both steps, crops with all their draws, an evaluation.
SCRIPT = """
import pathlib, sys
from tensorflow.python.framework import config
from tests.experiments import runs

data_dir, run_dir = map(pathlib.Path, sys.argv[1:])
parts = {
  'runtime': {'deterministic': True},
  'input': {
    'hue_jitter': 10.0,
    'brightness_jitter': 0.1,
    'max_rotation': 10.0,
    'class_balance': 0.5,
  },
}
assert not config.is_op_determinism_enabled()
runs.search(data_dir, run_dir / 'search', **parts)
assert config.is_op_determinism_enabled()
for name in ('first', 'second'):
  runs.train(data_dir, run_dir / name, **parts)
"""


def test_a_deterministic_run_is_the_same_again(data_dir, tmp_path, repository):
  subprocess.run(
    [sys.executable, '-c', SCRIPT, str(data_dir), str(tmp_path)],
    env={**os.environ, 'PYTHONPATH': str(repository)},
    check=True,
  )
  assert decode.load_snapshot(decode.latest_snapshot(tmp_path / 'search'))
  first, second = tmp_path / 'first', tmp_path / 'second'
  assert runs.metrics(first) == runs.metrics(second)
  values, others = runs.checkpoint(first, 4), runs.checkpoint(second, 4)
  assert values.keys() == others.keys()
  for key, value in values.items():
    np.testing.assert_array_equal(value, others[key], err_msg=key)
