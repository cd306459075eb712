# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run says before it begins is true."""

import re
import types
from typing import Any

import pytest

from auto_deeplab import configs
from auto_deeplab.data.records import tfrecord
from auto_deeplab.experiments import opening
from auto_deeplab.training import distribution
from tests.experiments import runs


def said(capsys, strategy, data_dir, step=0, checkpoint=None, beginning=None):
  run: Any = types.SimpleNamespace(
    runtime=configs.RuntimeConfig(),
    step=step,
    checkpoint=checkpoint,
    beginning=beginning,
  )
  opening.say(
    'run',
    run,
    strategy,
    tfrecord.load_info(data_dir),
    pictures='8 pictures of train',
    parameters={'weights': 1234567, 'alphas': 8},
    num_steps=10,
  )
  return capsys.readouterr().err.splitlines()


def lines_of(label: str, capsys) -> list[str]:
  """Returns what a run said, without what TensorFlow warns of meanwhile."""
  said = capsys.readouterr().err.splitlines()
  return [line for line in said if line.startswith(f'{label}: ')]


def test_replicas_and_their_devices_are_named(capsys, mirrored, data_dir):
  first, _ = said(capsys, mirrored, data_dir)
  assert first == (
    'run: 8 pictures of train, 7 classes; 1,234,567 weights, 8 alphas; 2 '
    'replicas on CPU:0, CPU:1; float32'
  )


@pytest.mark.parametrize(
  ('changes', 'line'),
  [
    ({}, 'run: begins at step 0 of 10'),
    (
      {'beginning': 'other/ckpt-9'},
      'run: begins at step 0 of 10, with the weights of other/ckpt-9',
    ),
    # It neither needs nor reads the other any more.
    (
      {'step': 4, 'checkpoint': 'run/ckpt-4', 'beginning': 'other/ckpt-9'},
      'run: goes on from step 4 (run/ckpt-4), 6 to go',
    ),
    (
      {'step': 10, 'checkpoint': 'run/ckpt-10'},
      'run: all of its 10 steps are made (run/ckpt-10)',
    ),
  ],
)
def test_where_a_run_begins_is_named(capsys, data_dir, changes, line):
  strategy = distribution.make_strategy('one_device')
  assert said(capsys, strategy, data_dir, **changes)[1] == line


def test_a_search_says_what_it_learns_from(capsys, data_dir, tmp_path):
  runs.search(data_dir, tmp_path / 'run')
  first, second, *_ = lines_of('search', capsys)
  assert re.fullmatch(
    r'search: 4 pictures in half A of train and 4 in half B, 7 classes; '
    r'\d+,\d{3} weights, 16 alphas, 7 betas; 1 replica on CPU:0; float32',
    first,
  )
  assert second == 'search: begins at step 0 of 4'


def test_a_training_says_where_it_goes_on(capsys, data_dir, tmp_path):
  run_dir = tmp_path / 'run'
  runs.train(data_dir, run_dir, schedule={'train_steps': 1})
  first, second, *_ = lines_of('train', capsys)
  assert first.startswith('train: 8 pictures of train, 7 classes; ')
  assert second == 'train: begins at step 0 of 1'
  runs.train(
    data_dir,
    run_dir,
    {'allow_config_change': True},
    schedule={'train_steps': 2},
  )
  _, second, *_ = lines_of('train', capsys)
  assert second == (
    f'train: goes on from step 1 ({run_dir}/checkpoints/ckpt-1), 1 to go'
  )
