# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A server of the tiny model for each file of tests."""

from collections.abc import Iterator
import io

import numpy as np
from PIL import Image
import pytest

from tests.serving.server import processes


@pytest.fixture(scope='module')
def server(model_dir, tmp_path_factory) -> Iterator[processes.Server]:
  notes = tmp_path_factory.mktemp('server') / 'opened'
  with processes.serving(
    model_dir, notes, '--max_request_bytes=1000000', '--max_batch_size=4'
  ) as running:
    yield running


@pytest.fixture(scope='session')
def picture() -> np.ndarray:
  return np.random.default_rng(0).integers(0, 256, [24, 33, 3], np.uint8)


@pytest.fixture(scope='session')
def png(picture) -> bytes:
  buffer = io.BytesIO()
  Image.fromarray(picture).save(buffer, 'PNG')
  return buffer.getvalue()
