# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What an exported SavedModel computes: from pixels or files to labels."""

from collections.abc import Callable
import math
from typing import Any

import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.data import datasets
from auto_deeplab.model import pixels, segmenter
from auto_deeplab.serving import client, picture_files

# Normalised images, float32 [n, h, w, 3] -> logits [n, h, w, classes].
Forward = Callable[[tf.Tensor], tf.Tensor]
# Makes of a network what calls it, as often as it likes and at any sizes.
Around = Callable[[Forward], Forward]

# Of any rank: of a shape that is promised, TensorFlow's kernels are told, and
# believe it; oneDNN's end the process where it is not kept.
_ANY_IMAGES = tf.TensorSpec(None, tf.uint8, name=client.IMAGES)
_ANY_CONTEXT = tf.TensorSpec(None, tf.float32, name=client.CONTEXT)
_ANY_FILES = tf.TensorSpec(None, tf.string, name=client.FILES)
_LARGEST_BYTE = 255
# Pixels beside what the ASPP sees, measured: with them 99.9 % of all labels
# are those of the whole picture.
_REACH_OF_CELLS = 32


class ServingModule(tf.Module):
  """A segmenter from raw pixels to labels, as the SavedModel holds it."""

  def __init__(
    self,
    model: tf.keras.Model,
    info: datasets.DatasetInfo,
    config: configs.ServingConfig,
    around: Around | None = None,
  ):
    """Traces the model once; all signatures share that graph.

    Args:
      model: maps normalised images, float32 [batch, height, width, 3], to
        logits [batch, height, width, num_classes].
      info: the data set that it was trained on.
      config: what it takes.
      around: what is computed with the network; its logits alone by default.

    Raises:
      ValueError: the model has another number of classes.
    """
    super().__init__(name='auto_deeplab')
    self._info = info
    self._max_pixels = config.max_pixels
    # The model is held by the closure only. As an attribute it would be
    # tracked, and saved with its optimizer and each layer's training graph.
    self._logits = tf.function(
      lambda images: _logits(model, images, info.num_classes, config, around),
      input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)],
    )
    graph = self._logits.get_concrete_function().graph
    self.weights = list(graph.variables)
    # They know one view of a part.
    self._signatures_of_parts = (
      {} if around else _signatures_of_parts(model, config)
    )

  @property
  def signatures(self) -> dict[str, tf.types.experimental.GenericFunction]:
    """What the SavedModel is called by."""
    return {
      client.LABELS_SIGNATURE: self.labels,
      client.PROBABILITIES_SIGNATURE: self.probabilities,
      client.QUANTIZED_SIGNATURE: self.quantized_probabilities,
      client.FILES_SIGNATURE: self.segment,
      client.CONFIDENCE_SIGNATURE: self.segment_with_confidence,
      **self._signatures_of_parts,
    }

  @tf.function(input_signature=[_ANY_IMAGES])
  def labels(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the likeliest class of each pixel, uint8 [batch, h, w]."""
    return {client.LABELS: _labels(self._checked_logits(images))}

  @tf.function(input_signature=[_ANY_IMAGES])
  def probabilities(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns float32 [batch, h, w, num_classes]."""
    logits = self._checked_logits(images)
    return {client.PROBABILITIES: tf.nn.softmax(logits)}

  @tf.function(input_signature=[_ANY_IMAGES])
  def quantized_probabilities(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns them times 255, uint8 [batch, h, w, num_classes]."""
    probabilities = tf.nn.softmax(self._checked_logits(images))
    return {client.PROBABILITIES: _as_bytes(probabilities)}

  @tf.function(input_signature=[_ANY_FILES])
  def segment(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns what the pictures of files show, and what is wrong with files."""
    return self._segment(image_bytes, with_confidence=False)

  @tf.function(input_signature=[_ANY_FILES])
  def segment_with_confidence(
    self, image_bytes: tf.Tensor
  ) -> dict[str, tf.Tensor]:
    """Returns besides how sure the network is of each pixel."""
    return self._segment(image_bytes, with_confidence=True)

  def _checked_logits(self, images: tf.Tensor) -> tf.Tensor:
    return self._logits(checked_images(images, self._max_pixels))

  def _segment(
    self, image_bytes: tf.Tensor, with_confidence: bool
  ) -> dict[str, tf.Tensor]:
    image_bytes = _checked_files(image_bytes)
    specs = {
      'label_png_bytes': tf.TensorSpec([], tf.string),
      'class_pixels': tf.TensorSpec([self._info.num_classes], tf.int64),
      'error': tf.TensorSpec([], tf.string),
    }
    if with_confidence:
      specs['confidence_png_bytes'] = tf.TensorSpec([], tf.string)
    outputs = tf.map_fn(
      lambda data: self._segment_file(data, specs),
      image_bytes,
      fn_output_signature=specs,
      # One picture's activations at a time.
      parallel_iterations=1,
    )
    # A row a picture, as servers want of all outputs to split and join batches.
    rows = tf.shape(image_bytes)
    outputs['class_names'] = _repeated(self._info.class_names, rows)
    colors = tf.constant(self._info.colors, tf.uint8)
    outputs['colors'] = _repeated(colors, rows)
    return outputs

  def _segment_file(
    self, data: tf.Tensor, specs: dict[str, tf.TensorSpec]
  ) -> dict[str, tf.Tensor]:
    """Returns the outputs of `specs` for one file."""
    picture, error = picture_files.read(data, self._max_pixels)
    picture = tf.ensure_shape(picture, [None, None, 3])
    names = [name for name in sorted(specs) if name != 'error']

    def found() -> list[tf.Tensor]:
      logits = self._logits(picture[tf.newaxis])[0]
      labels = _labels(logits)
      outputs = {
        'label_png_bytes': tf.io.encode_png(labels[..., tf.newaxis]),
        'class_pixels': _counts(labels, self._info.num_classes),
      }
      if 'confidence_png_bytes' in specs:
        largest = tf.reduce_max(tf.nn.softmax(logits), -1, keepdims=True)
        outputs['confidence_png_bytes'] = tf.io.encode_png(_as_bytes(largest))
      return [outputs[name] for name in names]

    def nothing() -> list[tf.Tensor]:
      return [tf.zeros(specs[name].shape, specs[name].dtype) for name in names]

    values = tf.cond(tf.equal(error, ''), found, nothing)
    return {'error': error, **dict(zip(names, values, strict=True))}


class PortableModule(tf.Module):
  """The same for runtimes other than TensorFlow: arithmetic alone.

  Nothing is checked, decoded or laid on a canvas.

  Attributes:
    function: uint8 `images` [batch, height, width, 3] -> `labels` and
      `probabilities`, of the shapes and dtypes of the signatures.
    weights: the variables that it reads.
  """

  def __init__(
    self,
    model: tf.keras.Model,
    num_classes: int,
    size: tuple[int, int] | None = None,
  ):
    """Traces the model.

    Args:
      model: as of `ServingModule`.
      num_classes: that it has to have.
      size: (height, width) of all pictures; any by default.

    Raises:
      ValueError: the model has another number of classes.
    """
    super().__init__(name='auto_deeplab')
    # Canvases keep oneDNN's memory flat, which other runtimes' is without.
    config = configs.ServingConfig(canvas_steps=0)

    def predict(images: tf.Tensor) -> dict[str, tf.Tensor]:
      logits = _logits(model, images, num_classes, config)
      return {
        client.LABELS: _labels(logits),
        client.PROBABILITIES: tf.nn.softmax(logits),
      }

    shape = [None, *(size or (None, None)), 3]
    self.function = tf.function(
      predict,
      input_signature=[tf.TensorSpec(shape, tf.uint8, name=client.IMAGES)],
    )
    graph = self.function.get_concrete_function().graph
    self.weights = list(graph.variables)


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
  # Not `tf.rank`: what is ensured below makes a constant of it.
  shape = tf.shape(images)
  # Filled up with zeros, an array of fewer axes is compared as any other.
  *sides, channels = tf.unstack(tf.concat([shape, [0] * 4], axis=0)[:4], num=4)
  check = tf.debugging.Assert(
    (tf.size(shape) == 4) & (channels == 3) & (tf.reduce_min(sides) > 0),
    [
      f'`{client.IMAGES}` must be uint8 [batch, height, width, 3], RGB, with '
      'at least one picture and one pixel; its shape is',
      shape,
    ],
    summarize=-1,
  )
  size_check = tf.debugging.Assert(
    picture_files.num_pixels(sides[1:]) <= max_pixels,
    [picture_files.too_many_pixels(sides[1:], max_pixels)],
  )
  with tf.control_dependencies([check, size_check]):
    return tf.ensure_shape(images, [None, None, None, 3])


def _checked_files(image_bytes: tf.Tensor) -> tf.Tensor:
  shape = tf.shape(image_bytes)
  check = tf.debugging.Assert(
    tf.size(shape) == 1,
    [
      f'`{client.FILES}` must be [batch], of strings, each the contents of a '
      'JPEG or PNG; its shape is',
      shape,
    ],
    summarize=-1,
  )
  with tf.control_dependencies([check]):
    return tf.ensure_shape(image_bytes, [None])


def _logits(
  model: tf.keras.Model,
  images: tf.Tensor,
  num_classes: int,
  config: configs.ServingConfig,
  around: Around | None = None,
) -> tf.Tensor:
  def network(images: tf.Tensor) -> tf.Tensor:
    return model(images, training=False, **_canvas(model, images, config))

  forward = around(network) if around else network
  logits = forward(pixels.normalize(images))
  if logits.shape[-1] != num_classes:
    raise ValueError(
      f'the model has {logits.shape[-1]} classes, the data set {num_classes}.'
    )
  return tf.cast(logits, tf.float32)


def _canvas(
  model: tf.keras.Model, images: tf.Tensor, config: configs.ServingConfig
) -> dict[str, Any]:
  """Returns what a model of ours is to be told of where it pads to."""
  if not config.canvas_steps or not isinstance(model, segmenter.Segmenter):
    return {}
  size = tf.shape(images)[1:3]
  return {'canvas_size': _canvas_size(size, model.coarsest_stride, config)}


def _signatures_of_parts(
  model: tf.keras.Model, config: configs.ServingConfig
) -> dict[str, tf.types.experimental.GenericFunction]:
  """Returns what parts of one picture are asked by, if the model has that.

  Image pooling is of the whole picture. So each part first gives what is pooled
  (`features`, float32 [batch, h', w', c]), and is labelled by their mean.
  """
  if not isinstance(model, segmenter.Segmenter) or not model.pools_all:
    return {}

  @tf.function(input_signature=[_ANY_IMAGES])
  def features(images: tf.Tensor) -> dict[str, tf.Tensor]:
    images = checked_images(images, config.max_pixels)
    found = model.features(
      pixels.normalize(images), **_canvas(model, images, config)
    )
    return {'features': found}

  channels = features.get_concrete_function().outputs[0].shape[-1]

  @tf.function(input_signature=[_ANY_IMAGES, _ANY_CONTEXT])
  def labels_in_context(
    images: tf.Tensor, context: tf.Tensor
  ) -> dict[str, tf.Tensor]:
    images = checked_images(images, config.max_pixels)
    logits = model(
      pixels.normalize(images),
      training=False,
      context=tf.ensure_shape(context, [None, channels]),
      **_canvas(model, images, config),
    )
    return {'labels': _labels(logits)}

  return {
    client.FEATURES_SIGNATURE: features,
    client.CONTEXT_SIGNATURE: labels_in_context,
  }


def parts_rule(model: tf.keras.Model) -> dict[str, Any]:
  """Returns how a picture is to be parted, as the metadata has it.

  Returns:
    `alignment`: pixels, of which the place of a part is a multiple, for maps
    to lie as in the whole. `overlap`: pixels of neighbours that decide a label,
    but for those far off whose weight is small. `features_stride`: pixels from
    one place of the signature `features` to the next; None where there is no
    such signature. Nothing if the model is none of ours.
  """
  if not isinstance(model, segmenter.Segmenter):
    return {}
  return {
    'parts': {
      'alignment': model.coarsest_stride,
      'overlap': model.reach + _REACH_OF_CELLS,
      'features_stride': model.features_stride if model.pools_all else None,
    }
  }


def _canvas_size(
  size: tf.Tensor, stride: int, config: configs.ServingConfig
) -> list[tf.Tensor]:
  """Returns (height, width) of the smallest canvas for pictures of a size."""
  sides = tf.constant(canvas_sides(stride, config))
  return tf.unstack(tf.gather(sides, tf.searchsorted(sides, size)))


def square_canvases(
  model: tf.keras.Model, config: configs.ServingConfig
) -> list[int]:
  """Returns the sides that a canvas of a model may have; none if all may be."""
  if not config.canvas_steps or not isinstance(model, segmenter.Segmenter):
    return []
  return canvas_sides(model.coarsest_stride, config)


def canvas_sides(stride: int, config: configs.ServingConfig) -> list[int]:
  """Returns the sides that a canvas may have, ascending.

  They nest, as `stride` * m + 1, where m is a power of 2 or, rounded up, one of
  the `canvas_steps` equal steps from one to the next. The longest picture fits.
  """
  steps = range(config.canvas_steps, 2 * config.canvas_steps)
  last = max(math.ceil(math.log2(config.max_pixels / stride)), 0)
  multiples = {
    math.ceil(2**k * step / config.canvas_steps)
    for k in range(last + 1)
    for step in steps
  }
  return [stride * m + 1 for m in sorted(multiples)]


def _labels(logits: tf.Tensor) -> tf.Tensor:
  # `DatasetInfo` has at most 255 classes: a label fits in a byte.
  labels = tf.argmax(logits, axis=-1, output_type=tf.int32)
  return tf.cast(labels, tf.uint8)


def _as_bytes(probabilities: tf.Tensor) -> tf.Tensor:
  """Maps 0..1 to uint8 0..255."""
  return tf.cast(tf.round(probabilities * _LARGEST_BYTE), tf.uint8)


def _counts(labels: tf.Tensor, num_classes: int) -> tf.Tensor:
  """Returns the number of pixels of each class, int64 [num_classes]."""
  counts = tf.math.bincount(
    tf.cast(tf.reshape(labels, [-1]), tf.int32),
    minlength=num_classes,
    maxlength=num_classes,
    dtype=tf.int64,
  )
  return tf.ensure_shape(counts, [num_classes])


def _repeated(value, rows: tf.Tensor) -> tf.Tensor:
  """Returns the value `rows` times, along a new first axis."""
  value = tf.convert_to_tensor(value)
  return tf.broadcast_to(value, tf.concat([rows, value.shape], axis=0))
