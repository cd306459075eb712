# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Each picture has its own scores; the worst and the best are kept to show."""

import json

import numpy as np
import pytest

from auto_deeplab.evaluation import evaluator, picture_scores

NAMES = ('sky', 'road', 'car')


def test_scores_are_those_of_the_classes_in_the_label():
  matrix = np.array([[50, 10, 0], [0, 30, 10], [0, 0, 0]])
  found = picture_scores.score('a.png', matrix, NAMES)
  assert (found.name, found.pixels) == ('a.png', 100)
  assert found.mean_iou == pytest.approx((50 / 60 + 30 / 50) / 2)
  assert found.pixel_accuracy == pytest.approx(0.8)
  assert found.confused == (('sky', 'road', 0.1), ('road', 'car', 0.1))


def test_three_mistakes_are_told_the_most_frequent_first():
  matrix = np.array([[0, 1, 4], [2, 0, 3], [5, 0, 85]])
  found = picture_scores.score('a.png', matrix, NAMES)
  assert found.confused == (
    ('car', 'sky', 0.05),
    ('sky', 'car', 0.04),
    ('road', 'car', 0.03),
  )


def test_without_labels_there_are_no_scores():
  found = picture_scores.score('a.png', np.zeros([3, 3], int), NAMES)
  assert found == picture_scores.PictureScores('a.png', 0, None, None, ())


def _picture(name, num_right, size=(10, 10)):
  label = np.zeros(size, np.uint8)
  prediction = np.ones(size, np.uint8)
  prediction.flat[:num_right] = 0
  matrix = np.zeros([3, 3], np.int64)
  matrix[0] = num_right, label.size - num_right, 0
  return evaluator.Picture(
    name, np.zeros([*size, 3], np.uint8), label, prediction, matrix
  )


@pytest.mark.parametrize('seed', range(4))
def test_the_worst_and_the_best_are_kept_in_any_order(seed):
  pictures = [_picture(f'{i:02d}', i // 2) for i in range(40)]
  unlabelled = _picture('x', 1)
  unlabelled.confusion_matrix[:] = 0
  collector = picture_scores.Collector(NAMES, num_examples=3)
  order = np.random.default_rng(seed).permutation(41)
  for index in order:
    collector.add([*pictures, unlabelled][index])
  names = [picture.name for picture in pictures]
  assert [scores.name for scores in collector.scores] == [*names, 'x']
  assert [e.scores.name for e in collector.worst] == ['00', '01', '02']
  assert [e.scores.name for e in collector.best] == ['39', '38', '37']
  (shown,) = (p for p in pictures if p.name == '38')
  np.testing.assert_array_equal(collector.best[1].prediction, shown.prediction)


@pytest.mark.parametrize(
  ('count', 'worst', 'best'), [(1, '0', ''), (3, '01', '2'), (5, '01', '43')]
)
def test_no_picture_is_among_both(count, worst, best):
  collector = picture_scores.Collector(NAMES, num_examples=2)
  for index in range(count):
    collector.add(_picture(str(index), index))
  assert ''.join(e.scores.name for e in collector.worst) == worst
  assert ''.join(e.scores.name for e in collector.best) == best


def test_none_is_kept_unless_asked_for():
  collector = picture_scores.Collector(NAMES)
  collector.add(_picture('a', 1))
  assert (collector.worst, collector.best) == ((), ())


@pytest.mark.parametrize(
  ('size', 'shown'),
  [((960, 720), (480, 360)), ((3, 1500), (1, 480)), ((20, 30), (20, 30))],
)
def test_examples_are_small(size, shown):
  collector = picture_scores.Collector(NAMES, num_examples=1)
  collector.add(_picture('a', size[0] * size[1] // 2, size))
  (example,) = collector.worst
  assert example.image.shape == (*shown, 3)
  assert example.label.shape == example.prediction.shape == shown
  assert set(np.unique(example.prediction)) <= {0, 1}


def test_a_row_a_picture_is_written(tmp_path):
  scores = [
    picture_scores.score(name, matrix, NAMES)
    for name, matrix in (
      ('ä.png', np.eye(3, dtype=int)),
      ('b', np.zeros([3, 3])),
    )
  ]
  picture_scores.write(tmp_path / 'a.jsonl', scores)
  rows = [json.loads(x) for x in (tmp_path / 'a.jsonl').open(encoding='utf-8')]
  assert rows == [
    {
      'name': 'ä.png',
      'pixels': 3,
      'mean_iou': 1.0,
      'pixel_accuracy': 1.0,
      'confused': [],
    },
    {
      'name': 'b',
      'pixels': 0,
      'mean_iou': None,
      'pixel_accuracy': None,
      'confused': [],
    },
  ]
