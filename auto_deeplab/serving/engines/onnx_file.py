# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""ONNX: NAME.onnx, which ONNX Runtime and many others take.

The metadata is the property `auto_deeplab` of the model.
"""

from collections.abc import Sequence
import os
from typing import Any

import numpy as np

from auto_deeplab.serving import client
from auto_deeplab.serving.engines import base

SUFFIX = '.onnx'
EXTRA = 'onnx'
PRECISIONS = (base.FLOAT32,)
# Where tf2onnx knows sizes it resizes by their ratio, and misses a pixel.
IS_TRACED_AT_SIZE = False
# What ONNX Runtime 1.12 and Triton 22.08 take already.
_OPSET = 17
_PROPERTY = 'auto_deeplab'


def require_installed(precision: str) -> None:
  """Imports what writes the file, and what then runs it; see `base.require`."""
  del precision
  for module in ('tf2onnx.convert', 'onnx', 'onnxruntime'):
    base.require(module, EXTRA)


def convert(
  network: base.Network,
  path: str | os.PathLike,
  metadata: dict[str, Any],
) -> None:
  """Writes the file; see `tflite_file.convert`.

  Raises:
    ValueError: tf2onnx is not installed.
  """
  converter = base.require('tf2onnx.convert', EXTRA)
  onnx = base.require('onnx', EXTRA)
  model, _ = converter.from_function(
    network.function, network.function.input_signature, opset=_OPSET
  )
  _pad_explicitly(model)
  _name_sides(model, metadata['input']['size'])
  model.metadata_props.add(key=_PROPERTY, value=base.to_json(metadata))
  onnx.save(model, os.fspath(path))


def _pad_explicitly(model) -> None:
  """Says how atrous convolutions pad, which ONNX Runtime cannot find itself.

  They have a stride of 1 and odd kernels, of which SAME pads both sides alike.
  """
  for node in model.graph.node:
    attributes = {each.name: each for each in node.attribute}
    if node.op_type != 'Conv' or 'dilations' not in attributes:
      continue
    automatic = attributes.get('auto_pad')
    if automatic is None or not automatic.s.startswith(b'SAME'):
      continue
    pads = [
      (size - 1) * rate // 2
      for size, rate in zip(
        attributes['kernel_shape'].ints, attributes['dilations'].ints
      )
    ]
    node.attribute.remove(automatic)
    node.attribute.add(name='pads', ints=[*pads, *pads], type=automatic.INTS)


def _name_sides(model, size: list[int] | str) -> None:
  """Says what the sides of the pictures are: a number, or free."""
  height, width = size if isinstance(size, list) else ('height', 'width')
  for value in (*model.graph.input, *model.graph.output):
    sides = zip(value.type.tensor_type.shape.dim, ('batch', height, width))
    for dimension, side in sides:
      if isinstance(side, str):
        dimension.dim_param = side
      else:
        dimension.dim_value = side


class Onnx(base.Engine):
  """Runs such a file."""

  def __init__(self, path: str | os.PathLike, num_threads: int | None = None):
    runtime = base.require('onnxruntime', EXTRA)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = num_threads or os.cpu_count()
    with base.naming_damage(path):
      self._session = runtime.InferenceSession(
        os.fspath(path), options, providers=['CPUExecutionProvider']
      )
      text = self._session.get_modelmeta().custom_metadata_map[_PROPERTY]
    super().__init__(text, path)

  def _run(self, images: np.ndarray, names: Sequence[str]):
    return dict(zip(names, self._session.run(names, {client.IMAGES: images})))
