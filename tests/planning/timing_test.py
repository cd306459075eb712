# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Milliseconds of parts add up to those of networks; files say of which."""

import dataclasses
import itertools
import json
import re

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.architecture import cost, cost_table, genotype, milliseconds
from auto_deeplab.planning import timing
from tests import tiny

NAMES = ('none', 'skip_connect', 'sep_conv_3x3')
NETWORK = cost.Network(
  tiny.GENOTYPE,
  input_size=(40, 48),
  filter_multiplier=2,
  num_classes=3,
  stem_filters=(2, 2, 4),
  aspp_filters=3,
  low_level_filters=2,
  decoder_filters=3,
)


def counted(part):
  """As if a multiply-add took a nanosecond on any machine."""
  found = cost.count(dataclasses.replace(NETWORK, genotype=part.genotype))
  if part.layer is not None:
    found = found.by_part()[f'cell_{part.layer}']
  return found.multiply_adds * 1e-6


@pytest.fixture
def timed():
  """Whole networks take a quarter more than their parts alone."""
  rng = np.random.default_rng(0)
  drawn = [
    genotype.random_genotype(rng, num_layers=3, num_blocks=1, names=NAMES)
    for _ in range(3)
  ]
  alone = {part: counted(part) for part in cost_table.parts(1, NAMES)}
  alone |= {
    cost_table.Part(g): 1.25 * counted(cost_table.Part(g)) for g in drawn
  }
  return timing.fitted(alone, drawn, 1, NAMES)


def test_sums_are_fitted_to_what_whole_networks_take(timed):
  assert timed.scale == pytest.approx(1.25)
  assert timed.ratios == pytest.approx([1, 1, 1])
  for seed in range(10):
    drawn = genotype.random_genotype(
      np.random.default_rng(seed), num_layers=5, num_blocks=1, names=NAMES
    )
    assert cost_table.cost_of(timed.table, drawn) == pytest.approx(
      1.25 * counted(cost_table.Part(drawn))
    )


def test_noise_gives_no_time_back(timed):
  rng = np.random.default_rng(0)
  parts = cost_table.parts(1, NAMES)
  noisy = {part: counted(part) * rng.uniform(0.2, 5) for part in parts}
  drawn = [parts[-1].genotype]
  table = timing.fitted(noisy, drawn, 1, NAMES).table
  for array in (table.projections, table.primitives, table.ends):
    assert array.min() >= 0


def test_the_fastest_call_of_each_counts(monkeypatch):
  clock = itertools.count()
  monkeypatch.setattr(timing.time, 'perf_counter', lambda: next(clock))
  calls = [0, 0]

  def run(index):
    calls[index] += 1
    if index and calls[index] != 10:
      next(clock)  # Slower, but for one call.

  runs = [lambda: run(0), lambda: run(1)]
  assert timing.fastest(runs) == [1000.0, 1000.0]
  assert calls == [42, 42]


@pytest.mark.parametrize('layer', [0, 1, 2, None])
def test_a_cell_and_a_network_can_be_run(layer):
  # Down and up again.
  drawn = genotype.Genotype(tiny.GENOTYPE.cell, (1, 1, 0))
  pictures = tf.zeros([1, *NETWORK.input_size, 3])
  run = timing._run_of(cost_table.Part(drawn, layer), NETWORK, pictures)
  assert np.isfinite(run())


# The file --------------------------------------------------------------------


def test_a_file_keeps_a_table(timed, tmp_path):
  path = tmp_path / 'milliseconds.json'
  milliseconds.save(path, timed.table, NETWORK, {'scale': timed.scale})
  found = milliseconds.load(path, NETWORK, NAMES)
  assert found.names == timed.table.names
  for name in ('projections', 'primitives', 'ends'):
    np.testing.assert_array_equal(
      getattr(found, name), getattr(timed.table, name)
    )


@pytest.mark.parametrize(
  ('change', 'names', 'message'),
  [
    ({'num_classes': 4}, NAMES, '`num_classes` 3, and the search has 4'),
    ({'input_size': (40, 49)}, NAMES, '`input_size` [40, 48], and the search'),
    ({}, NAMES[1:], "`primitives` ['none', 'skip_connect', 'sep_conv_3x3']"),
    (
      {'genotype': genotype.PUBLISHED},
      NAMES,
      '`num_blocks` 1, and the search has 5: measure anew.',
    ),
  ],
)
def test_a_table_of_other_networks_is_refused(
  timed, tmp_path, change, names, message
):
  path = tmp_path / 'milliseconds.json'
  milliseconds.save(path, timed.table, NETWORK, {})
  network = dataclasses.replace(NETWORK, **change)
  with pytest.raises(ValueError, match=re.escape(message)):
    milliseconds.load(path, network, names)


@pytest.mark.parametrize(
  'change',
  [
    {'version': 2},
    {'ends': [[1.0, 2.0]]},
    {'primitives': 'none'},
    {'network': None},
    {'projections': float('nan')},
  ],
)
def test_a_damaged_table_is_named(timed, tmp_path, change):
  path = tmp_path / 'milliseconds.json'
  milliseconds.save(path, timed.table, NETWORK, {})
  path.write_text(json.dumps(json.loads(path.read_text()) | change))
  message = r'milliseconds\.json is no table of `auto-deeplab cost --measure`'
  with pytest.raises(ValueError, match=message):
    milliseconds.load(path, NETWORK, NAMES)
