# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Colours stop at the end of their range; all is the same without addons."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.data.input import addons

IMAGE = np.random.default_rng(0).integers(0, 256, [40, 50, 3], np.uint8)


def _adjusted(hue=0.0, saturation=1.0, brightness=1.0) -> np.ndarray:
  values = {'hue': hue, 'saturation': saturation, 'brightness': brightness}
  adjusted = addons.adjust_colors(
    tf.constant(IMAGE), **{k: tf.constant(v) for k, v in values.items()}
  )
  return adjusted.numpy()


@pytest.mark.parametrize('brightness', [0.0, 0.5, 1.0, 1.7, 3.0])
def test_brightness_stops_at_white(brightness):
  expected = np.clip(IMAGE * brightness, 0, 255)
  found = _adjusted(brightness=brightness).astype(float)
  np.testing.assert_allclose(found, expected, atol=1)


def test_saturation_and_hue_stop_at_the_ends():
  yiq = np.array(
    [[0.299, 0.596, 0.211], [0.587, -0.274, -0.523], [0.114, -0.322, 0.312]]
  )
  for hue, saturation in ((0.0, 2.0), (90.0, 1.0), (-160.0, 1.9)):
    cos, sin = (f(np.deg2rad(hue)) * saturation for f in (np.cos, np.sin))
    turn = np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])
    exact = IMAGE @ yiq @ turn @ np.linalg.inv(yiq)
    found = _adjusted(hue, saturation).astype(float)
    np.testing.assert_allclose(found, np.clip(exact, 0, 255), atol=1)
    assert np.any((exact < -5) | (exact > 260))


needs_addons = pytest.mark.skipif(
  not addons.HAS_ADDONS, reason='tensorflow-addons is not here'
)


@needs_addons
@pytest.mark.parametrize('size', [(1, 1), (1, 7), (13, 1), (31, 46)])
@pytest.mark.parametrize('degrees', [0.0, 30.0, -72.7, 90.0, 179.0])
def test_without_addons_turns_are_the_same(size, degrees):
  pixels = tf.constant(IMAGE[: size[0], : size[1]])
  angle = tf.constant(degrees)
  for kind, picture in (('bilinear', pixels), ('nearest', pixels[..., 0])):
    turned = addons.rotate_without_addons(
      picture, angle * (np.pi / 180), 7, kind
    )
    expected = addons.rotate(picture, angle, 7, kind)
    np.testing.assert_array_equal(turned, expected)


@needs_addons
@pytest.mark.parametrize('hue', [0.0, 17.0, -155.0])
@pytest.mark.parametrize('saturation', [0.0, 1.0, 1.9])
@pytest.mark.parametrize('brightness', [0.2, 1.7])
def test_without_addons_colours_are_the_same(
  monkeypatch, hue, saturation, brightness
):
  expected = _adjusted(hue, saturation, brightness)
  monkeypatch.setattr(addons, 'HAS_ADDONS', False)
  found = _adjusted(hue, saturation, brightness)
  difference = np.abs(found.astype(int) - expected)
  # Where a value lies between two grey levels the last bit decides.
  assert difference.max() <= 1
  assert np.mean(difference > 0) < 1e-3


# As if it had never been installed.
_PROGRAM = """
import sys
sys.modules['tensorflow_addons'] = None
import importlib.util
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *args: (
  None if name == 'tensorflow_addons' else find_spec(name, *args)
)
import tensorflow as tf
from auto_deeplab.data.input import addons
image = tf.zeros([4, 4, 3], tf.uint8)
for _ in range(2):
  for value in (0.5, 1.0):
    addons.rotate(image, tf.constant(value), 0, 'nearest')
    addons.adjust_colors(
      image, hue=value, saturation=tf.constant(value), brightness=value
    )
"""


@needs_addons
def test_that_addons_is_missed_is_said_once():
  done = subprocess.run(
    [sys.executable, '-c', _PROGRAM],
    capture_output=True,
    text=True,
    check=True,
  )
  assert done.stderr.count('tensorflow-addons is not installed') == 1
