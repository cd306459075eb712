# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What an exported SavedModel computes: from raw pixels to labels."""

import tensorflow as tf

from auto_deeplab.model import pixels
from auto_deeplab.serving import client

# Of any rank: of a shape that is promised, TensorFlow's kernels are told, and
# believe it; oneDNN's end the process where it is not kept.
_ANY_IMAGES = tf.TensorSpec(None, tf.uint8, name=client.RAW_INPUT)


class ServingModule(tf.Module):
  """A segmenter from raw pixels to labels, as the SavedModel holds it."""

  def __init__(self, model: tf.keras.Model, num_classes: int):
    """Traces the model once; both signatures share that graph.

    Args:
      model: maps normalised images, float32 [batch, height, width, 3], to
        logits [batch, height, width, num_classes].
      num_classes: number of classes that the model must have.

    Raises:
      ValueError: the model has another number of classes.
    """
    super().__init__(name='auto_deeplab')
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
    return self._segment(checked_images(images))

  @tf.function(
    input_signature=[
      tf.TensorSpec([None], tf.string, name=client.ENCODED_INPUT)
    ]
  )
  def predict_encoded(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns `labels` and `probabilities` of JPEG or PNG files."""
    return self._segment(
      tf.map_fn(
        _decode,
        image_bytes,
        fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8),
      )
    )


def checked_images(images: tf.Tensor) -> tf.Tensor:
  """Returns images whose shape was checked when the graph runs.

  Args:
    images: uint8, of any shape.

  Returns:
    uint8 [batch, height, width, 3]; no side of it is 0.

  Raises:
    tf.errors.InvalidArgumentError: when it runs, for images of another shape.
  """
  shape = tf.shape(images)
  # Filled up with zeros, an array of fewer axes is compared as any other.
  *sides, channels = tf.unstack(tf.concat([shape, [0] * 4], axis=0)[:4], num=4)
  check = tf.debugging.Assert(
    (tf.rank(images) == 4) & (channels == 3) & (tf.reduce_min(sides) > 0),
    [
      f'`{client.RAW_INPUT}` must be uint8 [batch, height, width, 3], RGB, '
      'with at least one picture and one pixel; its shape is',
      shape,
    ],
    summarize=-1,
  )
  with tf.control_dependencies([check]):
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


def _decode(image_bytes: tf.Tensor) -> tf.Tensor:
  # `decode_jpeg` reads PNG too. The accurate transform gives exactly the
  # pixels that Pillow, and so `client.load_image`, gives; the default one is
  # up to 17 grey levels off.
  return tf.io.decode_jpeg(
    image_bytes, channels=3, dct_method='INTEGER_ACCURATE'
  )
