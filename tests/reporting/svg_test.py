# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A figure within a page is named, told, and has the page's colours."""

import re
from xml.etree import ElementTree

import matplotlib
from matplotlib import figure as figure_lib
import numpy as np
import pytest

from auto_deeplab.architecture import decode, lattice, primitives
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.reporting import drawings, svg

_BETAS = np.random.default_rng(0).normal(size=(3, 4, 3))


@pytest.fixture(scope='module')
def drawn():
  figure = drawings.lattice_figure(_BETAS, decode.decode_backbone(_BETAS))
  return svg.element(figure, 'lattice', 'A path & <its> "names"')


def test_a_screen_reader_hears_the_label(drawn):
  root = ElementTree.fromstring(drawn)
  assert root.attrib['role'] == 'img'
  assert root.attrib['aria-label'] == 'A path & <its> "names"'


def test_nothing_is_fetched_and_no_style_reaches_the_page(drawn):
  assert 'http' not in drawn
  assert '<style' not in drawn
  assert 'font-family' not in drawn


def test_names_are_of_this_figure_and_all_that_is_named_is_there(drawn):
  ids = re.findall(r' id="([^"]*)"', drawn)
  assert ids
  assert len(set(ids)) == len(ids)
  assert all(name.startswith('lattice-') for name in ids)
  assert set(re.findall(r'#(lattice-\w+)', drawn)) <= set(ids)


def test_each_transition_is_found_with_its_probability(drawn):
  root = ElementTree.fromstring(drawn)
  probabilities = decode.transition_probabilities(_BETAS)
  for transition in lattice.transitions(3):
    key = drawings.transition_key(transition, 'number')
    (group,) = root.iterfind(f'.//g[@data-key="{key}"]')
    index = transition.column, transition.source_level, transition.direction
    assert group.findtext('.//text') == f'{probabilities[index]:.2f}'
    line = drawings.transition_key(transition, 'line')
    assert root.find(f'.//g[@data-key="{line}"]/path') is not None


def test_the_cell_holds_the_lines_of_other_cells_too():
  cells = [
    genotype_lib.Genotype((((0, op), (1, op)), ((a, op), (2, op))), (0,))
    for a, op in ((0, 'skip_connect'), (1, 'sep_conv_3x3'))
  ]
  text = svg.element(drawings.cell_figure(cells[0], cells), 'cell', 'A cell')
  keys = set(re.findall(r'data-key="(edge-[^"]*)"', text))
  assert keys == {
    drawings.edge_key(*edge)
    for cell in cells
    for edge in drawings.cell_edges(cell)
  }


def test_a_colour_is_a_variable_that_both_schemes_define(drawn):
  assert not re.search(r'#[0-9a-f]{6}\b', drawn)
  used = set(re.findall(r'var\((--c-\w+)\)', drawn))
  for is_dark in (False, True):
    defined = re.findall(
      r'(--c-\w+): #[0-9a-f]{6};', svg.variables(drawn, is_dark)
    )
    assert set(defined) == used
  assert '--c-c93a4e: #c93a4e;' in svg.variables(drawn)


def test_light_and_dark_are_exchanged():
  assert svg.dark('#ffffff') == '#191919'
  assert svg.dark('#000000') == '#f0f0f0'


@pytest.mark.parametrize(
  'color', [drawings.INK, drawings.PATH, drawings.NODE, '#c24e00', '#7b2d8b']
)
def test_what_is_drawn_stands_out_from_the_dark_ground(color):
  assert svg.contrast(svg.dark(color), svg.dark('#ffffff')) >= 4.5


@pytest.mark.parametrize('name', primitives.PAPER)
def test_a_text_can_be_read_on_a_box_in_both_schemes(name):
  box = primitives.get(name).color
  assert svg.contrast(drawings.INK, box) >= 4.5
  assert svg.contrast(svg.dark(drawings.INK), svg.dark(box)) >= 4.5


def test_contrast_is_that_of_wcag():
  assert svg.contrast('#000000', '#ffffff') == pytest.approx(21)
  assert svg.contrast('#777777', '#ffffff') == pytest.approx(4.48, abs=0.01)


def test_parts_can_be_hidden():
  figure = drawings.lattice_figure(None, (0, 1))
  hidden = drawings.node_key(0, 1)
  root = ElementTree.fromstring(svg.element(figure, 'a', 'b', {hidden}))
  styles = {
    group.attrib['data-key']: group.attrib.get('style')
    for group in root.iterfind('.//g[@data-key]')
  }
  assert [key for key, style in styles.items() if style] == [hidden]
  assert styles[hidden] == 'display: none'


def test_a_name_with_dollars_is_no_formula():
  figure = figure_lib.Figure()
  figure.text(0.5, 0.5, 'from $1 to $x^')
  assert 'from $1 to $x^' in svg.element(figure, 'a', 'b')


def test_without_search_the_path_is_all_that_stands_out():
  root = ElementTree.fromstring(
    svg.element(drawings.lattice_figure(None, (0, 1)), 'a', 'b')
  )
  assert not root.findall('.//g[@data-key="number-0-0-1"]')
  (line,) = root.findall('.//g[@data-key="line-0-0-1"]/path')
  assert svg.variable(drawings.PATH) in line.attrib['style']


def test_the_settings_of_matplotlib_stay():
  before = dict(matplotlib.rcParams)
  svg.render(drawings.lattice_figure(_BETAS, decode.decode_backbone(_BETAS)))
  assert dict(matplotlib.rcParams) == before
