# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""From one encoded example to one crop, as a pure function of random numbers.

Augmentation is DeepLab's (Chen et al., 2018): a random scale, a random crop
that is padded where the scaled picture ends (at the right and the lower
border), a random flip. Colour jitter, a small rotation and crops placed on rare
classes are ours, and off by default.

The order of work is another one: the window that the crop will show is cut out
of the source first, so that only its pixels are decoded (JPEG) and resized.
Pixels are bytes but for the resize itself: each pass over a float32 crop costs
as much as a tenth of the decoding.
"""

from typing import NamedTuple

import tensorflow as tf

from auto_deeplab.configs import InputConfig
from auto_deeplab.data import datasets
from auto_deeplab.data.input import addons

# Padding of images: the mean of DeepLab, 127.5, as a byte. 0.004 once
# normalised.
MEAN_PIXEL = 128


class Draws(NamedTuple):
  """The random numbers of one example, float32 [] in [0, 1).

  The order is that of `draw`; what is new comes last, and changes nothing of
  what a seed gave before.

  Attributes:
    scale: picks the scale.
    top: places the crop vertically.
    left: places the crop horizontally.
    flip: decides whether to flip.
    rotation: picks the angle.
    hue: picks the turn of the hue.
    saturation: picks the factor of the saturation.
    brightness: picks the factor of the brightness.
    balance: decides whether the crop is placed on a class.
    target_class: picks that class.
    target_pixel: picks a pixel of it.
  """

  scale: tf.Tensor
  top: tf.Tensor
  left: tf.Tensor
  flip: tf.Tensor
  rotation: tf.Tensor
  hue: tf.Tensor
  saturation: tf.Tensor
  brightness: tf.Tensor
  balance: tf.Tensor
  target_class: tf.Tensor
  target_pixel: tf.Tensor


class View(NamedTuple):
  """What a crop shows of its picture. All int32, (height, width) in pixels.

  Attributes:
    offset: upper left corner of the window in the source picture.
    window: size of the window, within the picture.
    scaled: size of the window once resized; at most the crop's size, and less
      where the crop shows padding.
    is_flipped: bool [], whether left and right change places.
  """

  offset: tf.Tensor
  window: tf.Tensor
  scaled: tf.Tensor
  is_flipped: tf.Tensor


def draw(stream: int, position: tf.Tensor) -> Draws:
  """Draws the random numbers of one example.

  Args:
    stream: number of the random stream.
    position: int64 [], place of the example in the stream.
  """
  seed = tf.stack([tf.constant(stream, tf.int64), position])
  count = len(Draws._fields)
  numbers = tf.random.stateless_uniform([count], seed, alg='philox')
  return Draws(*tf.unstack(numbers))


def augment(
  example: dict[str, tf.Tensor], draws: Draws, config: InputConfig
) -> dict[str, tf.Tensor]:
  """Decodes, scales, crops and flips one example.

  Args:
    example: as `tfrecord.parse_example` returns it.
    draws: its random numbers.
    config: what to draw from.

  Returns:
    {'image': uint8 [height, width, 3], 'label': uint8 [height, width]}.
  """
  label = decode_label(example['label'])
  target = None
  if config.class_balance:
    target = choose_target(label, draws, config)
  view = choose_view(example['size'], draws, config, target)
  image = _decode_window(example['image'], view)
  if config.has_color_jitter:
    image = _jitter(image, draws, config)
  image = render_image(image, view, config.crop_size)
  label = render_label(_cut(label, view), view, config.crop_size)
  if config.max_rotation:
    angle = _between(draws.rotation, config.max_rotation)
    image = addons.rotate(image, angle, MEAN_PIXEL, 'bilinear')
    label = addons.rotate(label, angle, datasets.IGNORE_LABEL, 'nearest')
  return {'image': image, 'label': label}


# Choosing --------------------------------------------------------------------


def choose_view(
  size: tf.Tensor,
  draws: Draws,
  config: InputConfig,
  target: tf.Tensor | None = None,
) -> View:
  """Chooses what a crop shows.

  A crop at scale s shows crop_size / s pixels of the source, rounded to whole
  ones. So the crop equals the scaled picture's up to that rounding of s (less
  than half a source pixel a crop) and up to its outermost half source pixel,
  where resizing does not look beyond the window.

  Args:
    size: int32 [2], (height, width) of the source picture.
    draws: random numbers.
    config: what to draw from.
    target: int32 [2], (y, x) of a pixel that the window has to hold; if
      negative, or None, it may lie anywhere.
  """
  crop_size = tf.constant(config.crop_size, tf.float32)
  size = tf.cast(size, tf.float32)
  scale = _choose_scale(draws.scale, config)
  if config.long_side:
    scale *= config.long_side / tf.reduce_max(size)
  wanted = tf.maximum(tf.round(crop_size / scale), 1)
  window = tf.minimum(wanted, size)
  first, last = tf.zeros(2), size - window
  if target is not None:
    pixel = tf.cast(target, tf.float32)
    is_bound = pixel >= 0
    first = tf.where(is_bound, tf.maximum(pixel - window + 1, 0), first)
    last = tf.where(is_bound, tf.minimum(pixel, last), last)
  place = tf.stack([draws.top, draws.left])
  # float32 may round up to the number of places.
  offset = tf.minimum(first + tf.floor(place * (last - first + 1)), last)
  scaled = tf.maximum(tf.round(window * crop_size / wanted), 1)
  return View(
    offset=tf.cast(offset, tf.int32),
    window=tf.cast(window, tf.int32),
    scaled=tf.cast(scaled, tf.int32),
    is_flipped=draws.flip < config.flip_probability,
  )


def choose_target(
  label: tf.Tensor, draws: Draws, config: InputConfig
) -> tf.Tensor:
  """Chooses a pixel that the crop has to show, so that rare classes are seen.

  First whether at all, then one of the classes that the picture has, all with
  the same probability, then one of its pixels. As that depends on the picture
  alone, it needs no table of the data set, and a stream may still start
  anywhere.

  Args:
    label: uint8 [height, width].
    draws: random numbers.
    config: of which `class_balance` counts.

  Returns:
    int32 [2], (y, x); (-1, -1) if any crop will do.
  """
  is_present = tf.math.bincount(tf.cast(label, tf.int32), minlength=256) > 0
  classes = tf.where(is_present[: datasets.IGNORE_LABEL])[:, 0]
  return tf.cond(
    (draws.balance < config.class_balance) & (tf.size(classes) > 0),
    lambda: _pick_pixel(label == _pick_class(classes, draws), draws),
    lambda: tf.constant([-1, -1]),
  )


def _pick_class(classes: tf.Tensor, draws: Draws) -> tf.Tensor:
  return tf.cast(classes[_pick(draws.target_class, tf.size(classes))], tf.uint8)


def _pick_pixel(mask: tf.Tensor, draws: Draws) -> tf.Tensor:
  """Returns one of the pixels that are true, each as likely, int32 [2]."""
  # First its row, so that not the places of all of them are written down.
  ends = tf.cumsum(tf.math.count_nonzero(mask, axis=1, dtype=tf.int32))
  number = _pick(draws.target_pixel, ends[-1])
  row = tf.searchsorted(ends, number[tf.newaxis], side='right')[0]
  columns = tf.where(mask[row])[:, 0]
  column = columns[number - ends[row]]  # Counted from the end of the row.
  return tf.stack([row, tf.cast(column, tf.int32)])


def _pick(random: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
  """Returns one of 0..count-1, int32 []."""
  number = tf.cast(random * tf.cast(count, tf.float32), tf.int32)
  return tf.minimum(number, count - 1)  # float32 may round up.


def _choose_scale(random: tf.Tensor, config: InputConfig) -> tf.Tensor:
  if config.scale_step == 0:
    return config.min_scale + random * (config.max_scale - config.min_scale)
  span = (config.max_scale - config.min_scale) / config.scale_step
  num_steps = int(span + 1e-6) + 1
  step = tf.minimum(tf.floor(random * num_steps), num_steps - 1)
  return config.min_scale + step * config.scale_step


def _between(random: tf.Tensor, limit: float) -> tf.Tensor:
  """Maps [0, 1) to [-limit, limit)."""
  return (2 * random - 1) * limit


# Rendering -------------------------------------------------------------------


def render_image(
  window: tf.Tensor, view: View, crop_size: tuple[int, int]
) -> tf.Tensor:
  """Resizes a window bilinearly and pads it with the mean.

  Args:
    window: uint8 [height, width, 3].
    view: what it is to show.
    crop_size: (height, width) of the crop.

  Returns:
    uint8 [height, width, 3].
  """
  window = tf.cond(
    view.is_flipped, lambda: tf.reverse(window, axis=[1]), lambda: window
  )
  # From float32, for from bytes the resize takes twice as long. The half makes
  # a rounding of the cast; it passes the resize unchanged, and most windows are
  # smaller than their crop.
  pixels = tf.image.resize(tf.cast(window, tf.float32) + 0.5, view.scaled)
  return _pad(tf.cast(pixels, tf.uint8), view, crop_size, MEAN_PIXEL)


def render_label(
  window: tf.Tensor, view: View, crop_size: tuple[int, int]
) -> tf.Tensor:
  """Resizes a window of labels to the nearest ones; pads with the ignore label.

  Args:
    window: uint8 [height, width].
    view: what it is to show.
    crop_size: (height, width) of the crop.

  Returns:
    uint8 [height, width].
  """
  # Rows are copied as a whole, so columns are picked as rows of the transpose:
  # ten times as fast as tf.image.resize, with the same result.
  rows = _nearest(view.window[0], view.scaled[0])
  columns = _nearest(view.window[1], view.scaled[1])
  columns = tf.where(view.is_flipped, columns[::-1], columns)
  pixels = tf.transpose(tf.gather(tf.transpose(window), columns))
  pixels = tf.gather(pixels, rows)
  return _pad(pixels, view, crop_size, datasets.IGNORE_LABEL)


def _nearest(source: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
  """Returns the source pixel under the centre of each target pixel.

  Args:
    source: int32 [], number of source pixels.
    target: int32 [], number of target pixels.
  """
  ratio = tf.cast(source, tf.float32) / tf.cast(target, tf.float32)
  centers = tf.range(tf.cast(target, tf.float32)) + 0.5
  return tf.minimum(tf.cast(centers * ratio, tf.int32), source - 1)


def _pad(
  pixels: tf.Tensor, view: View, crop_size: tuple[int, int], value: int
) -> tf.Tensor:
  """Pads below and to the right, or to the left of what is flipped."""
  height = view.scaled[0]
  below, beside = tf.unstack(crop_size - view.scaled)
  left = tf.where(view.is_flipped, beside, 0)

  def fill(height: tf.Tensor, width: tf.Tensor | int) -> tf.Tensor:
    shape = [height, width, *pixels.shape[2:]]
    return tf.fill(shape, tf.constant(value, tf.uint8))

  def pad() -> tf.Tensor:
    # tf.pad of bytes takes longer than the decoding of a small picture.
    middle = [fill(height, left), pixels, fill(height, beside - left)]
    rows = [tf.concat(middle, axis=1), fill(below, crop_size[1])]
    return tf.concat(rows, axis=0)

  padded = tf.cond(below + beside > 0, pad, lambda: pixels)
  return tf.ensure_shape(padded, (*crop_size, *pixels.shape[2:]))


def _jitter(image: tf.Tensor, draws: Draws, config: InputConfig) -> tf.Tensor:
  return addons.adjust_colors(
    image,
    hue=_between(draws.hue, config.hue_jitter),
    saturation=1 + _between(draws.saturation, config.saturation_jitter),
    brightness=1 + _between(draws.brightness, config.brightness_jitter),
  )


# Decoding --------------------------------------------------------------------


def decode_image(encoded: tf.Tensor) -> tf.Tensor:
  """Returns uint8 [height, width, 3]."""
  # The accurate transform is the one of Pillow, hence of the client.
  return tf.cond(
    tf.io.is_jpeg(encoded),
    lambda: tf.io.decode_jpeg(encoded, 3, dct_method='INTEGER_ACCURATE'),
    lambda: tf.io.decode_png(encoded, 3),
  )


def decode_label(encoded: tf.Tensor) -> tf.Tensor:
  """Returns uint8 [height, width]."""
  return tf.io.decode_png(encoded, 1)[:, :, 0]


def _decode_window(encoded: tf.Tensor, view: View) -> tf.Tensor:
  """Returns the window of an image, uint8 [height, width, 3].

  Of a JPEG only the window is decoded; its outermost pixels may differ by a few
  units from those of the whole picture, as colours there are interpolated.
  """
  box = tf.concat([view.offset, view.window], axis=0)
  return tf.cond(
    tf.io.is_jpeg(encoded),
    lambda: tf.io.decode_and_crop_jpeg(
      encoded, box, 3, dct_method='INTEGER_ACCURATE'
    ),
    lambda: _cut(tf.io.decode_png(encoded, 3), view),
  )


def _cut(pixels: tf.Tensor, view: View) -> tf.Tensor:
  top, left = tf.unstack(view.offset)
  bottom, right = tf.unstack(view.offset + view.window)
  return pixels[top:bottom, left:right]
