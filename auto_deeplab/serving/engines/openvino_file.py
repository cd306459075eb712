# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""OpenVINO: NAME.xml with its weights in NAME.bin, fast on CPUs.

The metadata is the entry `auto_deeplab` of the model's runtime information.
"""

from collections.abc import Sequence
import os
import tempfile
import types
from typing import Any
from unittest import mock

import numpy as np

from auto_deeplab.serving.engines import base

SUFFIX = '.xml'
IS_TRACED_AT_SIZE = True
EXTRA = 'openvino'
PRECISIONS = (base.FLOAT32, base.BFLOAT16, base.INT8)
_INFORMATION = ['auto_deeplab', 'metadata']
_DEVICE = 'CPU'


def require_installed(precision: str) -> None:
  """Imports what writes the file; see `base.require`."""
  base.require('openvino', EXTRA)
  if precision == base.INT8:
    _nncf()


def _nncf() -> types.ModuleType:
  # It would tell its makers of each use, and asks when it is imported.
  with mock.patch.dict(os.environ, NNCF_CI='1'):
    return base.require('nncf', 'int8')


def convert(
  network: base.Network,
  path: str | os.PathLike,
  metadata: dict[str, Any],
  calibration: Sequence[np.ndarray] = (),
) -> None:
  """Writes the file; see `tflite_file.convert`.

  Raises:
    ValueError: OpenVINO is not installed, or for integers NNCF.
  """
  import tensorflow as tf

  openvino = base.require('openvino', EXTRA)
  with tempfile.TemporaryDirectory() as folder:
    tf.saved_model.save(
      network, folder, signatures=network.function.get_concrete_function()
    )
    # Not `convert_model`, which fails of TensorFlow's functions on Python 3.13.
    model = openvino.Core().read_model(folder)
    if calibration:
      model = _quantized(model, calibration)
    model.set_rt_info(base.to_json(metadata), _INFORMATION)
    openvino.save_model(model, os.fspath(path), compress_to_fp16=False)


def _quantized(model, calibration: Sequence[np.ndarray]):
  nncf = _nncf()
  return nncf.quantize(
    model,
    nncf.Dataset([picture[np.newaxis] for picture in calibration]),
    subset_size=len(calibration),
  )


class OpenVino(base.Engine):
  """Runs such a file."""

  def __init__(self, path: str | os.PathLike, num_threads: int | None = None):
    openvino = base.require('openvino', EXTRA)
    self._core = openvino.Core()
    self._path = os.fspath(path)
    with base.naming_damage(path):
      model = self._core.read_model(self._path)
      text = model.get_rt_info(_INFORMATION).astype(str)
    super().__init__(text, path)
    able = self._core.get_property(_DEVICE, 'OPTIMIZATION_CAPABILITIES')
    is_asked = self.metadata['compute_dtype'] == base.BFLOAT16
    self._options = {
      # Without this it is bfloat16 on every CPU that has it.
      'INFERENCE_PRECISION_HINT': 'bf16'
      if is_asked and 'BF16' in able
      else 'f32',
      'PERFORMANCE_HINT': 'LATENCY',
    }
    if num_threads:
      self._options['INFERENCE_NUM_THREADS'] = str(num_threads)

    # By the outputs that it computes.
    self._compiled: dict[tuple[str, ...], Any] = {}

  def _compile(self, names: tuple[str, ...]):
    """Returns what computes these outputs, and spends no time on others."""
    with base.naming_damage(self._path):
      model = self._core.read_model(self._path)
      for result in model.get_results():
        if not result.input(0).get_source_output().get_names() & {*names}:
          model.remove_result(result)
      return self._core.compile_model(model, _DEVICE, self._options)

  def _run(self, images: np.ndarray, names: Sequence[str]):
    asked = tuple(names)
    if asked not in self._compiled:
      self._compiled[asked] = self._compile(asked)
    outputs = self._compiled[asked](images)
    return {name: outputs[name] for name in names}
