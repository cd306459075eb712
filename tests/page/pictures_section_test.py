# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The page shows the pictures that an evaluation has drawn."""

import re
from typing import Any

import numpy as np
import pytest

from auto_deeplab.page import document, gather, pictures_section, words
from auto_deeplab.reporting import examples
from tests.page import made

COLORS = ((1, 2, 3), (200, 0, 0), (0, 200, 0))


def _shown(kind, name, mean_iou, values):
  label = np.array([values], np.uint8)
  scores = {
    'name': name,
    'mean_iou': mean_iou,
    'pixel_accuracy': 0.5,
    'confused': [('sky', 'road', 0.25), ('road', 'sky', 0.0004)],
  }
  image = np.zeros([*label.shape, 3], np.uint8)
  return examples.Shown(kind, scores, image, label, label * 0)


def _section(path) -> Any:
  return pictures_section.section(gather.gather([path]))


@pytest.fixture
def run(tmp_path):
  path = made.training(tmp_path / 'run')
  shown = [
    _shown('worst', '<b>a.jpg', 0.1, [0, 2]),
    _shown('best', 'c.jpg', 0.9, [0, 255]),
  ]
  examples.write(path / 'examples-val-40', shown, made.NAMES, COLORS)
  return path


def test_pictures_stand_beside_labels_and_predictions(run):
  section = _section(run)
  assert section.title == 'The worst and the best pictures'
  text, worst, best = section.blocks
  assert text.text.startswith('Of the split val at step 40: ')
  (picture,) = worst.pictures
  assert picture.title == (
    f'<b>a.jpg: mean IoU 0.100, {words.percent(0.5)} of the pixels right; '
    f'{words.percent(0.25)} sky taken for road'
  )
  assert [told for _, _, told in picture.images] == [
    'picture <b>a.jpg',
    'its label: sky, tree',
    'its prediction: sky',
  ]
  # What they have, and no more.
  assert worst.legend == (('sky', '#010203'), ('tree', '#00c800'))
  assert best.legend == (('sky', '#010203'), ('ignored', '#f0f0f0'))


def test_the_page_holds_them(run):
  gathered = gather.gather([run])
  html = document.page('x', document.sections(gathered))
  assert html.count('data:image/jpeg;base64,') == 2
  assert html.count('data:image/png;base64,') == 4
  assert '&lt;b&gt;a.jpg' in html
  assert '<b>a.jpg' not in html
  keys = re.findall(r'<section id="([a-z-]+)"', html)
  assert keys.index('pictures') == keys.index('training') + 1


def test_those_of_several_trainings_are_told_apart(run):
  folder = made.training(run.parent / 'other') / 'examples-val-40'
  shown = [_shown('worst', 'd.jpg', 0.2, [1])]
  examples.write(folder, shown, made.NAMES, COLORS)
  section = _section(run.parent)
  assert [block.title for block in section.blocks] == ['other', 'run']
  assert section.blocks[0].blocks[1].pictures[0].title.startswith('d.jpg')


def test_without_any_there_is_no_section(tmp_path):
  gathered = gather.gather([made.training(tmp_path / 'run')])
  assert _section(tmp_path / 'run') is None
  assert gathered.trainings[0].missing == ()


def test_what_is_damaged_is_said(run):
  (run / 'examples-val-40' / 'examples.json').write_text('{}')
  gathered = gather.gather([run])
  assert _section(run) is None
  (sentence,) = gathered.trainings[0].missing
  assert sentence.endswith("examples.json holds no examples: 'format'.")


def test_those_of_another_evaluation_are_not_shown(run):
  (run / 'examples-val-40').rename(run / 'examples-val-20')
  assert _section(run) is None
