# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests for the folder and the words of a decoded architecture."""

import hashlib
import json
import os

import numpy as np
import pytest

from auto_deeplab.architecture import decode
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.reporting import decoded


@pytest.fixture
def snapshot():
  generator = np.random.default_rng(0)
  return decode.Snapshot(
    300, generator.normal(size=(5, 8)), generator.normal(size=(4, 4, 3))
  )


def test_write_gives_the_genotype_and_its_pictures(snapshot, tmp_path):
  genotype = decode.decode(snapshot.alphas, snapshot.betas)
  searched = {'run': 'run', 'step': 300}
  decoded.write(
    genotype, str(tmp_path), searched=searched, betas=snapshot.betas
  )
  assert sorted(os.listdir(tmp_path)) == [
    'cell.png',
    'genotype.json',
    'lattice.png',
  ]
  assert genotype_lib.Genotype.load(tmp_path / 'genotype.json') == genotype
  document = json.loads((tmp_path / 'genotype.json').read_text())
  assert document['searched'] == searched


def test_without_betas_there_is_no_lattice_to_draw(tmp_path):
  decoded.write(genotype_lib.PUBLISHED, str(tmp_path), searched={})
  assert sorted(os.listdir(tmp_path)) == ['cell.png', 'genotype.json']


def test_no_genotype_is_left_where_a_picture_fails(snapshot, tmp_path):
  betas = snapshot.betas.copy()
  betas[0, 0, 1] = np.nan
  genotype = decode.decode(snapshot.alphas, snapshot.betas)
  with pytest.raises(ValueError, match='`betas` is nan'):
    decoded.write(genotype, str(tmp_path), searched={}, betas=betas)
  assert os.listdir(tmp_path) == []


def test_the_run_of_a_snapshot_is_two_folders_up(monkeypatch, tmp_path):
  folder = tmp_path / 'run' / 'architecture'
  folder.mkdir(parents=True)
  assert decoded.run_folder('runs/a/architecture/step-1.npz') == 'runs/a'
  assert decoded.run_folder(str(folder / 'x.npz')) == str(tmp_path / 'run')
  assert decoded.run_folder('copies/step-1.npz') is None
  monkeypatch.chdir(folder)
  assert decoded.run_folder('step-1.npz') == '..'


def test_the_origin_holds_the_checksum_of_the_configuration(tmp_path):
  (tmp_path / 'config.gin').write_bytes(b'SearchConfig.num_layers = 12\n')
  checksum = hashlib.sha256(b'SearchConfig.num_layers = 12\n').hexdigest()
  assert decoded.origin(str(tmp_path), 300) == {
    'run': str(tmp_path),
    'step': 300,
    'config_sha256': checksum,
  }


def test_the_origin_without_a_configuration_or_a_run(tmp_path):
  assert decoded.origin(str(tmp_path), 3) == {'run': str(tmp_path), 'step': 3}
  assert decoded.origin(None, 3) == {'run': None, 'step': 3}


def test_describe_names_operations_states_and_strides():
  lines = decoded.describe(genotype_lib.PUBLISHED).splitlines()
  assert lines[1:4] == [
    '  block 0 = atrous_conv_5x5(H[l-2]) + sep_conv_3x3(H[l-1])',
    '  block 1 = sep_conv_3x3(H[l-2]) + atrous_conv_3x3(H[l-1])',
    '  block 2 = sep_conv_3x3(block 1) + sep_conv_3x3(H[l-2])',
  ]
  assert lines[-1] == (
    'Backbone (output strides): 4 4 4 8 16 8 16 16 32 32 16 8'
  )


def test_certainty_of_equal_logits_is_the_least_there_is():
  undecided = decode.Snapshot(0, np.zeros((20, 8)), np.zeros((1, 4, 3)))
  assert decoded.describe_certainty(undecided) == (
    'Path probability: 0.5, the largest of 2 paths.\n'
    'Mean entropy: alphas 3.000 of 3.000 bits, betas 1.000 of 1.000 bits '
    '(0 is decided).'
  )


def test_certainty_of_sharp_logits_is_full():
  alphas, betas = np.zeros((20, 8)), np.zeros((12, 4, 3))
  alphas[:, 4] = 50.0
  betas[:, :, 1] = 50.0
  words = decoded.describe_certainty(decode.Snapshot(0, alphas, betas))
  assert words.startswith('Path probability: 1, the largest of 75,025 paths.')
  assert 'alphas 0.000 of 3.000 bits, betas 0.000 of' in words


@pytest.mark.parametrize(
  ('step', 'arch_start_step', 'stddev', 'line'),
  [
    # Step 10, counted from 0, is the first that moves them.
    (10, 10, 1.0, 'architecture steps begin at step 10'),
    (11, 10, 1e-3, None),
    (10, None, 1e-3, 'their standard deviation is 0.001'),
    # As after one step of Adam.
    (10, None, 3e-3, None),
  ],
)
def test_logits_that_have_not_moved_are_named(
  step, arch_start_step, stddev, line
):
  generator = np.random.default_rng(0)
  alphas, betas = (
    stddev * generator.normal(size=size) for size in ((5, 8), (4, 4, 3))
  )
  snapshot = decode.Snapshot(step, alphas, betas)
  expected = line and (
    f'alpha and beta have not moved yet ({line}): this genotype is as good as '
    'a random one.'
  )
  assert decoded.describe_start(snapshot, arch_start_step) == expected
