# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The primitives as Keras layers, and the arithmetic that all models share.

Feature maps are `[batch, height, width, channels]`. Under a mixed-precision
policy convolutions compute in its compute dtype and batch norm in float32.

Every window is padded by (k - 1) * rate / 2 on each side, and every resize
aligns the corner pixels, so a map of n pixels halves to ceil(n / 2) by all
ways (method, section 2), and maps of 32m + 1 pixels nest exactly.
"""

from collections.abc import Callable, Iterator
import contextlib
import dataclasses
import itertools
from typing import Any

import tensorflow as tf

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.model import convolutions, devices

# The fewest values that batch norm takes statistics of. Of one the variance is
# 0; two become 1 and -1, whatever they are.
MIN_NORM_VALUES = 4


@dataclasses.dataclass(frozen=True)
class NormSettings:
  """What the batch norms of one part of a network have in common.

  Attributes:
    momentum: decay of the moving statistics, in (0, 1).
    epsilon: added to the variance.
    synchronized: whether training statistics are taken over all replicas.
    frozen: whether training, too, takes the moving statistics and leaves them,
      scale and offset as they are.
  """

  momentum: float = 0.9997
  epsilon: float = 1e-3
  synchronized: bool = False
  frozen: bool = False

  def layer(self, affine: bool = True) -> tf.keras.layers.Layer:
    """Returns a batch norm; `affine` gives it scale and offset.

    Its variables and sums are float32 in any case.
    """
    return BatchNorm(
      momentum=self.momentum,
      epsilon=self.epsilon,
      center=affine,
      scale=affine,
      synchronized=self.synchronized,
      # Keras' batch norm also stays in inference mode where this is False.
      trainable=not self.frozen,
      dtype=self._dtype(),
    )

  def _dtype(self) -> tf.DType | None:
    """Returns float32, or None for that of the policy."""
    # Sums over replicas are of the dtype of the maps.
    if devices.normalizes_16_bits() and not self.synchronized:
      return None
    return tf.float32


class BatchNorm(tf.keras.layers.BatchNormalization):
  """Keras' batch norm, of `MIN_NORM_VALUES` values a channel at least.

  Where a step has fewer, as image pooling has of a batch of 1, it takes the
  moving statistics as inference does, and leaves them: those that a training
  from scratch begins with, 0 and 1, normalize nothing.
  """

  def call(self, inputs: tf.Tensor, training=None) -> tf.Tensor:
    """Normalizes `[n, h, w, c]`; of statistics as the class says."""
    if training:
      training = self._has_enough_values(inputs)
    return super().call(inputs, training=training)

  def _has_enough_values(self, x: tf.Tensor) -> bool | tf.Tensor:
    """Returns a scalar tensor where sizes are unknown while tracing."""
    context = tf.distribute.get_replica_context()
    num_replicas = 1
    if self.synchronized and context is not None:
      num_replicas = context.num_replicas_in_sync
    size = x.shape.num_elements()
    if size is None:
      size = tf.size(x)
    return size // x.shape[-1] * num_replicas >= MIN_NORM_VALUES


def backbone_initializer() -> tf.keras.initializers.Initializer:
  """Uniform in +-1/sqrt(fan_in), fan_in = k * k * C also where depthwise."""
  return tf.keras.initializers.VarianceScaling(
    scale=1 / 3, mode='fan_in', distribution='uniform'
  )


def spatial_size(x: tf.Tensor):
  """Returns (height, width): integers where known, else scalar tensors."""
  dynamic = tf.shape(x)
  return tuple(
    dynamic[axis] if x.shape[axis] is None else x.shape[axis] for axis in (1, 2)
  )


def halved(size):
  """Returns the size after one stride of 2: ceil(n / 2)."""
  return tuple((n + 1) // 2 for n in size)


def nesting(size, stride: int):
  """Returns the next size, `stride` * m + 1 with m >= 1, whose maps nest.

  Args:
    size: (height, width), integers or scalar tensors, at least 0.
    stride: the coarsest output stride, in pixels.
  """

  def greater(n):
    return max(n, 1) if isinstance(n, int) else tf.maximum(n, 1)

  return tuple(greater(-(-(n - 1) // stride)) * stride + 1 for n in size)


def pad_to(x: tf.Tensor, size) -> tf.Tensor:
  """Pads `[n, h, w, c]` with zeros at the right and the lower border.

  Args:
    x: any dtype.
    size: (height, width), integers or scalar tensors, at least those of `x`.
  """
  height, width = (new - n for new, n in zip(size, spatial_size(x)))
  return tf.pad(x, [[0, 0], [0, height], [0, width], [0, 0]])


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
  resized = tf.raw_ops.ResizeBilinear(
    images=x, size=tf.stack(size), align_corners=True, half_pixel_centers=False
  )
  if is_static:
    resized = tf.ensure_shape(resized, [x.shape[0], *size, x.shape[3]])
  return tf.cast(resized, x.dtype)


class Conv2D(tf.keras.layers.Conv2D):
  """A square convolution with the padding of this module.

  Keras' own emulates an atrous convolution by moving space into batch; the
  native one is two to three times faster on CPUs.
  """

  def __init__(
    self,
    filters: int,
    kernel_size: int,
    *,
    strides: int = 1,
    atrous_rate: int = 1,
    **kwargs,
  ):
    kwargs.setdefault('use_bias', False)
    kwargs.setdefault('kernel_initializer', backbone_initializer())
    super().__init__(
      filters,
      kernel_size,
      strides=strides,
      # Stated to Keras for its shape inference alone.
      padding='same',
      **kwargs,
    )
    self.atrous_rate = atrous_rate

  def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    inputs, padding = convolutions.padded(
      inputs, self.kernel_size[0], self.strides[0]
    )
    return convolutions.conv2d(
      inputs, kernel, self.strides[0], padding, self.atrous_rate
    )


class ConvBn(tf.keras.layers.Layer):
  """A convolution and its batch norm."""

  def __init__(
    self,
    filters: int,
    kernel_size: int,
    norm: NormSettings,
    *,
    strides: int = 1,
    atrous_rate: int = 1,
    kernel_initializer=None,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.conv = Conv2D(
      filters,
      kernel_size,
      strides=strides,
      atrous_rate=atrous_rate,
      kernel_initializer=kernel_initializer or backbone_initializer(),
    )
    self.bn = norm.layer()

  def call(self, x: tf.Tensor, training=None) -> tf.Tensor:
    """`[n, h, w, c]` -> `[n, ceil(h/strides), ceil(w/strides), filters]`."""
    return tf.cast(self.bn(self.conv(x), training=training), self.compute_dtype)


class SeparableConv2D(tf.keras.layers.Layer):
  """A depthwise and a pointwise convolution with nothing between them."""

  def __init__(
    self,
    filters: int,
    kernel_size: int,
    *,
    strides: int = 1,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.filters = filters
    self.kernel_size = kernel_size
    self.strides = strides

  def build(self, input_shape):
    channels = input_shape[-1]
    k = self.kernel_size
    self.depthwise_kernel = self.add_weight(
      'depthwise_kernel',
      [k, k, channels, 1],
      initializer=backbone_initializer(),
    )
    self.pointwise_kernel = self.add_weight(
      'pointwise_kernel',
      [1, 1, channels, self.filters],
      initializer=backbone_initializer(),
    )
    super().build(input_shape)

  def call(self, x: tf.Tensor) -> tf.Tensor:
    """`[n, h, w, c]` -> `[n, ceil(h/strides), ceil(w/strides), filters]`."""
    x, padding = convolutions.padded(x, self.kernel_size, self.strides)
    x = convolutions.depthwise_conv2d(
      x, self.depthwise_kernel, self.strides, padding
    )
    return convolutions.conv2d(x, self.pointwise_kernel, 1, 'VALID')


class Separable(tf.keras.layers.Layer):
  """Twice {ReLU, depthwise, pointwise, BN}; the first depthwise strides."""

  def __init__(
    self,
    filters: int,
    kernel_size: int,
    norm: NormSettings,
    *,
    strides: int = 1,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.convs = [
      SeparableConv2D(filters, kernel_size, strides=s) for s in (strides, 1)
    ]
    self.bns = [norm.layer() for _ in self.convs]

  def call(self, x: tf.Tensor, training=None) -> tf.Tensor:
    """`[n, h, w, c]` -> `[n, ceil(h/strides), ceil(w/strides), filters]`."""
    for conv, bn in zip(self.convs, self.bns):
      x = bn(conv(tf.nn.relu(x)), training=training)
    return tf.cast(x, self.compute_dtype)


class Atrous(tf.keras.layers.Layer):
  """ReLU, full k x k convolution of a rate, BN.

  With a stride the map is halved bilinearly after the ReLU and the
  convolution has no holes (method, section 2).
  """

  def __init__(
    self,
    filters: int,
    kernel_size: int,
    atrous_rate: int,
    norm: NormSettings,
    *,
    strides: int = 1,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.strides = strides
    self.conv_bn = ConvBn(
      filters,
      kernel_size,
      norm,
      atrous_rate=atrous_rate if strides == 1 else 1,
    )

  def call(self, x: tf.Tensor, training=None) -> tf.Tensor:
    """`[n, h, w, c]` -> `[n, ceil(h/strides), ceil(w/strides), filters]`."""
    x = tf.nn.relu(x)
    if self.strides == 2:
      x = resize_aligned(x, halved(spatial_size(x)))
    return self.conv_bn(x, training=training)


def pool(x: tf.Tensor, kind: str, kernel_size: int, strides=1) -> tf.Tensor:
  """Pools with the padding of this module, which no average counts.

  Args:
    x: `[n, h, w, c]`.
    kind: 'max_pool' or 'avg_pool'.
    kernel_size: side of the window, odd, in pixels.
    strides: 1 or 2.

  Returns:
    `[n, ceil(h/strides), ceil(w/strides), c]`.
  """
  # Strided afterwards: SAME at stride 2 starts at another pixel on even maps.
  if kind == 'max_pool':
    pooled = tf.nn.max_pool2d(x, kernel_size, 1, 'SAME')
  else:
    pooled = tf.nn.avg_pool2d(x, kernel_size, 1, 'SAME')
  return pooled if strides == 1 else pooled[:, ::strides, ::strides]


class Pool(tf.keras.layers.Layer):
  """Max or average pooling."""

  def __init__(self, kind: str, kernel_size: int, strides: int = 1, **kwargs):
    super().__init__(**kwargs)
    self.kind = kind
    self.kernel_size = kernel_size
    self.strides = strides

  def call(self, x: tf.Tensor, training=None) -> tf.Tensor:
    """`[n, h, w, c]` -> `[n, ceil(h/strides), ceil(w/strides), c]`."""
    del training
    return pool(x, self.kind, self.kernel_size, self.strides)


class Skip(tf.keras.layers.Layer):
  """The identity; with a stride, the map halved bilinearly."""

  def __init__(self, strides: int = 1, **kwargs):
    super().__init__(**kwargs)
    self.strides = strides

  def call(self, x: tf.Tensor, training=None) -> tf.Tensor:
    """`[n, h, w, c]` -> `[n, ceil(h/strides), ceil(w/strides), c]`."""
    del training
    if self.strides == 1:
      return tf.identity(x)
    return resize_aligned(x, halved(spatial_size(x)))


def make_operation(
  name: str,
  filters: int,
  norm: NormSettings,
  *,
  strides: int = 1,
) -> tf.keras.layers.Layer:
  """Builds the layer of a primitive for a network that is not searched.

  Args:
    name: a key of `genotype.PRIMITIVES` other than 'none'.
    filters: channels in and out.
    norm: of the operation's batch norms.
    strides: 1 or 2.

  Raises:
    ValueError: if `name` is not an operation.
  """
  if name not in genotype_lib.OPERATIONS:
    raise ValueError(
      f'`name` ({name!r}) must be one of {genotype_lib.OPERATIONS}.'
    )
  primitive = genotype_lib.PRIMITIVES[name]
  size = primitive.kernel_size
  if primitive.kind == 'separable':
    return Separable(filters, size, norm, strides=strides)
  if primitive.kind == 'atrous':
    return Atrous(filters, size, primitive.atrous_rate, norm, strides=strides)
  if primitive.kind == 'skip':
    return Skip(strides)
  return Pool(primitive.kind, size, strides)


def drop_path_scales(
  keep_probs: tf.Tensor,
  num_operations: int,
  num_samples: int | tf.Tensor,
  seed: tf.Tensor,
) -> tf.Tensor:
  """Draws which samples drop which operations, for all cells at once.

  Args:
    keep_probs: float32 `[num_cells]`, in (0, 1].
    num_operations: of a cell.
    num_samples: of the batch.
    seed: int32 `[2]`; equal seeds drop equal samples.

  Returns:
    float32 `[num_cells, num_operations, num_samples]`, what to multiply an
    operation's output by: 0, or where it is kept the inverse of `keep_probs`.
  """
  keep_probs = keep_probs[:, None, None]
  shape = [keep_probs.shape[0], num_operations, num_samples]
  draw = tf.random.stateless_uniform(shape, seed)
  return tf.where(draw < keep_probs, 1 / keep_probs, 0.0)


def dropout(x: tf.Tensor, rate: float, seed: tf.Tensor) -> tf.Tensor:
  """Drops single values at `rate`; equal seeds drop equal values."""
  return tf.nn.experimental.stateless_dropout(x, rate, seed)


def schedule_keep_prob(
  keep_prob: float, num_layers: int, progress: tf.Tensor
) -> tf.Tensor:
  """ScheduledDropPath: keep(c, t) = 1 - min(1, t/T) (c+1)/L (1-p).

  Args:
    keep_prob: p, of the last cell at the end, in (0, 1].
    num_layers: L.
    progress: float32 scalar, t/T.

  Returns:
    float32 `[num_layers]`, of each c from 0 to L - 1.
  """
  depth = tf.range(1, num_layers + 1, dtype=tf.float32) / num_layers
  return 1.0 - tf.minimum(1.0, progress) * depth * (1.0 - keep_prob)


def fold_in(seed: tf.Tensor, index: int) -> tf.Tensor:
  """Returns another seed, int32 `[2]`, for the `index`-th use of one seed."""
  return tf.random.experimental.stateless_fold_in(seed, index)


def recomputed(
  layer: tf.keras.layers.Layer, compute: Callable[..., Any], **settings
) -> Callable[..., Any]:
  """Returns a layer that forgets its inside until the backward pass.

  It is computed a second time there: less memory for more time. What it
  returns, its gradients and what moves are those of the layer: the second pass
  leaves the moving statistics of batch norm alone.

  Args:
    layer: whose inside is forgotten.
    compute: the layer or one of its methods, to be called with tensors.
    **settings: its other arguments.
  """
  num_passes = itertools.count()

  def forward(*inputs: tf.Tensor) -> Any:
    if next(num_passes) == 0:
      return compute(*inputs, **settings)
    with _still_statistics(layer):
      return compute(*inputs, **settings)

  return tf.recompute_grad(forward)


@contextlib.contextmanager
def _still_statistics(layer: tf.keras.layers.Layer) -> Iterator[None]:
  """Keeps moving statistics where they are, whatever the batch's."""
  norms = [
    module for module in layer.submodules if isinstance(module, BatchNorm)
  ]
  momenta = [norm.momentum for norm in norms]
  for norm in norms:
    norm.momentum = 1.0
  try:
    yield
  finally:
    for norm, momentum in zip(norms, momenta):
      norm.momentum = momentum


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
