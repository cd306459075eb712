# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the tests of the rooms that compute share: two CPUs and a data set.

The `conftest.py` of each of these rooms takes it all from here.
"""

import pathlib

import pytest
import tensorflow as tf

from auto_deeplab.training import distribution
from tests import tiny

# As if the machine had two devices; to be set before the first op of all.
tf.config.set_logical_device_configuration(
  tf.config.list_physical_devices('CPU')[0],
  [tf.config.LogicalDeviceConfiguration()] * 2,
)


@pytest.fixture(scope='session')
def data_dir(tmp_path_factory) -> pathlib.Path:
  """A small data set; only read."""
  return tiny.write_data(tmp_path_factory.mktemp('training'))


@pytest.fixture
def mirrored() -> tf.distribute.MirroredStrategy:
  return distribution.make_strategy('mirrored')


@pytest.fixture(autouse=True)
def process_settings():
  """Takes back what a run sets for its whole process."""
  yield
  tf.keras.mixed_precision.set_global_policy('float32')
  tf.config.optimizer.set_experimental_options(
    {'disable_meta_optimizer': False}
  )
