# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Colours that leave their range stop at its end."""

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
