# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The candidates of a tournament, and what the tool refuses in one line."""

import pytest

from tests import tiny
from tests.tools import tool_runs


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    (
      {'num_random': 2},
      'choose: --num_random needs --search_recipe or --search_run_dir.',
    ),
    (
      {
        'genotypes': 'random-00.json',
        'num_random': 1,
        'search_recipe': 'demo_search',
      },
      "choose: two candidates are called 'random-00'; rename a file.",
    ),
    (
      {'genotypes': 'a/genotype.json,a.json'},
      'choose: the genotypes {cwd}/a/genotype.json, {cwd}/a.json have the same '
      'names.',
    ),
  ],
)
def test_bad_candidates_are_one_line(tmp_path, flags, message):
  for path in ('a/genotype.json', 'a.json', 'random-00.json'):
    tiny.GENOTYPE.save(tmp_path / path, {})
  done = tool_runs.run(
    'choose',
    cwd=tmp_path,
    gin_file='demo_train',
    data_dir='DATA',
    run_dir='RUN',
    **flags,
  )
  message = message.format(cwd=tmp_path)
  tool_runs.assert_refused(done, message, tmp_path / 'RUN')
