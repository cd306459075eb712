# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""From pictures to classes as papers do it: scales, flips, sliding windows.

Probabilities, not logits, are averaged over scales, flips and windows, as
DeepLab does, and at the picture's own size. Sizes and resizing align corners,
as the network itself, which pads what it is given to a size at which its maps
nest: each scale, and each window.
"""

from collections.abc import Callable
import itertools

import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.model.ops import sizes

# Normalised images [n, h, w, 3] -> logits [n, h, w, classes].
Forward = Callable[[tf.Tensor], tf.Tensor]


def predict(
  forward: Forward,
  images: tf.Tensor,
  num_classes: int,
  config: configs.EvalConfig,
) -> tf.Tensor:
  """Returns the likeliest class of each pixel, int32 `[n, h, w]`.

  Args:
    forward: the network.
    images: float32 `[n, h, w, 3]`, normalised.
    num_classes: channels of the logits.
    config: scales, flips and windows.
  """
  scores = _scores(forward, images, num_classes, config)
  return tf.argmax(scores, axis=-1, output_type=tf.int32)


def logits(
  forward: Forward,
  images: tf.Tensor,
  num_classes: int,
  config: configs.EvalConfig,
) -> tf.Tensor:
  """Returns what softmax makes the probabilities of, `[n, h, w, classes]`.

  Of several views they are the mean ones, whose logarithms these are.

  Args:
    forward: the network.
    images: float32 `[n, h, w, 3]`, normalised.
    num_classes: channels of the logits.
    config: scales, flips and windows.
  """
  scores = _scores(forward, images, num_classes, config)
  if _is_single_view(config):
    return scores
  return tf.math.log(scores / len(_views(config)))


def _scores(
  forward: Forward,
  images: tf.Tensor,
  num_classes: int,
  config: configs.EvalConfig,
) -> tf.Tensor:
  """Returns what is largest for the likeliest class, `[n, h, w, classes]`.

  The sum of probabilities; of a single view the logits, which have the same
  order.
  """
  size = sizes.spatial_size(images)
  pictures = images
  if config.long_side:
    pictures = _at_long_side(images, config.long_side)
  if _is_single_view(config):
    scores = forward(pictures)
    # Without unlike sizes there is nothing to resize, which no graph can see.
    return sizes.resize_aligned(scores, size) if config.long_side else scores
  views = _views(config)
  scales, flips = (tf.constant(v) for v in zip(*views))

  def add_view(index, total):
    scaled = _scaled(pictures, scales[index])
    view = _flipping(forward, flips[index])
    return index + 1, total + _probabilities(
      view, scaled, size, num_classes, config
    )

  # A loop, so that the network is in the graph once and one view's activations
  # are in memory at a time.
  shape = tf.concat([tf.shape(images)[:3], [num_classes]], axis=0)
  _, total = tf.while_loop(
    lambda index, _: index < len(views),
    add_view,
    (0, tf.zeros(shape)),
    shape_invariants=(
      tf.TensorShape([]),
      images.shape[:3].concatenate(num_classes),
    ),
    parallel_iterations=1,
  )
  return total


def _at_long_side(images: tf.Tensor, long_side: int) -> tf.Tensor:
  """Resizes pictures so that the longer side has that many pixels."""
  size = tf.cast(tf.shape(images)[1:3], tf.float32)
  size = tf.round(size * (long_side / tf.reduce_max(size)))
  # The shorter side of a thin picture would be rounded to nothing.
  size = tf.maximum(tf.cast(size, tf.int32), 1)
  return sizes.resize_aligned(images, tf.unstack(size))


def _views(config: configs.EvalConfig) -> list[tuple[float, bool]]:
  """Returns scale and mirroring of each."""
  flips = (False, True) if config.use_flip else (False,)
  return list(itertools.product(config.scales, flips))


def _is_single_view(config: configs.EvalConfig) -> bool:
  return _views(config) == [(1.0, False)] and config.window_size is None


def _scaled(images: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
  """Resizes pictures, n pixels to (n - 1) * scale + 1 as DeepLab does."""
  size = tf.cast(tf.shape(images)[1:3], tf.float32)
  size = tf.cast((size - 1) * scale, tf.int32) + 1
  return sizes.resize_aligned(images, tf.unstack(size))


def _flipping(forward: Forward, is_flipped: tf.Tensor) -> Forward:
  """Returns the network as a mirror shows it, if asked."""

  def flip(x: tf.Tensor) -> tf.Tensor:
    return tf.cond(is_flipped, lambda: tf.reverse(x, [2]), lambda: x)

  return lambda images: flip(forward(flip(images)))


def _probabilities(
  forward: Forward,
  images: tf.Tensor,
  size,
  num_classes: int,
  config: configs.EvalConfig,
) -> tf.Tensor:
  """Returns the probabilities of scaled pictures, resized to `size`."""
  if config.window_size is None or config.window_stride is None:
    return _softmax(sizes.resize_aligned(forward(images), size))
  mean = _window_mean(
    forward, images, num_classes, config.window_size, config.window_stride
  )
  return sizes.resize_aligned(mean, size)


def _softmax(logits: tf.Tensor) -> tf.Tensor:
  return tf.nn.softmax(tf.cast(logits, tf.float32))


# Sliding window --------------------------------------------------------------


def _window_mean(
  forward: Forward,
  images: tf.Tensor,
  num_classes: int,
  window_size: tuple[int, int],
  window_stride: tuple[int, int],
) -> tf.Tensor:
  """Returns probabilities, averaged over the windows that hold a pixel."""
  shape = tf.shape(images)
  # A picture smaller than the window is one window.
  window = tf.minimum(shape[1:3], window_size)
  starts = [
    window_starts(shape[i + 1], window[i], window_stride[i]) for i in range(2)
  ]
  corners = tf.reshape(
    tf.stack(tf.meshgrid(*starts, indexing='ij'), axis=-1), [-1, 2]
  )

  def add_window(index, total):
    top, left = tf.unstack(corners[index])
    crop = images[:, top : top + window[0], left : left + window[1]]
    probabilities = _softmax(forward(crop))
    return index + 1, _add_at(total, probabilities, corners[index])

  # Pictures last but one, for `_add_at`.
  total_shape = tf.stack([shape[1], shape[2], shape[0], num_classes])
  _, total = tf.while_loop(
    lambda index, _: index < tf.shape(corners)[0],
    add_window,
    (0, tf.zeros(total_shape)),
    shape_invariants=(
      tf.TensorShape([]),
      tf.TensorShape([None, None, None, num_classes]),
    ),
    parallel_iterations=1,
  )
  coverage = [_coverage(starts[i], window[i], shape[i + 1]) for i in range(2)]
  counts = coverage[0][:, tf.newaxis] * coverage[1]
  return tf.transpose(total / counts[..., tf.newaxis, tf.newaxis], [2, 0, 1, 3])


def window_starts(
  length: tf.Tensor, window: tf.Tensor, stride: int
) -> tf.Tensor:
  """Returns where windows begin along an axis, int32, ascending.

  The last one ends where the picture ends, if closer to the one before it than
  the stride.

  Args:
    length: int32 scalar, pixels of the picture.
    window: int32 scalar, pixels of the window, at most `length`.
    stride: pixels from one to the next, at most `window`.
  """
  last = length - window
  return tf.minimum(tf.range(0, last + stride, stride), last)


def _add_at(total: tf.Tensor, values: tf.Tensor, corner: tf.Tensor):
  """Adds `[n, h, w, c]` to a part of `[H, W, n, c]`, in place where it can."""
  rows, columns = tf.shape(values)[1], tf.shape(values)[2]
  indices = tf.stack(
    tf.meshgrid(
      corner[0] + tf.range(rows), corner[1] + tf.range(columns), indexing='ij'
    ),
    axis=-1,
  )
  return tf.tensor_scatter_nd_add(
    total, indices, tf.transpose(values, [1, 2, 0, 3])
  )


def _coverage(starts: tf.Tensor, window: tf.Tensor, length: tf.Tensor):
  """Returns how many windows hold each pixel of an axis, float32 [length]."""
  index = tf.range(length)[:, tf.newaxis]
  is_held = (index >= starts) & (index < starts + window)
  return tf.reduce_sum(tf.cast(is_held, tf.float32), axis=1)
