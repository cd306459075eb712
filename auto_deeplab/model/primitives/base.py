# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How a primitive is computed: the half of it that needs TensorFlow.

A class computes a kind of `architecture.primitives`, which it names:

    @base.computes(primitives.Skip)
    class Skip(base.Shared): ...
"""

import abc
from collections.abc import Callable, Mapping, Sequence
import dataclasses
import functools
from typing import Any, NamedTuple, TypeVar

import tensorflow as tf

from auto_deeplab.architecture import primitives
from auto_deeplab.model.ops import (
  cell_arithmetic,
  devices,
  normalization,
  statistics,
)
from auto_deeplab.model.ops.arithmetic import Arithmetic

CellArithmetic = cell_arithmetic.CellArithmetic
# A map, and the statistics of its norms.
Computed = tuple[tf.Tensor, list[statistics.Statistics]]
Moving = Sequence[statistics.Statistics | None]


class State:
  """What edges leave: a map, and what several primitives make of it.

  Attributes:
    x: `[n, h, w, c]`.
  """

  def __init__(self, x: tf.Tensor):
    self.x = x

  @functools.cached_property
  def activated(self) -> tf.Tensor:
    return tf.nn.relu(self.x)


class Computation(abc.ABC):
  """Computes a primitive.

  Attributes:
    primitive: which.
    num_norms: batch norms of an edge in a search, each of the width of a state.
  """

  num_norms = 0

  def __init__(self, primitive: Any):
    self.primitive = primitive

  @property
  def name(self) -> str:
    return self.primitive.name

  @abc.abstractmethod
  def layer(
    self, filters: int, norm: normalization.NormSettings, strides: int
  ) -> tf.keras.layers.Layer:
    """Builds its layer in a network that is not searched.

    Args:
      filters: channels in and out.
      norm: of its batch norms.
      strides: 1, or 2 where it halves the map to ceil(n / 2) pixels.

    Returns:
      A layer of a map and of `training`.
    """

  def kernels(self, filters: int) -> 'dict[str, Kernel]':
    """Returns its kernels in a search by their names, '' if there is one."""
    del filters
    return {}

  @abc.abstractmethod
  def alone(
    self,
    state: State,
    weight: tf.Tensor,
    kernels: 'Mapping[str, Sequence[tf.Tensor]]',
    moving: Moving,
    ops: CellArithmetic,
  ) -> Computed:
    """Computes it on one edge that draws it.

    Args:
      state: which the edge leaves.
      weight: float32 scalar, alpha's.
      kernels: of the edge, as of `Edges`.
      moving: for each of its norms.
      ops: what to compute with.

    Returns:
      `[n, h, w, c]` times the weight, and the statistics used.
    """


class Shared(Computation):
  """Without kernels, so that all edges that leave a state share its map.

  Alpha mixes the maps of all such primitives into all those edges, by one 1x1
  convolution.

  Attributes:
    is_normalized: whether a batch norm follows, as in DARTS where otherwise the
      size of the map would add to what alpha says.
  """

  is_normalized = True

  @property
  def num_norms(self) -> int:  # type: ignore[override]
    return int(self.is_normalized)

  @abc.abstractmethod
  def map(self, x: tf.Tensor) -> tf.Tensor:
    """Computes `[n, h, w, c]` of a state; it is cheap enough to do twice."""

  def alone(self, state, weight, kernels, moving, ops):
    if not self.is_normalized:
      return self.map(state.x) * tf.cast(weight, state.x.dtype), []
    y = maps([self], state.x, ops)
    y, used = ops.normalize(y, moving[0], tf.repeat(weight, y.shape[-1]))
    return y, [used]


def maps(
  shared: Sequence[Shared], x: tf.Tensor, ops: CellArithmetic
) -> tf.Tensor:
  """Computes the maps of a state, whose channels lie side by side."""

  def compute(ops: Arithmetic, x: tf.Tensor) -> tf.Tensor:
    return ops.concat([each.map(x) for each in shared])

  if not devices.holds_pools_back():
    return compute(ops, x)
  return ops.hold(compute)(x)


@dataclasses.dataclass(frozen=True)
class Kernel:
  """One kernel of an edge.

  Attributes:
    size: side of its window, in pixels.
    channels: that each filter reads; None: one, it is depthwise.
    num_layers: how many such kernels there are, one after another.
  """

  size: int
  channels: int | None
  num_layers: int | None = None

  def shape(self, num_edges: int, filters: int) -> list[int]:
    """Returns the shape of those of several edges.

    `[num_layers, size, size, channels, num_edges, filters]`, where the first
    and the fourth may be missing.
    """
    layers = [] if self.num_layers is None else [self.num_layers]
    read = [] if self.channels is None else [self.channels]
    return [*layers, self.size, self.size, *read, num_edges, filters]

  def fan_in(self, filters: int) -> int:
    """Returns k * k * C, C also of a depthwise kernel the state's."""
    return self.size**2 * (self.channels or filters)

  @property
  def edge_axis(self) -> int:
    """The axis along which the edges' filters lie in a convolution's kernel."""
    return -2 if self.channels is None else -1

  def layers(self, kernel: tf.Tensor) -> list[tf.Tensor]:
    """Returns a kernel of `shape` for each layer, as a convolution takes it.

    Depthwise `[k, k, num_edges * filters, 1]`, else `[k, k, channels, num_edges
    * filters]`.
    """
    *shape, num_edges, filters = kernel.shape
    width = num_edges * filters
    end = [width, 1] if self.channels is None else [width]
    kernel = tf.reshape(kernel, [*shape, *end])
    return [kernel] if self.num_layers is None else tf.unstack(kernel)


class Edges(NamedTuple):
  """What an own map of some edges that leave one state is computed with.

  Attributes:
    number: of edges.
    kernels: by the names of `Own.kernels`, one for each layer, as of
      `Kernel.layers`.
    scale: `[number * c]`, alpha's weight for each channel.
    moving: for each norm, of the width of all edges.
  """

  number: int
  kernels: Mapping[str, Sequence[tf.Tensor]]
  scale: tf.Tensor
  moving: Moving


class Own(Computation):
  """With kernels of each edge, so that each edge has a map of its own."""

  num_norms = 1

  @abc.abstractmethod
  def kernels(self, filters: int) -> dict[str, Kernel]:
    """Returns its kernels, by a name for each, '' if there is one alone."""

  @abc.abstractmethod
  def edges(self, state: State, edges: Edges, ops: CellArithmetic) -> Computed:
    """Computes it on all edges that leave a state, as wide as all together.

    Args:
      state: which the edges leave.
      edges: their weights. The scale goes into the last norm.
      ops: what to compute with.

    Returns:
      `[n, h, w, number * c]`, of which the k-th c channels are the k-th edge's;
      and for each norm the statistics that it used.
    """

  def alone(self, state, weight, kernels, moving, ops):
    scale = tf.repeat(weight, state.x.shape[-1])
    return self.edges(state, Edges(1, kernels, scale, moving), ops)


_classes: dict[type[primitives.Primitive], type[Computation]] = {}
_Class = TypeVar('_Class', bound=type[Computation])


def computes(kind: type[primitives.Primitive]) -> Callable[[_Class], _Class]:
  """Returns a decorator of the class that computes a kind of primitive."""

  def register(computation: _Class) -> _Class:
    if kind in _classes:
      raise ValueError(
        f'{_classes[kind].__name__} computes {kind.__name__} already.'
      )
    _classes[kind] = computation
    return computation

  return register


def of(primitive: primitives.Primitive) -> Computation:
  """Returns what computes a primitive.

  Raises:
    ValueError: nothing computes its kind.
  """
  kind = type(primitive)
  if kind not in _classes:
    raise ValueError(
      f'nothing computes the primitive {primitive.name!r}: no class is '
      f'decorated by `base.computes({kind.__name__})`.'
    )
  return _classes[kind](primitive)
