# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests for the genotype and its file."""

import collections
import json
import re
from typing import Any

import numpy as np
import pytest

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import lattice, primitives

Genotype = genotype_lib.Genotype
PUBLISHED = genotype_lib.PUBLISHED


def genotype_of(cell: Any, backbone: Any) -> Genotype:
  """A genotype of what a type checker would refuse."""
  return Genotype(cell, backbone)


BLOCK = ((0, 'sep_conv_3x3'), (1, 'skip_connect'))


def test_five_blocks_have_twenty_edges_in_order():
  edges = genotype_lib.edges(5)
  assert len(edges) == 20
  assert edges[:5] == ((0, 0), (0, 1), (1, 0), (1, 1), (1, 2))
  assert edges[-1] == (4, 5)


def test_edges_of_no_block_are_refused():
  with pytest.raises(
    ValueError, match=r'`num_blocks` \(0\) must be at least 1\.'
  ):
    genotype_lib.edges(0)


def test_published_is_the_authors_table_with_the_two_inputs_swapped():
  # The table of the authors' code: state 0 is H[l-1], state 1 is H[l-2].
  authors = [
    ('atrous', 5, 1, 'sep', 3, 0),
    ('sep', 3, 1, 'atrous', 3, 0),
    ('sep', 3, 3, 'sep', 3, 1),
    ('sep', 5, 4, 'sep', 5, 2),
    ('sep', 5, 3, 'atrous', 5, 5),
  ]
  ours = []
  for block in PUBLISHED.cell:
    row = []
    for state, operation in block:
      kind, size = operation.split('_')[0], int(operation[-1])
      swapped = 1 - state if state < 2 else state
      row += [kind, size, swapped]
    ours.append(tuple(row))
  assert ours == authors
  assert PUBLISHED.backbone == (0, 0, 0, 1, 2, 1, 2, 2, 3, 3, 2, 1)


def test_a_genotype_knows_its_size():
  assert PUBLISHED.num_blocks == 5
  assert PUBLISHED.num_layers == 12


def test_lists_and_tuples_make_equal_genotypes():
  from_lists = genotype_of([[list(edge) for edge in BLOCK]], [0, 1])
  assert from_lists == Genotype((BLOCK,), (0, 1))
  assert hash(from_lists) == hash(Genotype((BLOCK,), (0, 1)))


def test_json_round_trip():
  document = json.loads(json.dumps(PUBLISHED.to_json()))
  assert Genotype.from_json(document) == PUBLISHED


def test_a_file_round_trip_keeps_where_it_comes_from(tmp_path):
  path = tmp_path / 'genotype.json'
  searched = {'run': 'runs/demo', 'step': 300, 'config_sha256': '00ff'}
  PUBLISHED.save(path, searched=searched)
  assert Genotype.load(path) == PUBLISHED
  document = json.loads(path.read_text())
  assert document['searched'] == searched
  assert document['format'] == 'auto_deeplab.genotype'
  assert document['version'] == 1
  assert document['inputs'] == ['H[l-2]', 'H[l-1]']


def test_a_file_without_a_search_says_nothing_of_one(tmp_path):
  PUBLISHED.save(tmp_path / 'genotype.json')
  assert 'searched' not in json.loads((tmp_path / 'genotype.json').read_text())


def test_random_genotypes_round_trip_and_use_everything():
  generator = np.random.default_rng(0)
  operations: set[str] = set()
  levels: set[int] = set()
  for _ in range(100):
    drawn = genotype_lib.random_genotype(generator, num_layers=6, num_blocks=3)
    assert Genotype.from_json(drawn.to_json()) == drawn
    assert (drawn.num_layers, drawn.num_blocks) == (6, 3)
    operations.update(op for block in drawn.cell for _, op in block)
    levels.update(drawn.backbone)
  assert operations == set(primitives.operations())
  assert levels == {0, 1, 2, 3}


def test_random_blocks_read_two_unlike_states_in_order():
  generator = np.random.default_rng(1)
  for _ in range(50):
    for (left, _), (right, _) in genotype_lib.random_genotype(generator).cell:
      assert left < right


def test_random_backbones_are_uniform_over_all_paths():
  generator = np.random.default_rng(2)
  draws, num_paths = 5000, lattice.num_paths(3)
  counts = collections.Counter(
    genotype_lib.random_genotype(generator, num_layers=3, num_blocks=1).backbone
    for _ in range(draws)
  )
  assert len(counts) == num_paths == 13
  expected = draws / num_paths
  chi_squared = sum((n - expected) ** 2 / expected for n in counts.values())
  # 99.9 % of uniform draws lie below (12 degrees of freedom).
  assert chi_squared < 32.9


def test_the_same_seed_draws_the_same_genotype():
  first, second = (
    genotype_lib.random_genotype(np.random.default_rng(7)) for _ in range(2)
  )
  assert first == second


def test_a_random_genotype_without_blocks_is_refused():
  with pytest.raises(
    ValueError, match=r'`num_blocks` \(0\) must be at least 1\.'
  ):
    genotype_lib.random_genotype(np.random.default_rng(0), num_blocks=0)


@pytest.mark.parametrize(
  ('cell', 'message'),
  [
    ([], '`cell` ([]) must be a list of at least one block.'),
    ('conv', "`cell` ('conv') must be a list of at least one block."),
    ([BLOCK[:1]], "Block 0 of `cell` (((0, 'sep_conv_3x3'),)) must hold two"),
    ([7], 'Block 0 of `cell` (7) must hold two edges.'),
    ([[BLOCK[0], [1]]], 'An edge of block 0 ([1]) must be a pair of a state'),
    (
      [[BLOCK[0], ['1', 'skip_connect']]],
      "An edge of block 0 (['1', 'skip_connect']) must be an integer and a",
    ),
    (
      [[BLOCK[0], [True, 'skip_connect']]],
      "An edge of block 0 ([True, 'skip_connect']) must be an integer and a",
    ),
    ([[BLOCK[0], [1, 3]]], 'An edge of block 0 ([1, 3]) must be an integer'),
    (
      [[BLOCK[0], (1, 'conv_7x7')]],
      "Block 0 uses the unknown operation 'conv_7x7'; known are max_pool_3x3",
    ),
    (
      [BLOCK, [BLOCK[0], (1, 'none')]],
      "Block 1 uses the operation 'none', which a genotype cannot hold.",
    ),
    (
      [[BLOCK[0], (2, 'skip_connect')]],
      'Block 0 reads state 2, which is its own output; it may read 0 to 1.',
    ),
    (
      [BLOCK, [BLOCK[0], (4, 'skip_connect')]],
      'Block 1 reads state 4, which is no earlier block or input; it may read '
      '0 to 2.',
    ),
    (
      [[BLOCK[0], (-1, 'skip_connect')]],
      'Block 0 reads state -1, which is no earlier block or input',
    ),
  ],
)
def test_a_bad_cell_is_refused(cell, message):
  with pytest.raises(ValueError, match=re.escape(message)):
    genotype_of(cell, (0, 1))


@pytest.mark.parametrize(
  ('backbone', 'message'),
  [
    ([], '`backbone` ([]) must be a list of at least one level.'),
    (3, '`backbone` (3) must be a list of at least one level.'),
    ([0, 4], '`backbone` has level 4 at layer 1; levels are the integers 0 to'),
    ([0, -1], '`backbone` has level -1 at layer 1; levels are the integers'),
    ([0, 1.0], '`backbone` has 1.0 at layer 1; it must be an integer.'),
    ([False], '`backbone` has False at layer 0; it must be an integer.'),
    ([2, 2], '`backbone` jumps from level 0 at the stem to level 2 at layer 0'),
    (
      [0, 1, 3],
      '`backbone` jumps from level 1 at layer 1 to level 3 at layer 2; one '
      'level a layer is the most.',
    ),
    ([1, 2, 0], '`backbone` jumps from level 2 at layer 1 to level 0'),
  ],
)
def test_a_bad_backbone_is_refused(backbone, message):
  with pytest.raises(ValueError, match=re.escape(message)):
    genotype_of([BLOCK], backbone)


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({'version': 2}, '`version` (2) must be 1.'),
    ({'version': 2, 'decoder': {}}, '`version` (2) must be 1.'),
    ({'version': True}, '`version` (True) must be 1.'),
    ({'format': 'darts'}, "`format` ('darts') must be 'auto_deeplab.genotype'"),
    (
      {'inputs': ['H[l-1]', 'H[l-2]']},
      "`inputs` (['H[l-1]', 'H[l-2]']) must be ['H[l-2]', 'H[l-1]'].",
    ),
    ({'inputs': None}, "`inputs` (None) must be ['H[l-2]', 'H[l-1]']."),
    ({'cel': []}, "The genotype has the unknown key 'cel'."),
    ({'cell': None}, '`cell` (None) must be a list of at least one block.'),
    ({'backbone': [0, 2]}, '`backbone` jumps from level 0 at layer 0'),
  ],
)
def test_a_bad_file_is_refused_by_its_name(change, message, tmp_path):
  path = tmp_path / 'genotype.json'
  path.write_text(json.dumps(PUBLISHED.to_json() | change))
  with pytest.raises(ValueError, match=re.escape(message)) as error:
    Genotype.load(path)
  assert str(error.value).startswith(f'{path}: ')


@pytest.mark.parametrize(
  'key', ['format', 'version', 'inputs', 'cell', 'backbone']
)
def test_a_missing_key_is_named(key):
  document = PUBLISHED.to_json()
  del document[key]
  with pytest.raises(ValueError, match=f"The genotype lacks the key '{key}'"):
    Genotype.from_json(document)


@pytest.mark.parametrize('content', [b'', b'{"cell": [', b'\xff\xfe\x00'])
def test_a_file_that_is_no_json_is_refused_by_its_name(content, tmp_path):
  path = tmp_path / 'genotype.json'
  path.write_bytes(content)
  with pytest.raises(ValueError, match=re.escape(f'{path}: ')):
    Genotype.load(path)


def test_json_of_another_type_is_refused(tmp_path):
  path = tmp_path / 'genotype.json'
  path.write_text('[]')
  with pytest.raises(
    ValueError, match=r'A genotype must be a JSON object, not list\.'
  ):
    Genotype.load(path)


def test_a_missing_file_is_reported_by_its_name(tmp_path):
  with pytest.raises(FileNotFoundError, match=r'genotype\.json'):
    Genotype.load(tmp_path / 'genotype.json')
