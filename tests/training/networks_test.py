# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The network of a training is warned of what it cannot learn well from."""

import pytest

from auto_deeplab.training import networks


@pytest.mark.parametrize(
  'crop_size, stride, is_warned',
  [
    ((33, 65), 32, False),
    ((41, 49), 8, False),
    ((41, 49), 16, True),
    ((64, 65), 32, True),
  ],
)
def test_crops_that_do_not_nest_are_warned_of(
  crop_size, stride, is_warned, caplog
):
  networks.warn_of_crop(crop_size, stride)
  assert len(caplog.messages) == is_warned
  if is_warned:
    height, width = ((n + stride - 2) // stride * stride + 1 for n in crop_size)
    assert caplog.messages[0].startswith(
      f'`InputConfig.crop_size` {crop_size} is no size at which '
    )
    assert caplog.messages[0].endswith(
      f'({height}, {width}) is the next that is.'
    )
