# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Writes a trained segmenter as a SavedModel that needs no Python of ours.

  OUTPUT_DIR/
    saved_model.pb, variables/          graph and weights of the inference only
    assets.extra/metadata.json          classes, colours, genotype, step
    assets.extra/tf_serving_warmup_requests    where `tensorflow_serving` is

Signatures of `images`, uint8 [batch, height, width, 3], RGB in 0..255; any
batch, height and width. The network within pads what it is given to a size at
which its maps nest, and crops what it says. Images of another shape are refused
with an InvalidArgument that tells the rule.

  serving_default          labels         uint8   [batch, h, w]
  probabilities            probabilities  float32 [batch, h, w, classes]
  quantized_probabilities  probabilities  uint8, those times 255

Signatures of `image_bytes`, string [batch], each a JPEG or PNG of any size. A
file that is refused fails none beside it: its `error` says why, its other
outputs are empty or 0. EXIF orientation is applied: what comes back is upright.

  segment                  label_png_bytes  string [batch], of 8 bits, greyscale
                           class_pixels     int64 [batch, classes]
                           error            string [batch], empty where fine
                           class_names      string [batch, classes]
                           colors           uint8 [batch, classes, 3]
  segment_with_confidence  the same, and
                           confidence_png_bytes  string [batch]: 255 times the
                                            probability of each pixel's label

Signatures of parts of a picture that is too large, where image pooling is of
the whole picture: `client.windows` calls them.

  features                 features       float32 [batch, h', w', c]
  labels_in_context        labels         of images, and of `context`, float32
                                          [batch, c]: the mean of all features
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
import contextlib
import json
import os
from pathlib import Path
from typing import Any

from absl import logging
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from auto_deeplab import configs
from auto_deeplab.architecture.genotype import Genotype
from auto_deeplab.data.datasets import DatasetInfo
from auto_deeplab.serving import aside, client, comparison, module

_GRAPH_FILE = 'saved_model.pb'
_GRADIENT = '_gradient_op_type'
_WARMUP_PATH = os.path.join('assets.extra', 'tf_serving_warmup_requests')
# Small: a warm-up request is to load and optimise the graph, not to work.
_WARMUP_SIDE = 65
# Of the canvases, the square ones to so many pixels are warmed up besides, for
# the first picture on one has oneDNN make its primitives. TensorFlow Serving
# waits for all of them before it answers.
_LONGEST_WARMUP_SIDE = 1025
_DEFAULTS = configs.ServingConfig()


def require_free(output_dir: str | os.PathLike) -> Path:
  """Returns the absolute path of a folder that may be written to.

  Args:
    output_dir: a folder that does not exist or is empty.

  Raises:
    ValueError: it is not empty, or a file.
  """
  target = Path(output_dir).resolve()
  if target.exists() and (not target.is_dir() or any(target.iterdir())):
    raise ValueError(
      f'the output folder {os.fspath(output_dir)!r} already exists and is not '
      f'empty; take {_another(Path(output_dir))}.'
    )
  return target


def _another(folder: Path) -> str:
  """Returns what to take in the place of a folder: if numbered, the next."""
  versions = folder.parent if folder.name.isdecimal() else folder
  names = os.listdir(versions) if versions.is_dir() else []
  numbers = [int(name) for name in names if name.isdecimal()]
  return repr(str(versions / f'{max(numbers) + 1}')) if numbers else 'another'


def export(
  model: tf.keras.Model,
  *,
  dataset_info: DatasetInfo,
  genotype: Genotype,
  output_dir: str | os.PathLike,
  step: int,
  compute_dtype: str = 'float32',
  config: configs.ServingConfig = _DEFAULTS,
  around: module.Around | None = None,
  views: Mapping[str, Any] | None = None,
  pictures: Sequence[np.ndarray] = (),
  accept: Callable[[client.SavedModelClient], None] | None = None,
) -> Path:
  """Writes a SavedModel.

  Args:
    model: a built segmenter with its trained weights; maps normalised images,
      float32 [batch, height, width, 3], to logits [batch, height, width,
      num_classes].
    dataset_info: the data set that it was trained on.
    genotype: the architecture, for the record.
    output_dir: a folder that does not exist or is empty. It appears complete
      or not at all.
    step: the training step of the weights.
    compute_dtype: 'float32', 'bfloat16' or 'float16': what the layers may
      compute in, besides float32.
    config: what it takes.
    around: what is computed with the network, such as its mean over scales; its
      logits alone by default.
    views: what that is, for the record.
    pictures: uint8 [height, width, 3] each, on which what was written has to
      say what the model says.
    accept: is given what was written, before it gets its name; a ValueError of
      it refuses that.

  Returns:
    `output_dir` as an absolute path.

  Raises:
    ValueError: `output_dir` is not empty; the model is not built, computes in
      another dtype, has weights that are not finite, or a number of classes
      other than that of `dataset_info`; what was written says something else.
    OSError: the folder cannot be written.
  """
  target = require_free(output_dir)
  _require_servable(model, compute_dtype)
  served = module.ServingModule(model, dataset_info, config, around)
  _require_finite(served.weights)
  metadata = _metadata(
    served, dataset_info, genotype, step, compute_dtype, config
  )
  metadata['views'] = dict(views or {})
  if around is None:
    metadata |= module.parts_rule(model)
  with contextlib.ExitStack() as stack:
    with _naming(target):
      folder = stack.enter_context(aside.folder_beside(target))
      _save(served, folder, metadata, module.square_canvases(model, config))
    if pictures:
      _compare(folder, served, pictures)
    if accept:
      accept(client.SavedModelClient(folder))
    with _naming(target):
      # Also replaces an empty folder, and fails on one filled in the meantime.
      folder.rename(target)
  return target


def _save(
  served: module.ServingModule,
  folder: Path,
  metadata: dict[str, Any],
  canvases: Sequence[int],
) -> None:
  with _quiet_tensorflow():
    tf.saved_model.save(
      served,
      os.fspath(folder),
      signatures=served.signatures,
      # Serving takes no gradients.
      options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )
  _forget_gradients(folder / _GRAPH_FILE)
  path = folder / client.METADATA_PATH
  path.parent.mkdir()
  path.write_text(json.dumps(metadata, indent=1) + '\n', encoding='utf-8')
  _write_warmup_requests(folder / _WARMUP_PATH, canvases)


def _forget_gradients(path: Path) -> None:
  """Has operations whose gradients of ours were not saved name none.

  TensorFlow would warn of them whenever the SavedModel is loaded. Without, they
  have its own gradients.

  Args:
    path: of the graph.
  """
  saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
  (graph,) = saved.meta_graphs
  for function in graph.graph_def.library.function:
    for node in function.node_def:
      # A call has the name of a gradient that is there.
      if _GRADIENT in node.attr and 'PartitionedCall' not in node.op:
        del node.attr[_GRADIENT]
  path.write_bytes(saved.SerializeToString())


def _compare(
  folder: Path, served: module.ServingModule, pictures: Sequence[np.ndarray]
) -> None:
  written = client.SavedModelClient(folder)
  comparison.require_equal(
    'the SavedModel',
    lambda picture: written.predict(picture).labels,
    lambda picture: served.labels(picture[np.newaxis])[client.LABELS][0],
    pictures,
  )


def _require_servable(model: tf.keras.Model, compute_dtype: str) -> None:
  if not model.built:
    raise ValueError(f'the model {model.name!r} is not built: no weights.')
  for layer in model.submodules:
    dtype = getattr(layer, 'compute_dtype', None)
    if dtype not in (None, 'float32', compute_dtype):
      raise ValueError(
        f'the layer {layer.name!r} computes in {dtype}, the export asks for '
        f'{compute_dtype}: build the model for inference in {compute_dtype}.'
      )


def _require_finite(weights: list[tf.Variable]) -> None:
  for variable in weights:
    if not np.all(np.isfinite(np.asarray(variable, np.float32))):
      raise ValueError(f'the weight {variable.name!r} is not finite.')


def _metadata(
  served: module.ServingModule,
  dataset_info: DatasetInfo,
  genotype: Genotype,
  step: int,
  compute_dtype: str,
  config: configs.ServingConfig,
) -> dict[str, Any]:
  return {
    'format': client.FORMAT,
    'version': client.VERSION,
    'dataset': dataset_info.name,
    'class_names': list(dataset_info.class_names),
    'colors': [list(color) for color in dataset_info.colors],
    'values': list(dataset_info.own_values),
    'ignore_label': dataset_info.ignore_label,
    'input': {
      'pixels': 'uint8 RGB, 0..255; normalisation is inside the graph',
      'size': 'any; one size within a batch of pixels, not of files',
      'max_pixels': config.max_pixels,
      'canvas_steps': config.canvas_steps,
      'exif_orientation': 'applied, to files',
    },
    'signatures': client.INPUTS,
    'genotype': genotype.to_json(),
    'step': int(step),
    'num_weights': sum(int(np.prod(w.shape)) for w in served.weights),
    'compute_dtype': compute_dtype,
    'tensorflow_version': tf.__version__,
  }


def _write_warmup_requests(path: Path, canvases: Sequence[int]) -> None:
  """Writes what TensorFlow Serving runs before it answers.

  Args:
    path: of the file.
    canvases: sides of squares, of each of which a file is segmented. Besides,
      each signature is called once.
  """
  try:
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
  except ImportError as e:
    logging.info('No warm-up requests for TensorFlow Serving: %s', e)
    return
  calls = [(signature, _WARMUP_SIDE) for signature in client.INPUTS]
  calls += [
    (client.FILES_SIGNATURE, side)
    for side in canvases
    if side <= _LONGEST_WARMUP_SIDE and side != _WARMUP_SIDE
  ]
  with tf.io.TFRecordWriter(os.fspath(path)) as writer:
    for signature, side in calls:
      name = client.INPUTS[signature]
      image = tf.zeros([side, side, 3], tf.uint8)
      value = image if name == client.IMAGES else tf.io.encode_png(image)
      request = predict_pb2.PredictRequest()
      request.model_spec.signature_name = signature
      request.inputs[name].CopyFrom(tf.make_tensor_proto(value[tf.newaxis]))
      log = prediction_log_pb2.PredictLog(request=request)
      record = prediction_log_pb2.PredictionLog(predict_log=log)
      writer.write(record.SerializeToString())
  logging.info('Wrote warm-up requests for TensorFlow Serving.')


@contextlib.contextmanager
def _quiet_tensorflow() -> Iterator[None]:
  """Mutes TensorFlow's notes, which name the temporary folder."""
  logger = tf.get_logger()
  level, verbosity = logger.level, logging.get_verbosity()
  logger.setLevel('WARNING')
  logging.set_verbosity(logging.WARNING)
  try:
    yield
  finally:
    logger.setLevel(level)
    logging.set_verbosity(verbosity)


@contextlib.contextmanager
def _naming(target: Path) -> Iterator[None]:
  """Has what cannot be written be an error that names the folder."""
  try:
    yield
  # TensorFlow's own error on a full disk, for one.
  except (OSError, tf.errors.OpError) as e:
    raise OSError(f'cannot write {os.fspath(target)!r}: {e}') from e
