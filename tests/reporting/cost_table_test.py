# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests for the table of costs."""

import json

import pytest

from auto_deeplab.architecture import cost
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.reporting import cost_table


@pytest.fixture
def networks():
  return {
    name: cost.Network(
      genotype_lib.PUBLISHED, filter_multiplier=f, pooling_size=(97, 97)
    )
    for name, f in genotype_lib.PUBLISHED_FILTER_MULTIPLIERS.items()
  }


def test_the_table_holds_the_totals_of_all_networks(networks):
  lines = cost_table.table(networks).splitlines()
  assert lines[0] == ('Input 1025x2049, 19 classes, image pooling over 97x97.')
  (total,) = (line for line in lines if line.startswith('Total'))
  assert total.split() == [
    'Total',
    '10,147,427',
    '320.722',
    '21,622,451',
    '440.358',
    '44,424,691',
    '663.077',
  ]
  (paper,) = (line for line in lines if line.startswith("In paper's"))
  assert paper.split()[3:] == ['333.142', '460.773', '694.786']


def test_every_part_and_operation_has_a_line(networks):
  lines = cost_table.table(networks).splitlines()
  names = [line.split()[0] for line in lines if line.startswith('  ')]
  counted = cost.count(networks['s'])
  expected = [*counted.by_part(), *counted.by_operation()]
  assert [name for name in names if name in expected] == expected


def test_an_operation_that_one_network_lacks_costs_it_nothing(networks):
  block = ((0, 'skip_connect'), (1, 'max_pool_3x3'))
  other = cost.Network(genotype_lib.Genotype((block,), (0,)))
  table = cost_table.table({'s': networks['s'], 'other': other})
  (line,) = (x for x in table.splitlines() if 'atrous_conv_5x5' in x)
  assert line.split() == [
    'atrous_conv_5x5',
    '4,143,280',
    '32.091',
    '0',
    '0.000',
  ]


def test_json_holds_the_table_and_more(networks):
  document = json.loads(json.dumps(cost_table.to_json(networks)))
  assert (document['format'], document['version']) == ('auto_deeplab.cost', 1)
  small = document['networks'][0]
  assert small['name'] == 's'
  assert small['parameters'] == 10_147_427
  assert small['input_size'] == [1025, 2049]
  assert small['pooling_size'] == [97, 97]
  assert small['parts']['decoder']['parameters'] == 1_296_160
  assert sum(i['parameters'] for i in small['items']) == 10_147_427
  genotype = genotype_lib.Genotype.from_json(small['genotype'])
  assert genotype == genotype_lib.PUBLISHED
