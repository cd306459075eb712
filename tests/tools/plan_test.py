# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""tools/plan.py as a user runs it."""

from tests.tools import tool_runs


def test_a_folder_without_data_is_refused(tmp_path):
  result = tool_runs.run(
    'plan', cwd=tmp_path, data_dir='nowhere', output_dir='plan'
  )
  tool_runs.assert_refused(
    result,
    'plan: nowhere/dataset.json does not exist; build_tfrecords makes it.',
    tmp_path / 'plan',
  )
