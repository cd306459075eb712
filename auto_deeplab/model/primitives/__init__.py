# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How each primitive of `architecture.primitives` is computed."""

import tensorflow as tf

from auto_deeplab.architecture import primitives
from auto_deeplab.model.ops import normalization
from auto_deeplab.model.primitives import (  # noqa: F401
  atrous,
  base,
  pooling,
  separable,
  skip,
)


def make_layer(
  name: str,
  filters: int,
  norm: normalization.NormSettings,
  *,
  strides: int = 1,
) -> tf.keras.layers.Layer:
  """Builds the layer of a primitive for a network that is not searched.

  Args:
    name: of a primitive other than 'none'.
    filters: channels in and out.
    norm: of its batch norms.
    strides: 1 or 2.

  Raises:
    ValueError: if `name` is not an operation.
  """
  operations = primitives.operations(primitives.known())
  if name not in operations:
    raise ValueError(f'`name` ({name!r}) must be one of {operations}.')
  return base.of(primitives.get(name)).layer(filters, norm, strides)
