# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A tournament trains as the recipe does, and sends the worse ones home."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.experiments import tournament
from auto_deeplab.runs import run as run_lib
from tests import tiny
from tests.experiments import runs

CANDIDATES = {
  f'random-{seed}': genotype_lib.random_genotype(
    np.random.default_rng(seed), num_layers=2, num_blocks=1
  )
  for seed in range(4)
}


def config(**fields):
  training = tiny.train_config()
  schedule: dict[str, Any] = {'rungs': (2, 3, 4), 'judge_batches': 1} | fields
  return configs.TournamentExperiment(
    training.runtime,
    training.input,
    training.segmenter,
    training.loss,
    training.weight_optimizer,
    training.schedule,
    configs.TournamentConfig(**schedule),
  )


def hold(data_dir, run_dir, candidates=CANDIDATES, **schedule):
  place = run_lib.Place(str(data_dir), str(run_dir))
  return tournament.run(config(**schedule), candidates, place)


@pytest.fixture(scope='module')
def held(data_dir, tmp_path_factory):
  folder = tmp_path_factory.mktemp('held')
  return folder, hold(data_dir, folder)


def test_the_better_half_goes_on_from_each_rung(held):
  folder, found = held
  assert json.loads((folder / 'tournament.json').read_text()) == found
  assert [rung['step'] for rung in found['rungs']] == [2, 3, 4]
  assert [len(rung['judged']) for rung in found['rungs']] == [4, 2, 1]
  for rung in found['rungs']:
    losses = {name: score['loss'] for name, score in rung['judged'].items()}
    number = max(1, len(losses) // 2)
    best = sorted(losses, key=lambda name: losses[name])[:number]
    assert set(rung['left']) == set(best)
  winner = genotype_lib.Genotype.load(folder / 'genotype.json')
  assert winner == CANDIDATES[found['winner']]
  searched = json.loads((folder / 'genotype.json').read_text())['searched']
  assert searched['method'] == 'tournament'
  assert found['cpu_seconds'] > 0


def test_one_that_is_stopped_ends_as_the_unbroken_one(held, data_dir, tmp_path):
  folder, found = held
  hold(data_dir, tmp_path)
  for path in tmp_path.glob('checkpoints/ckpt-4*'):
    path.unlink()
  again = hold(data_dir, tmp_path)
  for key in ('winner', 'rungs'):
    assert again[key] == found[key]
  ours, theirs = (runs.checkpoint(d, 4) for d in (tmp_path, folder))
  for key in [key for key in ours if found['winner'] in key]:
    np.testing.assert_array_equal(ours[key], theirs[key], key)


def test_other_candidates_are_another_tournament(held, data_dir):
  two = dict(list(CANDIDATES.items())[:2])
  with pytest.raises(ValueError, match=r'candidates\.json differs'):
    hold(data_dir, held[0], two)


def test_one_alone_is_no_tournament(data_dir, tmp_path):
  with pytest.raises(ValueError, match='two candidates or more, not 1'):
    hold(data_dir, tmp_path, {'a': tiny.GENOTYPE})


def test_what_diverges_is_out(data_dir, tmp_path, capsys):
  wild = dataclasses.replace(
    config(),
    weight_optimizer=configs.WeightOptimizerConfig(learning_rate=1e30),
  )
  place = run_lib.Place(str(data_dir), str(tmp_path))
  with pytest.raises(ValueError, match='no network has a finite loss'):
    tournament.run(wild, CANDIDATES, place)
  assert 'random-0 has diverged and is out' in capsys.readouterr().err


@pytest.mark.parametrize(
  ('criterion', 'share', 'expected'),
  [
    ('loss', 0.5, ['a', 'c']),
    ('mean_iou', 0.5, ['b', 'c']),
    ('loss', 0.9, ['a', 'c']),
    ('loss', 0.1, ['a']),
  ],
)
def test_who_goes_on(criterion, share, expected):
  judged = {
    'a': {'loss': 1.0, 'mean_iou': 0.1},
    'b': {'loss': 3.0, 'mean_iou': 0.3},
    'c': {'loss': 2.0, 'mean_iou': 0.2},
  }
  schedule = configs.TournamentConfig(criterion=criterion, keep=share)
  assert tournament.best_of(judged, schedule) == expected


@pytest.mark.parametrize(
  ('fields', 'message'),
  [
    ({'rungs': ()}, 'one step or more'),
    ({'rungs': (2, 2)}, 'above 0 and ascending'),
    ({'rungs': (2, 8)}, r'at most `TrainConfig.train_steps` \(4\)'),
    ({'rungs': 3}, 'a list of steps'),
    ({'keep': 1.0}, r'in \(0, 1\)'),
    ({'judge_batches': 0}, 'greater than 0'),
    ({'criterion': 'iou'}, 'one of'),
  ],
)
def test_what_cannot_work_is_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    config(**fields)


def test_rungs_end_loops():
  odd = dataclasses.replace(
    config().runtime, steps_per_loop=3, checkpoint_interval=3
  )
  with pytest.raises(ValueError, match=r'multiples of `steps_per_loop` \(3\)'):
    dataclasses.replace(config(), runtime=odd)


@pytest.mark.parametrize('criterion', ['loss', 'mean_iou'])
def test_what_is_not_a_number_comes_last(criterion):
  scores = {'a': float('nan'), 'b': 0.5, 'c': float('nan'), 'd': 0.7}
  judged = {name: {criterion: value} for name, value in scores.items()}
  found = tournament.ranked(judged, criterion)
  better = ['b', 'd'] if criterion == 'loss' else ['d', 'b']
  assert found == [*better, 'a', 'c']
