# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests for the cost model: the paper's numbers, and sums done by hand."""

import dataclasses
import re
from typing import Any

import pytest

from auto_deeplab.architecture import cost
from auto_deeplab.architecture import genotype as genotype_lib

PUBLISHED = genotype_lib.PUBLISHED
NAMES = ('s', 'm', 'l')
CITYSCAPES = (1025, 2049)


def published(name, **settings):
  multiplier = genotype_lib.PUBLISHED_FILTER_MULTIPLIERS[name]
  return cost.count(
    cost.Network(PUBLISHED, filter_multiplier=multiplier, **settings)
  )


def single(operation, backbone=(0,), **settings):
  """A cell of one block that applies an operation to both inputs."""
  genotype = genotype_lib.Genotype(
    (((0, operation), (1, operation)),), backbone
  )
  defaults: dict[str, Any] = {'input_size': (33, 65), 'filter_multiplier': 8}
  return cost.Network(genotype, **(defaults | settings))


@pytest.mark.parametrize(
  ('name', 'parameters'),
  [('s', 10_147_427), ('m', 21_622_451), ('l', 44_424_691)],
)
def test_parameters_of_the_published_networks(name, parameters):
  assert published(name).parameters == parameters


def test_parameters_of_the_reference_network():
  network = cost.Network(PUBLISHED, filter_multiplier=4)
  assert cost.count(network).parameters == 2_349_603


@pytest.mark.parametrize(
  ('part', 'parameters'),
  [
    ('stem', (112_832,) * 3),
    ('aspp1', (461_312, 737_792, 1_106_432)),
    ('aspp2', (461_312, 737_792, 1_106_432)),
    ('aspp3', (461_312, 737_792, 1_106_432)),
    ('concat_projection', (328_192,) * 3),
    ('decoder', (1_296_160, 1_299_040, 1_302_880)),
    ('logits', (4_883,) * 3),
  ],
)
def test_parameters_of_the_parts(part, parameters):
  counted = tuple(published(name).by_part()[part].parameters for name in NAMES)
  assert counted == parameters


def test_parameters_of_the_backbone_with_its_stem():
  backbones = []
  for name in NAMES:
    parts = published(name).by_part()
    backbones.append(
      sum(
        c.parameters
        for part, c in parts.items()
        if part == 'stem' or part.startswith('cell_')
      )
    )
  assert backbones == [7_030_832, 17_612_096, 39_222_656]


@pytest.mark.parametrize(
  ('settings', 'billions'),
  [
    ({'input_size': CITYSCAPES}, (320.45, 439.92, 662.42)),
    (
      {'input_size': CITYSCAPES, 'pooling_size': (97, 97)},
      (320.72, 440.36, 663.08),
    ),
    ({'input_size': (1024, 2048)}, (317.54, 434.99, 653.58)),
  ],
)
def test_exact_multiply_adds_of_the_published_networks(settings, billions):
  counted = [published(name, **settings).multiply_adds / 1e9 for name in NAMES]
  assert counted == pytest.approx(billions, abs=0.005)


@pytest.mark.parametrize(
  ('name', 'paper', 'reproduced'),
  [
    ('s', 333.25, 333.232),
    ('m', 460.93, 460.914),
    ('l', 695.03, 695.015),
  ],
)
def test_multiply_adds_in_the_paper_s_counting(name, paper, reproduced):
  counted = published(
    name, input_size=CITYSCAPES, pooling_size=cost.PAPER_POOLING_SIZE
  )
  billions = counted.profiler_multiply_adds / 1e9
  assert billions == pytest.approx(paper, rel=4e-4)
  assert billions == pytest.approx(reproduced, rel=4e-4)


def test_most_of_s_is_the_decoder():
  parts = published('s', input_size=CITYSCAPES).by_part()
  assert parts['decoder'].multiply_adds / 1e9 == pytest.approx(170.7, abs=0.05)


def test_the_groups_add_up():
  counted = published('s', pooling_size=(97, 97))
  for groups in (counted.by_part(), counted.by_operation()):
    for measure in cost.MEASURES:
      total = sum(getattr(group, measure) for group in groups.values())
      assert total == getattr(counted, measure)


def test_every_edge_of_every_cell_is_an_item():
  names = {(i.part, i.name): i.operation for i in published('s').items}
  for layer in range(12):
    for block, (left, right) in enumerate(PUBLISHED.cell):
      assert names[f'cell_{layer}', f'block_{block}/left'] == left[1]
      assert names[f'cell_{layer}', f'block_{block}/right'] == right[1]


def cell(network):
  """The items of cell 0 by name."""
  return {i.name: i for i in cost.count(network).items if i.part == 'cell_0'}


def test_a_separable_convolution_by_hand():
  # 8 channels on 9x17 pixels: twice {3x3 depthwise, 8x8 pointwise, 2x8 BN}.
  item = cell(single('sep_conv_3x3'))['block_0/left']
  assert item.parameters == 2 * (72 + 64 + 16)
  assert item.multiply_adds == 9 * 17 * 2 * (72 + 64)
  assert item.profiler_multiply_adds == item.multiply_adds


def test_an_atrous_convolution_by_hand():
  item = cell(single('atrous_conv_5x5'))['block_0/left']
  assert item.parameters == 25 * 64 + 16
  assert item.multiply_adds == 9 * 17 * 25 * 64
  # At rate 2 the profiler counts 10x18 positions.
  assert item.profiler_multiply_adds == 10 * 18 * 25 * 64


@pytest.mark.parametrize('operation', ['max_pool_3x3', 'avg_pool_3x3'])
def test_pooling_is_counted_by_the_profiler_alone(operation):
  item = cell(single(operation))['block_0/left']
  assert (item.parameters, item.multiply_adds) == (0, 0)
  assert item.profiler_multiply_adds == 9 * 17 * 8 * 9 / 2


def test_a_skip_costs_nothing():
  item = cell(single('skip_connect'))['block_0/right']
  assert (item.parameters, item.multiply_adds) == (0, 0)
  assert item.profiler_multiply_adds == 0


def test_a_striding_cell_projects_before_it_strides():
  # Level 1: 16 channels on 5x9 pixels; its inputs are at 9x17.
  items = cell(single('atrous_conv_3x3', backbone=(1,)))
  assert items['projection'].multiply_adds == 9 * 17 * 128 * 16
  assert items['previous_projection'].multiply_adds == 9 * 17 * 64 * 16
  assert items['block_0/left'].multiply_adds == 5 * 9 * 9 * 16 * 16
  # The striding convolution has no holes.
  left = items['block_0/left']
  assert left.profiler_multiply_adds == left.multiply_adds


def test_a_striding_cell_strides_on_its_inputs_only():
  block = ((0, 'atrous_conv_3x3'), (1, 'atrous_conv_3x3'))
  later = ((2, 'atrous_conv_3x3'), (1, 'atrous_conv_3x3'))
  genotype = genotype_lib.Genotype((block, later), (1,))
  items = cell(cost.Network(genotype, (33, 65), 8))
  left, right = items['block_1/left'], items['block_1/right']
  assert left.profiler_multiply_adds == 6 * 10 * 9 * 16 * 16
  assert right.profiler_multiply_adds == 5 * 9 * 9 * 16 * 16


def test_a_cell_that_goes_up_works_at_its_own_size():
  counted = cost.count(single('skip_connect', backbone=(1, 0)))
  items = {i.name: i for i in counted.items if i.part == 'cell_1'}
  assert items['projection'].multiply_adds == 9 * 17 * 16 * 8
  assert items['previous_projection'].multiply_adds == 9 * 17 * 128 * 8


def test_equal_channels_need_no_projection_of_h_l_2():
  # The stem's second convolution has 64 channels, as the block of F = 64.
  assert 'previous_projection' not in cell(
    single('skip_connect', filter_multiplier=64)
  )
  assert 'projection' in cell(single('skip_connect', filter_multiplier=64))


def test_the_low_level_feature_follows_the_backbone():
  # From the stem (128 channels), or from a cell at stride 4 (8 channels).
  for backbone, channels in (((1, 1), 128), ((0, 1), 8)):
    counted = cost.count(single('skip_connect', backbone=backbone))
    (item,) = (i for i in counted.items if i.name == 'feature_projection')
    assert item.parameters == channels * 48 + 2 * 48


def test_widths_of_the_head_are_settings():
  network = single(
    'skip_connect',
    aspp_filters=32,
    low_level_filters=12,
    decoder_filters=24,
    num_classes=5,
    stem_filters=(4, 6, 10),
  )
  parts = cost.count(network).by_part()
  assert parts['stem'].parameters == 9 * (12 + 24 + 60) + 2 * (4 + 6 + 10)
  assert parts['aspp2'].parameters == 9 * 8 * 32 + 64
  assert parts['concat_projection'].parameters == 160 * 32 + 64
  assert parts['decoder'].parameters == (
    (10 * 12 + 24) + (9 * 44 * 24 + 48) + (9 * 24 * 24 + 48)
  )
  assert parts['logits'].parameters == 24 * 5 + 5


@pytest.mark.parametrize(
  ('settings', 'message'),
  [
    ({'filter_multiplier': 0}, '`filter_multiplier` (0) must be at least 1.'),
    ({'num_classes': 0}, '`num_classes` (0) must be at least 1.'),
    ({'input_size': (0, 65)}, '`input_size` ((0, 65)) must be at least 1.'),
    ({'aspp_filters': -1}, '`aspp_filters` (-1) must be at least 1.'),
    ({'stem_filters': (8, 0, 8)}, '`stem_filters` ((8, 0, 8)) must be at'),
    (
      {'pooling_size': (9, 18)},
      '`pooling_size` ((9, 18)) must not be larger than the feature map (9, '
      '17) of an input of (33, 65).',
    ),
  ],
)
def test_an_impossible_network_is_refused(settings, message):
  with pytest.raises(ValueError, match=re.escape(message)):
    single('skip_connect', **settings)


def test_a_window_as_large_as_the_map_costs_as_the_whole_map():
  network = single('skip_connect')
  windowed = dataclasses.replace(network, pooling_size=(9, 17))
  counts = [cost.count(n).multiply_adds for n in (network, windowed)]
  assert counts[0] == counts[1]
