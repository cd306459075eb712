# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Two logical CPUs for the tests with two replicas."""

import tensorflow as tf

# Before TensorFlow starts, and it starts with the first test that computes.
tf.config.set_logical_device_configuration(
  tf.config.list_physical_devices('CPU')[0],
  [tf.config.LogicalDeviceConfiguration()] * 2,
)
