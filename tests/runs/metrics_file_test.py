# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The metrics of a run forget what a resumed run repeats."""

import json

import pytest

from auto_deeplab.runs import metrics_file


@pytest.fixture
def path(tmp_path):
  return tmp_path / 'run' / 'metrics.jsonl'


@pytest.fixture
def file(path):
  return metrics_file.MetricsFile(path)


def test_metrics_beyond_the_restored_step_are_forgotten(file, path):
  for step in (2, 4, 6):
    file.append_numbers(step, {'loss': step / 2})
  with path.open('a') as broken:
    broken.write('{"step": 8, "lo')  # Cut short by a kill.
  file.forget_after(4)
  rows = [json.loads(r) for r in path.read_text().splitlines()]
  assert rows == [{'step': 2, 'loss': 1.0}, {'step': 4, 'loss': 2.0}]


@pytest.mark.parametrize(
  'torn', [b'{"step": 8, "lo', b'7', b'{"loss": 1.0}', b'\xff\xfe', b'[' * 99999]
)
def test_a_row_that_is_none_is_said_and_left_out(file, path, torn, caplog):
  file.append_numbers(2, {'loss': 1.0})
  with path.open('ab') as broken:
    broken.write(torn)
  assert file.rows_with('step') == [{'step': 2, 'loss': 1.0}]
  assert f'{path}, line 2 is no row, cut short perhaps by a' in caplog.text


def test_scores_of_the_restored_step_stay_or_go(file, path):
  assert file.scores_of(4) == {}
  file.forget_after(4)
  assert not path.exists()
  for step in (2, 4, 6):
    file.append_numbers(step, {'loss': 1.0})
    file.append_scores(step, {'mean_iou': step / 8})
  file.forget_after(4)
  assert file.scores_of(4) == {'mean_iou': 0.5}
  assert file.scores_of(3) == file.scores_of(6) == {}
  file.forget_after(4, keep_scores=False)
  assert file.scores_of(4) == {}
  assert file.scores_of(2) == {'mean_iou': 0.25}
  rows = [json.loads(r) for r in path.read_text().splitlines()]
  assert [row['step'] for row in rows] == [2, 2, 4]


def test_rows_are_found_by_a_key(file):
  assert file.rows_with('left') == []
  file.append(2, {'left': ['a', 'b']})
  file.append_numbers(2, {'loss': 1.0})
  assert file.rows_with('left') == [{'step': 2, 'left': ['a', 'b']}]
