# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a search tells of each snapshot, and that telling changes nothing."""

import re
import types
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import primitives
from auto_deeplab.experiments import snapshots
from auto_deeplab.training import distribution
from tests.experiments import runs


@pytest.fixture(scope='module')
def searched(data_dir, tmp_path_factory):
  """A search with a probe of one batch, and one without."""
  folder = tmp_path_factory.mktemp('searched')
  for name, number in (('probed', 1), ('plain', 0)):
    runs.search(data_dir, folder / name, schedule={'probe_batches': number})
  return folder


def rows(run_dir):
  return [row for row in runs.metrics(run_dir) if 'genotype' in row]


def test_each_snapshot_is_scored_as_it_is_and_decoded(searched):
  found = rows(searched / 'probed')
  assert [row['step'] for row in found] == [1, 2, 3, 4]
  for row in found:
    for key in ('probe/loss', 'probe/decoded_loss'):
      assert 0 < row[key] < 10
    for key in ('probe/mean_iou', 'probe/decoded_mean_iou'):
      assert 0 <= row[key] <= 1
    assert row['probe/loss'] != row['probe/decoded_loss']
  assert 'changed/edges' not in found[0]
  assert all('changed/edges' in row for row in found[1:])


def test_without_a_probe_the_rest_is_told(searched):
  plain, probed = rows(searched / 'plain'), rows(searched / 'probed')
  for one, other in zip(plain, probed, strict=True):
    assert not any(key.startswith('probe/') for key in one)
    assert one.items() < other.items()


def test_a_probe_does_not_change_the_search(searched):
  plain, probed = (
    runs.checkpoint(searched / name, 4) for name in ('plain', 'probed')
  )
  assert plain.keys() == probed.keys()
  for key, value in plain.items():
    np.testing.assert_array_equal(probed[key], value, key)


def test_a_line_tells_what_a_person_wants_to_know(data_dir, tmp_path, capsys):
  runs.search(data_dir, tmp_path, schedule={'train_steps': 2})
  lines = re.findall(r'^search: snapshot.*$', capsys.readouterr().err, re.M)
  assert len(lines) == 2
  assert re.fullmatch(
    r'search: snapshot of step 1; mIoU on B 0\.\d{3}, of the decoded network '
    r'alone 0\.\d{3}; margins alpha 0\.\d{3} beta 0\.\d{3}',
    lines[0],
  )
  assert re.search(r'; \d of 2 edges and \d of 2 layers changed', lines[1])


def test_tensorboard_shows_each_snapshot(data_dir, tmp_path):
  runs.search(data_dir, tmp_path, schedule={'train_steps': 2})
  (file,) = (tmp_path / 'summaries').glob('events*')
  events = map(
    tf.compat.v1.Event.FromString,
    tf.data.TFRecordDataset(str(file)).as_numpy_iterator(),
  )
  pictures = [
    (event.step, value.tag)
    for event in events
    for value in event.summary.value
    if value.metadata.plugin_data.plugin_name == 'images'
  ]
  assert sorted(pictures) == [
    (1, 'cell'),
    (1, 'lattice'),
    (2, 'cell'),
    (2, 'lattice'),
  ]


@pytest.mark.parametrize(
  ('step', 'name', 'is_said'),
  [
    (2, 'skip_connect', True),
    (2, 'sep_conv_3x3', False),
    # Alphas have not moved.
    (1, 'skip_connect', False),
  ],
)
def test_a_cell_of_skips_is_said_aloud(tmp_path, capsys, step, name, is_said):
  alphas = np.zeros([2, 8], np.float32)
  alphas[:, primitives.PAPER.index(name)] = 5.0
  supernet: Any = types.SimpleNamespace(
    arch_variables=[tf.constant(alphas), tf.zeros([2, 4, 3])],
    config=configs.SupernetConfig(),
  )
  run: Any = types.SimpleNamespace(
    step=step,
    path=tmp_path,
    record_row=lambda row: None,
    record_pictures=lambda pictures: None,
  )
  schedule = configs.SearchConfig(arch_start_step=1, snapshot_interval=1)
  strategy = distribution.make_strategy('one_device')
  snapshots.Snapshots(schedule, run, supernet, strategy)()
  said = '; 100% of the edges are skip_connect, the known collapse'
  assert (said in capsys.readouterr().err) == is_said
