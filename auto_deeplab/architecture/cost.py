# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a network costs before it is built: parameters and multiply-adds.

Counts the network that `model.segmenter` builds from a genotype, convolution
by convolution, for one image. Parameters are the trainable ones: kernels, the
scale and offset of batch norm, the bias of the logits. One multiply and one
add are 1 multiply-add, in two countings:

* exact: output positions x taps x channels of each convolution. Batch norm,
  activations, pooling and resizing are left out.
* profiler: as TensorFlow 1's profiler counts the authors' graph, which is how
  the numbers of the paper come about. It computes a convolution of atrous rate
  r on maps that are padded to multiples of r, so it counts ceil(H/r) r x
  ceil(W/r) r positions; and it counts a pooling window as one operation an
  element, half a multiply-add. Averaging the whole map counts nothing.

For Auto-DeepLab-S, -M and -L at 1025x2049 with the paper's 97x97 pooling window
that gives 320.72, 440.36 and 663.08 B exact multiply-adds, and 333.14, 460.77
and 694.79 B in the profiler's counting, 0.04 % below the paper's 333.25, 460.93
and 695.03 B: the profiler counts some element-wise operations too, which are
left out here.
"""

from collections.abc import Iterator, Sequence
import dataclasses
from typing import Any

from auto_deeplab.architecture import counting, lattice, primitives
from auto_deeplab.architecture import genotype as genotype_lib

Size = counting.Size

# The window of the paper's evaluation: the feature map of a 769x769 crop.
PAPER_POOLING_SIZE = (97, 97)

# The last of the three stem convolutions gives the stem's output, layer -1;
# the one before gives what cell 0 takes as H[l-2].
_BEFORE_STEM_LAYER = lattice.STEM_LAYER - 1


@dataclasses.dataclass(frozen=True)
class Network:
  """A network whose cost is asked for.

  Attributes:
    genotype: Its cell and backbone.
    input_size: (height, width) of the image in pixels.
    filter_multiplier: F; 20, 32, 48 for Auto-DeepLab-S, -M, -L.
    num_classes: Channels of the logits.
    stem_filters: Channels of the three stem convolutions.
    aspp_filters: Channels of each ASPP branch and of the projection.
    low_level_filters: Channels of the decoder's low-level projection.
    decoder_filters: Channels of the decoder's two 3x3 convolutions.
    pooling_size: (height, width) of the image pooling's window in feature
      pixels, moved by one pixel; None averages over the whole map.

  Raises:
    ValueError: If a number is below 1, or the window is larger than the map.
  """

  genotype: genotype_lib.Genotype
  input_size: Size = (1025, 2049)
  filter_multiplier: int = 20
  num_classes: int = 19
  stem_filters: tuple[int, int, int] = (64, 64, 128)
  aspp_filters: int = 256
  low_level_filters: int = 48
  decoder_filters: int = 256
  pooling_size: Size | None = None

  def __post_init__(self) -> None:
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      if field.name != 'genotype' and value is not None:
        _check_positive(field.name, value)
    window = self.pooling_size
    if window is not None and not self.can_pool(window):
      raise ValueError(
        f'`pooling_size` ({window}) must not be larger than the feature map '
        f'{self.feature_size} of an input of {self.input_size}.'
      )

  @property
  def feature_size(self) -> Size:
    """(height, width) of the encoder's output."""
    return self.map_size(self.genotype.backbone[-1])

  def can_pool(self, window: Size) -> bool:
    """Whether the encoder's output holds a window of the image pooling."""
    sizes = zip(self.feature_size, window, strict=True)
    return all(size >= needed for size, needed in sizes)

  def level(self, layer: int) -> int:
    """Level of a layer; the stem, layer -1, lies at level 0."""
    return 0 if layer == lattice.STEM_LAYER else self.genotype.backbone[layer]

  def map_size(self, level: int) -> Size:
    """(height, width) of the feature maps at a level: ceil(n / stride)."""
    return counting.ceil_divided(self.input_size, lattice.OUTPUT_STRIDES[level])

  def block_filters(self, layer: int) -> int:
    """Channels of one block of a cell."""
    return lattice.block_filters(self.level(layer), self.filter_multiplier)

  def channels(self, layer: int) -> int:
    """Channels that a layer puts out, the stem's (-1 and -2) included."""
    if layer == _BEFORE_STEM_LAYER:
      return self.stem_filters[1]
    if layer == lattice.STEM_LAYER:
      return self.stem_filters[2]
    return self.genotype.num_blocks * self.block_filters(layer)


@dataclasses.dataclass(frozen=True)
class Item:
  """The cost of one operation of a network.

  Attributes:
    part: 'stem', 'cell_0' and so on, 'image_pooling', 'aspp0' (1x1) to
      'aspp3', 'concat_projection', 'decoder' or 'logits'.
    name: What it is within its part, such as 'block_2/right'.
    operation: A primitive, or 'conv_1x1', 'conv_3x3', 'pooling'.
    parameters: Trainable ones.
    multiply_adds: In the exact counting.
    profiler_multiply_adds: In the profiler's counting; may end in a half.
  """

  part: str
  name: str
  operation: str
  parameters: int
  multiply_adds: int
  profiler_multiply_adds: float


# The numeric fields of an item.
MEASURES = counting.Count._fields


@dataclasses.dataclass(frozen=True)
class Cost:
  """The cost of a network, operation by operation, in the order of the data."""

  items: tuple[Item, ...]

  @property
  def parameters(self) -> int:
    return sum(item.parameters for item in self.items)

  @property
  def multiply_adds(self) -> int:
    return sum(item.multiply_adds for item in self.items)

  @property
  def profiler_multiply_adds(self) -> float:
    return sum(item.profiler_multiply_adds for item in self.items)

  def by_part(self) -> dict[str, 'Cost']:
    """The cost of each part, in order."""
    return self._by('part')

  def by_operation(self) -> dict[str, 'Cost']:
    """The cost of all uses of each operation, in order of first use."""
    return self._by('operation')

  def _by(self, attribute: str) -> dict[str, 'Cost']:
    groups: dict[str, list[Item]] = {}
    for item in self.items:
      groups.setdefault(getattr(item, attribute), []).append(item)
    return {key: Cost(tuple(items)) for key, items in groups.items()}

  def to_json(self) -> dict[str, Any]:
    """The three sums as numbers, by name."""
    return {measure: getattr(self, measure) for measure in MEASURES}


def count(network: Network) -> Cost:
  """Counts a network."""
  items = list(_stem(network))
  for layer in range(network.genotype.num_layers):
    items += _cell(network, layer)
  items += [*_aspp(network), *_decoder(network)]
  return Cost(tuple(items))


def _stem(network: Network) -> Iterator[Item]:
  channels = (3, *network.stem_filters)
  for index, stride in enumerate((2, 2, 4)):
    yield _convolution(
      'stem',
      f'conv{index}',
      counting.ceil_divided(network.input_size, stride),
      channels[index],
      channels[index + 1],
      kernel_size=3,
    )


def _cell(network: Network, layer: int) -> Iterator[Item]:
  """A cell: both inputs brought to the width of a block, then its blocks.

  A cell that goes down (to a coarser level) strides within its operations, so
  its projections still run at the size of its source. A cell that goes up gets
  an input that is upsampled before.
  """
  part, filters = f'cell_{layer}', network.block_filters(layer)
  level, source_level = network.level(layer), network.level(layer - 1)
  is_striding = level > source_level
  size = network.map_size(min(level, source_level))
  previous_channels = network.channels(layer - 2)
  if previous_channels != filters:
    yield _convolution(
      part, 'previous_projection', size, previous_channels, filters
    )
  yield _convolution(
    part, 'projection', size, network.channels(layer - 1), filters
  )
  for block, edges in enumerate(network.genotype.cell):
    for (state, name), side in zip(edges, ('left', 'right'), strict=True):
      counted = primitives.get(name).count(
        network.map_size(level),
        filters,
        is_striding and state < genotype_lib.NUM_INPUTS,
      )
      yield Item(part, f'block_{block}/{side}', name, *counted)


def _aspp(network: Network) -> Iterator[Item]:
  """Image pooling, 1x1, three atrous 3x3, and the projection of all."""
  last_layer = network.genotype.num_layers - 1
  level, channels = network.level(last_layer), network.channels(last_layer)
  size, filters = network.feature_size, network.aspp_filters
  yield from _image_pooling(network, size, channels)
  yield _convolution('aspp0', 'conv', size, channels, filters)
  for index, rate in enumerate(lattice.aspp_rates(level)):
    yield _convolution(
      f'aspp{index + 1}',
      'conv',
      size,
      channels,
      filters,
      kernel_size=3,
      atrous_rate=rate,
    )
  yield _convolution('concat_projection', 'conv', size, 5 * filters, filters)


def _image_pooling(
  network: Network, size: Size, channels: int
) -> Iterator[Item]:
  """The 1x1 runs on what the pooling leaves: one pixel, or one a window."""
  pooled_size, window = (1, 1), network.pooling_size
  if window is not None:
    pooled_size = (size[0] - window[0] + 1, size[1] - window[1] + 1)
    counted = counting.pooling(pooled_size, channels, window)
    yield Item('image_pooling', 'pooling', 'pooling', *counted)
  yield _convolution(
    'image_pooling', 'conv', pooled_size, channels, network.aspp_filters
  )


def _decoder(network: Network) -> Iterator[Item]:
  """The decoder and the logits, all at stride 4."""
  size, filters = network.map_size(0), network.decoder_filters
  low_level_channels = network.channels(
    lattice.low_level_layer(network.genotype.backbone)
  )
  projected = network.low_level_filters
  yield _convolution(
    'decoder', 'feature_projection', size, low_level_channels, projected
  )
  for index, channels in enumerate((network.aspp_filters + projected, filters)):
    yield _convolution(
      'decoder', f'conv{index}', size, channels, filters, kernel_size=3
    )
  yield _convolution(
    'logits', 'conv', size, filters, network.num_classes, beside=counting.BIAS
  )


def _convolution(
  part: str, name: str, size: Size, channels: int, filters: int, **kernel: int
) -> Item:
  """A full convolution; `kernel` is as of `counting.convolution`."""
  counted = counting.convolution(size, channels, filters, **kernel)
  side = kernel.get('kernel_size', 1)
  return Item(part, name, f'conv_{side}x{side}', *counted)


def _check_positive(name: str, value: int | Sequence[int]) -> None:
  values = value if isinstance(value, Sequence) else (value,)
  if min(values) < 1:
    raise ValueError(f'`{name}` ({value}) must be at least 1.')
