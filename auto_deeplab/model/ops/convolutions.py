# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Convolutions that are fast and have a right gradient on every device.

Feature maps are `[batch, height, width, channels]`.
"""

from collections.abc import Callable
import functools

import tensorflow as tf

from auto_deeplab.model.ops import devices

# (x, dy) -> the gradient of a convolution's kernel.
KernelGradient = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def padded(x: tf.Tensor, kernel_size: int, strides: int):
  """Returns the input and the padding mode of a convolution.

  SAME is right at stride 1. At stride 2 it would start at another pixel on
  even maps. Explicit paddings would say both, but oneDNN leaves them alone.
  """
  if strides == 1:
    return x, 'SAME'
  pad = (kernel_size - 1) // 2
  return tf.pad(x, [[0, 0], [pad, pad], [pad, pad], [0, 0]]), 'VALID'


def conv2d(
  x: tf.Tensor,
  kernel: tf.Tensor,
  strides: int = 1,
  padding: str = 'SAME',
  atrous_rate: int = 1,
  *,
  has_gradient: bool = True,
) -> tf.Tensor:
  """`tf.nn.conv2d`, with a right gradient in every dtype on every device.

  Where the device has no kernels for the dtype, 16 bits are computed as
  float32, and float32 and float64 from parts that have a gradient everywhere.

  Args:
    x: `[n, h, w, c]`.
    kernel: `[k, k, c / groups, filters]`, of the dtype of `x`; the groups
      follow from it.
    strides: 1 or 2.
    padding: 'SAME' or 'VALID'.
    atrous_rate: 1 or more; more than 1 only with a stride of 1.
    has_gradient: whether someone will ask for its gradient; if not, nothing
      stands in the graph for one of ours.

  Returns:
    `[n, h', w', filters]`, of the dtype of `x`.
  """
  settings = (strides, padding, atrous_rate)
  if devices.has_convolutions(x.dtype):
    return _native_conv2d(x, kernel, *settings, has_gradient)
  if devices.is_emulated(x.dtype):
    return _in_float32(lambda a, b: conv2d(a, b, *settings), x, kernel)
  return _composed_conv2d(x, kernel, *settings)


def _in_float32(convolution, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
  y = convolution(tf.cast(x, tf.float32), tf.cast(kernel, tf.float32))
  return tf.cast(y, x.dtype)


def _composed_conv2d(
  x: tf.Tensor, kernel: tf.Tensor, strides, padding, atrous_rate
) -> tf.Tensor:
  """The same from convolutions with neither groups nor holes."""
  num_groups = x.shape[-1] // kernel.shape[2]
  if num_groups > 1:
    kernel = _dense_kernel(kernel, num_groups)
  # Not `tf.nn.conv2d`: this one moves space into batch if it is atrous.
  return tf.nn.convolution(x, kernel, strides, padding, dilations=atrous_rate)


def _dense_kernel(kernel: tf.Tensor, num_groups: int) -> tf.Tensor:
  """`[k, k, c / groups, filters]` -> `[k, k, c, filters]`, 0 across groups."""
  k, _, channels, filters = kernel.shape
  grouped = tf.reshape(kernel, [k, k, 1, channels, num_groups, -1])
  is_own = tf.eye(num_groups, dtype=kernel.dtype)[:, None, :, None]
  return tf.reshape(grouped * is_own, [k, k, num_groups * channels, filters])


def _native_conv2d(
  x: tf.Tensor, kernel: tf.Tensor, strides, padding, atrous_rate, has_gradient
) -> tf.Tensor:
  """The same by the device's kernels, with a kernel gradient to be trusted."""
  if not has_gradient or devices.trusts_kernel_gradients(x.dtype):
    return tf.nn.conv2d(x, kernel, strides, padding, dilations=atrous_rate)
  settings = {
    'strides': [1, strides, strides, 1],
    'padding': padding,
    'dilations': [1, atrous_rate, atrous_rate, 1],
  }

  def kernel_gradient(x: tf.Tensor, dy: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.Conv2DBackpropFilter(
      input=x, filter_sizes=kernel.shape, out_backprop=dy, **settings
    )

  # Of an atrous kernel in bfloat16, oneDNN's gradient reads beyond its inputs:
  # TensorFlow 2.15 dies, or returns NaN.
  ask = _checked if atrous_rate == 1 else _widened
  return _with_kernel_gradient(
    tf.raw_ops.Conv2D,
    tf.raw_ops.Conv2DBackpropInput,
    ask(kernel_gradient),
    **settings,
  )(x, kernel)


def _widened(gradient: KernelGradient) -> KernelGradient:
  """Returns the same, computed in float32."""

  def compute(x: tf.Tensor, dy: tf.Tensor) -> tf.Tensor:
    wide = gradient(tf.cast(x, tf.float32), tf.cast(dy, tf.float32))
    return tf.cast(wide, dy.dtype)

  return compute


def _checked(gradient: KernelGradient) -> KernelGradient:
  """Returns the same, computed again in float32 where it is not finite.

  What is wrong with it shows in no other way: `devices.trusts_kernel_gradients`
  says why. All of them in float32 would take what bfloat16 gains.
  """

  def compute(x: tf.Tensor, dy: tf.Tensor) -> tf.Tensor:
    narrow = gradient(x, dy)
    return tf.cond(
      # One number that is not finite makes the sum so.
      tf.math.is_finite(tf.reduce_sum(tf.cast(narrow, tf.float32))),
      lambda: narrow,
      lambda: _widened(gradient)(x, dy),
    )

  return compute


def depthwise_conv2d(
  x: tf.Tensor,
  kernel: tf.Tensor,
  strides: int = 1,
  padding: str = 'SAME',
  *,
  has_gradient: bool = True,
) -> tf.Tensor:
  """`tf.nn.depthwise_conv2d`, with a fast gradient of 5x5 kernels.

  oneDNN has a fast gradient of 3x3 kernels alone; a 5x5 one is put together of
  four. In float32 it takes half the time so, in bfloat16 a sixth. 16 bits that
  the device has no kernels for are computed as float32.

  Args:
    x: `[n, h, w, c]`.
    kernel: `[k, k, c, 1]`, of the dtype of `x`.
    strides: 1 or 2.
    padding: 'SAME', only with a stride of 1, or 'VALID'.
    has_gradient: as of `conv2d`.

  Returns:
    `[n, h', w', c]`.
  """
  if devices.is_emulated(x.dtype):
    return _in_float32(
      lambda a, b: depthwise_conv2d(a, b, strides, padding), x, kernel
    )
  settings = {'strides': [1, strides, strides, 1], 'padding': padding}
  is_trusted = devices.trusts_kernel_gradients(x.dtype)
  is_parted = kernel.shape[0] == 5 and devices.parts_5x5_gradients()
  if not has_gradient or (is_trusted and not is_parted):
    # Not `tf.nn.depthwise_conv2d`, which makes constants.
    return tf.raw_ops.DepthwiseConv2dNative(
      input=x, filter=tf.convert_to_tensor(kernel), **settings
    )

  def kernel_gradient(x: tf.Tensor, dy: tf.Tensor) -> tf.Tensor:
    if is_parted:
      return _gradient_of_5x5(x, dy, strides, padding)
    return tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
      input=x, filter_sizes=kernel.shape, out_backprop=dy, **settings
    )

  return _with_kernel_gradient(
    tf.raw_ops.DepthwiseConv2dNative,
    tf.raw_ops.DepthwiseConv2dNativeBackpropInput,
    kernel_gradient if is_trusted else _checked(kernel_gradient),
    **settings,
  )(x, kernel)


# Traced once for all maps of a shape, and called: of its own for each use, its
# forty ops made a tenth of the graph of a training step.
@functools.partial(
  tf.function, autograph=False, experimental_attributes={'_noinline': True}
)
def _gradient_of_5x5(
  x: tf.Tensor, dy: tf.Tensor, strides: int, padding: str
) -> tf.Tensor:
  """Returns the gradient of a depthwise kernel, from those of its corners."""
  filter_sizes = tf.constant([3, 3, x.shape[-1], 1])
  corners = [
    tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
      input=part,
      filter_sizes=filter_sizes,
      out_backprop=dy,
      padding='VALID',
      strides=[1, strides, strides, 1],
    )
    for part in _seen_by_corners(x, padding)
  ]
  # The rows of all corners lie one below the other; the middle ones are in two.
  is_second = [False, False, False, True, True]
  places = [
    [
      [6 * below + 3 * right + row - 2 * below, column - 2 * right]
      for column, right in enumerate(is_second)
    ]
    for row, below in enumerate(is_second)
  ]
  return tf.gather_nd(tf.concat(corners, 0), places)


def _seen_by_corners(x: tf.Tensor, padding: str) -> list[tf.Tensor]:
  """Returns what the corners of a 5x5 kernel see of `x`, row by row.

  A corner, of 3x3, stops two pixels short of the far sides.
  """
  begins = [(top, left) for top in (0, 2) for left in (0, 2)]
  if padding == 'SAME':
    return [
      tf.pad(x, [[0, 0], [2 - top, top], [2 - left, left], [0, 0]])
      for top, left in begins
    ]
  size = tf.shape(x) - [0, 2, 2, 0]
  return [tf.slice(x, [0, top, left, 0], size) for top, left in begins]


def _with_kernel_gradient(
  convolution, of_input, kernel_gradient: KernelGradient, **settings
):
  """Returns a convolution of (x, kernel) whose kernel has a gradient of ours.

  Args:
    convolution: TensorFlow's operation.
    of_input: TensorFlow's gradient of it with respect to x.
    kernel_gradient: the gradient with respect to the kernel.
    **settings: of both operations.
  """

  @tf.custom_gradient
  def convolve(x: tf.Tensor, kernel: tf.Tensor):
    def gradients(dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
      dx = of_input(
        input_sizes=tf.shape(x), filter=kernel, out_backprop=dy, **settings
      )
      # What it makes of x alone would else be made, and held, from the forward
      # pass on.
      with tf.control_dependencies([dy]):
        return dx, kernel_gradient(x, dy)

    return convolution(input=x, filter=kernel, **settings), gradients

  # A variable that casts itself would be read, and cast, within `convolve`.
  return lambda x, kernel: convolve(x, tf.convert_to_tensor(kernel))
