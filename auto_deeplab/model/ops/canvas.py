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

from auto_deeplab.model.ops import sizes

# (height, width) of the canvas and of the picture; None where they are one.
_sizes: contextvars.ContextVar = contextvars.ContextVar('sizes', default=None)


@contextlib.contextmanager
def of(size, own_size) -> Iterator[None]:
  """Hides what lies beyond pictures of `own_size` on a canvas of `size`.

  Args:
    size: (height, width), integers or scalar tensors, nesting.
    own_size: the same of the part, at the upper left, that is the picture.
  """
  token = _sizes.set((size, own_size))
  try:
    yield
  finally:
    _sizes.reset(token)


def is_larger() -> bool:
  """Returns whether anything has to be hidden."""
  return _sizes.get() is not None


def hidden(x: tf.Tensor, value: float = 0.0) -> tf.Tensor:
  """Returns a map `[n, h, w, c]` with `value` beyond its picture."""
  if not is_larger():
    return x
  size = sizes.spatial_size(x)
  own = [
    # Maps nest: their steps divide those of the canvas.
    (own - 1) * (n - 1) // (whole - 1) + 1
    for n, whole, own in zip(size, *_sizes.get())
  ]
  paddings = [[0, n - own] for n, own in zip(size, own)]
  return tf.pad(
    x[:, : own[0], : own[1]],
    [[0, 0], *paddings, [0, 0]],
    constant_values=tf.cast(value, x.dtype),
  )
