# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests for the drawings: what is on the picture, at every size."""

import os

from matplotlib import figure as figure_lib
import numpy as np
from PIL import Image
import pytest

from auto_deeplab.architecture import decode, lattice, primitives
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.reporting import drawings

PATH_COLOR = np.array([0xC9, 0x3A, 0x4E])


def random_betas(num_layers):
  return np.random.default_rng(num_layers).normal(size=(num_layers, 4, 3))


def pixels(path):
  with Image.open(path) as image:
    assert image.format == 'PNG'
    return np.asarray(image.convert('RGB')).astype(int)


def num_path_pixels(picture):
  return int((np.abs(picture - PATH_COLOR).sum(axis=-1) < 8).sum())


@pytest.fixture
def texts(monkeypatch):
  """The texts of each figure that is saved."""
  found = []
  save = figure_lib.Figure.savefig

  def savefig(figure, *args, **kwargs):
    found.append([t.get_text() for t in figure.axes[0].texts])
    save(figure, *args, **kwargs)

  monkeypatch.setattr(figure_lib.Figure, 'savefig', savefig)
  return found


@pytest.mark.parametrize('num_layers', [1, 2, 12, 24])
def test_the_lattice_is_drawn_at_every_length(num_layers, tmp_path):
  betas = random_betas(num_layers)
  path = tmp_path / 'lattice.png'
  drawings.draw_lattice(betas, decode.decode_backbone(betas), path)
  assert num_path_pixels(pixels(path)) > 500


def test_every_transition_carries_its_probability(texts, tmp_path):
  betas = random_betas(5)
  drawings.draw_lattice(betas, (0, 0, 0, 0, 0), tmp_path / 'lattice.png')
  probabilities = decode.transition_probabilities(betas)
  mask = lattice.legal_mask(5)
  assert sorted(texts[0]) == sorted(f'{p:.2f}' for p in probabilities[mask])


def test_the_path_is_where_the_backbone_goes(tmp_path):
  betas = np.zeros((6, 4, 3))
  upper, lower = tmp_path / 'upper.png', tmp_path / 'lower.png'
  drawings.draw_lattice(betas, (0, 0, 0, 0, 0, 0), upper)
  drawings.draw_lattice(betas, (1, 2, 3, 3, 3, 3), lower)

  def lower_half(picture):
    return num_path_pixels(picture[picture.shape[0] // 2 :])

  assert lower_half(pixels(upper)) == 0
  assert lower_half(pixels(lower)) > 500


def test_a_backbone_of_another_length_is_refused(tmp_path):
  with pytest.raises(ValueError, match='`backbone` has 2 layers'):
    drawings.draw_lattice(random_betas(3), (0, 0), tmp_path / 'lattice.png')
  assert os.listdir(tmp_path) == []


def test_nan_betas_are_refused_and_nothing_is_written(tmp_path):
  betas = random_betas(3)
  betas[1, 1, 1] = np.nan
  with pytest.raises(ValueError, match=r'`betas` is nan at \[1, 1, 1\]'):
    drawings.draw_lattice(betas, (0, 0, 0), tmp_path / 'lattice.png')
  assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('num_blocks', range(1, 9))
def test_the_cell_is_drawn_with_all_its_names(num_blocks, texts, tmp_path):
  generator = np.random.default_rng(num_blocks)
  genotype = genotype_lib.random_genotype(generator, num_blocks=num_blocks)
  path = tmp_path / 'cell.png'
  drawings.draw_cell(genotype, path)
  assert pixels(path).std() > 10
  for block in range(num_blocks):
    assert f'block {block}' in texts[0]
  assert {'H[l-2]', 'H[l-1]', 'H[l]', 'concat'} <= set(texts[0])


def test_operations_are_named_as_often_as_they_are_used(texts, tmp_path):
  drawings.draw_cell(genotype_lib.PUBLISHED, tmp_path / 'cell.png')
  counts = {text: texts[0].count(text) for text in texts[0]}
  assert counts['sep 3×3'] == 4
  assert counts['sep 5×5'] == 3
  assert counts['atrous 5×5'] == 2
  assert counts['atrous 3×3'] == 1


@pytest.mark.parametrize('operation', primitives.operations())
def test_every_operation_can_be_drawn(operation, tmp_path):
  cell = (((0, operation), (1, operation)),)
  genotype = genotype_lib.Genotype(cell, (0,))
  drawings.draw_cell(genotype, tmp_path / 'cell.png')
  assert os.listdir(tmp_path) == ['cell.png']


def test_unlike_cells_give_unlike_pictures(tmp_path):
  edges = (0, 'skip_connect'), (1, 'skip_connect')
  first = genotype_lib.Genotype((edges, edges), (0,))
  second = genotype_lib.Genotype((edges, (edges[0], (2, edges[1][1]))), (0,))
  drawings.draw_cell(first, tmp_path / 'first.png')
  drawings.draw_cell(second, tmp_path / 'second.png')
  assert not np.array_equal(
    pixels(tmp_path / 'first.png'), pixels(tmp_path / 'second.png')
  )


def test_pixels_are_those_of_the_figure():
  betas = random_betas(3)
  figure = drawings.lattice_figure(betas, decode.decode_backbone(betas))
  picture = drawings.pixels(figure)
  width, height = figure.get_size_inches()
  assert picture.shape == (int(72 * height), int(72 * width), 3)
  assert picture.dtype == np.uint8
  assert num_path_pixels(picture.astype(int)) > 100
