# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What one operation costs: parameters and multiply-adds, in two countings.

`cost` says what the countings are and adds up the operations of a network.
"""

from collections.abc import Iterable
from typing import NamedTuple

# (height, width), pixels.
Size = tuple[int, int]

# Parameters of a filter beside its kernel.
NORM, BIAS, NOTHING = 2, 1, 0


class Count(NamedTuple):
  """What an operation costs on one image.

  Attributes:
    parameters: Trainable ones.
    multiply_adds: In the exact counting.
    profiler_multiply_adds: In the profiler's counting; may end in a half.
  """

  parameters: int = 0
  multiply_adds: int = 0
  profiler_multiply_adds: float = 0.0


def convolution(
  size: Size,
  channels: int,
  filters: int,
  kernel_size: int = 1,
  *,
  atrous_rate: int = 1,
  beside: int = NORM,
) -> Count:
  """Counts a convolution.

  Args:
    size: (height, width) of the output.
    channels: That each filter reads: 1 if it is depthwise, a group's if it is
      grouped.
    filters: Channels of the output.
    kernel_size: Side of the kernel.
    atrous_rate: Distance between its taps.
    beside: Parameters of each filter beside the kernel: `NORM`, the scale and
      offset of batch norm, `BIAS` or `NOTHING`.
  """
  kernel = kernel_size**2 * channels * filters
  padded_size = [n * atrous_rate for n in ceil_divided(size, atrous_rate)]
  return Count(
    kernel + beside * filters,
    area(size) * kernel,
    float(area(padded_size) * kernel),
  )


def pooling(size: Size, channels: int, window: Size) -> Count:
  """Counts a pooling by the size that it puts out; only the profiler does."""
  operations = area(size) * channels * area(window)
  return Count(profiler_multiply_adds=operations / 2)


def total(counts: Iterable[Count]) -> Count:
  """Adds up what several operations cost."""
  return Count(*(sum(measure) for measure in zip(*counts)))


def area(size: Iterable[int]) -> int:
  """Returns the pixels of a map of (height, width)."""
  height, width = size
  return height * width


def ceil_divided(size: Size, divisor: int) -> Size:
  """Returns the (height, width) of a map at `divisor` times the stride."""
  height, width = (-(-n // divisor) for n in size)
  return height, width
