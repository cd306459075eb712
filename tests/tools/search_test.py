# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""`tools/search.py` as a user runs it; chain_test.py runs a whole search."""

import pytest

from tests.tools import tool_runs


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    (
      {'gin_file': 'nowhere/no.gin'},
      "search: gin file 'nowhere/no.gin' does not exist.",
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
      "search: no --gin_file is given, the paper's settings are taken; "
      '--gin_file=demo_search has smaller ones.\n'
      'search: nowhere/dataset.json does not exist; build_tfrecords '
      'makes it.',
    ),
    (
      {'gin_file': tool_runs.REPOSITORY / 'gin_configs/demo_train.gin'},
      f'search: {tool_runs.REPOSITORY}/gin_configs/demo_train.gin binds '
      'SegmenterConfig, TrainConfig, which a search does not use; is it a '
      'recipe for `train`?',
    ),
  ],
)
def test_bad_input_ends_in_one_line(flags, message, tmp_path):
  result = tool_runs.run(
    'search', cwd=tmp_path, data_dir='nowhere', run_dir='run', **flags
  )
  tool_runs.assert_refused(result, message, tmp_path / 'run')
