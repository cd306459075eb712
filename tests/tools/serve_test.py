# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What cannot be served is told in one line."""

import sys

import pytest

from auto_deeplab.cli.verbs import serve
from auto_deeplab.serving import server
from tests.tools import tool_runs


def test_a_missing_model_is_told(tmp_path):
  result = tool_runs.run('serve', cwd=tmp_path, model_dir='none')
  tool_runs.assert_refused(
    result,
    "serve: the model folder 'none' does not exist.",
    tmp_path / 'none',
  )


def test_a_missing_package_is_told_with_the_extra_that_has_it(monkeypatch):
  # Others may have imported it, into its package as well.
  monkeypatch.delitem(
    sys.modules, 'auto_deeplab.serving.server.run', raising=False
  )
  monkeypatch.delattr(server, 'run', raising=False)
  monkeypatch.setitem(sys.modules, 'tornado', None)
  with pytest.raises(
    ValueError,
    match=r'^serve needs tornado: pip install "auto_deeplab\[serving\]"\.$',
  ):
    serve.main()
