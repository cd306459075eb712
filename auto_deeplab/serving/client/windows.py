# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Labels of a picture that is too large to be predicted at once.

It is cut into windows that overlap, and of each the middle is kept. A window
begins where the maps of the network within it lie as they do in the whole
picture, and overlaps by what the network sees around a pixel. What the network
pools over the whole picture is found in a pass before, window by window, and
told to each. So the labels are those of the whole picture but for a few, next
to the borders of classes, that far neighbours would have tipped.
"""

from collections.abc import Iterator
import dataclasses
import itertools
from typing import NamedTuple, Protocol

import numpy as np

from . import contract

# Of a network that tells no rule: no stride of ours is coarser, and no head
# reaches further.
_ALIGNMENT = 32
_OVERLAP = 320
# For a mean over the whole picture: what is wrong at borders hardly counts.
_OVERLAP_OF_CONTEXT = 64


class Picture(Protocol):
  """What a picture is read from, part by part."""

  @property
  def size(self) -> tuple[int, int]:
    """Height and width."""

  def read(self, top: int, left: int, bottom: int, right: int) -> np.ndarray:
    """Returns uint8 `[bottom - top, right - left, 3]`, RGB."""


class Model(Protocol):
  """What labels a window: see `local.SavedModelClient`."""

  @property
  def max_pixels(self) -> int:
    """Pixels of a picture that it takes at once."""

  @property
  def parts(self) -> 'Rule | None':
    """How pictures are to be parted; None where they cannot be."""

  def predict(
    self, image: np.ndarray, *, context: np.ndarray | None = None
  ) -> contract.Prediction:
    """Returns labels of a window, whose context may be told."""

  def features(self, image: np.ndarray) -> np.ndarray:
    """Returns what the network pools, float32 `[h', w', c]`."""


@dataclasses.dataclass(frozen=True)
class Rule:
  """How a network wants pictures to be parted.

  Attributes:
    alignment: pixels, of which the place of a window is a multiple.
    overlap: pixels around a window's own that decide its labels.
    features_stride: pixels from one place of `Model.features` to the next;
      None where the network pools nothing over a picture, or does not tell.
  """

  alignment: int = _ALIGNMENT
  overlap: int = _OVERLAP
  features_stride: int | None = None


class Span(NamedTuple):
  """A window along one axis, in pixels.

  Attributes:
    start: where it begins.
    stop: where it ends.
    own_start: where its own pixels begin, that no other window has.
    own_stop: where they end.
  """

  start: int
  stop: int
  own_start: int
  own_stop: int


def spans(length: int, window: int, overlap: int, alignment: int) -> list[Span]:
  """Cuts an axis into windows.

  Args:
    length: of the axis, at least 1.
    window: the longest that one may be.
    overlap: pixels that each has beyond its own, at least, where there are any.
    alignment: of which each start is a multiple.

  Raises:
    ValueError: the window is too short for the overlap.
  """
  if length <= window:
    return [Span(0, length, 0, length)]
  step = (window - 2 * overlap) // alignment * alignment
  if step < 1:
    raise ValueError(
      f'a window of {window} pixels is too small: each needs {overlap} at '
      f'either side, and {alignment} of its own besides.'
    )
  # The last ones are moved to end with the picture, and overlap more.
  last = -(-(length - window) // alignment) * alignment
  starts = [*range(0, last, step), last]
  ends = [start + overlap + step for start in starts[:-1]] + [length]
  return [
    Span(start, min(start + window, length), own_start, own_stop)
    for start, own_start, own_stop in zip(starts, [0, *ends], ends)
  ]


def predict_windows(model: Model, picture: Picture, window: int) -> np.ndarray:
  """Labels a picture window by window.

  Args:
    model: what labels each.
    picture: what they are read from.
    window: the longest side of one, in pixels. By this and the network the
      memory is set; besides, the labels take a byte a pixel.

  Returns:
    uint8 `[height, width]`.

  Raises:
    ValueError: the window is too small or too large for the network, or the
      model takes no windows.
  """
  contract.require_pixels([window, window], model.max_pixels)
  rule = model.parts
  if rule is None:
    raise ValueError(
      'the model resizes each picture to one length of its longer side '
      '(--long_side of export), so none is predicted in windows.'
    )
  own = list(_grid(picture, window, rule.overlap, rule.alignment))
  context = None
  if rule.features_stride is not None and len(own) > 1:
    context = _context(model, picture, window, rule)
  labels = np.empty(picture.size, np.uint8)
  for rows, columns in own:
    found = model.predict(_read(picture, rows, columns), context=context)
    labels[
      rows.own_start : rows.own_stop, columns.own_start : columns.own_stop
    ] = found.labels[_within(rows), _within(columns)]
  return labels


def _context(
  model: Model, picture: Picture, window: int, rule: Rule
) -> np.ndarray:
  """Returns the mean of the features of the whole picture, float32 `[c]`."""
  stride = rule.features_stride
  assert stride
  sums, count = np.zeros([]), 0
  overlap = min(_OVERLAP_OF_CONTEXT, rule.overlap)
  for rows, columns in _grid(picture, window, overlap, rule.alignment):
    features = model.features(_read(picture, rows, columns))
    own = features[_within(rows, stride), _within(columns, stride)]
    sums = sums + own.sum(axis=(0, 1), dtype=np.float64)
    count += own.shape[0] * own.shape[1]
  return (sums / count).astype(np.float32)


def _grid(
  picture: Picture, window: int, overlap: int, alignment: int
) -> Iterator[tuple[Span, Span]]:
  rows, columns = (
    spans(length, window, overlap, alignment) for length in picture.size
  )
  return itertools.product(rows, columns)


def _read(picture: Picture, rows: Span, columns: Span) -> np.ndarray:
  return picture.read(rows.start, columns.start, rows.stop, columns.stop)


def _within(span: Span, stride: int = 1) -> slice:
  """Returns where a window has its own: every so many pixels, from its start.

  A place belongs to the window whose own its pixel is.
  """
  start, stop = span.own_start - span.start, span.own_stop - span.start
  return slice(-(-start // stride), -(-stop // stride))
