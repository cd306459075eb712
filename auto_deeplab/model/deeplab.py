# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The parts of the network that are not searched: stem, ASPP, decoder.

All follow the authors' network (method, section 2).
"""

from collections.abc import Sequence

import tensorflow as tf

from auto_deeplab.architecture import lattice
from auto_deeplab.model.ops import layers, normalization, sizes


class Stem(tf.keras.layers.Layer):
  """Three 3x3 convolutions that halve the input twice."""

  def __init__(
    self, filters: Sequence[int], norm: normalization.NormSettings, **kwargs
  ):
    super().__init__(**kwargs)
    self.convs = [
      layers.ConvBn(f, 3, norm, strides=s) for f, s in zip(filters, (2, 1, 2))
    ]

  def call(
    self, images: tf.Tensor, training=None
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes the two tensors that the first cells read.

    Args:
      images: `[n, h, w, 3]`, in [-1, 1].
      training: whether batch norm takes the statistics of the batch.

    Returns:
      The second convolution's output before its ReLU, at stride 2 (layer -2,
      the H[l-2] of layer 0), and the stem's output, at stride 4 (layer -1).
    """
    x = tf.nn.relu(self.convs[0](images, training=training))
    half = self.convs[1](x, training=training)
    return half, self.convs[2](tf.nn.relu(half), training=training)


class ImagePooling(tf.keras.layers.Layer):
  """Average pooling over the map, or over a window of it, and a 1x1.

  Attributes:
    window: (height, width) at inference; None pools over the whole map, as
      training always does. The window slides by 1 without padding; on a map
      with a shorter side it is as long as that side.
  """

  def __init__(
    self,
    filters: int,
    norm: normalization.NormSettings,
    window: tuple[int, int] | None = None,
    kernel_initializer=None,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.window = window
    self.conv = layers.ConvBn(
      filters, 1, norm, kernel_initializer=kernel_initializer
    )

  def call(self, x: tf.Tensor, training=None, mean=None) -> tf.Tensor:
    """Pools, `[n, h, w, c]` -> `[n, h', w', filters]`; h' = w' = 1 if all.

    Args:
      x: the map.
      training: whether batch norm takes the statistics of the batch.
      mean: `[n, c]`, taken for the mean of the map, where that is a part of a
        picture. Not with a window.
    """
    if mean is not None:
      pooled = tf.cast(mean, x.dtype)[:, tf.newaxis, tf.newaxis]
    elif self.window is None or training:
      pooled = tf.reduce_mean(x, axis=[1, 2], keepdims=True)
    else:
      pooled = _windowed_mean(x, self.window)
    return tf.nn.relu(self.conv(pooled, training=training))

  def resized(self, pooled: tf.Tensor, size, own_size=None) -> tf.Tensor:
    """Brings what `call` returned to the size of the map, `[n, *size, c]`.

    Args:
      pooled: of the part of the map that is the picture's own.
      size: (height, width) of the map.
      own_size: of that part; the whole map by default. Beyond it, the border
        of what was pooled goes on.
    """
    if own_size is None or self.window is None:
      return sizes.resize_aligned(pooled, size)
    pooled = sizes.resize_aligned(pooled, own_size)
    for axis, (length, own) in enumerate(zip(size, own_size), start=1):
      pooled = tf.gather(
        pooled, tf.minimum(tf.range(length), own - 1), axis=axis
      )
    return pooled


def _windowed_mean(x: tf.Tensor, window: tuple[int, int]) -> tf.Tensor:
  """Averages over a sliding window as two matrix products.

  `tf.nn.avg_pool2d` sums each window anew, and refuses one that is larger than
  the map: 97x97 on a map of 129x257x200 takes it 1.1 s of 2 cores, this 0.03.
  """
  rows, columns = (
    _windows(pixels, length)
    for pixels, length in zip(sizes.spatial_size(x), window)
  )
  # In float32: weights of 1/97 are not to be rounded to 8 bits.
  means = tf.einsum('ih,nhwc->niwc', rows, tf.cast(x, tf.float32))
  return tf.cast(tf.einsum('jw,niwc->nijc', columns, means), x.dtype)


def _windows(pixels, length: int) -> tf.Tensor:
  """`[positions, pixels]`: the weight of each pixel at each position."""
  length = tf.minimum(length, pixels)
  positions = tf.range(pixels - length + 1)
  places = tf.range(pixels) - positions[:, tf.newaxis]
  is_inside = (places >= 0) & (places < length)
  return tf.cast(is_inside, tf.float32) / tf.cast(length, tf.float32)


class Aspp(tf.keras.layers.Layer):
  """Atrous spatial pyramid pooling: image pooling, 1x1, three 3x3, projection.

  `call` returns the projection; `branches` names every part's output.
  """

  def __init__(
    self,
    filters: int,
    atrous_rates: Sequence[int],
    norm: normalization.NormSettings,
    pooling_size: tuple[int, int] | None = None,
    **kwargs,
  ):
    super().__init__(**kwargs)
    glorot = tf.keras.initializers.GlorotUniform
    self.image_pooling = ImagePooling(
      filters, norm, pooling_size, kernel_initializer=glorot()
    )
    shapes = [(1, 1), *((3, rate) for rate in atrous_rates)]
    self.convs = [
      layers.ConvBn(
        filters, size, norm, atrous_rate=rate, kernel_initializer=glorot()
      )
      for size, rate in shapes
    ]
    self.projection = layers.ConvBn(
      filters, 1, norm, kernel_initializer=glorot()
    )

  def branches(
    self, x: tf.Tensor, training=None, own_size=None, mean=None
  ) -> dict[str, tf.Tensor]:
    """Returns every endpoint by the authors' names.

    Args:
      x: `[n, h, w, c]`.
      training: whether batch norm takes the statistics of the batch.
      own_size: (height, width) of the part of the map, at its upper left, that
        is pooled: the rest is of padding. The whole map by default.
      mean: of image pooling, `[n, c]`; that of the map by default.

    Returns:
      `image_pooling` before its resize, `aspp0` to `aspp3`, and
      `concat_projection`, `[n, h, w, filters]`.
    """
    own = x if own_size is None else x[:, : own_size[0], : own_size[1]]
    pooled = self.image_pooling(own, training=training, mean=mean)
    outputs = {'image_pooling': pooled}
    for index, conv in enumerate(self.convs):
      outputs[f'aspp{index}'] = tf.nn.relu(conv(x, training=training))
    pooled, *convolved = outputs.values()
    size = sizes.spatial_size(x)
    pooled = self.image_pooling.resized(pooled, size, own_size)
    stacked = tf.concat([pooled, *convolved], axis=-1)
    outputs['concat_projection'] = tf.nn.relu(
      self.projection(stacked, training=training)
    )
    return outputs

  def call(self, x: tf.Tensor, training=None) -> tf.Tensor:
    """`[n, h, w, c]` -> `[n, h, w, filters]`."""
    return self.branches(x, training=training)['concat_projection']


class Decoder(tf.keras.layers.Layer):
  """The DeepLabv3+ decoder, without its logits."""

  def __init__(
    self,
    low_level_filters: int,
    filters: int,
    norm: normalization.NormSettings,
    **kwargs,
  ):
    super().__init__(**kwargs)
    glorot = tf.keras.initializers.GlorotUniform
    self.low_level = layers.ConvBn(
      low_level_filters, 1, norm, kernel_initializer=glorot()
    )
    self.convs = [
      layers.ConvBn(filters, 3, norm, kernel_initializer=glorot())
      for _ in range(2)
    ]

  def stages(
    self, encoded: tf.Tensor, low_level: tf.Tensor, training=None
  ) -> dict[str, tf.Tensor]:
    """Returns every endpoint by the authors' names, the last one the output.

    Args:
      encoded: `[n, h, w, c]`, the ASPP's projection.
      low_level: `[n, height, width, c']` at stride 4.
      training: whether batch norm takes the statistics of the batch.
    """
    skipped = tf.nn.relu(self.low_level(low_level, training=training))
    outputs = {'decoder/feature_projection0': skipped}
    size = sizes.spatial_size(low_level)
    x = tf.concat([sizes.resize_aligned(encoded, size), skipped], -1)
    for index, conv in enumerate(self.convs):
      x = tf.nn.relu(conv(x, training=training))
      outputs[f'decoder/decoder_conv0_{index + 1}'] = x
    return outputs

  def call(
    self, encoded: tf.Tensor, low_level: tf.Tensor, training=None
  ) -> tf.Tensor:
    """Returns `[n, height, width, filters]` at stride 4."""
    stages = self.stages(encoded, low_level, training=training)
    return stages['decoder/decoder_conv0_2']


def logits_layer(num_classes: int, **kwargs) -> layers.Conv2D:
  """A 1x1 convolution with bias to the classes, in float32."""
  return layers.Conv2D(
    num_classes,
    1,
    use_bias=True,
    kernel_initializer=tf.keras.initializers.TruncatedNormal(stddev=0.01),
    dtype=tf.float32,
    **kwargs,
  )


class SearchHead(tf.keras.layers.Layer):
  """A small ASPP at one level of the supernet's last layer, with logits.

  1x1, one 3x3 with rate 96/s, image pooling; each branch as wide as the cell.
  """

  def __init__(
    self,
    level: int,
    filters: int,
    num_classes: int,
    norm: normalization.NormSettings,
    **kwargs,
  ):
    super().__init__(**kwargs)
    rate = lattice.aspp_rates(level)[0]
    self.convs = [
      layers.ConvBn(filters, 1, norm),
      layers.ConvBn(filters, 3, norm, atrous_rate=rate),
    ]
    self.image_pooling = ImagePooling(filters, norm)
    self.logits = logits_layer(num_classes)

  def call(self, x: tf.Tensor, training=None) -> tf.Tensor:
    """`[n, h, w, c]` -> float32 logits `[n, h, w, num_classes]`."""
    x = tf.nn.relu(x)
    branches = [tf.nn.relu(c(x, training=training)) for c in self.convs]
    pooled = self.image_pooling(x, training=training)
    branches.append(sizes.resize_aligned(pooled, sizes.spatial_size(x)))
    return self.logits(tf.concat(branches, axis=-1))
