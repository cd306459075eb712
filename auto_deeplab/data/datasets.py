# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a data set is: its classes, and the splits that `dataset.json` tells of.

`data.sources` knows the pictures that a data set is made from.
"""

from collections.abc import Hashable, Mapping, Sequence
import dataclasses
import hashlib
from typing import Any

# The label of pixels that count neither in the loss nor in the mIoU.
IGNORE_LABEL = 255

# Labels are 8-bit pictures, and one value is the ignore label.
MAX_CLASSES = IGNORE_LABEL

Color = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class ShardInfo:
  """One TFRecord file.

  Attributes:
    name: file name within the data set's folder.
    num_examples: examples in it.
    num_bytes: size of the file.
    sha256: hexadecimal digest of the file.
  """

  name: str
  num_examples: int
  num_bytes: int
  sha256: str


@dataclasses.dataclass(frozen=True)
class SplitInfo:
  """One split of a converted data set.

  Attributes:
    num_examples: pictures in it.
    shards: its files, in order.
    min_size: smallest (height, width) in pixels, each over all pictures.
    max_size: largest (height, width) in pixels, each over all pictures.
    class_pixel_shares: share of each class in all pixels, in [0, 1].
    ignored_pixel_share: share of the ignore label; all shares sum to 1.
  """

  num_examples: int
  shards: tuple[ShardInfo, ...]
  min_size: tuple[int, int]
  max_size: tuple[int, int]
  class_pixel_shares: tuple[float, ...]
  ignored_pixel_share: float


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
  """A converted data set: the contents of `dataset.json`.

  Attributes:
    name: the source's name, such as 'camvid'.
    class_names: a name a class; label value c is class c.
    colors: an (r, g, b) in 0..255 a class.
    ignore_label: the label value that belongs to no class.
    splits: what is known of each split, by its name.
    warnings: what the conversion found doubtful, a sentence each.
    values: the value of each class in the labels as their maker wrote them, the
      first of several; none where they are the classes.
    class_digest: of the names when they were converted, see `info_file`; none
      of a data set that is not on disk.

  Raises:
    ValueError: names, colours and values do not agree or cannot be used.
  """

  name: str
  class_names: tuple[str, ...]
  colors: tuple[Color, ...]
  ignore_label: int = IGNORE_LABEL
  splits: Mapping[str, SplitInfo] = dataclasses.field(default_factory=dict)
  warnings: tuple[str, ...] = ()
  values: tuple[int, ...] = ()
  class_digest: str = ''

  def __post_init__(self):
    check_classes(self.class_names, self.colors)
    if self.values:
      _check_values(self.class_names, self.values)

  @property
  def own_values(self) -> tuple[int, ...]:
    """The value of each class in the labels as their maker wrote them."""
    return self.values or tuple(range(self.num_classes))

  @property
  def num_classes(self) -> int:
    """Number of classes, the ignore label not among them."""
    return len(self.class_names)

  def split(self, name: str) -> SplitInfo:
    """Returns the split of that name.

    Raises:
      ValueError: there is none.
    """
    if name not in self.splits:
      raise ValueError(
        f'`split` ({name}) is not one of {", ".join(self.splits)} of the '
        f'data set {self.name}.'
      )
    return self.splits[name]


def check_classes(names: Sequence[str], colors: Sequence[Color]) -> None:
  """Raises a ValueError unless names and colours describe classes."""
  if not 2 <= len(names) <= MAX_CLASSES:
    raise ValueError(
      f'The number of classes ({len(names)}) must be in 2..{MAX_CLASSES}.'
    )
  for name in names:
    if names.count(name) > 1:
      raise ValueError(f'The class name {name!r} is given twice.')
  if len(colors) != len(names):
    raise ValueError(f'{len(names)} classes have {len(colors)} colours.')
  for name, color in zip(names, colors, strict=True):
    if len(color) != 3 or not all(is_byte(value) for value in color):
      raise ValueError(
        f'The colour of class {name!r} ({color}) must be three integers in '
        '0..255.'
      )


def _check_values(names: Sequence[str], values: Sequence[int]) -> None:
  """Raises a ValueError unless each class has a value of its own."""
  if len(values) != len(names) or len(set(values)) != len(values):
    raise ValueError(
      f'{len(names)} classes have the values {list(values)}; each must have '
      'one of its own.'
    )
  for name, value in zip(names, values, strict=True):
    if not is_byte(value):
      raise ValueError(
        f'The value of class {name!r} ({value!r}) must be an integer in 0..255.'
      )


def default_names(num_classes: int) -> tuple[str, ...]:
  """Returns names for classes of which only the number is known."""
  return tuple(f'class_{index}' for index in range(num_classes))


def are_same_classes(names: Sequence[str], others: Sequence[str]) -> bool:
  """Whether two class tables may be of the same classes.

  They have the same names, or one has default names and both the same number.
  """
  default = default_names(len(names))
  return len(names) == len(others) and (
    tuple(names) in (tuple(others), default) or tuple(others) == default
  )


def seeded_order(count: int, *key: Hashable) -> list[int]:
  """Returns a permutation of range(count) that depends on the key alone.

  Sorted by hash: the same on each machine and with each version of Python and
  NumPy, which a random number generator does not promise. Orders on disk and
  the trainA/trainB halves, which a restart must find again, rest on it.
  """
  prefix = repr(key)

  def digest(index: int) -> bytes:
    return hashlib.sha256(f'{prefix}/{index}'.encode()).digest()

  return sorted(range(count), key=digest)


def is_byte(value: Any) -> bool:
  """Whether a value read from JSON is an integer in 0..255."""
  # A bool is an int to Python, not to a reader of the file.
  is_int = isinstance(value, int) and not isinstance(value, bool)
  return is_int and 0 <= value <= 255
