# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The trainings: how they went, what each class scored, what they cost."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from auto_deeplab.architecture import cost
from auto_deeplab.page import architecture, blocks, charts, words
from auto_deeplab.page.gathered import Gathered, Training

# Trainings that are shown in full, and lines that a chart of all of them has.
_MAX_SHOWN, _MAX_LINES = 3, 6
# Bars of a chart; of more classes the worst are drawn.
_MAX_BARS = 40
_NUM_CONFUSIONS = 10

_SCORES = (
  ('mean IoU', 'mean_iou'),
  ('pixel accuracy', 'pixel_accuracy'),
  ('mean boundary IoU', 'mean_boundary_iou'),
)


def section(gathered: Gathered) -> blocks.Section | None:
  """Shows all trainings together, then the best of them one by one."""
  trainings = gathered.trainings
  if not trainings:
    return None
  if len(trainings) == 1:
    shown = tuple(_of(trainings[0]))
    return blocks.Section('training', 'The training', shown)
  best = best_first(trainings)[:_MAX_SHOWN]
  found: list[blocks.Block] = [*_together(trainings)]
  if len(best) < len(trainings):
    found.append(
      blocks.Notes((f'The {len(best)} best of {len(trainings)} follow.',))
    )
  # One cell and path for all that share them.
  found += [blocks.Group(t.name, tuple(_of(t))) for t in best]
  return blocks.Section('training', 'The trainings', tuple(found))


def best_first(trainings: Sequence[Training]) -> list[Training]:
  """Returns trainings by their mean IoU, those without one last."""
  return sorted(trainings, key=lambda t: -(t.mean_iou or -1.0))


def _together(trainings: Sequence[Training]) -> Iterator[blocks.Figure]:
  best = best_first(trainings)[:_MAX_LINES]
  which = 'all' if len(best) == len(trainings) else f'the {len(best)} best'
  for name, caption, unit, key in (
    ('loss', 'Loss', 'loss', 'train/loss'),
    ('iou', 'Mean IoU on val', 'mean IoU', 'eval/mean_iou'),
  ):
    series = [
      charts.Series(t.name, *t.series(key))
      for t in best
      if len(t.series(key)[0]) > 1
    ]
    if series:
      yield blocks.Figure(
        f'trainings-{name}',
        f'{caption} of {which}',
        charts.told(series),
        charts.lines(series, unit, is_wide=len(series) > 2),
        is_wide=len(series) > 2,
      )


def _of(training: Training) -> Iterator[blocks.Block]:
  if training.missing:
    yield blocks.Notes(training.missing)
  yield from _never_predicted(training)
  yield blocks.Facts(tuple(_facts(training)))
  parts = (_curves, _classes, _costs, _confusions)
  found = [block for part in parts for block in part(training)]
  # Charts lie side by side where nothing comes between them.
  yield from sorted(found, key=_rank)
  if training.genotype is not None:
    yield from architecture.of_genotype(training.name, training.genotype)


def _never_predicted(training: Training) -> Iterator[blocks.Block]:
  """Says which classes the network does not find anywhere."""
  if not training.evaluations:
    return
  evaluated = training.evaluations[0]
  counts = evaluated.confusion_matrix
  is_missed = (counts.sum(axis=1) > 0) & (counts.sum(axis=0) == 0)
  names = class_names(training, len(counts))
  missed = [names[index] for index in np.flatnonzero(is_missed)]
  if missed:
    yield blocks.Notes(
      (
        f'No pixel of {evaluated.split} was predicted to be '
        f'{" or ".join(missed)}: more steps or LossConfig.class_weights may '
        'help.',
      ),
      'warning',
    )


def _rank(block: blocks.Block) -> int:
  if isinstance(block, blocks.Figure):
    return 1 if block.is_wide else 0
  return 3 if isinstance(block, blocks.Table) and block.is_folded else 2


def _facts(training: Training) -> Iterator[tuple[str, str]]:
  yield 'steps', words.steps(training.step, training.num_steps)
  scores = training.scores
  where = 'val'
  if training.evaluations:
    shown = training.evaluations[0]
    where = f'{shown.split}, step {shown.step:,}'
  for label, key in _SCORES:
    if key in scores:
      yield f'{label} ({where})', words.number(scores[key])
  if counted := counted_cost(training):
    height_width = training.config.input.crop_size if training.config else None
    yield 'parameters', words.large(counted.parameters)
    if height_width:
      yield (
        f'multiply-adds ({words.size(height_width)})',
        words.large(counted.multiply_adds),
      )
  if training.timing.seconds:
    yield 'time', words.duration(training.timing.seconds)
  if rate := training.timing.usual_rate:
    yield 'speed', _speed(training, rate)


def _speed(training: Training, rate: float) -> str:
  if training.config is None:
    return f'{rate:.2g} steps/s'
  pictures = rate * training.config.input.batch_size
  return f'{rate:.2g} steps/s, {pictures:.3g} pictures/s'


def _curves(training: Training) -> Iterator[blocks.Figure]:
  for name, caption, unit, keys in (
    ('loss', 'Loss', 'loss', {'train/loss': 'loss'}),
    (
      'iou',
      'Mean IoU on val, of all pixels and near boundaries',
      'mean IoU',
      {
        'eval/mean_iou': 'all pixels',
        'eval/mean_boundary_iou': 'near boundaries',
      },
    ),
    (
      'rate',
      'Learning rate',
      'learning rate',
      {'train/learning_rate': 'learning rate'},
    ),
  ):
    series = [
      charts.Series(label, *training.series(key)) for key, label in keys.items()
    ]
    series = [line for line in series if len(line.steps) > 1]
    if series:
      yield blocks.Figure(
        f'{training.name}-{name}',
        caption,
        charts.told(series),
        charts.lines(series, unit, from_zero=name != 'loss'),
      )
  if len(training.timing.rates) > 1:
    steps, rates = zip(*training.timing.rates, strict=True)
    series = [charts.Series('speed', steps, rates)]
    yield blocks.Figure(
      f'{training.name}-speed',
      'Speed',
      charts.told(series),
      charts.lines(series, 'steps a second', from_zero=True),
    )


def _classes(training: Training) -> Iterator[blocks.Block]:
  found = _of_classes(training.scores, 'iou')
  if not found:
    yield blocks.Notes(('No evaluation has told the IoU of the classes yet.',))
    return
  boundaries = _of_classes(training.scores, 'boundary_iou')
  names = sorted(found, key=lambda name: -found[name])
  drawn = names[-_MAX_BARS:]
  which = '' if len(drawn) == len(names) else f', the {_MAX_BARS} worst'
  yield blocks.Figure(
    f'{training.name}-classes',
    f'IoU of each class{which}',
    'Bar chart. '
    + ', '.join(f'{name} {found[name]:.2f}' for name in drawn)
    + '.',
    charts.bars(
      drawn,
      [found[name] for name in drawn],
      'IoU',
      [boundaries.get(name) for name in drawn] if boundaries else (),
      ('IoU', 'near the boundary'),
      limit=1.0,
    ),
  )
  yield blocks.Table(
    'IoU of each class',
    ('class', 'IoU', 'near the boundary'),
    tuple(
      (name, words.number(found[name]), words.number(boundaries.get(name)))
      for name in names
    ),
    is_folded=True,
  )


def _of_classes(scores: Mapping[str, float], kind: str) -> dict[str, float]:
  prefix = f'{kind}/'
  return {
    key.removeprefix(prefix): value
    for key, value in scores.items()
    if key.startswith(prefix)
  }


def _confusions(training: Training) -> Iterator[blocks.Block]:
  if not training.evaluations:
    yield blocks.Notes(
      (
        'There is no confusion matrix yet; this finds it: auto-deeplab '
        f'evaluate --run_dir={training.path} --data_dir=DATA',
      )
    )
    return
  counts = training.evaluations[0].confusion_matrix
  names = class_names(training, len(counts))
  totals = counts.sum(axis=1, keepdims=True)
  shares = counts / np.maximum(totals, 1)
  confusions = _largest(shares, names)
  yield blocks.Figure(
    f'{training.name}-confusion',
    'Confusion matrix: what the pixels of each label were predicted to be, '
    'in %',
    f'Matrix of {len(names)} by {len(names)} classes. The largest confusions '
    'are in the table below it.',
    charts.matrix(shares, names, names, ('label', 'prediction')),
    is_wide=len(names) > 9,
  )
  if confusions:
    yield blocks.Table(
      'What is taken for something else most often',
      ('pixels of', 'taken for', 'share of them', 'pixels'),
      tuple(
        (
          names[row],
          names[column],
          words.percent(float(shares[row, column])),
          f'{counts[row, column]:,}',
        )
        for row, column in confusions
      ),
      num_words=2,
    )


def class_names(training: Training, number: int) -> tuple[str, ...]:
  """Returns the names of as many classes."""
  info = training.info
  if info is not None and info.num_classes == number:
    return info.class_names
  return tuple(f'class {index}' for index in range(number))


def _largest(shares: np.ndarray, names: Sequence[str]) -> list[tuple[int, int]]:
  """Returns (label, prediction) of the largest shares beside the diagonal."""
  wrong = shares * (1 - np.eye(len(names)))
  order = np.argsort(-wrong, axis=None, kind='stable')[:_NUM_CONFUSIONS]
  places = zip(*np.unravel_index(order, wrong.shape), strict=True)
  return [(int(r), int(c)) for r, c in places if wrong[r, c] > 0]


def counted_cost(training: Training) -> cost.Cost | None:
  """Returns what the network of a training costs on its crops."""
  config, genotype = training.config, training.genotype
  if config is None or genotype is None or training.info is None:
    return None
  return cost.count(
    cost.Network(
      genotype,
      config.input.crop_size,
      config.segmenter.filter_multiplier,
      training.info.num_classes,
      config.segmenter.stem_filters,
      config.segmenter.aspp_filters,
      config.segmenter.low_level_filters,
      config.segmenter.decoder_filters,
    )
  )


def _costs(training: Training) -> Iterator[blocks.Block]:
  counted = counted_cost(training)
  if counted is None:
    return
  parts = counted.by_part()
  names = list(parts)
  values = [parts[name].multiply_adds / 1e6 for name in names]
  yield blocks.Figure(
    f'{training.name}-cost',
    'Multiply-adds of each part, on one crop',
    'Bar chart of millions of multiply-adds. '
    + ', '.join(f'{n} {v:,.0f}' for n, v in zip(names, values, strict=True))
    + '.',
    charts.bars(
      [name.replace('_', ' ') for name in names],
      values,
      'millions of multiply-adds',
      form='{:,.1f}',
    ),
  )
  total = counted.multiply_adds
  yield blocks.Table(
    'Cost of each part',
    ('part', 'parameters', 'multiply-adds', 'share'),
    tuple(
      (
        name.replace('_', ' '),
        f'{part.parameters:,}',
        f'{part.multiply_adds:,}',
        words.percent(part.multiply_adds / total),
      )
      for name, part in parts.items()
    ),
    is_folded=True,
  )
