# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The primitives as layers against plain arithmetic."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.architecture import primitives as primitives_lib
from auto_deeplab.model import primitives
from auto_deeplab.model.ops import normalization, sizes
from auto_deeplab.model.primitives import (
  atrous,
  base,
  pooling,
  separable,
  skip,
)
from tests.model import maps

NORM = normalization.NormSettings(momentum=0.9)


@pytest.mark.parametrize('size', maps.SIZES)
@pytest.mark.parametrize('strides', [1, 2])
def test_pools_see_no_padding(size, strides):
  x = maps.random_map(*size)
  maximum = maps.windows(x, 3, strides, fill=-np.inf).max(axis=3)
  average = np.nanmean(maps.windows(x, 3, strides, fill=np.nan), axis=3)
  maps.close(pooling.pool(x, tf.nn.max_pool2d, 3, strides), maximum)
  maps.close(pooling.pool(x, tf.nn.avg_pool2d, 3, strides), average)


def test_striding_atrous_halves_after_the_relu_and_has_no_holes():
  x = maps.random_map(8, 7)
  layer = maps.built(atrous.AtrousLayer(4, 3, 2, NORM, strides=2), x)
  half = maps.interpolate_axis(maps.interpolate_axis(maps.relu(x), 1, 4), 2, 4)
  kernel, bn = layer.conv_bn.conv.kernel.numpy(), layer.conv_bn.bn
  maps.close(
    layer(x, training=False), maps.normalized(bn, maps.convolve(half, kernel))
  )


def test_skip_is_the_identity_or_the_half_map():
  x = maps.random_map(9, 8)
  maps.close(skip.SkipLayer()(x), x)
  half = maps.interpolate_axis(maps.interpolate_axis(x, 1, 5), 2, 4)
  maps.close(skip.SkipLayer(strides=2)(x), half)


@pytest.mark.parametrize('name', primitives_lib.operations())
@pytest.mark.parametrize('size', maps.SIZES)
def test_each_operation_gives_its_filters_at_half_the_size(name, size):
  layer = primitives.make_layer(name, 3, NORM, strides=2)
  y = layer(maps.random_map(*size), training=True)
  assert y.shape == (2, *sizes.halved(size), 3)


@pytest.mark.parametrize('name', ['none', 'conv_3x3'])
def test_what_is_no_operation_is_refused(name):
  message = rf"`name` \('{name}'\) must be one of \('max_pool_3x3', "
  with pytest.raises(ValueError, match=message):
    primitives.make_layer(name, 3, NORM)


@pytest.mark.parametrize('strides', [1, 2])
def test_separable_is_relu_convolution_norm_twice(strides):
  x = maps.random_map(8, 7)
  layer = maps.built(separable.SeparableLayer(4, 3, NORM, strides=strides), x)
  expected = x
  for conv, bn, stride in zip(layer.convs, layer.bns, (strides, 1)):
    depthwise, pointwise = conv.get_weights()
    # Nothing lies between the two, so their product is one full kernel.
    kernel = depthwise * pointwise
    expected = maps.normalized(
      bn, maps.convolve(maps.relu(expected), kernel, stride)
    )
  maps.close(layer(x, training=False), expected)


def test_atrous_is_relu_convolution_norm():
  x = maps.random_map(8, 7)
  layer = maps.built(atrous.AtrousLayer(4, 3, 2, NORM), x)
  kernel, bn = layer.conv_bn.conv.kernel.numpy(), layer.conv_bn.bn
  expected = maps.normalized(bn, maps.convolve(maps.relu(x), kernel, rate=2))
  maps.close(layer(x, training=False), expected)


def test_a_kind_is_computed_by_one_class():
  with pytest.raises(ValueError, match=r'^Skip computes Skip already\.$'):
    base.computes(primitives_lib.Skip)(skip.Skip)


def test_no_connection_has_no_layer():
  nothing = base.of(primitives_lib.get('none'))
  with pytest.raises(ValueError, match=r"^'none' is no operation, and has no"):
    nothing.layer(8, NORM, 1)
