# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Two small networks and an export of each, shared by all tests: only read."""

from pathlib import Path

import pytest

from auto_deeplab.data.datasets import DatasetInfo
from auto_deeplab.model.segmenter import Segmenter
from tests.serving import real_segmenter as real_segmenter_lib
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


@pytest.fixture(scope='session')
def real_segmenter(dataset_info) -> Segmenter:
  return real_segmenter_lib.make(dataset_info.num_classes)


@pytest.fixture(scope='session')
def real_model_dir(real_segmenter, tmp_path_factory) -> Path:
  path = tmp_path_factory.mktemp('real') / 'saved_model'
  return tiny_segmenter.export(path, real_segmenter)
