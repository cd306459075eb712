# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Charts hold what they are given, in colours that can be told apart."""

import itertools
from typing import Any

import numpy as np
import pytest

from auto_deeplab.page import charts
from auto_deeplab.reporting import svg

SERIES = [
  charts.Series('a', (1, 2, 3), (0.5, 0.25, 0.125)),
  charts.Series('b', (2, 3), (1.0, 2.0)),
]


def only(figure) -> Any:
  """The axes of a figure; their parts have types that matplotlib hides."""
  (axes,) = figure.axes
  return axes


def test_lines_are_as_given_and_differ_without_colour():
  axes = only(charts.lines(SERIES, 'loss'))
  drawn = [(*line.get_xdata(), *line.get_ydata()) for line in axes.lines]
  assert drawn == [(*s.steps, *s.values) for s in SERIES]
  styles = {line.get_linestyle() for line in axes.lines}
  assert len(styles) == 2
  assert [t.get_text() for t in axes.get_legend().get_texts()] == ['a', 'b']


def test_a_chart_is_told_in_words():
  assert charts.told(SERIES[:1]) == (
    'Line chart. a goes from 0.5 at step 1 to 0.125 at step 3.'
  )


def test_bars_are_as_long_as_their_values():
  figure = charts.bars(['x', 'y'], [0.25, 0.5], 'IoU', [None, 0.1], ('i', 'b'))
  axes = only(figure)
  assert [bar.get_width() for bar in axes.patches] == [0.25, 0.5]
  assert [t.get_text() for t in axes.get_yticklabels()] == ['x', 'y']
  assert axes.lines[0].get_xdata() == [0.1]
  assert [text.get_text() for text in axes.texts] == ['0.25', '0.50']


def test_a_matrix_has_a_field_for_each_share():
  shares = np.array([[1.0, 0.0], [0.25, 0.75]])
  axes = only(charts.matrix(shares, 'ab', 'cd', ('row', 'column')))
  fields = {patch.get_xy(): patch.get_alpha() for patch in axes.patches}
  assert set(fields) == {(-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5)}
  strongest = fields[-0.5, -0.5]
  assert fields[-0.5, 0.5] == pytest.approx(0.25 * strongest)
  assert fields[0.5, 0.5] == pytest.approx(0.75 * strongest)
  assert [text.get_text() for text in axes.texts] == ['100', '25', '75']


def test_a_large_matrix_is_a_picture():
  shares = np.eye(150)
  axes = only(charts.matrix(shares, ['n'] * 150, ['n'] * 150, ('a', 'b')))
  assert len(axes.patches) == 0
  assert axes.images[0].get_array().shape == (150, 150, 4)


def test_rows_over_steps_join_what_is_equal():
  shares = np.array([[0.5, 0.5, 0.0, 1.0]])
  axes = only(charts.rows_over_steps(['a'], [1, 2, 3, 4], shares))
  fields = [
    (patch.get_x(), patch.get_width(), patch.get_alpha())
    for patch in axes.patches
  ]
  assert fields == [(-0.5, 2, 0.5), (2.5, 1, 1.0)]
  assert axes.get_xticklabels()[-1].get_text() == '4'


def test_strips_have_a_dot_a_value_and_the_mean():
  groups = [('random', [0.5, 0.7]), ('searched', [0.8])]
  axes = only(charts.strips(groups, 'IoU'))
  dots, mean, *_ = axes.lines
  assert list(dots.get_xdata()) == [0.5, 0.7]
  assert list(mean.get_xdata()) == pytest.approx([0.6, 0.6])


def test_any_name_can_be_drawn():
  assert charts.shown('a\x00b\n') == 'a\ufffdb\ufffd'
  assert charts.shown(50 * 'x') == 27 * 'x' + '…'


def _seen(color, matrix):
  """A colour as colour-blind people see it, linear r, g, b."""
  channels = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
  return matrix @ channels**2.2


# Machado et al. (2009), for the whole loss of the red or the green cones.
_RED = [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]
_GREEN = [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]


@pytest.mark.parametrize(
  'matrix', [np.eye(3), np.array(_RED), np.array(_GREEN)]
)
def test_the_first_colours_are_told_apart_by_all(matrix):
  for one, other in itertools.combinations(charts.COLORS[:4], 2):
    distance = np.linalg.norm(_seen(one, matrix) - _seen(other, matrix))
    assert distance > 0.1, (one, other)


@pytest.mark.parametrize('color', charts.COLORS)
def test_colours_stand_out_in_both_schemes(color):
  assert svg.contrast(color, '#ffffff') >= 4.5
  assert svg.contrast(svg.dark(color), svg.dark('#ffffff')) >= 4.5
