# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures of many sizes on canvases of few, with the same answers."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.serving import module
from tests.serving import tiny_segmenter

# Where the maps of `real_segmenter` nest.
STRIDE = 16
CONFIG = configs.ServingConfig(canvas_steps=2, max_pixels=40_000)


@pytest.fixture(scope='module')
def served(real_segmenter):
  return module.ServingModule(
    real_segmenter, tiny_segmenter.DATASET_INFO, CONFIG
  )


@pytest.mark.parametrize(
  'steps, sides',
  [
    (1, [33, 65, 129, 257, 513]),
    (2, [33, 65, 97, 129, 193, 257, 385, 513]),
    (3, [33, 65, 97, 129, 193, 225, 257, 353, 449, 513]),
    (4, [33, 65, 97, 129, 161, 193, 225, 257, 321, 385, 449, 513]),
  ],
)
def test_sides_double_in_equal_steps_where_those_nest(steps, sides):
  config = configs.ServingConfig(canvas_steps=steps)
  found = module.canvas_sides(32, config)
  assert found[: len(sides)] == sides


@pytest.mark.parametrize('max_pixels', [1, 16, 33, 1000, 2**24, 2**30])
@pytest.mark.parametrize('steps', [1, 2, 4, 2**10])
def test_the_longest_picture_fits(steps, max_pixels):
  config = configs.ServingConfig(canvas_steps=steps, max_pixels=max_pixels)
  longest = module.canvas_sides(STRIDE, config)[-1]
  assert max_pixels <= longest < 2**31


@pytest.mark.parametrize(
  'shape', [(1, 1, 1), (2, 33, 33), (1, 34, 65), (1, 100, 7), (1, 1, 200)]
)
def test_answers_are_those_of_the_model(served, real_segmenter, shape):
  images = np.random.default_rng(0).integers(0, 256, [*shape, 3], np.uint8)
  logits = real_segmenter(tf.constant(images), training=False)
  found = served.probabilities(tf.constant(images))['probabilities']
  assert found.shape[:3] == shape
  np.testing.assert_allclose(found, tf.nn.softmax(logits), atol=1e-5)


def test_convolutions_meet_few_sizes(real_segmenter, monkeypatch):
  """Of 49 sizes of pictures, those of the nine canvases that hold them."""
  met = set()
  endpoints = type(real_segmenter).endpoints

  def noting(self, images, **options):
    tf.py_function(
      lambda shape: met.add(tuple(shape.numpy().tolist())),
      [tf.shape(images)[1:3]],
      [],
    )
    return endpoints(self, images, **options)

  monkeypatch.setattr(type(real_segmenter), 'endpoints', noting)
  noted = module.ServingModule(
    real_segmenter, tiny_segmenter.DATASET_INFO, CONFIG
  )
  for height in range(18, 60, 6):
    for width in range(18, 60, 6):
      noted.labels(tf.zeros([1, height, width, 3], tf.uint8))
  sides = (33, 49, 65)
  assert met == {(height, width) for height in sides for width in sides}


def test_steps_are_no_fewer_than_none():
  with pytest.raises(
    ValueError,
    match=r'`ServingConfig.canvas_steps` \(-1\) must be at least 0\.',
  ):
    configs.ServingConfig(canvas_steps=-1)
