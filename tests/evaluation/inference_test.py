# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Scales, flips and windows against loops in NumPy."""

import itertools

import numpy as np
import pytest
import scipy.ndimage
import scipy.special
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.evaluation import inference
from auto_deeplab.model.ops import sizes

KERNEL = np.random.default_rng(0).normal(0, 4, [3, 5]).astype(np.float32)
IMAGES = np.random.default_rng(1).uniform(-1, 1, [2, 21, 30, 3])
IMAGES = IMAGES.astype(np.float32)


def _forward(images):
  """Logits that depend on the place: no mirror image is alike."""
  small = images[:, ::4, ::4]
  ramp = tf.range(tf.shape(small)[2], dtype=tf.float32)[:, tf.newaxis]
  logits = small @ KERNEL + ramp * [0.3, 0.2, 0.1, 0.0, -0.1]
  return sizes.resize_aligned(logits, sizes.spatial_size(images))


def _resized(maps, size):
  """Bilinear, corners aligned."""
  axes = [np.linspace(0, n - 1, m) for n, m in zip(maps.shape[1:3], size)]
  grid = np.meshgrid(*axes, indexing='ij')
  return np.stack(
    [
      np.stack(
        [
          scipy.ndimage.map_coordinates(x[..., c], grid, order=1)
          for c in range(x.shape[-1])
        ],
        axis=-1,
      )
      for x in maps
    ]
  )


def _probabilities(images, size, is_flipped):
  if is_flipped:
    images = images[:, :, ::-1]
  logits = _forward(tf.constant(images, tf.float32)).numpy()
  if is_flipped:
    logits = logits[:, :, ::-1]
  return scipy.special.softmax(_resized(logits, size), axis=-1)


def _windowed(images, window, stride, is_flipped):
  size = images.shape[1:3]
  window = np.minimum(window, size)
  total, count = np.zeros([len(images), *size, 5]), np.zeros([*size, 1])
  starts = [
    sorted({min(s, n - w) for s in range(0, n, d)})
    for n, w, d in zip(size, window, stride)
  ]
  for top, left in itertools.product(*starts):
    place = np.s_[top : top + window[0], left : left + window[1]]
    total[:, *place] += _probabilities(images[:, *place], window, is_flipped)
    count[place] += 1
  return total / count


def _assert_predicts(config, expected):
  """Compares but for pixels where two classes are equally likely."""
  predict = tf.function(
    lambda images: inference.predict(_forward, images, 5, config),
    input_signature=[tf.TensorSpec([None, None, None, 3])],
  )
  found = predict(IMAGES).numpy()
  best = np.sort(expected, axis=-1)
  is_clear = best[..., -1] - best[..., -2] > 1e-4
  assert is_clear.mean() > 0.98
  np.testing.assert_array_equal(
    found[is_clear], expected.argmax(axis=-1)[is_clear]
  )
  assert len(np.unique(found)) > 2


def test_a_single_view():
  _assert_predicts(
    configs.EvalConfig(), _probabilities(IMAGES, IMAGES.shape[1:3], False)
  )


@pytest.mark.parametrize('use_flip', [False, True])
def test_logits_are_those_of_the_mean_probabilities(use_flip):
  config = configs.EvalConfig(use_flip=use_flip)
  found = inference.logits(_forward, tf.constant(IMAGES), 5, config)
  size = IMAGES.shape[1:3]
  flips = (False, True) if use_flip else (False,)
  expected = [_probabilities(IMAGES, size, is_flipped) for is_flipped in flips]
  np.testing.assert_allclose(
    tf.nn.softmax(found), np.mean(expected, axis=0), atol=1e-5
  )


def test_probabilities_are_averaged_over_scales_and_flips():
  scales, size = (0.5, 1.0, 1.75), IMAGES.shape[1:3]
  expected = np.mean(
    [
      _probabilities(
        _resized(IMAGES, [int((n - 1) * scale + 1) for n in size]), size, flip
      )
      for scale in scales
      for flip in (False, True)
    ],
    axis=0,
  )
  single = _probabilities(IMAGES, size, False)
  assert (single.argmax(-1) != expected.argmax(-1)).mean() > 0.02
  _assert_predicts(configs.EvalConfig(scales=scales, use_flip=True), expected)


@pytest.mark.parametrize(
  ('window', 'stride'),
  [
    ((9, 13), (9, 13)),
    ((9, 13), (4, 5)),
    ((40, 13), (1, 7)),
    ((99, 99), (9, 9)),
  ],
)
def test_probabilities_are_averaged_over_windows(window, stride):
  config = configs.EvalConfig(window_size=window, window_stride=stride)
  _assert_predicts(config, _windowed(IMAGES, window, stride, False))


def test_windows_scales_and_flips_together():
  window, stride, size = (9, 13), (5, 9), IMAGES.shape[1:3]
  expected = np.mean(
    [
      _resized(
        _windowed(
          _resized(IMAGES, [int((n - 1) * scale + 1) for n in size]),
          window,
          stride,
          flip,
        ),
        size,
      )
      for scale in (0.5, 1.25)
      for flip in (False, True)
    ],
    axis=0,
  )
  config = configs.EvalConfig(
    scales=(0.5, 1.25), use_flip=True, window_size=window, window_stride=stride
  )
  _assert_predicts(config, expected)


@pytest.mark.parametrize(
  ('length', 'window', 'stride', 'starts'),
  [
    (10, 4, 3, [0, 3, 6]),
    (11, 4, 3, [0, 3, 6, 7]),
    (4, 4, 1, [0]),
    (8, 4, 4, [0, 4]),
    (9, 4, 4, [0, 4, 5]),
  ],
)
def test_windows_begin_each_stride_and_end_with_the_picture(
  length, window, stride, starts
):
  assert inference.window_starts(length, window, stride).numpy().tolist() == (
    starts
  )


@pytest.mark.parametrize(
  ('size', 'expected'), [((21, 30), (14, 20)), ((9, 5), (20, 11))]
)
def test_pictures_have_the_longer_side_before_the_scales(size, expected):
  images = tf.constant(IMAGES[:, : size[0], : size[1]])
  seen = []

  def forward(pictures):
    seen.append(tuple(pictures.shape[1:3]))
    return _forward(pictures)

  config = configs.EvalConfig(long_side=20)
  found = inference.predict(forward, images, 5, config)
  assert seen == [expected]
  small = _resized(images.numpy(), expected)
  probabilities = _probabilities(small, size, is_flipped=False)
  np.testing.assert_array_equal(found, probabilities.argmax(axis=-1))


def test_a_longer_side_goes_with_scales_flips_and_windows():
  size, window, stride = IMAGES.shape[1:3], (9, 13), (5, 9)
  small = _resized(IMAGES, (14, 20))
  expected = np.mean(
    [
      _resized(
        _windowed(
          _resized(small, [int((n - 1) * scale + 1) for n in (14, 20)]),
          window,
          stride,
          flip,
        ),
        size,
      )
      for scale in (1.0, 1.25)
      for flip in (False, True)
    ],
    axis=0,
  )
  config = configs.EvalConfig(
    scales=(1.0, 1.25),
    use_flip=True,
    long_side=20,
    window_size=window,
    window_stride=stride,
  )
  _assert_predicts(config, expected)
