# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Maps, and plain arithmetic on them to compare layers with."""

import itertools

import numpy as np
import tensorflow as tf

# A map with two even sides, one with two odd ones, one of both.
SIZES = [(8, 6), (9, 7), (8, 5)]


def random_map(height, width, channels=3, batch=2, seed=0):
  generator = np.random.default_rng(seed)
  return generator.normal(size=(batch, height, width, channels)).astype('f4')


def interpolate_axis(x, axis, size):
  """Linear interpolation of one axis; first and last pixel stay in place."""
  positions = np.linspace(0, x.shape[axis] - 1, size)
  low = np.floor(positions).astype(int)
  high = np.minimum(low + 1, x.shape[axis] - 1)
  shape = [1] * x.ndim
  shape[axis] = size
  share = (positions - low).reshape(shape)
  return x.take(low, axis) * (1 - share) + x.take(high, axis) * share


def windows(x, k, strides, rate=1, fill=0.0):
  """Taps of each window as `[n, h', w', k * k, c]`, padded on both sides."""
  pad = (k - 1) * rate // 2
  padded = np.pad(
    x, [(0, 0), (pad, pad), (pad, pad), (0, 0)], constant_values=fill
  )
  height, width = x.shape[1:3]
  taps = [
    padded[:, i * rate : i * rate + height, j * rate : j * rate + width]
    for i, j in itertools.product(range(k), repeat=2)
  ]
  return np.stack(taps, axis=3)[:, ::strides, ::strides]


def convolve(x, kernel, strides=1, rate=1):
  k, _, channels, filters = kernel.shape
  taps = windows(x, k, strides, rate)
  return np.einsum(
    'nhwtc,tcf->nhwf', taps, kernel.reshape(k * k, channels, filters)
  )


def built(layer, x):
  """The layer with statistics of its own, so that batch norm does something."""
  tf.keras.utils.set_random_seed(1)
  layer(x)
  for variable in layer.variables:
    if 'moving' in variable.name or 'gamma' in variable.name:
      variable.assign(tf.random.uniform(variable.shape, 0.5, 1.5))
  return layer


def normalized(bn, x):
  gamma, beta, mean, variance = (
    v.numpy() for v in (bn.gamma, bn.beta, bn.moving_mean, bn.moving_variance)
  )
  return gamma * (x - mean) / np.sqrt(variance + bn.epsilon) + beta


def relu(x):
  return np.maximum(x, 0)


def close(actual, expected):
  np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
