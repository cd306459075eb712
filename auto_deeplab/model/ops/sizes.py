# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Heights and widths of maps, and what brings a map to another size.

Every resize aligns the corner pixels, so that a map of n pixels halves to
ceil(n / 2) as by a stride of 2 (method, section 2), and maps of 32m + 1 pixels
nest exactly.
"""

from collections.abc import Iterator
import contextlib
import contextvars

import tensorflow as tf


def spatial_size(x: tf.Tensor):
  """Returns (height, width): integers where known, else scalar tensors."""
  dynamic = tf.shape(x)
  return tuple(
    dynamic[axis] if x.shape[axis] is None else x.shape[axis] for axis in (1, 2)
  )


def halved(size):
  """Returns the size after one stride of 2: ceil(n / 2)."""
  return tuple((n + 1) // 2 for n in size)


def pyramid(size, number: int) -> list:
  """Returns a size and those after further strides of 2, `number` in all."""
  sizes = [size]
  for _ in range(number - 1):
    sizes.append(halved(sizes[-1]))
  return sizes


def nesting(size, stride: int):
  """Returns the next size, `stride` * m + 1 with m >= 1, whose maps nest.

  Args:
    size: (height, width), integers or scalar tensors, at least 0.
    stride: the coarsest output stride, in pixels; at least 2.
  """

  def greater(n):
    return max(n, 1) if isinstance(n, int) else tf.maximum(n, 1)

  # Of what is not negative: converters to ONNX round it towards 0.
  return tuple(greater((n + stride - 2) // stride) * stride + 1 for n in size)


def pad_to(x: tf.Tensor, size) -> tf.Tensor:
  """Pads `[n, h, w, c]` with zeros at the right and the lower border.

  Args:
    x: any dtype.
    size: (height, width), integers or scalar tensors, at least those of `x`.
  """
  height, width = (new - n for new, n in zip(size, spatial_size(x)))
  padded = tf.pad(x, [[0, 0], [0, height], [0, width], [0, 0]])
  # Its channels are known, which converters to other runtimes want told.
  return tf.reshape(padded, [tf.shape(x)[0], *size, x.shape[3]])


def resize_aligned(x: tf.Tensor, size) -> tf.Tensor:
  """Resizes bilinearly with aligned corners and no half-pixel centres.

  Args:
    x: `[batch, height, width, channels]`, any float dtype.
    size: (height, width), integers or scalar tensors.

  Returns:
    `[batch, *size, channels]` of the dtype of `x`.
  """
  is_static = all(isinstance(n, int) for n in size)
  if is_static and x.shape[1:3].as_list() == list(size):
    return x
  resize = _resize_twice if _IS_TWICE.get() else _resize
  resized = resize(x, tf.stack(size))
  if is_static:
    resized = tf.ensure_shape(resized, [x.shape[0], *size, x.shape[3]])
  return tf.cast(resized, x.dtype)


_ALIGNED = {'align_corners': True, 'half_pixel_centers': False}
_IS_TWICE = contextvars.ContextVar('is_twice', default=False)


@contextlib.contextmanager
def differentiable_twice() -> Iterator[None]:
  """Has resizes be made whose gradient has a gradient.

  TensorFlow 2.15 knows none, and 2.20 takes it to be 0.
  """
  token = _IS_TWICE.set(True)
  try:
    yield
  finally:
    _IS_TWICE.reset(token)


def _resize(x: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
  return tf.raw_ops.ResizeBilinear(images=x, size=size, **_ALIGNED)


def _resize_twice(x: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
  """A resize is linear, and its gradient its transpose, whose is the resize."""
  of_shape = tf.stop_gradient(x)

  @tf.custom_gradient
  def transposed(dy: tf.Tensor):
    dx = tf.raw_ops.ResizeBilinearGrad(
      grads=dy, original_image=of_shape, **_ALIGNED
    )
    return dx, lambda ddx: _resize(ddx, size)

  @tf.custom_gradient
  def resized(x: tf.Tensor):
    return _resize(x, size), transposed

  return resized(x)


def check_map_size(images: tf.Tensor, min_pixels: int = 4) -> None:
  """Refuses images smaller than one pixel of the stem's output.

  Args:
    images: `[n, h, w, c]`; unknown sizes pass.
    min_pixels: the smallest height and width.

  Raises:
    ValueError: if a side is too small.
  """
  for pixels in images.shape[1:3]:
    if pixels is not None and pixels < min_pixels:
      raise ValueError(
        f'the image size ({images.shape[1]}x{images.shape[2]}) must be at '
        f'least {min_pixels} pixels a side.'
      )
