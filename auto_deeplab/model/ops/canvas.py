# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A canvas larger than its picture, and operations that do not see the rest.

At inference a picture may lie at the upper left of a larger canvas, so that
pictures of many sizes are maps of few. What a map has beyond its picture is
then hidden from every operation that looks at neighbours: it finds what lies
beyond the border of a map of the picture's own size. Both sizes have to nest;
then each resize finds the same as well.
"""

from collections.abc import Iterator
import contextlib
import contextvars

import tensorflow as tf

# Of the canvas and of the picture: pixels less one, int64 [2], for a product of
# two sides is beyond int32. None where they are one.
_steps: contextvars.ContextVar = contextvars.ContextVar('steps', default=None)


@contextlib.contextmanager
def of(size, own_size) -> Iterator[None]:
  """Hides what lies beyond pictures of `own_size` on a canvas of `size`.

  Args:
    size: (height, width), integers or scalar tensors, nesting.
    own_size: the same of the part, at the upper left, that is the picture.
  """
  steps = tuple(
    tf.cast(tf.stack(each), tf.int64) - 1 for each in (size, own_size)
  )
  token = _steps.set(steps)
  try:
    yield
  finally:
    _steps.reset(token)


def is_larger() -> bool:
  """Returns whether anything has to be hidden."""
  return _steps.get() is not None


def hidden(x: tf.Tensor, value: float = 0.0) -> tf.Tensor:
  """Returns a map `[n, h, w, c]` with `value` beyond its picture."""
  if not is_larger():
    return x
  # Vectors, and steps between pixels: few nodes, as a network has hundreds of
  # these. Maps nest, so their steps divide those of the canvas.
  whole, own = _steps.get()
  steps = tf.shape(x, out_type=tf.int64)[1:3] - 1
  own_steps = own * steps // whole
  size = tf.pad(own_steps + 1, [[1, 1]], constant_values=-1)
  part = tf.slice(x, tf.zeros([4], tf.int64), size)
  beyond = tf.pad((steps - own_steps)[:, tf.newaxis], [[1, 1], [1, 0]])
  y = tf.pad(part, beyond, constant_values=tf.cast(value, x.dtype))
  y.set_shape(x.shape)
  return y
