# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Scores of single pictures, and those that show what a network can and cannot.

A mean over a split hides that one picture in ten is all wrong, and why.
"""

import bisect
from collections.abc import Sequence
import dataclasses
import json
import os
from typing import NamedTuple

import numpy as np
from PIL import Image

from auto_deeplab.architecture import artifact
from auto_deeplab.evaluation import evaluator, metrics

# Of an example, in pixels; of a picture, the pairs of classes that are told.
_MAX_SIDE = 480
_NUM_CONFUSIONS = 3


class Confusion(NamedTuple):
  """Pixels of one class that were taken for another.

  Attributes:
    label: name of the class that they are.
    prediction: name of the class that they were taken for.
    share: of the picture's labelled pixels, in (0, 1].
  """

  label: str
  prediction: str
  share: float


@dataclasses.dataclass(frozen=True)
class PictureScores:
  """The scores of a picture: a line of `pictures-SPLIT-STEP.jsonl`.

  Attributes:
    name: of the picture, as in its Example.
    pixels: that have a label.
    mean_iou: over the classes that occur in the label; None where none does.
    pixel_accuracy: share of the pixels that are right; None where there are
      none.
    confused: the most frequent mistakes, at most three.
  """

  name: str
  pixels: int
  mean_iou: float | None
  pixel_accuracy: float | None
  confused: tuple[Confusion, ...]


@dataclasses.dataclass(frozen=True)
class Example:
  """A picture to look at, no side longer than 480 pixels.

  Attributes:
    scores: its own.
    image: uint8 [height, width, 3].
    label: uint8 [height, width].
    prediction: uint8 [height, width].
  """

  scores: PictureScores
  image: np.ndarray
  label: np.ndarray
  prediction: np.ndarray


def score(
  name: str, matrix: np.ndarray, class_names: Sequence[str]
) -> PictureScores:
  """Scores one picture.

  Args:
    name: of the picture.
    matrix: int64 `[num_classes, num_classes]`, rows are labels.
    class_names: in the matrix' order.
  """
  total = int(matrix.sum())
  if not total:
    return PictureScores(name, 0, None, None, ())
  wrong = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
  order = np.argsort(-wrong, axis=None, kind='stable')[:_NUM_CONFUSIONS]
  cells = [divmod(int(cell), len(matrix)) for cell in order]
  return PictureScores(
    name,
    total,
    metrics.mean_iou(matrix),
    metrics.pixel_accuracy(matrix),
    tuple(
      Confusion(class_names[i], class_names[j], float(wrong[i, j] / total))
      for i, j in cells
      if wrong[i, j]
    ),
  )


class Collector:
  """Scores pictures as an evaluation tells of them.

  Which examples are kept does not depend on the order of the pictures.
  """

  def __init__(self, class_names: Sequence[str], num_examples: int = 0):
    """Initializes the collector.

    Args:
      class_names: in the order of the logits.
      num_examples: how many of the worst are kept, and of the best.
    """
    self._class_names = tuple(class_names)
    self._num_examples = num_examples
    self._scores: list[PictureScores] = []
    # The worst and the best so far, in order.
    self._keys: list[tuple[float, str]] = []
    self._examples: list[Example] = []

  def add(self, picture: evaluator.Picture) -> None:
    """Scores a picture, and keeps it while it is among the worst or best."""
    found = score(picture.name, picture.confusion_matrix, self._class_names)
    self._scores.append(found)
    if found.mean_iou is None or not self._num_examples:
      return
    key = (found.mean_iou, found.name)
    place, middle = bisect.bisect(self._keys, key), self._num_examples
    is_full = len(self._keys) == 2 * self._num_examples
    if is_full and place == middle:
      return
    self._keys.insert(place, key)
    self._examples.insert(place, _shrunk(found, picture))
    if is_full:
      del self._keys[middle], self._examples[middle]

  @property
  def scores(self) -> tuple[PictureScores, ...]:
    """Of all pictures, the worst first; at the end those without a label."""
    return tuple(
      sorted(
        self._scores,
        key=lambda s: (s.mean_iou is None, s.mean_iou or 0.0, s.name),
      )
    )

  @property
  def worst(self) -> tuple[Example, ...]:
    """The worst of the examples, the worst first."""
    return tuple(self._examples[: self._num_worst])

  @property
  def best(self) -> tuple[Example, ...]:
    """The best of the other examples, the best first."""
    return tuple(self._examples[self._num_worst :][::-1])

  @property
  def _num_worst(self) -> int:
    return (len(self._examples) + 1) // 2


def _shrunk(scores: PictureScores, picture: evaluator.Picture) -> Example:
  height, width = picture.label.shape
  scale = min(1.0, _MAX_SIDE / max(height, width))
  size = (max(1, round(scale * width)), max(1, round(scale * height)))

  def resize(array: np.ndarray, method: Image.Resampling) -> np.ndarray:
    return np.array(Image.fromarray(array).resize(size, method))

  return Example(
    scores,
    resize(picture.image, Image.Resampling.BOX),
    # A mean of classes would be another class.
    resize(picture.label, Image.Resampling.NEAREST),
    resize(picture.prediction, Image.Resampling.NEAREST),
  )


def write(
  path: str | os.PathLike[str], scores: Sequence[PictureScores]
) -> None:
  """Writes a line of JSON a picture, atomically."""
  with artifact.writing(path) as file:
    for found in scores:
      row = dataclasses.asdict(found)
      file.write((json.dumps(row) + '\n').encode())
