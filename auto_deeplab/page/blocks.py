# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the page is made of: sections, and the kinds of blocks within them.

A section is found by pure functions from what was gathered; the template knows
how each kind of block looks, and none of what it is about.
"""

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
from typing import Any, ClassVar

from matplotlib import figure as figure_lib

# What code raises that takes a document of another form for its own.
UNFIT = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


@dataclasses.dataclass(frozen=True)
class Text:
  """A paragraph."""

  kind: ClassVar[str] = 'text'
  text: str


@dataclasses.dataclass(frozen=True)
class Notes:
  """Sentences that stand out.

  Attributes:
    lines: a sentence each.
    role: 'warning' of what may be wrong, 'missing' of what is not there.
  """

  kind: ClassVar[str] = 'notes'
  lines: tuple[str, ...]
  role: str = 'missing'


@dataclasses.dataclass(frozen=True)
class Facts:
  """Terms, each with its value."""

  kind: ClassVar[str] = 'facts'
  items: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Table:
  """A table.

  Attributes:
    caption: what it shows.
    head: of the columns.
    rows: as many cells each; the first names the row.
    num_words: the first columns, of words; those behind them are numbers.
    is_folded: whether one has to open it.
  """

  kind: ClassVar[str] = 'table'
  caption: str
  head: tuple[str, ...]
  rows: tuple[tuple[str, ...], ...]
  num_words: int = 1
  is_folded: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Figure:
  """A drawing.

  Attributes:
    name: of its files, and no other's of the page.
    caption: above it.
    label: what a screen reader says in its place.
    figure: the drawing.
    is_wide: whether it takes the width of the page.
  """

  kind: ClassVar[str] = 'figure'
  name: str
  caption: str
  label: str
  figure: figure_lib.Figure
  is_wide: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Timeline:
  """Drawings of which a slider shows one moment.

  Attributes:
    name: no other's of the page.
    caption: above it.
    figures: the drawings, whose parts have keys (`gid`); without the script
      they show the last moment.
    hidden: keys of the parts that the last moment does not have.
    frames: what the script needs: of the drawings in general, and of each
      moment in `moments`, with a `text` each.
  """

  kind: ClassVar[str] = 'timeline'
  name: str
  caption: str
  figures: tuple[Figure, ...]
  hidden: frozenset[str]
  frames: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
  """A picture, and others beside it that belong to it.

  Attributes:
    title: below them.
    images: (media type, bytes, what a screen reader says) each.
  """

  title: str
  images: tuple[tuple[str, bytes, str], ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Gallery:
  """Pictures, and what their colours mean.

  Attributes:
    caption: above them.
    pictures: to show.
    legend: (name, '#rrggbb') each.
  """

  kind: ClassVar[str] = 'gallery'
  caption: str
  pictures: tuple[Picture, ...]
  legend: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Code:
  """Text as a file has it; one has to open it."""

  kind: ClassVar[str] = 'code'
  title: str
  text: str


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
  """Blocks under a heading of their own."""

  kind: ClassVar[str] = 'group'
  title: str
  blocks: tuple['Block', ...]


Block = (
  Text | Notes | Facts | Table | Figure | Timeline | Gallery | Code | Group
)


@dataclasses.dataclass(frozen=True, eq=False)
class Section:
  """A part of the page that its contents name.

  Attributes:
    key: its address within the page.
    title: its heading.
    blocks: from top to bottom.
  """

  key: str
  title: str
  blocks: tuple[Block, ...]


def figures(
  blocks: Sequence[Block],
) -> Iterator[tuple[Figure, frozenset[str]]]:
  """Yields all drawings, and the keys of the parts that are not to be seen."""
  for block in blocks:
    if isinstance(block, Figure):
      yield block, frozenset()
    elif isinstance(block, Timeline):
      yield from ((figure, block.hidden) for figure in block.figures)
    elif isinstance(block, Group):
      yield from figures(block.blocks)
