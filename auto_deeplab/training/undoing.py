# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Steps that are made to be looked at, and then undone."""

from collections.abc import Iterator, Sequence
import contextlib

import tensorflow as tf


@contextlib.contextmanager
def undoing(
  strategy: tf.distribute.Strategy, variables: Sequence[tf.Variable]
) -> Iterator[None]:
  """Puts variables back, on each replica to what they were there."""
  local = strategy.experimental_local_results
  parts = [part for variable in variables for part in local(variable)]
  saved = [part.numpy() for part in parts]
  try:
    yield
  finally:
    for part, value in zip(parts, saved):
      part.assign(value)
