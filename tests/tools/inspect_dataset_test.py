# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests for tools/inspect_dataset.py as a user runs it."""

from PIL import Image
import pytest

from auto_deeplab.data.records import conversion
from auto_deeplab.data.sources import layouts, synthetic
from tests.tools import tool_runs


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A folder with a data set of three and two pictures in it."""
  path = tmp_path_factory.mktemp('inspect')
  synthetic.draw_folder(
    path / 'pictures',
    num_examples={'train': 3, 'val': 2},
    image_size=(64, 80),
  )
  source = layouts.open_source('folder', path / 'pictures')
  conversion.write_dataset(source, path / 'data', num_shards=2)
  return path


def test_a_sound_data_set_is_described_drawn_and_verified(folder):
  result = tool_runs.run(
    'inspect_dataset',
    cwd=folder,
    data_dir='data',
    verify=True,
    contact_sheet='sheet.png',
    num_pictures=2,
  )
  assert result.returncode == 0, result.stderr
  lines = result.stdout.splitlines()
  assert lines[0] == 'folder: 7 classes, ignore label 255.'
  assert lines[-3:] == [
    'Wrote sheet.png.',
    'Verifying: 5/5 pictures',
    'All examples are as dataset.json says.',
  ]
  with Image.open(folder / 'sheet.png') as sheet:
    assert sheet.height > 2 * 180


def test_faults_are_lines_and_an_exit_status(folder):
  shard = folder / 'data' / 'val-00001-of-00002.tfrecord'
  data = shard.read_bytes()
  shard.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
  result = tool_runs.run(
    'inspect_dataset', cwd=folder, data_dir='data', verify=True
  )
  shard.write_bytes(data)
  assert result.returncode == 1
  assert 'data/val-00001-of-00002.tfrecord, example 0: neit' in result.stdout
  assert result.stderr == ('inspect_dataset: data has 2 faults, see above.\n')
