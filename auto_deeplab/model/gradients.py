# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Functions with gradients of their own."""

from collections.abc import Callable
import contextvars
from typing import Any

import tensorflow as tf

# Whether what is computed is within a function with a gradient of its own.
_is_within = contextvars.ContextVar('is_within', default=False)


def custom_gradient(compute: Callable[..., Any]) -> Callable[..., Any]:
  """As `tf.custom_gradient`, which within another one leaves no trace.

  Nobody asks for the gradients of what the outer one computes on its way, so
  the nodes that would stand for them can be spared.

  Args:
    compute: of tensors; returns its outputs, and a function of their gradients
      that returns those of the tensors.
  """

  def compute_within(*tensors: tf.Tensor) -> Any:
    token = _is_within.set(True)
    try:
      return compute(*tensors)
    finally:
      _is_within.reset(token)

  def apply(*tensors: tf.Tensor) -> Any:
    if _is_within.get():
      return compute(*tensors)[0]
    return tf.custom_gradient(compute_within)(*tensors)

  return apply
