# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Comparison of the published network with recorded numbers of the authors'.

A file of variables holds one array by TF1 variable name; a file of reference
numbers holds `input`, raw RGB in 0..255, and `out/<endpoint>` for any of
`Segmenter.endpoints`.
"""

from collections.abc import Mapping
import os
import zipfile

import numpy as np
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.interop import tf1_names
from auto_deeplab.model import pixels
from auto_deeplab.model import segmenter as segmenter_lib

_OUTPUT_PREFIX = 'out/'


def load_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
  """Reads an .npz file.

  Raises:
    FileNotFoundError: if there is none.
    ValueError: if it is no .npz file.
  """
  try:
    with np.load(path, allow_pickle=False) as arrays:
      return dict(arrays)
  except (ValueError, EOFError, zipfile.BadZipFile, AttributeError) as e:
    raise ValueError(f'{os.fspath(path)} is no .npz file: {e}') from e


def endpoint_errors(
  variables: Mapping[str, np.ndarray],
  reference: Mapping[str, np.ndarray],
  filter_multiplier: int,
) -> dict[str, float]:
  """Runs the published network on recorded variables and compares.

  Args:
    variables: arrays by TF1 variable name; together exactly the network's.
    reference: `input` `[n, h, w, 3]` in 0..255, and `out/<endpoint>` arrays.
    filter_multiplier: F of the network.

  Returns:
    By endpoint, the largest difference over the largest reference value.

  Raises:
    ValueError: if a variable or endpoint is missing, unknown, of another
      shape, or not finite; the message names it.
  """
  if 'input' not in reference:
    raise ValueError('the reference lacks `input`.')
  expected = {
    key[len(_OUTPUT_PREFIX) :]: value
    for key, value in reference.items()
    if key.startswith(_OUTPUT_PREFIX)
  }
  if not expected:
    raise ValueError(f'the reference has no `{_OUTPUT_PREFIX}<endpoint>`.')
  if tf1_names.LOGITS_BIAS not in variables:
    raise ValueError(f'the variable {tf1_names.LOGITS_BIAS!r} is missing.')
  segmenter = segmenter_lib.Segmenter(
    genotype_lib.PUBLISHED,
    configs.SegmenterConfig(filter_multiplier=filter_multiplier),
    num_classes=len(variables[tf1_names.LOGITS_BIAS]),
  )
  images = pixels.normalize(tf.constant(reference['input']))
  segmenter(images)
  tf1_names.assign(segmenter, variables)
  outputs = segmenter.endpoints(images)
  return {
    name: _error(name, outputs, value) for name, value in expected.items()
  }


def _error(
  name: str, outputs: Mapping[str, tf.Tensor], expected: np.ndarray
) -> float:
  if name not in outputs:
    raise ValueError(f'the network has no endpoint {name!r}.')
  output = outputs[name].numpy()
  if output.shape != expected.shape:
    raise ValueError(
      f'the endpoint {name!r} has the shape {output.shape}, the reference '
      f'{expected.shape}.'
    )
  return float(np.abs(output - expected).max() / np.abs(expected).max())
