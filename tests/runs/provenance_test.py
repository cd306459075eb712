# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What started a run is kept, each time, and can be typed again."""

import dataclasses
import json
import os
import shlex
import sys

import pytest

from auto_deeplab.runs import provenance


def test_each_start_is_kept_with_its_command(tmp_path, monkeypatch):
  words = ['python', 'tools/train.py', '--gin_bindings=A.b = 3', "it's"]
  monkeypatch.setattr(sys, 'orig_argv', words)
  assert provenance.load(tmp_path) == []
  starts = [provenance.present(step) for step in (0, 20)]
  for start in starts:
    provenance.append(tmp_path, start)
  assert provenance.load(tmp_path) == starts
  assert shlex.split(starts[1].command) == words
  assert (starts[1].step, starts[1].folder) == (20, os.getcwd())
  assert 'TensorFlow 2.' in starts[0].versions


@pytest.mark.parametrize('key', ['step', 'command'])
def test_a_value_of_another_type_is_none(tmp_path, key):
  document = dataclasses.asdict(provenance.present(0)) | {key: []}
  (tmp_path / 'starts.jsonl').write_text(json.dumps(document))
  with pytest.raises(ValueError, match=r'starts.jsonl, line 1: no start of'):
    provenance.load(tmp_path)


@pytest.mark.parametrize('line', ['{"step": 1', '[]', '{"other": 1}', '7'])
def test_what_is_no_start_is_named(tmp_path, line):
  provenance.append(tmp_path, provenance.present(0))
  with (tmp_path / 'starts.jsonl').open('a') as file:
    file.write(line)
  with pytest.raises(ValueError, match=r'starts.jsonl, line 2: no start of'):
    provenance.load(tmp_path)
