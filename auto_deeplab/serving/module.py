# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What an exported SavedModel computes: from raw pixels to labels."""

import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.model import pixels
from auto_deeplab.serving import client, picture_files

# Of any rank: of a shape that is promised, TensorFlow's kernels are told, and
# believe it; oneDNN's end the process where it is not kept.
_ANY_IMAGES = tf.TensorSpec(None, tf.uint8, name=client.RAW_INPUT)


class ServingModule(tf.Module):
  """A segmenter from raw pixels to labels, as the SavedModel holds it."""

  def __init__(
    self,
    model: tf.keras.Model,
    num_classes: int,
    config: configs.ServingConfig,
  ):
    """Traces the model once; both signatures share that graph.

    Args:
      model: maps normalised images, float32 [batch, height, width, 3], to
        logits [batch, height, width, num_classes].
      num_classes: number of classes that the model must have.
      config: what it takes.

    Raises:
      ValueError: the model has another number of classes.
    """
    super().__init__(name='auto_deeplab')
    self._max_pixels = config.max_pixels
    # The model is held by the closure only. As an attribute it would be
    # tracked, and saved with its optimizer and each layer's training graph.
    self._segment = tf.function(
      lambda images: _segment(model, images, num_classes),
      input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)],
    )
    graph = self._segment.get_concrete_function().graph
    self.weights = list(graph.variables)

  @tf.function(input_signature=[_ANY_IMAGES])
  def predict(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns `labels` and `probabilities` of uint8 images."""
    return self._segment(checked_images(images, self._max_pixels))

  @tf.function(
    input_signature=[
      tf.TensorSpec([None], tf.string, name=client.ENCODED_INPUT)
    ]
  )
  def predict_encoded(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns `labels` and `probabilities` of JPEG or PNG files."""
    return self._segment(
      tf.map_fn(
        self._read,
        image_bytes,
        fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8),
      )
    )

  def _read(self, image_bytes: tf.Tensor) -> tf.Tensor:
    picture, error = picture_files.read(image_bytes, self._max_pixels)
    check = tf.debugging.Assert(tf.equal(error, ''), [error])
    with tf.control_dependencies([check]):
      return tf.identity(picture)


def checked_images(images: tf.Tensor, max_pixels: int) -> tf.Tensor:
  """Returns images whose shape was checked when the graph runs.

  Args:
    images: uint8, of any shape.
    max_pixels: that each may have.

  Returns:
    uint8 [batch, height, width, 3]; no side of it is 0.

  Raises:
    tf.errors.InvalidArgumentError: when it runs, for images of another shape.
  """
  shape = tf.shape(images)
  # Filled up with zeros, an array of fewer axes is compared as any other.
  *sides, channels = tf.unstack(tf.concat([shape, [0] * 4], axis=0)[:4], num=4)
  _, height, width = sides
  check = tf.debugging.Assert(
    (tf.rank(images) == 4) & (channels == 3) & (tf.reduce_min(sides) > 0),
    [
      f'`{client.RAW_INPUT}` must be uint8 [batch, height, width, 3], RGB, '
      'with at least one picture and one pixel; its shape is',
      shape,
    ],
    summarize=-1,
  )
  size = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
  size_check = tf.debugging.Assert(
    size <= max_pixels,
    [size, f'pixels are too many; the limit is {max_pixels}.'],
  )
  with tf.control_dependencies([check, size_check]):
    return tf.ensure_shape(images, [None, None, None, 3])


def _segment(
  model: tf.keras.Model, images: tf.Tensor, num_classes: int
) -> dict[str, tf.Tensor]:
  logits = model(pixels.normalize(images), training=False)
  if logits.shape[-1] != num_classes:
    raise ValueError(
      f'the model has {logits.shape[-1]} classes, the data set {num_classes}.'
    )
  logits = tf.cast(logits, tf.float32)
  labels = tf.argmax(logits, axis=-1, output_type=tf.int32)
  return {
    # `DatasetInfo` has at most 255 classes: a label fits in a byte.
    'labels': tf.cast(labels, tf.uint8),
    'probabilities': tf.nn.softmax(logits),
  }
