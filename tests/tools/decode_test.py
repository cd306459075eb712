# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests for tools/decode.py as a user runs it."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from auto_deeplab.architecture import decode
from auto_deeplab.architecture.genotype import Genotype

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
  (tmp_path / 'search' / 'config.gin').write_text('# empty\n')
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
  assert result.stdout.splitlines()[-1] == (
    'Wrote genotype.json and its pictures to search/decoded. Next: python '
    'tools/train.py --genotype=search/decoded/genotype.json '
    '--gin_file=RECIPE.gin --data_dir=DATA --run_dir=NEW_RUN'
  )


def test_a_snapshot_can_be_named(run_dir):
  snapshot = run_dir / 'architecture' / 'step-00000010.npz'
  output_dir = run_dir.parent / 'out'
  result = run_tool(
    f'--snapshot={snapshot}', f'--output_dir={output_dir}', cwd=run_dir
  )
  assert result.returncode == 0, result.stderr
  document = json.loads((output_dir / 'genotype.json').read_text())
  assert document['searched']['step'] == 10


def test_a_random_genotype_is_that_of_its_seed(tmp_path):
  for name, seed in (('a', 1), ('b', 1), ('c', 2)):
    result = run_tool(
      f'--random_seed={seed}',
      '--num_layers=4',
      '--num_blocks=2',
      f'--output_dir={name}',
      cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
  a, b, c = (Genotype.load(tmp_path / n / 'genotype.json') for n in 'abc')
  assert a == b != c
  assert (a.num_layers, a.num_blocks) == (4, 2)
  assert not (tmp_path / 'a' / 'lattice.png').exists()


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    ([], 'decode: give one of --run_dir, --snapshot and --random_seed.'),
    (
      ['--run_dir=a', '--random_seed=1'],
      'decode: give one of --run_dir, --snapshot and --random_seed.',
    ),
    (
      ['--run_dir=nowhere'],
      'decode: nowhere/architecture: there is no snapshot (step-*.npz); is '
      'this the folder of a search?',
    ),
    (['--random_seed=1'], 'decode: a random genotype needs --output_dir.'),
    (
      ['--random_seed=1', '--num_layers=0', '--output_dir=o'],
      'decode: `num_layers` (0) must be at least 1.',
    ),
    (
      ['--snapshot=nothing.npz'],
      "decode: [Errno 2] No such file or directory: 'nothing.npz'",
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
