# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The worst and the best pictures, beside their labels and predictions."""

from collections.abc import Iterator, Sequence
import io

import numpy as np
from PIL import Image

from auto_deeplab.page import blocks, data_section, training_section, words
from auto_deeplab.page.gathered import Gathered, Training
from auto_deeplab.reporting import examples, legend

_MAX_SHOWN = 3
_CAPTIONS = {'worst': 'The worst pictures', 'best': 'The best pictures'}

# A share of a picture below which a mistake would read as 0.0 %.
_TOLD = 0.0005


def section(gathered: Gathered) -> blocks.Section | None:
  """Shows what the evaluations of the best trainings have drawn."""
  groups = [
    blocks.Group(training.name, tuple(_of(training, training.examples)))
    for training in training_section.best_first(gathered.trainings)
    if training.examples is not None
  ][:_MAX_SHOWN]
  if not groups:
    return None
  shown = groups[0].blocks if len(groups) == 1 else tuple(groups)
  return blocks.Section('pictures', 'The worst and the best pictures', shown)


def _of(training: Training, found: examples.Examples) -> Iterator[blocks.Block]:
  evaluated = training.evaluations[0]
  yield blocks.Text(
    f'Of the split {evaluated.split} at step {evaluated.step:,}: each picture, '
    'its label and what the network predicts, with the mean IoU of the classes '
    'that the label has.'
  )
  for kind, caption in _CAPTIONS.items():
    pictures = [p for p in found.pictures if p.kind == kind]
    if pictures:
      yield _gallery(caption, pictures, found)


def _gallery(
  caption: str, pictures: Sequence[examples.Example], found: examples.Examples
) -> blocks.Gallery:
  seen = [(_values(p.label), _values(p.prediction)) for p in pictures]
  # Of 150 classes, those that these pictures have are enough to look through.
  values = sorted(set().union(*(part for pair in seen for part in pair)))
  return blocks.Gallery(
    caption,
    tuple(
      blocks.Picture(
        _title(picture),
        (
          ('image/jpeg', picture.image, f'picture {picture.name}'),
          ('image/png', picture.label, f'its label: {_named(label, found)}'),
          (
            'image/png',
            picture.prediction,
            f'its prediction: {_named(prediction, found)}',
          ),
        ),
      )
      for picture, (label, prediction) in zip(pictures, seen, strict=True)
    ),
    _legend(values, found),
  )


def _values(png: bytes) -> list[int]:
  """Returns the values that a label has."""
  with Image.open(io.BytesIO(png)) as picture:
    return np.unique(np.asarray(picture)).tolist()


def _title(picture: examples.Example) -> str:
  mistakes = [
    f'{words.percent(share)} {label} taken for {prediction}'
    for label, prediction, share in picture.confused
    if share >= _TOLD
  ]
  scores = (
    f'{picture.name}: mean IoU {words.number(picture.mean_iou, "{:.3f}")}, '
    f'{words.percent(picture.pixel_accuracy)} of the pixels right'
  )
  return '; '.join([scores, *mistakes])


def _named(values: Sequence[int], found: examples.Examples) -> str:
  names = [found.class_names[v] for v in values if v < len(found.class_names)]
  return ', '.join(names) or 'nothing'


def _legend(
  values: Sequence[int], found: examples.Examples
) -> tuple[tuple[str, str], ...]:
  """Returns the names and colours of what pictures show."""
  number = len(found.class_names)
  shown = [
    (found.class_names[value], words.color(found.colors[value]))
    for value in values
    if value < number
  ]
  if any(value >= number for value in values):
    shown.append((data_section.IGNORED, words.color(legend.IGNORED)))
  return tuple(shown)
