# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Less memory for more time: what is computed again in the backward pass."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def recomputed(
  first: Callable[..., Any], second: Callable[..., Any]
) -> Callable[..., Any]:
  """Returns a function of which only the arguments are held for its gradient.

  As `tf.recompute_grad`, which knows one function for both passes.

  Args:
    first: of structures of float tensors; it may use variables.
    second: computes the same in the backward pass, and is differentiated there;
      it leaves alone what `first` has moved.

  Returns:
    What computes as `first`, with the gradients of `second`.
  """

  def compute(*arguments: Any) -> Any:
    @tf.custom_gradient
    def forward(*tensors: tf.Tensor):
      def gradients(*dy: tf.Tensor, variables: Sequence[tf.Variable] = ()):
        # TensorFlow's executor obeys these, and XLA the sums with 0.
        with tf.control_dependencies(dy), tf.GradientTape() as tape:
          zero = _zero_after(dy)
          again = [x + tf.cast(zero, x.dtype) for x in tensors]
          tape.watch([again, variables])
          y = second(*tf.nest.pack_sequence_as(arguments, again))
        found = tape.gradient(
          tf.nest.flatten(y), [*again, *variables], list(dy)
        )
        of_tensors, of_variables = found[: len(again)], found[len(again) :]
        return (of_tensors, of_variables) if variables else of_tensors

      return first(*tf.nest.pack_sequence_as(arguments, tensors)), gradients

    return forward(*tf.nest.flatten(arguments))

  return compute


def _zero_after(gradients: Sequence[tf.Tensor]) -> tf.Tensor:
  """Returns a scalar 0 that depends on the gradients.

  What it is added to is not there before they are. Otherwise XLA would see that
  the same is computed twice, and compute it once.
  """
  firsts = [tf.reshape(dy, [-1])[:1] for dy in gradients]
  # A truth value also of what is not a number.
  is_there = tf.cast(tf.concat(firsts, axis=0), tf.bool)
  is_same = tf.reduce_all(is_there == is_there)
  return tf.where(is_same, 0.0, float('nan'))
