# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the package takes from tensorflow-addons, whose development has ended.

Only this file imports it. No TensorFlow beyond 2.15 can load it: there, and
where it is not installed, the same is computed by TensorFlow's own operations,
equal but for roundings.
"""

import importlib.util
import math
import warnings

from absl import logging
import tensorflow as tf

from auto_deeplab import environment

_IS_LOADABLE = environment.tensorflow_version() == '2.15'
# Looked for, not tried: where it is, it is to be loaded or to fail.
HAS_ADDONS = (
  _IS_LOADABLE and importlib.util.find_spec('tensorflow_addons') is not None
)

if HAS_ADDONS:
  with warnings.catch_warnings():
    # That its development has ended, and that nobody has tried it with this
    # TensorFlow; the tests of the augmentation do.
    warnings.simplefilter('ignore', UserWarning)
    import tensorflow_addons as tfa

# NTSC's RGB to YIQ, row by row of R, G, B, and back.
_TO_YIQ = (
  (0.299, 0.596, 0.211),
  (0.587, -0.274, -0.523),
  (0.114, -0.322, 0.312),
)
_FROM_YIQ = (
  (1.0, 1.0, 1.0),
  (0.95617069, -0.2726886, -1.103744),
  (0.62143257, -0.64681324, 1.70062309),
)


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
  angle = degrees * (math.pi / 180)
  if HAS_ADDONS:
    turned = tfa.image.rotate(
      pixels,
      angle,
      interpolation=interpolation,
      fill_value=float(fill_value),
    )
  else:
    turned = rotate_without_addons(pixels, angle, fill_value, interpolation)
  return tf.ensure_shape(turned, pixels.shape)


def rotate_without_addons(
  pixels: tf.Tensor, angle: tf.Tensor, fill_value: int, interpolation: str
) -> tf.Tensor:
  """Does what `rotate` does, by an angle in radians."""
  _say_that_it_is_missed()
  size = tf.shape(pixels)[:2]
  # Of the last pixel: the centre, which stays, lies halfway.
  y, x = tf.unstack(tf.cast(size - 1, tf.float32))
  cos, sin = tf.cos(angle), tf.sin(angle)
  # Whence each pixel comes, in homogeneous coordinates.
  to_source = [
    *(cos, -sin, (x - (cos * x - sin * y)) / 2),
    *(sin, cos, (y - (sin * x + cos * y)) / 2),
    *(0.0, 0.0),
  ]
  turned = tf.raw_ops.ImageProjectiveTransformV3(
    images=tf.reshape(pixels, [1, size[0], size[1], -1]),
    transforms=tf.stack(to_source)[tf.newaxis],
    output_shape=size,
    fill_value=float(fill_value),
    interpolation=interpolation.upper(),
    fill_mode='CONSTANT',
  )
  return tf.reshape(turned, tf.shape(pixels))


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
  angle = hue * (math.pi / 180)
  # As floats: of bytes addons lets what leaves their range begin anew at the
  # other end of it.
  floats = tf.image.convert_image_dtype(image, tf.float32)
  if HAS_ADDONS:
    with warnings.catch_warnings():
      # Of a version of tensorflow-addons that never came.
      warnings.simplefilter('ignore', DeprecationWarning)
      changed = tfa.image.adjust_hsv_in_yiq(
        floats, angle, saturation, brightness
      )
  else:
    changed = adjust_without_addons(floats, angle, saturation, brightness)
  return tf.image.convert_image_dtype(changed, tf.uint8, saturate=True)


def adjust_without_addons(
  image: tf.Tensor,
  angle: tf.Tensor,
  saturation: tf.Tensor,
  brightness: tf.Tensor,
) -> tf.Tensor:
  """Does what `adjust_colors` does: floats, and an angle in radians."""
  _say_that_it_is_missed()
  both = brightness * saturation
  cos, sin = both * tf.cos(angle), both * tf.sin(angle)
  zero = tf.zeros_like(cos)
  change = [
    [brightness + zero, zero, zero],
    [zero, cos, sin],
    [zero, -sin, cos],
  ]
  matrix = tf.constant(_TO_YIQ) @ tf.stack(change) @ tf.constant(_FROM_YIQ)
  return image @ matrix


def _say_that_it_is_missed() -> None:
  """Says once that other roundings than those of addons are to be expected."""
  if _IS_LOADABLE and not HAS_ADDONS:
    logging.log_first_n(
      logging.WARNING,
      'tensorflow-addons is not installed: pictures are turned and recoloured '
      "by TensorFlow's own operations, equal but for roundings.",
      1,
    )
