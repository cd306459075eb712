# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""One small network and one export of it, shared by all tests: only read."""

from pathlib import Path

import pytest

from auto_deeplab.data.datasets import DatasetInfo
from tests.serving import tiny_segmenter


@pytest.fixture(scope='session')
def dataset_info() -> DatasetInfo:
  return tiny_segmenter.DATASET_INFO


@pytest.fixture(scope='session')
def segmenter() -> tiny_segmenter.TinySegmenter:
  return tiny_segmenter.make()


@pytest.fixture(scope='session')
def model_dir(segmenter, tmp_path_factory) -> Path:
  path = tmp_path_factory.mktemp('export') / 'saved_model'
  return tiny_segmenter.export(path, segmenter)
