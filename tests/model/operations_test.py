# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Resizing, padding and the primitives against plain arithmetic."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.model import devices, operations

NORM = operations.NormSettings(momentum=0.9)
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


def resize(x, size):
  return operations.resize_aligned(tf.constant(x), size).numpy()


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


@pytest.mark.parametrize(
  'size', [(9, 13), (4, 3), (1, 1), (5, 7), (10, 1), (5, 30)]
)
def test_resize_equals_linear_interpolation(size):
  x = random_map(5, 7)
  expected = interpolate_axis(interpolate_axis(x, 1, size[0]), 2, size[1])
  close(resize(x, size), expected)


def test_resize_to_unknown_sizes_equals_the_known_ones():
  x = tf.constant(random_map(5, 7))
  dynamic = tf.function(
    lambda x, size: operations.resize_aligned(x, (size[0], size[1])),
    input_signature=[
      tf.TensorSpec([None, None, None, 3]),
      tf.TensorSpec([2], tf.int32),
    ],
  )
  close(dynamic(x, [9, 4]), operations.resize_aligned(x, (9, 4)))


def test_resize_keeps_the_corner_pixels():
  x = random_map(6, 5)
  for size in [(11, 9), (3, 2), (31, 17)]:
    y = resize(x, size)
    close(
      y[:, [0, 0, -1, -1], [0, -1, 0, -1]], x[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    )


def test_up_to_2n_minus_1_and_half_to_half_of_n_minus_1_plus_1_are_inverse():
  x = random_map(9, 5)
  up = resize(x, (2 * 9 - 1, 2 * 5 - 1))
  close(up[:, ::2, ::2], x)
  close(up[:, 1::2, ::2], (x[:, 1:] + x[:, :-1]) / 2)
  half = resize(up, operations.halved((17, 9)))
  assert half.shape == x.shape
  close(half, x)


def test_halved_nests_at_32m_plus_1_and_rounds_up_elsewhere():
  assert operations.halved((65, 97)) == (33, 49)
  assert operations.halved((64, 7)) == (32, 4)
  assert operations.halved((1, 2)) == (1, 1)


def test_resize_keeps_dtype_and_the_map_of_equal_size():
  x = tf.cast(random_map(5, 7), tf.bfloat16)
  assert operations.resize_aligned(x, (9, 9)).dtype == tf.bfloat16
  assert operations.resize_aligned(x, (5, 7)) is x


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize(
  'k, strides, rate', [(1, 1, 1), (3, 1, 1), (3, 2, 1), (5, 2, 1), (3, 1, 2)]
)
def test_convolution_pads_both_sides_alike(size, k, strides, rate):
  x = random_map(*size)
  layer = operations.Conv2D(4, k, strides=strides, atrous_rate=rate)
  y = layer(x)
  assert y.shape[1:3] == tuple(-(-n // strides) for n in size)
  close(y, convolve(x, layer.kernel.numpy(), strides, rate))


@pytest.mark.parametrize('rate', [2, 12, 36])
def test_atrous_convolution_equals_tensorflows(rate):
  x = random_map(9, 8)
  layer = operations.Conv2D(4, 3, atrous_rate=rate)
  y = layer(x)
  close(y, tf.nn.convolution(x, layer.kernel, 1, 'SAME', dilations=rate))


def test_an_atrous_layer_in_bfloat16_trains_its_float32_kernel():
  def gradient(dtype):
    layer = operations.Conv2D(
      4, 3, atrous_rate=2, kernel_initializer='ones', dtype=dtype
    )
    with tf.GradientTape() as tape:
      y = tf.cast(layer(random_map(9, 7)), tf.float32)
      target = tf.reduce_sum(y * random_map(9, 7, 4, seed=1))
    return tape.gradient(target, layer.kernel)

  expected = gradient('float32')
  actual = gradient('mixed_bfloat16')
  assert actual.dtype == tf.float32
  np.testing.assert_allclose(
    actual, expected, atol=0.02 * np.abs(expected).max()
  )


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('strides', [1, 2])
def test_pools_see_no_padding(size, strides):
  x = random_map(*size)
  maximum = windows(x, 3, strides, fill=-np.inf).max(axis=3)
  average = np.nanmean(windows(x, 3, strides, fill=np.nan), axis=3)
  close(operations.pool(x, 'max_pool', 3, strides), maximum)
  close(operations.pool(x, 'avg_pool', 3, strides), average)


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('k, strides', [(3, 1), (5, 1), (3, 2), (5, 2)])
def test_separable_convolution_is_depthwise_then_pointwise(size, k, strides):
  x = random_map(*size)
  layer = operations.SeparableConv2D(4, k, strides=strides)
  y = layer(x)
  depthwise, pointwise = layer.get_weights()
  oracle = np.einsum(
    'nhwtc,tc->nhwc',
    windows(x, k, strides),
    depthwise.reshape(k * k, 3),
  )
  close(y, oracle @ pointwise[0, 0])


@pytest.mark.parametrize('strides', [1, 2])
def test_separable_is_relu_convolution_norm_twice(strides):
  x = random_map(8, 7)
  layer = built(operations.Separable(4, 3, NORM, strides=strides), x)
  expected = x
  for conv, bn, stride in zip(layer.convs, layer.bns, (strides, 1)):
    depthwise, pointwise = conv.get_weights()
    # Nothing lies between the two, so their product is one full kernel.
    kernel = depthwise * pointwise
    expected = normalized(bn, convolve(relu(expected), kernel, stride))
  close(layer(x, training=False), expected)


def test_atrous_is_relu_convolution_norm():
  x = random_map(8, 7)
  layer = built(operations.Atrous(4, 3, 2, NORM), x)
  kernel, bn = layer.conv_bn.conv.kernel.numpy(), layer.conv_bn.bn
  expected = normalized(bn, convolve(relu(x), kernel, rate=2))
  close(layer(x, training=False), expected)


def test_striding_atrous_halves_after_the_relu_and_has_no_holes():
  x = random_map(8, 7)
  layer = built(operations.Atrous(4, 3, 2, NORM, strides=2), x)
  half = interpolate_axis(interpolate_axis(relu(x), 1, 4), 2, 4)
  kernel, bn = layer.conv_bn.conv.kernel.numpy(), layer.conv_bn.bn
  close(layer(x, training=False), normalized(bn, convolve(half, kernel)))


def test_skip_is_the_identity_or_the_half_map():
  x = random_map(9, 8)
  close(operations.Skip()(x), x)
  half = interpolate_axis(interpolate_axis(x, 1, 5), 2, 4)
  close(operations.Skip(strides=2)(x), half)


@pytest.mark.parametrize('name', genotype_lib.OPERATIONS)
@pytest.mark.parametrize('size', SIZES)
def test_each_operation_gives_its_filters_at_half_the_size(name, size):
  layer = operations.make_operation(name, 3, NORM, strides=2)
  y = layer(random_map(*size), training=True)
  assert y.shape == (2, *operations.halved(size), 3)


@pytest.mark.parametrize('name', ['none', 'conv_3x3'])
def test_what_is_no_operation_is_refused(name):
  message = rf"`name` \('{name}'\) must be one of \('max_pool_3x3', "
  with pytest.raises(ValueError, match=message):
    operations.make_operation(name, 3, NORM)


def test_initial_kernels_are_uniform_within_the_root_of_the_fan_in():
  tf.keras.utils.set_random_seed(0)
  layer = operations.SeparableConv2D(200, 5)
  layer.build([None, 8, 8, 64])
  # Fan-in counts the channels of a depthwise kernel too.
  for kernel, fan_in in zip(layer.get_weights(), (25 * 64, 64)):
    bound = fan_in**-0.5
    assert 0.98 * bound < np.abs(kernel).max() <= bound
    assert np.std(kernel) == pytest.approx(bound / 3**0.5, rel=0.05)


def test_a_norm_without_affine_has_statistics_alone():
  x = random_map(4, 4)
  bn = NORM.layer(affine=False)
  bn(x)
  assert bn.trainable_variables == []
  assert len(bn.variables) == 2
  assert (bn.momentum, bn.epsilon) == (0.9, 1e-3)


def test_keep_prob_falls_with_depth_and_progress():
  def keep(layer, progress):
    values = operations.schedule_keep_prob(0.6, 12, tf.constant(progress))
    return float(values[layer])

  assert keep(11, 0.0) == 1.0
  assert keep(11, 1.0) == pytest.approx(0.6)
  assert keep(11, 5.0) == pytest.approx(0.6)
  assert keep(0, 1.0) == pytest.approx(1 - 0.4 / 12)
  assert keep(5, 0.5) == pytest.approx(1 - 0.5 * 0.5 * 0.4)


def test_drop_path_drops_as_often_as_the_cell_says_and_keeps_the_mean():
  keep_probs = tf.constant([0.8, 1.0, 0.25])
  seed = tf.constant([3, 4])
  scales = operations.drop_path_scales(keep_probs, 2, 4000, seed).numpy()
  assert scales.shape == (3, 2, 4000)
  for of_cell, values in zip(scales, [(0.0, 1.25), (1.0,), (0.0, 4.0)]):
    np.testing.assert_allclose(np.unique(of_cell), values, rtol=1e-6)
    np.testing.assert_allclose(of_cell.mean(axis=1), 1, atol=0.1)


def test_drop_path_draws_by_its_seed_for_each_operation_of_each_cell():
  def drawn(seed):
    scales = operations.drop_path_scales(tf.constant([0.5] * 3), 2, 64, seed)
    return [tuple(draw) for draw in tf.reshape(scales, [6, 64]).numpy()]

  seed = tf.constant([7, 8])
  first = drawn(seed)
  assert len(set(first)) == 6
  assert drawn(seed) == first
  assert not set(first) & set(drawn(operations.fold_in(seed, 0)))


def test_equal_seeds_drop_equal_values():
  x = tf.ones([1, 20, 20, 4])
  first, again, other = (
    operations.dropout(x, 0.25, tf.constant(seed)).numpy()
    for seed in ([1, 2], [1, 2], [1, 3])
  )
  np.testing.assert_array_equal(first, again)
  assert (first != other).any()
  np.testing.assert_allclose(np.unique(first), [0, 1 / 0.75], rtol=1e-6)
  assert (first == 0).mean() == pytest.approx(0.25, abs=0.05)


def test_images_below_a_pixel_of_the_stem_are_refused():
  operations.check_map_size(tf.zeros([1, 4, 4, 3]))
  message = r'the image size \(3x9\) must be at least 4 pixels a side\.'
  with pytest.raises(ValueError, match=message):
    operations.check_map_size(tf.zeros([1, 3, 9, 3]))


@pytest.mark.parametrize(
  'shape, has_enough',
  [
    ((1, 1, 1, 3), False),
    ((3, 1, 1, 3), False),
    ((1, 1, 3, 3), False),
    ((4, 1, 1, 3), True),
    ((1, 2, 2, 3), True),
  ],
)
@pytest.mark.parametrize('is_known', [True, False])
def test_a_norm_of_too_few_values_takes_the_moving_statistics(
  shape, has_enough, is_known
):
  norm = NORM.layer()
  norm.build([None, None, None, 3])
  norm.moving_mean.assign([1.0, 2.0, 3.0])
  norm.moving_variance.assign([4.0, 5.0, 6.0])
  x = tf.random.stateless_normal(shape, [0, 1])
  expected = norm(x, training=False)
  before = [v.numpy() for v in norm.non_trainable_variables]
  spec = tf.TensorSpec(shape if is_known else [None, None, None, 3])
  train = tf.function(lambda x: norm(x, training=True), input_signature=[spec])
  y = train(x)
  after = [v.numpy() for v in norm.non_trainable_variables]
  if has_enough:
    np.testing.assert_allclose(tf.reduce_mean(y, [0, 1, 2]), [0] * 3, atol=1e-5)
    assert all((a != b).all() for a, b in zip(after, before))
  else:
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(after, before)


def test_a_norm_of_16_bits_has_the_sums_of_float32(monkeypatch):
  """As on a GPU, where casts would cost as much as the norm."""
  x = 100 + tf.random.stateless_normal([2, 9, 8, 3], [0, 1])
  x = tf.cast(x, tf.bfloat16)
  expected = NORM.layer()(x, training=True)
  assert expected.dtype == tf.float32
  monkeypatch.setattr(devices, 'normalizes_16_bits', lambda: True)
  tf.keras.mixed_precision.set_global_policy('mixed_bfloat16')
  try:
    norm = NORM.layer()
    y = norm(x, training=True)
  finally:
    tf.keras.mixed_precision.set_global_policy('float32')
  assert y.dtype == tf.bfloat16
  assert {v.dtype for v in norm.variables} == {tf.float32}
  np.testing.assert_allclose(tf.cast(y, tf.float32), expected, atol=0.02)
