# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the package takes from tensorflow-addons, whose development has ended.

Only this file imports it: whoever replaces it needs to look no further.
"""

import math
import warnings

import tensorflow as tf

with warnings.catch_warnings():
  # That its development has ended, and that nobody has tried it with this
  # TensorFlow; the tests of the augmentation do.
  warnings.simplefilter('ignore', UserWarning)
  import tensorflow_addons as tfa


def rotate(
  pixels: tf.Tensor,
  degrees: tf.Tensor,
  fill_value: int,
  interpolation: str,
) -> tf.Tensor:
  """Turns a picture about its centre, counterclockwise.

  Args:
    pixels: uint8 [height, width, channels] or [height, width].
    degrees: float32 [], the angle.
    fill_value: of what comes in from beyond the border.
    interpolation: 'nearest' or 'bilinear'.

  Returns:
    Of the shape and type of `pixels`.
  """
  turned = tfa.image.rotate(
    pixels,
    degrees * (math.pi / 180),
    interpolation=interpolation,
    fill_value=float(fill_value),
  )
  return tf.ensure_shape(turned, pixels.shape)


def adjust_colors(
  image: tf.Tensor,
  *,
  hue: tf.Tensor,
  saturation: tf.Tensor,
  brightness: tf.Tensor,
) -> tf.Tensor:
  """Changes the colours of a picture, linearly in YIQ.

  Args:
    image: uint8 [height, width, 3], RGB.
    hue: angle in degrees by which the hue turns.
    saturation: factor of both colour channels.
    brightness: factor of all three channels.

  Returns:
    uint8 [height, width, 3]; what leaves 0..255 is clipped.
  """
  # As floats: of bytes it lets what leaves their range begin anew at the other
  # end of it.
  changed = tf.image.convert_image_dtype(image, tf.float32)
  with warnings.catch_warnings():
    # Of a version of tensorflow-addons that never came.
    warnings.simplefilter('ignore', DeprecationWarning)
    changed = tfa.image.adjust_hsv_in_yiq(
      changed, hue * (math.pi / 180), saturation, brightness
    )
  return tf.image.convert_image_dtype(changed, tf.uint8, saturate=True)
