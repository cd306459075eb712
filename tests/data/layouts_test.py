# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the names of layouts."""

import pytest

from auto_deeplab.data import layouts


def test_unknown_data_sets_and_folders_are_named(tmp_path):
  with pytest.raises(ValueError, match=r'`dataset` \(coco\) is not one of cam'):
    layouts.open_source('coco', tmp_path)
  with pytest.raises(FileNotFoundError, match=r'`data_dir` \(/nope\) is not a'):
    layouts.open_source('camvid', '/nope')
  with pytest.raises(ValueError, match='`data_dir` must name the folder of ca'):
    layouts.open_source('camvid', None)
