# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Gradients in bfloat16 of every convolution of every recipe, on a dirty heap.

`pytest tests/model/kernel_gradients_test.py --gradients=1000 -s` makes so many
of each shape and tells how many had to be computed again; without CPU
instructions for bfloat16 all of them are computed in float32.
"""

import functools
from typing import NamedTuple
import zlib

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import primitives
from auto_deeplab.model import segmenter, supernet
from auto_deeplab.model.ops import convolutions, devices
from auto_deeplab.training import networks

pytestmark = pytest.mark.slow

SEARCHES = ('demo_search', 'camvid_search', 'cityscapes_search')
# M, L, ADE20K and COCO differ from these in width, or in nothing.
TRAININGS = ('demo_train', 'camvid_train', 'cityscapes_s', 'voc_s')
NUM_CLASSES = 19
# Of the recipes for eight GPUs; the others run on one device.
GPU_BATCH_SIZE = 2


class Shape(NamedTuple):
  """Of a convolution: all that decides which kernel computes it."""

  is_depthwise: bool
  x: tuple[int, ...]
  kernel: tuple[int, ...]
  strides: int
  padding: str
  atrous_rate: int = 1

  def convolve(self, x, kernel):
    if self.is_depthwise:
      return convolutions.depthwise_conv2d(
        x, kernel, self.strides, self.padding
      )
    return convolutions.conv2d(
      x, kernel, self.strides, self.padding, self.atrous_rate
    )


def recording(shapes, batch_size, convolve, is_depthwise):
  """Returns a convolution that writes down its shape."""

  def record(x, kernel, strides=1, padding='SAME', atrous_rate=1, **others):
    settings = (strides, padding, atrous_rate)
    x_shape = (x.shape[0] or batch_size, *x.shape[1:])
    shapes.add(Shape(is_depthwise, x_shape, tuple(kernel.shape), *settings))
    if is_depthwise:
      return convolve(x, kernel, strides, padding, **others)
    return convolve(x, kernel, *settings, **others)

  return record


def every_primitive():
  """A genotype of the published path with each operation in its cell."""
  names = primitives.operations()
  blocks = [
    ((0, names[2 * i % len(names)]), (1, names[(2 * i + 1) % len(names)]))
    for i in range(5)
  ]
  return genotype_lib.Genotype(tuple(blocks), genotype_lib.PUBLISHED.backbone)


def models_of(recipe, repository):
  """The networks that a recipe builds, and its input."""
  path = str(repository / 'gin_configs' / f'{recipe}.gin')
  if recipe in SEARCHES:
    search = configs.load(configs.SearchExperiment, [path])
    return [supernet.Supernet(search.supernet, NUM_CLASSES)], search.input
  config = configs.load(configs.TrainExperiment, [path])
  genotypes = (genotype_lib.PUBLISHED, every_primitive())
  return [
    segmenter.Segmenter(g, config.segmenter, NUM_CLASSES) for g in genotypes
  ], config.input


@pytest.fixture
def shapes_of(repository, monkeypatch):
  monkeypatch.chdir(repository)

  def record(recipe):
    models, config = models_of(recipe, repository)
    if config.batch_size > 8:
      config = configs.InputConfig(config.crop_size, GPU_BATCH_SIZE)
    shapes: set[Shape] = set()
    with monkeypatch.context() as context:
      for name in ('conv2d', 'depthwise_conv2d'):
        convolve = getattr(convolutions, name)
        recorder = recording(
          shapes, config.batch_size, convolve, name != 'conv2d'
        )
        context.setattr(convolutions, name, recorder)
      for model in models:
        is_search = isinstance(model, supernet.Supernet)
        settings = {} if is_search else {'step': tf.constant(0)}
        networks.build(model, config, **settings)
    return sorted(shapes)

  return record


def dirty_heap(number):
  """Leaves what no product with 0 makes 0, in blocks of many sizes."""
  sizes = [2**n for n in range(10, 22 if number % 10 else 24)]
  for value in (np.nan, np.inf, -np.inf):
    held = [tf.fill([n], tf.cast(value, tf.bfloat16)) for n in sizes]
    del held


@pytest.mark.parametrize('recipe', SEARCHES + TRAININGS)
def test_gradients_in_bfloat16_are_finite_and_right_on_a_dirty_heap(
  recipe, shapes_of, request, monkeypatch
):
  num_gradients = request.config.getoption('--gradients')
  num_wide = tf.Variable(0)
  widened = convolutions._widened

  def counting(gradient):
    def compute(x, dy):
      num_wide.assign_add(1)
      return widened(gradient)(x, dy)

    return compute

  monkeypatch.setattr(convolutions, '_widened', counting)
  shapes = shapes_of(recipe)
  assert len(shapes) > 20
  for shape in shapes:
    num_wide.assign(0)
    check_gradients(shape, num_gradients)
    print(recipe, *shape, f'{int(num_wide)} of {num_gradients} again')


def check_gradients(shape, num_gradients):
  seed = zlib.crc32(repr(shape).encode())

  def draw(size, index):
    values = tf.random.stateless_normal(size, [seed, index])
    return tf.cast(values, tf.bfloat16)

  x, kernel = draw(shape.x, 0), draw(shape.kernel, 1)
  dy = draw(shape.convolve(x, kernel).shape, 2)

  @functools.partial(tf.function, autograph=False)
  def gradients(x, kernel, dy):
    with tf.GradientTape() as tape:
      tape.watch([x, kernel])
      y = shape.convolve(x, kernel)
    return [tf.cast(g, tf.float32) for g in tape.gradient(y, [x, kernel], dy)]

  expected = gradients(*(tf.cast(v, tf.float32) for v in (x, kernel, dy)))
  tolerances = [0.02 * tf.reduce_max(tf.abs(g)) for g in expected]
  for number in range(num_gradients):
    dirty_heap(number)
    actual = gradients(x, kernel, dy)
    for a, b, tolerance in zip(actual, expected, tolerances):
      # Also where a number is not finite.
      assert tf.reduce_max(tf.abs(a - b)) < tolerance, shape


@pytest.mark.parametrize('is_depthwise', [False, True])
@pytest.mark.parametrize('kernel_size', [1, 3, 5])
def test_a_kernel_gradient_that_is_not_finite_is_computed_again(
  is_depthwise, kernel_size, monkeypatch
):
  """As on a CPU with AMX, wherever the heap holds a NaN."""
  if devices.is_emulated(tf.bfloat16):
    pytest.skip('no bfloat16 convolutions here: all are computed in float32.')
  # Of no other test: what is traced with the NaN stays with the process.
  size, channels = (2, 9, 8, 7), 1 if is_depthwise else 7
  kernel = (kernel_size, kernel_size, 7, channels)
  shape = Shape(is_depthwise, size, kernel, strides=1, padding='SAME')
  for name in ('Conv2DBackpropFilter', 'DepthwiseConv2dNativeBackpropFilter'):
    monkeypatch.setattr(tf.raw_ops, name, spoiling(getattr(tf.raw_ops, name)))
  check_gradients(shape, num_gradients=1)


def spoiling(gradient):
  """Returns the operation with a NaN in what it returns of 16 bits."""

  def compute(**arguments):
    result = gradient(**arguments)
    if result.dtype == tf.float32:
      return result
    is_first = tf.reshape(tf.range(tf.size(result)) == 0, result.shape)
    return tf.where(is_first, tf.cast(np.nan, result.dtype), result)

  return compute
