# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a search cell computes with, and what is held for its gradient."""

from collections.abc import Callable, Sequence
import dataclasses
import functools

import tensorflow as tf

from auto_deeplab.model.ops import channels, convolutions

# Of an `Arithmetic` and tensors.
Computation = Callable[..., tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Arithmetic:
  """Operations on maps, `[n, h, w, c]`.

  Attributes:
    has_gradient: whether someone will ask for gradients. If not, nothing stands
      in the graph for those that are our own.
    holds_all: whether the backward pass finds all that was computed, as where a
      whole cell is made again there and used at once.
  """

  has_gradient: bool = True
  holds_all: bool = False

  def conv2d(
    self,
    x: tf.Tensor,
    kernel: tf.Tensor,
    padding: str = 'SAME',
    atrous_rate: int = 1,
  ) -> tf.Tensor:
    """As `convolutions.conv2d` at a stride of 1."""
    return convolutions.conv2d(
      x, kernel, 1, padding, atrous_rate, has_gradient=self.has_gradient
    )

  def depthwise_conv2d(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """As `convolutions.depthwise_conv2d` at a stride of 1."""
    return convolutions.depthwise_conv2d(
      x, kernel, has_gradient=self.has_gradient
    )

  def concat(self, parts: Sequence[tf.Tensor]) -> tf.Tensor:
    """As `channels.concat`."""
    return channels.concat(parts, has_gradient=self.has_gradient)

  def copies(self, x: tf.Tensor, number: int) -> tf.Tensor:
    """As `channels.copies`."""
    return channels.copies(x, number, has_gradient=self.has_gradient)

  def hold(self, compute: Computation) -> Callable[..., tf.Tensor]:
    """Returns a function of which only the arguments are held.

    What `compute` makes on its way is made again in the backward pass, at no
    measurable cost if it is little. Not `tf.recompute_grad`: it copies each
    argument, for compilers that would see that the same is computed twice.

    Args:
      compute: of an `Arithmetic`, which it computes with, and of tensors;
        without variables or side effects.
    """
    if self.holds_all or not self.has_gradient:
      return functools.partial(compute, self)

    @tf.custom_gradient
    def forward(*arguments: tf.Tensor):
      def gradients(dy: tf.Tensor) -> list[tf.Tensor]:
        with tf.control_dependencies([dy]), tf.GradientTape() as tape:
          tape.watch(arguments)
          y = compute(HOLDING_ALL, *arguments)
        return tape.gradient(y, arguments, dy)

      return compute(FORWARD, *arguments), gradients

    return forward


HOLDING_ALL = Arithmetic(holds_all=True)
FORWARD = Arithmetic(has_gradient=False)
