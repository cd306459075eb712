# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The primitives: what an edge of a cell may compute.

A kind of primitive is a class, and each of its primitives an instance with a
name that no other has. It stands here with what it is called, costs and looks
like, which needs no TensorFlow, and in `model/primitives/` with what computes
it. Everything else asks these two; docs/extending.md adds one.
"""

import abc
from collections.abc import Sequence
import dataclasses
import re
from typing import ClassVar

from auto_deeplab.architecture import counting


@dataclasses.dataclass(frozen=True)
class Primitive(abc.ABC):
  """One kind of primitive; an instance is a primitive.

  Attributes:
    name: In genotypes, recipes and snapshots: lower-case letters, digits and _.
    color: Of its box in the drawing of a cell, '#rrggbb'.
  """

  name: str
  color: ClassVar[str]

  @property
  @abc.abstractmethod
  def label(self) -> str:
    """What stands in its box in the drawing of a cell, in one or two words."""

  @abc.abstractmethod
  def count(
    self, size: counting.Size, filters: int, is_striding: bool
  ) -> counting.Count:
    """Counts it in a network that is not searched.

    Args:
      size: (height, width) of what it puts out.
      filters: Channels of what it takes and of what it puts out.
      is_striding: Whether it halves the height and the width.
    """


@dataclasses.dataclass(frozen=True)
class Nothing(Primitive):
  """No connection: zeros. A search may choose it, a genotype leaves it out."""

  color = '#ffffff'
  label = 'none'

  def count(self, size, filters, is_striding):
    return counting.Count()


@dataclasses.dataclass(frozen=True)
class Skip(Primitive):
  """The identity."""

  color = '#dddddd'
  label = 'skip'

  def count(self, size, filters, is_striding):
    return counting.Count()


@dataclasses.dataclass(frozen=True)
class Windowed(Primitive):
  """What looks at a square window.

  Attributes:
    kernel_size: Side of the window in pixels, odd.

  Raises:
    ValueError: If `kernel_size` is even or below 1.
  """

  kernel_size: int
  word: ClassVar[str]

  def __post_init__(self) -> None:
    if self.kernel_size < 1 or self.kernel_size % 2 == 0:
      raise ValueError(
        f'the `kernel_size` of {self.name} ({self.kernel_size}) must be odd '
        'and at least 1.'
      )

  @property
  def label(self) -> str:
    return f'{self.word} {self.kernel_size}×{self.kernel_size}'


@dataclasses.dataclass(frozen=True)
class _Pool(Windowed):
  color = '#b5dfa5'

  def count(self, size, filters, is_striding):
    return counting.pooling(size, filters, (self.kernel_size,) * 2)


@dataclasses.dataclass(frozen=True)
class MaxPool(_Pool):
  """The maximum of a window."""

  word = 'max pool'


@dataclasses.dataclass(frozen=True)
class AvgPool(_Pool):
  """The average of a window."""

  word = 'avg pool'


@dataclasses.dataclass(frozen=True)
class SeparableConv(Windowed):
  """Twice a depthwise and a pointwise convolution."""

  word = 'sep'
  color = '#9ecae1'

  def count(self, size, filters, is_striding):
    depthwise = counting.convolution(
      size, 1, filters, self.kernel_size, beside=counting.NOTHING
    )
    pointwise = counting.convolution(size, filters, filters)
    # A stride is in the first.
    return counting.total([depthwise, pointwise] * 2)


@dataclasses.dataclass(frozen=True)
class AtrousConv(Windowed):
  """A convolution whose taps lie apart.

  Attributes:
    atrous_rate: Distance between the taps in pixels.
  """

  atrous_rate: int = 2
  word = 'atrous'
  color = '#fdbe85'

  def count(self, size, filters, is_striding):
    # Where it strides, the map is halved and the convolution has no holes.
    rate = 1 if is_striding else self.atrous_rate
    return counting.convolution(
      size, filters, filters, self.kernel_size, atrous_rate=rate
    )


_by_name: dict[str, Primitive] = {}


def register(primitive: Primitive) -> Primitive:
  """Makes a primitive known by its name, and returns it.

  Raises:
    ValueError: If another has the name, or it is no name for a primitive.
  """
  name = primitive.name
  if not re.fullmatch('[a-z0-9_]+', name):
    raise ValueError(
      f'the name of a primitive ({name!r}) must consist of lower-case letters, '
      'digits and _.'
    )
  if _by_name.setdefault(name, primitive) != primitive:
    raise ValueError(f'there is another primitive {name!r}: {_by_name[name]}.')
  return primitive


def known() -> tuple[str, ...]:
  """Returns the names of all primitives that are registered."""
  return tuple(_by_name)


def get(name: str) -> Primitive:
  """Returns the primitive of a name.

  Raises:
    ValueError: If there is none.
  """
  if name not in _by_name:
    raise ValueError(
      f'the primitive {name!r} is unknown; known are {", ".join(_by_name)}.'
    )
  return _by_name[name]


NONE = 'none'
SKIP_CONNECT = 'skip_connect'

# The eight of the paper (section 3.1), the search space unless a recipe says
# otherwise. Their order is that of the columns of alphas.
PAPER = tuple(
  register(primitive).name
  for primitive in (
    Nothing(NONE),
    MaxPool('max_pool_3x3', 3),
    AvgPool('avg_pool_3x3', 3),
    Skip(SKIP_CONNECT),
    SeparableConv('sep_conv_3x3', 3),
    SeparableConv('sep_conv_5x5', 5),
    AtrousConv('atrous_conv_3x3', 3),
    AtrousConv('atrous_conv_5x5', 5),
  )
)


def operations(names: Sequence[str] = PAPER) -> tuple[str, ...]:
  """Returns what a genotype may hold of these: all but `none`."""
  return tuple(name for name in names if name != NONE)
