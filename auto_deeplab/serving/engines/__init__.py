# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Exported networks as other runtimes take them: a format of a file each.

A file needs nothing beside it: classes, colours and sizes are inside. All of
them take uint8 `images` [batch, height, width, 3] and give `labels` and
`probabilities`, as the SavedModel's signatures of these names.
"""

from collections.abc import Callable
import os
import types

from auto_deeplab.serving import client
from auto_deeplab.serving.engines import (
  base,
  onnx_file,
  openvino_file,
  tflite_file,
)

Engine = base.Engine

# By the name of the format; each has SUFFIX, PRECISIONS, IS_TRACED_AT_SIZE,
# require_installed, convert and an engine.
FORMATS: dict[str, types.ModuleType] = {
  'tflite': tflite_file,
  'onnx': onnx_file,
  'openvino': openvino_file,
}
_OPENERS: dict[str, Callable[..., base.Engine]] = {
  tflite_file.SUFFIX: tflite_file.Tflite,
  onnx_file.SUFFIX: onnx_file.Onnx,
  openvino_file.SUFFIX: openvino_file.OpenVino,
}


def load(
  path: str | os.PathLike, num_threads: int | None = None
) -> client.SavedModelClient | base.Engine:
  """Opens what `export` wrote, a SavedModel's folder or a file.

  Args:
    path: the folder, or a file whose suffix tells the runtime: .tflite, .onnx,
      .xml (OpenVINO, with its .bin beside it).
    num_threads: that compute; all cores by default. A SavedModel has those of
      TensorFlow.

  Raises:
    FileNotFoundError: there is no such file or folder.
    ValueError: it is none of this project's, is damaged, or the runtime is not
      installed.
  """
  if os.path.splitext(path)[1] in _OPENERS:
    return open_file(path, num_threads)
  return client.SavedModelClient(path)


def open_file(
  path: str | os.PathLike, num_threads: int | None = None
) -> base.Engine:
  """Does as `load`, of a file alone."""
  if not os.path.isfile(path):
    raise FileNotFoundError(f'the model {os.fspath(path)!r} does not exist.')
  return _OPENERS[os.path.splitext(path)[1]](path, num_threads)
