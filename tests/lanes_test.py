# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What one lane writes, the other reads, and goes on from.

A lane is a Python with its TensorFlow. OTHER_PYTHON, in the environment, is the
Python of the one that does not run these tests:

    OTHER_PYTHON=.venv-3.13/bin/python python -m pytest tests/lanes_test.py
"""

import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tests import lanes
from tests.experiments import runs

pytestmark = pytest.mark.chain


@pytest.fixture(scope='module')
def pythons() -> dict[str, str]:
  other = os.environ.get('OTHER_PYTHON')
  if not other:
    pytest.skip('OTHER_PYTHON, the Python of another lane, is not set.')
  # It starts in another folder.
  path = shutil.which(other)
  assert path, f'OTHER_PYTHON ({other}) is not there.'
  return {'this': sys.executable, 'other': os.path.abspath(path)}


@pytest.fixture(scope='module')
def run(pythons, repository):
  def start(lane: str, verb: str, *paths: pathlib.Path) -> None:
    done = subprocess.run(
      [pythons[lane], '-m', 'tests.lanes', verb, *map(str, paths)],
      cwd=repository,
      env={**os.environ, 'PYTHONPATH': str(repository)},
      capture_output=True,
      text=True,
      check=False,
    )
    assert done.returncode == 0, done.stderr

  return start


@pytest.fixture(scope='module', params=['this', 'other'])
def writer(request) -> str:
  """The lane that writes; the other one reads."""
  return request.param


@pytest.fixture(scope='module')
def reader(writer) -> str:
  return {'this': 'other', 'other': 'this'}[writer]


@pytest.fixture(scope='module')
def left(run, writer, tmp_path_factory) -> pathlib.Path:
  folder = tmp_path_factory.mktemp('left')
  run(writer, 'leave', folder)
  return folder


@pytest.fixture(scope='module')
def found(run, left, writer, reader, tmp_path_factory):
  """What the lane that wrote it finds there, and what the other one."""
  folder = tmp_path_factory.mktemp('found')
  arrays = []
  for lane in (writer, reader):
    run(lane, 'find', left, folder / f'{lane}.npz')
    with np.load(folder / f'{lane}.npz') as archive:
      arrays.append(dict(archive))
  return arrays


@pytest.fixture(scope='module')
def gone_on(run, left, reader, tmp_path_factory) -> pathlib.Path:
  """The runs that the other lane has made the last steps of."""
  folder = tmp_path_factory.mktemp('gone_on')
  run(reader, 'go_on', left, folder)
  return folder


def test_they_are_two_lanes(found):
  own, others = found
  assert own['tensorflow'] != others['tensorflow']


@pytest.mark.parametrize(
  'name',
  ['data set', 'names', 'images', 'labels', 'crops', 'labels of crops'],
)
def test_a_data_set_has_the_same_pictures(found, name):
  own, others = found
  np.testing.assert_array_equal(own[name], others[name])


@pytest.mark.parametrize('name', ['alphas', 'betas', 'decoded', 'genotype'])
def test_a_search_has_found_the_same(found, name):
  own, others = found
  np.testing.assert_array_equal(own[name], others[name])
  assert own['decoded'] == own['genotype']


def test_a_checkpoint_has_the_same_logits(found):
  own, others = (arrays['logits'] for arrays in found)
  assert np.ptp(own) > 1
  np.testing.assert_allclose(own, others, rtol=0, atol=1e-4)


def test_an_evaluation_has_the_same_scores(found):
  own, others = found
  assert (own['confusion matrix'].sum(axis=0) > 0).sum() > 2
  for name in ('confusion matrix', 'mean IoU'):
    np.testing.assert_array_equal(own[name], others[name])


def test_a_saved_model_has_the_same_labels(found):
  own, others = found
  np.testing.assert_array_equal(own['served labels'], others['served labels'])
  np.testing.assert_allclose(
    own['served probabilities'], others['served probabilities'], atol=1e-5
  )


@pytest.mark.parametrize('kind', ['search', 'train'])
def test_a_run_goes_on_as_if_it_had_stayed(left, gone_on, kind):
  step, _ = lanes.STEPS[kind]
  own, others = (
    runs.checkpoint(folder / kind, step) for folder in (left, gone_on)
  )
  # Weights, averages, velocities, moments and steps.
  assert own.keys() == others.keys()
  for key, value in own.items():
    np.testing.assert_allclose(
      value, others[key], rtol=1e-4, atol=1e-4, err_msg=key
    )
