# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""One scene in all kinds of label files is the same label, pixel by pixel."""

import re

import numpy as np
from PIL import Image
import pytest

from auto_deeplab.data.records import soundness
from auto_deeplab.data.records.shards import Tally
from auto_deeplab.data.sources import pictures

COLORS = ((0, 0, 0), (255, 0, 0), (0, 255, 0))
VALUES = {0: 0, 1: 1, 2: 2, 255: 255}
BY_COLOR = VALUES | {color: index for index, color in enumerate(COLORS)}
CLASSES = np.random.default_rng(0).integers(0, 3, (20, 30), np.uint8)
SHOWN = np.array(COLORS, np.uint8)[CLASSES]


def _read(path, label_values):
  label, counts = pictures.read_label(path, label_values)
  classes = pictures.decode_label('', label.data)
  assert counts.tolist() == np.bincount(classes.ravel(), None, 256).tolist()
  return classes


def _palette(path, values, colors):
  image = Image.fromarray(values, 'P')
  image.putpalette(np.array(colors, np.uint8).tobytes())
  image.save(path)
  return path


def _opaque(pixels):
  return np.dstack([pixels, np.full(CLASSES.shape, 255, np.uint8)])


def _rgb(path):
  Image.fromarray(SHOWN).save(path)


def _rgba(path):
  Image.fromarray(_opaque(SHOWN)).save(path)


def _own_palette(path):
  _palette(path, CLASSES, COLORS)


def _adaptive_palette(path):
  order = np.array([2, 0, 1], np.uint8)
  _palette(path, order[CLASSES], np.array(COLORS)[np.argsort(order)])


def _strange_palette(path):
  _palette(path, CLASSES, [(9, 9, 9), (7, 7, 7), (8, 8, 8)])


def _grey(path):
  Image.fromarray(CLASSES).save(path)


def _grey_alpha(path):
  Image.fromarray(_opaque(CLASSES), 'LA').save(path)


def _grey_in_rgb(path):
  Image.fromarray(np.dstack([CLASSES] * 3)).save(path)


@pytest.mark.parametrize(
  'draw, label_values',
  [
    (_rgb, BY_COLOR),
    (_rgba, BY_COLOR),
    (_own_palette, BY_COLOR),
    (_own_palette, VALUES),
    (_adaptive_palette, BY_COLOR),
    (_strange_palette, BY_COLOR),
    (_strange_palette, VALUES),
    (_grey, BY_COLOR),
    (_grey, VALUES),
    (_grey_alpha, BY_COLOR),
    (_grey_alpha, VALUES),
    (_grey_in_rgb, VALUES),
  ],
)
def test_a_scene_is_the_same_in_all_kinds(tmp_path, draw, label_values):
  draw(tmp_path / 'a.png')
  np.testing.assert_array_equal(
    _read(tmp_path / 'a.png', label_values), CLASSES
  )


def test_several_values_and_colours_become_one_class(tmp_path):
  merged = {0: 0, 1: 1, 2: 1, (0, 0, 0): 0, (255, 0, 0): 1, (0, 255, 0): 255}
  _grey(tmp_path / 'a.png')
  expected = np.minimum(CLASSES, 1)
  np.testing.assert_array_equal(_read(tmp_path / 'a.png', merged), expected)
  _rgb(tmp_path / 'b.png')
  expected = np.array([0, 1, 255])[CLASSES]
  np.testing.assert_array_equal(_read(tmp_path / 'b.png', merged), expected)


def _one_wrong_colour(path):
  pixels = SHOWN.copy()
  pixels[0, :3] = (9, 8, 7)
  pixels[1, 0] = (9, 8, 6)
  Image.fromarray(pixels).save(path)


def _grey_values(path):
  Image.fromarray(np.dstack([CLASSES] * 3)).save(path)


def _half_adaptive_palette(path):
  colors = [COLORS[1], COLORS[0], (3, 3, 3)]
  _palette(path, CLASSES, colors)


@pytest.mark.parametrize(
  'draw, label_values, message',
  [
    (
      _one_wrong_colour,
      BY_COLOR,
      'a.png has the colour (9, 8, 7) in 3 pixels, and 1 other such colours, '
      'which no class has.',
    ),
    # Where classes have colours, three channels are colours.
    (_grey_values, BY_COLOR, 'a.png has the colour (2, 2, 2) in'),
    (_rgb, VALUES, 'a.png has several channels (RGB): where they show colours'),
    (
      _half_adaptive_palette,
      BY_COLOR,
      f'a.png has the colour (3, 3, 3) in {(CLASSES == 2).sum()} pixels, which '
      'no class has, while other colours of its palette are those of classes.',
    ),
  ],
)
def test_what_has_no_one_meaning_is_refused(
  tmp_path, draw, label_values, message
):
  draw(tmp_path / 'a.png')
  with pytest.raises(ValueError, match=re.escape(message)):
    pictures.read_label(tmp_path / 'a.png', label_values)


def test_palettes_that_contradict_each_other_are_refused():
  reports = []
  for name, color in (('a.png', (1, 2, 3)), ('b.png', (3, 2, 1))):
    tally = Tally()
    tally.add_palette(name, [(0, (0, 0, 0)), (1, color)])
    reports.append(tally.report('train', None))
  soundness.require_one_palette(reports[:1])
  with pytest.raises(
    ValueError,
    match=re.escape(
      'The palettes of labels contradict each other: the index 1 is (1, 2, 3) '
      'in a.png and (3, 2, 1) in b.png. Give each class its "color"'
    ),
  ):
    soundness.require_one_palette(reports)


def test_two_palettes_of_one_folder_are_compared(folder, tmp_path):
  folder.fill(num_train=2, num_val=1)
  values = np.broadcast_to(np.arange(32) % 3, (24, 32)).astype(np.uint8)
  colors = [(0, 0, 9), (0, 9, 0), (9, 0, 0)]
  for name, shown in (('train_0', colors), ('train_1', colors[::-1])):
    _palette(folder.label('train', f'{name}.png'), values, shown)
  with pytest.raises(ValueError, match=r'the index 0 is .*train_. in|contrad'):
    folder.convert(tmp_path / 'data', num_shards=1)
  classes = [
    {'name': name, 'color': color}
    for name, color in zip('abc', colors, strict=True)
  ]
  folder.write_classes({'classes': classes})
  info = folder.convert(tmp_path / 'data')
  # The columns of the classes are 11, 11 and 10 of 32, or 10, 11 and 11.
  assert info.split('train').class_pixel_shares == (0.328125, 0.34375, 0.328125)
