# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests for decoding and for the snapshot file."""

import os
import re

import numpy as np
import pytest

from auto_deeplab.architecture import decode, lattice, primitives
from auto_deeplab.architecture import genotype as genotype_lib

NAMES = primitives.PAPER
NONE = NAMES.index('none')


def random_alphas(seed, num_blocks=5):
  shape = (len(genotype_lib.edges(num_blocks)), len(NAMES))
  return np.random.default_rng(seed).normal(size=shape)


def random_betas(seed, num_layers=12):
  shape = (num_layers, lattice.NUM_LEVELS, lattice.NUM_DIRECTIONS)
  return np.random.default_rng(seed).normal(scale=2.0, size=shape)


def softmax(logits):
  exponents = np.exp(logits)
  return exponents / exponents.sum()


def probability_by_hand(betas, path):
  """Product of the softmaxes along a path, without the lattice's tables."""
  product, source = 1.0, 0
  for column, level in enumerate(path):
    targets = [t for t in (source - 1, source, source + 1) if 0 <= t <= 3]
    logits = [betas[column, source, t - source + 1] for t in targets]
    product *= softmax(np.array(logits))[targets.index(level)]
    source = level
  return product


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('num_layers', range(1, 7))
def test_viterbi_equals_brute_force(all_paths, num_layers, seed):
  betas = random_betas(seed, num_layers)
  paths = all_paths(num_layers)
  scores = [probability_by_hand(betas, path) for path in paths]
  decoded = decode.decode_backbone(betas)
  assert decoded == paths[int(np.argmax(scores))]
  assert decode.path_probability(betas, decoded) == pytest.approx(max(scores))
  assert sum(scores) == pytest.approx(1.0)


def test_viterbi_survives_probabilities_that_underflow():
  # One path has all the mass; each step off it costs exp(-800).
  path = (0, 1, 2, 3, 3, 2, 1, 0, 0, 1, 1, 2)
  betas = np.full((12, 4, 3), -800.0)
  for column, (source, level) in enumerate(zip((0, *path), path, strict=False)):
    betas[column, source, level - source + 1] = 0.0
  assert decode.decode_backbone(betas) == path
  assert decode.path_probability(betas, path) == pytest.approx(1.0)


def test_a_greedy_walk_is_not_the_path():
  # The first step is likeliest to level 0, the whole path over level 1.
  betas = np.zeros((2, 4, 3))
  betas[0, 0] = [0.0, 0.1, 0.0]
  betas[1, 1, lattice.SAME] = 9.0
  assert decode.decode_backbone(betas) == (1, 1)


def test_transition_probabilities_sum_to_one_at_each_source():
  probabilities = decode.transition_probabilities(random_betas(0))
  mask = lattice.legal_mask(12)
  assert np.array_equal(probabilities > 0, mask)
  sums = probabilities.sum(axis=-1)
  assert np.allclose(sums[mask.any(axis=-1)], 1.0)
  assert np.all(sums[~mask.any(axis=-1)] == 0.0)


def test_uniform_betas_share_evenly_at_the_border_too():
  probabilities = decode.transition_probabilities(np.zeros((12, 4, 3)))
  assert probabilities[5, 0].tolist() == pytest.approx([0.0, 0.5, 0.5])
  assert probabilities[5, 1].tolist() == pytest.approx([1 / 3] * 3)
  assert probabilities[5, 3].tolist() == pytest.approx([0.5, 0.5, 0.0])


def test_illegal_betas_have_no_influence():
  betas = random_betas(3)
  changed = np.where(lattice.legal_mask(12), betas, 50.0)
  assert decode.decode_backbone(changed) == decode.decode_backbone(betas)


@pytest.mark.parametrize('operation', primitives.operations())
def test_one_hot_alphas_decode_to_their_operation(operation):
  alphas = np.zeros((20, len(NAMES)))
  alphas[:, NAMES.index(operation)] = 10.0
  for block in decode.decode_cell(alphas):
    assert [op for _, op in block] == [operation, operation]


@pytest.mark.parametrize('seed', range(5))
def test_sharp_logits_decode_to_the_genotype_they_were_made_of(seed):
  drawn = genotype_lib.random_genotype(np.random.default_rng(seed))
  alphas = np.zeros((20, len(NAMES)))
  rows = {edge: row for row, edge in enumerate(genotype_lib.edges(5))}
  for block, pair in enumerate(drawn.cell):
    for state, operation in pair:
      alphas[rows[block, state], NAMES.index(operation)] = 8.0
  betas = np.zeros((12, 4, 3))
  for column, (source, level) in enumerate(
    zip((0, *drawn.backbone), drawn.backbone, strict=False)
  ):
    betas[column, source, level - source + 1] = 8.0
  assert decode.decode(alphas, betas) == drawn


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('num_blocks', [1, 3, 5])
def test_each_block_keeps_its_two_strongest_predecessors(num_blocks, seed):
  alphas = random_alphas(seed, num_blocks)
  cell = decode.decode_cell(alphas)
  assert len(cell) == num_blocks
  strengths = {}
  for edge, row in zip(genotype_lib.edges(num_blocks), alphas, strict=True):
    strengths[edge] = np.delete(softmax(row), NONE).max()
  for block, pair in enumerate(cell):
    kept = [state for state, _ in pair]
    assert kept == sorted(kept)
    left_out = set(range(block + 2)) - set(kept)
    weakest = min(strengths[block, state] for state in kept)
    assert all(strengths[block, state] < weakest for state in left_out)


def test_none_is_never_chosen_however_strong():
  alphas = random_alphas(0)
  alphas[:, NONE] = 30.0
  operations = {op for pair in decode.decode_cell(alphas) for _, op in pair}
  assert 'none' not in operations


def test_a_strong_none_weakens_its_edge():
  # The three edges of block 1 have equal logits but for `none` on the first.
  alphas = np.zeros((5, len(NAMES)))
  alphas[:, NAMES.index('skip_connect')] = 3.0
  alphas[2, NONE] = 6.0
  kept = [state for state, _ in decode.decode_cell(alphas)[1]]
  assert kept == [1, 2]


def test_strength_is_compared_after_the_softmax():
  # The edge of state 0 has the largest logits, but they are all alike.
  alphas = np.zeros((5, len(NAMES)))
  alphas[2] = 100.0
  alphas[3:, NAMES.index('sep_conv_5x5')] = 2.0
  assert [state for state, _ in decode.decode_cell(alphas)[1]] == [1, 2]


def test_of_equals_the_first_wins():
  cell = decode.decode_cell(np.zeros((5, len(NAMES))))
  assert cell == (((0, NAMES[1]), (1, NAMES[1])),) * 2
  assert decode.decode_backbone(np.zeros((1, 4, 3))) == (0,)


def test_operation_probabilities_are_a_softmax():
  probabilities = decode.operation_probabilities(random_alphas(4))
  assert np.allclose(probabilities.sum(axis=-1), 1.0)
  assert np.allclose(probabilities[3], softmax(random_alphas(4)[3]))


def test_path_probability_of_another_length_is_refused():
  with pytest.raises(
    ValueError, match='`backbone` has 2 layers, `betas` has 12'
  ):
    decode.path_probability(random_betas(0), (0, 1))


@pytest.mark.parametrize('backbone', [(2, 2), (0, 2)])
def test_path_probability_of_no_path_is_refused(backbone):
  with pytest.raises(ValueError, match='`backbone` jumps from level 0 at'):
    decode.path_probability(random_betas(0, 2), backbone)


def test_mean_entropy_of_uniform_and_of_certain_distributions():
  assert decode.mean_entropy(np.full((4, 8), 1 / 8)) == pytest.approx(3.0)
  assert decode.mean_entropy(np.eye(3)) == 0.0


def test_mean_entropy_leaves_out_sources_that_cannot_be_reached():
  certain = np.full((1, 4, 3), -80.0)
  certain[0, 0, lattice.SAME] = 80.0
  probabilities = decode.transition_probabilities(certain)
  assert decode.mean_entropy(probabilities) == pytest.approx(0.0)
  uniform = decode.transition_probabilities(np.zeros((1, 4, 3)))
  assert decode.mean_entropy(uniform) == pytest.approx(1.0)


def test_a_snapshot_is_described_by_what_it_decodes_to_and_how_surely():
  alphas, betas = np.zeros((2, 8)), np.full((1, 4, 3), -80.0)
  alphas[:, NAMES.index('skip_connect')] = 80.0
  betas[0, 0, lattice.DOWN] = 80.0
  described = decode.describe(decode.Snapshot(3, alphas, betas))
  genotype = genotype_lib.Genotype(
    (((0, 'skip_connect'), (1, 'skip_connect')),), (1,)
  )
  assert described.pop('genotype') == genotype.to_json()
  assert described == pytest.approx(
    {'path_probability': 1.0, 'entropy/alpha': 0.0, 'entropy/beta': 0.0}
  )


@pytest.mark.parametrize('shape', [(20, 7), (20,), (20, 8, 1)])
def test_alphas_of_a_wrong_shape_are_refused(shape):
  message = f'`alphas` has shape {shape}; it must be [num_edges, 8].'
  with pytest.raises(ValueError, match=re.escape(message)):
    decode.decode_cell(np.zeros(shape))


@pytest.mark.parametrize('num_edges', [0, 1, 19, 21])
def test_alphas_of_no_cell_are_refused(num_edges):
  with pytest.raises(ValueError, match=f'`alphas` has {num_edges} edges'):
    decode.decode_cell(np.zeros((num_edges, 8)))


@pytest.mark.parametrize('shape', [(12, 3, 4), (12, 4), (0, 4, 3)])
def test_betas_of_a_wrong_shape_are_refused(shape):
  message = f'`betas` has shape {shape}; it must be [num_layers, 4, 3].'
  with pytest.raises(ValueError, match=re.escape(message)):
    decode.decode_backbone(np.zeros(shape))


def test_a_search_among_other_primitives_decodes_to_them():
  names = ('sep_conv_5x5', 'skip_connect', 'none')
  alphas = np.zeros((5, 3))
  alphas[:, 2] = 9.0
  alphas[:, 1] = 1.0
  betas = np.zeros((1, 4, 3))
  snapshot = decode.Snapshot(0, alphas, betas, names)
  operations = [op for block in snapshot.decode().cell for _, op in block]
  assert operations == ['skip_connect'] * 4
  # One that has no `none` to leave out.
  assert decode.decode_cell(alphas[:, :2], names[:2])[0][0][1] == names[1]
  message = '`alphas` has shape (5, 3); it must be [num_edges, 8].'
  with pytest.raises(ValueError, match=re.escape(message)):
    decode.Snapshot(0, alphas, betas)
  assert decode.operation_probabilities(alphas).shape == (5, 3)


def test_operation_probabilities_of_a_wrong_shape_are_refused():
  message = '`alphas` has shape (5,); it must be [num_edges, num_primitives].'
  with pytest.raises(ValueError, match=re.escape(message)):
    decode.operation_probabilities(np.zeros(5))


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_with_their_place(value):
  alphas, betas = random_alphas(0), random_betas(0)
  alphas[3, 2], betas[4, 1, 0] = value, value
  message = re.escape(f'`alphas` is {value} at [3, 2].')
  with pytest.raises(ValueError, match=message):
    decode.decode_cell(alphas)
  message = re.escape(f'`betas` is {value} at [4, 1, 0].')
  for function in (decode.decode_backbone, decode.transition_probabilities):
    with pytest.raises(ValueError, match=message):
      function(betas)
  with pytest.raises(ValueError, match=message):
    decode.path_probability(betas, (0,) * 12)


def snapshot(step, seed=0):
  return decode.Snapshot(step, random_alphas(seed), random_betas(seed))


def test_a_snapshot_round_trip(tmp_path):
  written = snapshot(12_000)
  path = decode.save_snapshot(tmp_path, written)
  assert path == str(tmp_path / 'architecture' / 'step-00012000.npz')
  read = decode.load_snapshot(path)
  assert read.step == 12_000
  assert read.alphas.dtype == read.betas.dtype == np.float32
  assert np.array_equal(read.alphas, written.alphas)
  assert np.array_equal(read.betas, written.betas)


def test_a_snapshot_states_its_primitives(tmp_path):
  names = ('skip_connect', 'sep_conv_3x3')
  alphas = random_alphas(0)[:, :2]
  written = decode.Snapshot(7, alphas, random_betas(0), names)
  read = decode.load_snapshot(decode.save_snapshot(tmp_path, written))
  assert read.primitives == names
  assert read.decode() == written.decode()


def test_a_snapshot_without_primitives_is_of_the_papers(tmp_path):
  path = decode.save_snapshot(tmp_path, snapshot(5))
  arrays = dict(np.load(path))
  del arrays['primitives']
  np.savez(path, **arrays)
  read = decode.load_snapshot(path)
  assert read.primitives == NAMES
  assert read.decode() == snapshot(5).decode()


def test_a_snapshot_of_an_unknown_primitive_is_refused(tmp_path):
  path = decode.save_snapshot(tmp_path, snapshot(5))
  arrays = dict(np.load(path))
  arrays['primitives'] = np.array([*NAMES[:-1], 'conv_9x9'])
  np.savez(path, **arrays)
  with pytest.raises(ValueError, match="primitive 'conv_9x9' is unknown"):
    decode.load_snapshot(path)


def test_the_latest_snapshot_has_the_highest_step(tmp_path):
  for step in (200, 100_000_000, 30):
    decode.save_snapshot(tmp_path, snapshot(step))
  (tmp_path / 'architecture' / 'step-backup.npz').write_bytes(b'')
  latest = decode.latest_snapshot(tmp_path)
  assert os.path.basename(latest) == 'step-100000000.npz'


def test_a_run_without_snapshots_is_refused_by_its_name(tmp_path):
  with pytest.raises(
    FileNotFoundError, match=re.escape(f'{tmp_path / "architecture"}: ')
  ):
    decode.latest_snapshot(tmp_path)


def test_a_snapshot_with_nan_is_neither_made_nor_read(tmp_path):
  alphas = random_alphas(0)
  alphas[0, 0] = np.nan
  with pytest.raises(ValueError, match=r'`alphas` is nan at \[0, 0\]\.'):
    decode.Snapshot(1, alphas, random_betas(0))
  path = decode.save_snapshot(tmp_path, snapshot(1))
  arrays = dict(np.load(path))
  arrays['betas'][1, 0, 2] = np.nan
  np.savez(path, **arrays)
  with pytest.raises(ValueError, match=r'`betas` is nan at \[1, 0, 2\]') as e:
    decode.load_snapshot(path)
  assert str(e.value).startswith(f'{path}: ')


def test_a_negative_step_is_refused():
  with pytest.raises(ValueError, match=r'`step` \(-1\) must not be negative'):
    snapshot(-1)


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({'version': 2}, '`version` (2) must be 1.'),
    ({'version': 2, 'betas': None}, '`version` (2) must be 1.'),
    ({'format': 'x'}, "`format` ('x') must be 'auto_deeplab.architecture'."),
    ({'alphas': np.zeros((3, 8))}, '`alphas` has 3 edges'),
    ({'betas': np.zeros((2, 4))}, '`betas` has shape (2, 4)'),
    ({'step': None}, "the snapshot lacks the array 'step'."),
  ],
)
def test_a_bad_snapshot_is_refused_by_its_name(change, message, tmp_path):
  path = decode.save_snapshot(tmp_path, snapshot(5))
  arrays = dict(np.load(path)) | change
  np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
  with pytest.raises(ValueError, match=re.escape(message)) as error:
    decode.load_snapshot(path)
  assert str(error.value).startswith(f'{path}: ')


@pytest.mark.parametrize('num_bytes', [0, 10, 500])
def test_a_truncated_snapshot_is_refused_by_its_name(num_bytes, tmp_path):
  path = decode.save_snapshot(tmp_path, snapshot(5))
  with open(path, 'r+b') as file:
    file.truncate(num_bytes)
  with pytest.raises(ValueError, match=re.escape(f'{path}: ')):
    decode.load_snapshot(path)


def test_an_array_file_is_no_snapshot(tmp_path):
  np.save(tmp_path / 'array.npy', np.zeros(3))
  with pytest.raises(ValueError, match=r'this is no \.npz archive'):
    decode.load_snapshot(tmp_path / 'array.npy')
