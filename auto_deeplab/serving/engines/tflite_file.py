# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Lite, now LiteRT: NAME.tflite, for phones and small boards.

The metadata is a file of a ZIP archive behind the network, where TensorFlow
Lite's own metadata has its associated files; runtimes do not look there.
"""

from collections.abc import Sequence
import importlib
import os
from pathlib import Path
from typing import Any
import zipfile

import numpy as np

from auto_deeplab.serving import client
from auto_deeplab.serving.engines import base

SUFFIX = '.tflite'
IS_TRACED_AT_SIZE = True
PRECISIONS = (base.FLOAT32, base.INT8)
_METADATA_NAME = 'metadata.json'


def require_installed(precision: str) -> None:
  """Does nothing: TensorFlow writes the file, and runs it."""
  del precision


def convert(
  network: base.Network,
  path: str | os.PathLike,
  metadata: dict[str, Any],
  calibration: Sequence[np.ndarray] = (),
) -> None:
  """Writes the file.

  Args:
    network: what to write.
    path: of the file.
    metadata: that it holds.
    calibration: pictures, uint8 [height, width, 3], by whose values the ranges
      of 8-bit integers are chosen; without any it computes in float32.

  Raises:
    ValueError: the converter refuses the network.
  """
  import tensorflow as tf

  function = network.function.get_concrete_function()
  converter = tf.lite.TFLiteConverter.from_concrete_functions(
    [function], network
  )
  if calibration:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
      {client.IMAGES: picture[np.newaxis]} for picture in calibration
    )
  Path(path).write_bytes(converter.convert())
  with zipfile.ZipFile(path, 'a') as archive:
    archive.writestr(_METADATA_NAME, base.to_json(metadata))


class Tflite(base.Engine):
  """Runs such a file."""

  def __init__(self, path: str | os.PathLike, num_threads: int | None = None):
    with base.naming_damage(path), zipfile.ZipFile(path) as archive:
      text = archive.read(_METADATA_NAME)
    super().__init__(text, path)
    with base.naming_damage(path):
      interpreter = _interpreter_class()(
        os.fspath(path), num_threads=num_threads or os.cpu_count()
      )
      self._runner = interpreter.get_signature_runner()

  def _run(self, images: np.ndarray, names: Sequence[str]):
    del names  # It computes all.
    return self._runner(**{client.IMAGES: images})


def _interpreter_class():
  """Returns LiteRT's, or where that is not installed TensorFlow's own."""
  try:
    runtime = importlib.import_module('ai_edge_litert.interpreter')
  except ImportError:
    import tensorflow as tf

    return tf.lite.Interpreter
  return runtime.Interpreter
