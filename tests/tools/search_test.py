# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""`tools/search.py` as a user runs it; chain_test.py runs a whole search."""

import pytest

from tests.tools import tool_runs


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    (
      {'gin_file': 'no.gin'},
      "search: gin file 'no.gin' does not exist.",
    ),
    (
      {
        'gin_bindings': [
          'SearchConfig.train_steps = 5',
          'SearchConfig.arch_start_step = 5',
        ]
      },
      'search: `SearchConfig.arch_start_step` (5) must be less than '
      '`train_steps` (5).',
    ),
    (
      {},
      'search: nowhere/dataset.json does not exist; tools/build_tfrecords.py '
      'makes it.',
    ),
  ],
)
def test_bad_input_ends_in_one_line(flags, message, tmp_path):
  result = tool_runs.run(
    'search', cwd=tmp_path, data_dir='nowhere', run_dir='run', **flags
  )
  tool_runs.assert_refused(result, message, tmp_path / 'run')
