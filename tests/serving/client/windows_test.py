# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Windows of a picture give the labels of the whole."""

import dataclasses

import numpy as np
import pytest

from auto_deeplab.serving import client
from auto_deeplab.serving.client import windows


@pytest.mark.parametrize('length', [1, 64, 65, 66, 97, 130, 200, 1001])
@pytest.mark.parametrize('window, overlap', [(65, 0), (65, 16), (97, 30)])
def test_spans_own_each_pixel_once_and_overlap(length, window, overlap):
  found = windows.spans(length, window, overlap, 16)
  owned = [n for s in found for n in range(s.own_start, s.own_stop)]
  assert owned == list(range(length))
  for span in found:
    assert span.start % 16 == 0
    assert 0 < span.stop - span.start <= window
    assert span.start == 0 or span.own_start - span.start >= overlap
    assert span.stop == length or span.stop - span.own_stop >= overlap


def test_a_window_without_room_of_its_own_is_refused():
  with pytest.raises(
    ValueError,
    match='a window of 65 pixels is too small: each needs 25 at either side, '
    'and 16 of its own besides',
  ):
    windows.spans(100, 65, 25, 16)


@dataclasses.dataclass
class Blurred:
  """Labels each pixel by the mean around it, and by that of the picture.

  What it pools has a place each four pixels.
  """

  parts: client.Rule
  max_pixels: int = 10_000

  def features(self, image):
    return image[::4, ::4].astype(np.float32)

  def predict(self, image, *, context=None):
    if context is None:
      context = self.features(image).mean(axis=(0, 1))
    grey = np.pad(image.mean(-1), 8)
    height, width = image.shape[:2]
    around = sum(
      grey[top : top + height, left : left + width]
      for top in (0, 8, 16)
      for left in (0, 8, 16)
    )
    return client.Prediction((around / 9 > context.mean()).astype(np.uint8))


class Whole:
  """A picture in memory."""

  def __init__(self, pixels):
    self.pixels = pixels
    self.size = pixels.shape[:2]

  def read(self, top, left, bottom, right):
    return self.pixels[top:bottom, left:right]


@pytest.fixture
def pixels():
  generator = np.random.default_rng(0)
  ramp = np.linspace(0, 200, 150)[:, np.newaxis, np.newaxis]
  return (ramp + generator.integers(0, 50, [150, 93, 3])).astype(np.uint8)


@pytest.mark.parametrize('window', [33, 65, 97])
def test_labels_are_those_of_the_whole(pixels, window):
  model = Blurred(client.Rule(alignment=8, overlap=8, features_stride=4))
  found = client.predict_windows(model, Whole(pixels), window)
  np.testing.assert_array_equal(found, model.predict(pixels).labels)


def test_without_context_each_window_pools_over_itself(pixels):
  model = Blurred(client.Rule(alignment=8, overlap=8))
  found = client.predict_windows(model, Whole(pixels), 33)
  assert (found != model.predict(pixels).labels).any()


def test_a_window_beyond_the_models_limit_is_refused(pixels):
  model = Blurred(client.Rule(), max_pixels=10_000)
  with pytest.raises(ValueError, match='101x101 pixels are too many'):
    client.predict_windows(model, Whole(pixels), 101)


def test_labels_of_a_network_are_those_of_the_whole(real_model_dir):
  """Windows that overlap by less than its head reaches differ in a few."""
  image = np.random.default_rng(1).integers(0, 256, [150, 190, 3], np.uint8)
  model = client.SavedModelClient(real_model_dir)
  assert model.parts == client.Rule(16, 320, 16)
  whole = model.predict(image).labels
  mean = model.features(image).mean(axis=(0, 1))
  told = model.predict(image, context=mean).labels
  np.testing.assert_array_equal(told, whole)
  model.parts = dataclasses.replace(model.parts, overlap=32)
  found = client.predict_windows(model, Whole(image), 129)
  assert (found == whole).mean() > 0.95
  assert (model.predict(image, context=mean + 9).labels != whole).any()
