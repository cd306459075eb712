# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests for tools/decode.py as a user runs it."""

import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from auto_deeplab.architecture import baseline, decode
from auto_deeplab.architecture.genotype import PUBLISHED, Genotype

REPOSITORY = pathlib.Path(__file__).parents[2]


def run_tool(*flags, cwd):
  return subprocess.run(
    [sys.executable, str(REPOSITORY / 'tools' / 'decode.py'), *flags],
    cwd=cwd,
    env={**os.environ, 'PYTHONPATH': str(REPOSITORY)},
    capture_output=True,
    text=True,
    check=False,
  )


@pytest.fixture
def run_dir(tmp_path):
  """A search of two blocks and four layers, at steps 10 and 20."""
  generator = np.random.default_rng(0)
  for step in (10, 20):
    alphas, betas = (
      generator.normal(size=(5, 8)),
      generator.normal(size=(4, 4, 3)),
    )
    decode.save_snapshot(
      tmp_path / 'search', decode.Snapshot(step, alphas, betas)
    )
  (tmp_path / 'search' / 'config.gin').write_text(
    'SearchConfig.train_steps = 20\nSearchConfig.arch_start_step = 10\n'
  )
  return tmp_path / 'search'


def test_a_run_is_decoded_into_its_folder(run_dir):
  result = run_tool('--run_dir=search', cwd=run_dir.parent)
  assert result.returncode == 0, result.stderr
  folder = run_dir / 'decoded'
  names = sorted(os.listdir(folder))
  assert names == ['cell.png', 'genotype.json', 'lattice.png']
  latest = decode.load_snapshot(decode.latest_snapshot(run_dir))
  expected = decode.decode(latest.alphas, latest.betas)
  assert Genotype.load(folder / 'genotype.json') == expected
  searched = json.loads((folder / 'genotype.json').read_text())['searched']
  assert (searched['run'], searched['step']) == ('search', 20)
  assert len(searched['config_sha256']) == 64
  assert 'Path probability: ' in result.stdout
  assert 'Mean entropy: ' in result.stdout
  assert 'random' not in result.stdout
  assert result.stdout.splitlines()[-1] == (
    'Wrote genotype.json and its pictures to search/decoded. Next: python '
    'tools/train.py --genotype=search/decoded/genotype.json '
    '--gin_file=RECIPE.gin --data_dir=DATA --run_dir=NEW_RUN'
  )


def test_of_a_search_with_a_target_the_network_that_meets_it_is_named(run_dir):
  kept = run_dir / 'genotype_within_cost.json'
  PUBLISHED.save(kept)
  result = run_tool('--run_dir=search', cwd=run_dir.parent)
  assert result.returncode == 0, result.stderr
  assert result.stdout.splitlines()[-2] == (
    'The search has a target of cost, and this network may miss it: '
    'search/genotype_within_cost.json is the likeliest one that meets it, to '
    'be trained in its place.'
  )


def test_an_early_stop_decides_which_snapshot_is_decoded(run_dir):
  decode.save_early_stop(run_dir, decode.EarlyStop(step=20, snapshot=10))
  result = run_tool('--run_dir=search', cwd=run_dir.parent)
  assert result.returncode == 0, result.stderr
  assert 'Decoded step 10 ' in result.stdout


def test_a_snapshot_can_be_named(run_dir):
  snapshot = run_dir / 'architecture' / 'step-00000010.npz'
  output_dir = run_dir.parent / 'out'
  result = run_tool(
    f'--snapshot={snapshot}', f'--output_dir={output_dir}', cwd=run_dir
  )
  assert result.returncode == 0, result.stderr
  document = json.loads((output_dir / 'genotype.json').read_text())
  assert document['searched']['step'] == 10
  assert result.stdout.splitlines()[-2] == (
    'alpha and beta have not moved yet (architecture steps begin at step 10): '
    'this genotype is as good as a random one.'
  )


def test_a_random_genotype_costs_what_the_decoded_one_does(run_dir):
  result = run_tool(
    '--run_dir=search',
    '--random_seed=1',
    '--output_dir=random',
    cwd=run_dir.parent,
  )
  assert result.returncode == 0, result.stderr
  latest = decode.load_snapshot(decode.latest_snapshot(run_dir))
  reference = decode.decode(latest.alphas, latest.betas)
  folder = run_dir.parent / 'random'
  drawn = Genotype.load(folder / 'genotype.json')
  assert drawn == baseline.draw(reference, 1)
  searched = json.loads((folder / 'genotype.json').read_text())['searched']
  assert searched['random_seed'] == 1
  assert (searched['run'], searched['step']) == ('search', 20)
  assert sorted(os.listdir(folder)) == ['cell.png', 'genotype.json']
  assert re.match(
    r'Drew a genotype with seed 1: (\d+\.\d\d) B multiply-adds for the '
    r'(\d+\.\d\d) B of search/architecture/step-00000020.npz \(F=20, ',
    result.stdout,
  )


def test_without_a_run_it_costs_what_the_published_one_does(tmp_path):
  result = run_tool('--random_seed=3', '--output_dir=random', cwd=tmp_path)
  assert result.returncode == 0, result.stderr
  drawn = Genotype.load(tmp_path / 'random' / 'genotype.json')
  assert drawn == baseline.draw(PUBLISHED, 3)
  assert ' for the 320.45 B of the published one ' in result.stdout


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    ([], 'decode: give --run_dir, --snapshot or --random_seed.'),
    (
      ['--run_dir=a', '--snapshot=b'],
      'decode: give --run_dir or --snapshot, not both.',
    ),
    (
      ['--run_dir=nowhere'],
      'decode: nowhere/architecture: there is no snapshot (step-*.npz); is '
      'this the folder of a search?',
    ),
    (['--random_seed=1'], 'decode: a random genotype needs --output_dir.'),
    (
      ['--random_seed=-1', '--output_dir=o'],
      'decode: `seed` (-1) must not be negative.',
    ),
    (
      ['--snapshot=nothing.npz'],
      'decode: nothing.npz does not exist.',
    ),
  ],
)
def test_bad_input_ends_in_one_line(flags, message, tmp_path):
  result = run_tool(*flags, cwd=tmp_path)
  assert result.returncode == 1
  assert result.stderr == f'{message}\n'
  assert os.listdir(tmp_path) == []


def test_a_snapshot_outside_of_a_run_needs_a_folder(run_dir, tmp_path):
  os.rename(run_dir / 'architecture' / 'step-00000010.npz', tmp_path / 'x.npz')
  result = run_tool('--snapshot=x.npz', cwd=tmp_path)
  assert result.returncode == 1
  assert (
    result.stderr == 'decode: x.npz lies in no run; it needs --output_dir.\n'
  )


def test_a_truncated_snapshot_leaves_nothing_behind(run_dir):
  with open(decode.latest_snapshot(run_dir), 'r+b') as file:
    file.truncate(100)
  result = run_tool('--run_dir=search', cwd=run_dir.parent)
  assert result.returncode == 1
  assert result.stderr.startswith(
    'decode: search/architecture/step-00000020.npz: '
  )
  assert len(result.stderr.splitlines()) == 1
  assert not (run_dir / 'decoded').exists()


def test_an_evaluation_needs_data(run_dir):
  flags = ['--method=evaluation', f'--run_dir={run_dir}']
  done = run_tool(*flags, cwd=run_dir)
  assert done.returncode == 1
  assert done.stderr == 'decode: --method=evaluation needs --data_dir.\n'
