# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Exports of annotation tools: one scene is one label, whoever tells of it."""

import numpy as np
import pytest

from auto_deeplab.data.records import conversion
from auto_deeplab.data.sources import layouts
from tests.data import scene


@pytest.mark.parametrize('tool', scene.WRITERS)
def test_all_tools_tell_of_the_same_pixels(tmp_path, tool):
  scene.WRITERS[tool](tmp_path)
  source = layouts.open_source(tool, tmp_path)
  assert source.class_names == ('background', 'car', 'tree')
  np.testing.assert_array_equal(scene.only_label(tmp_path, tool), scene.label())


@pytest.mark.parametrize('tool', ['cvat', 'labelme', 'yolo'])
def test_an_export_is_converted(tmp_path, tool):
  scene.WRITERS[tool](tmp_path / 'in')
  info = conversion.write_dataset(
    layouts.open_source(tool, tmp_path / 'in'), tmp_path / 'out'
  )
  share = np.mean(scene.label() == 'car')
  assert info.split('train').class_pixel_shares[1] == pytest.approx(
    share, abs=1e-6
  )
