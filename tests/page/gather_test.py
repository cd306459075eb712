# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Folders are found and read as far as they go; what is not there is said."""

import json
from typing import Any

import pytest

from auto_deeplab.page import folders, gather, gathered
from tests import tiny
from tests.page import made


def kinds(path):
  return [place.kind for place in folders.find(path)]


@pytest.mark.parametrize(
  ('kind', 'make'),
  [
    ('data', made.dataset),
    ('search', made.search),
    ('training', made.training),
    ('plan', made.plan),
    ('decoded', made.published),
  ],
)
def test_each_kind_of_folder_is_known(tmp_path, kind, make):
  path = make(tmp_path / 'folder')
  assert folders.find(path) == [folders.Place(kind, str(path))]


def test_a_folder_of_them_gives_what_is_in_it_in_order(tmp_path):
  for name, make in (
    ('a', made.training),
    ('b', made.search),
    ('c', made.plan),
    ('search2', made.search),
  ):
    make(tmp_path / name)
  (tmp_path / 'logs').mkdir()
  assert kinds(tmp_path) == ['plan', 'search', 'search', 'training']


def test_a_study_has_its_runs(tmp_path):
  found = kinds(made.study(tmp_path / 'study'))
  assert found == ['study', 'search', *3 * ['training']]


def test_a_search_has_what_was_decoded_from_it(tmp_path):
  made.search(tmp_path / 'search')
  made.published(tmp_path / 'search/decoded')
  assert kinds(tmp_path / 'search') == ['search', 'decoded']


def test_a_tournament_is_the_genotype_that_won_it(tmp_path):
  path = made.published(tmp_path / 'tournament')
  (path / 'config.gin').write_text(
    'TrainConfig.train_steps = 8\nTournamentConfig.rungs = (4, 8)\n'
  )
  assert kinds(path) == ['decoded']


def test_what_is_none_is_refused_by_name(tmp_path):
  (tmp_path / 'some').mkdir()
  with pytest.raises(ValueError, match=r'/some is nothing that a report is ma'):
    gather.gather([tmp_path / 'some'])
  with pytest.raises(FileNotFoundError, match=r'/no does not exist, or is no'):
    gather.gather([tmp_path / 'no'])
  run = made.search(tmp_path / 'search')
  with pytest.raises(ValueError, match=r'is made of \(data\), and holds no su'):
    gather.gather([run], tmp_path / 'some')


def test_runs_are_named_by_what_tells_them_apart(tmp_path):
  runs = [made.training(tmp_path / name) for name in ('a/train', 'b/train')]
  found = gather.gather(runs)
  assert [t.name for t in found.trainings] == ['a/train', 'b/train']
  assert found.title == 'train and 1 more'
  twice = gather.gather([runs[0], tmp_path / 'a'])
  assert [t.name for t in twice.trainings] == ['train']


def test_a_training_is_read_whole(tmp_path):
  training = gather.gather([made.training(tmp_path / 'run')]).trainings[0]
  assert training.missing == ()
  assert (training.step, training.num_steps) == (40, 40)
  assert training.mean_iou == 0.5
  assert training.genotype == tiny.GENOTYPE
  assert training.series('eval/mean_iou') == ((20, 40), (0.25, 0.5))
  assert training.timing.rates == ((10, 3.0), (20, 4.0), (30, 5.0), (40, 6.0))
  assert training.timing.usual_rate == 4.5
  assert training.evaluations[0].confusion_matrix[0].tolist() == [95, 50, 5]
  assert 'python' in training.starts[0].command


def test_pictures_are_those_of_the_data(tmp_path):
  data_dir = tiny.write_data(tmp_path)
  made.training(tmp_path / 'run')
  (data,) = gather.gather([tmp_path / 'run'], data_dir).data
  assert (data.name, data.missing) == ('data', ())
  assert {k: len(v) for k, v in data.pictures.items()} == {'train': 4, 'val': 3}


def test_pictures_that_are_gone_are_said(tmp_path):
  data = gather.gather([made.dataset(tmp_path / 'data')]).data[0]
  (said,) = data.missing
  assert said.endswith('names it; convert the data set again.')


def test_the_newest_evaluation_of_usual_settings_comes_first(tmp_path):
  run = made.training(tmp_path / 'run')
  document = json.loads((run / 'evaluation-val-40.json').read_text())
  others = {'val-40-scales=0.5,1.0': 40, 'val-20': 20, 'test-9': 9}
  for name, step in others.items():
    text = json.dumps(document | {'step': step})
    (run / f'evaluation-{name}.json').write_text(text)
  training = gather.gather([run]).trainings[0]
  assert [e.file for e in training.evaluations] == [
    'evaluation-val-40.json',
    'evaluation-val-40-scales=0.5,1.0.json',
    'evaluation-val-20.json',
    'evaluation-test-9.json',
  ]


def test_a_training_is_as_far_as_what_was_evaluated(tmp_path):
  run = made.training(tmp_path / 'run')
  (run / 'metrics.jsonl').write_text('{"step": 38, "train/loss": 1.0}\n')
  assert gather.gather([run]).trainings[0].step == 40
  document = json.loads((run / 'evaluation-val-40.json').read_text())
  text = json.dumps(document | {'step': 90})  # Of another run.
  (run / 'evaluation-val-90-checkpoint=x.json').write_text(text)
  assert gather.gather([run]).trainings[0].step == 40


def test_an_early_stop_says_which_snapshot_counts(tmp_path):
  run = made.search(tmp_path / 'run')
  (run / 'stopped_early.json').write_text('{"step": 30, "snapshot": 10}')
  search = gather.gather([run]).searches[0]
  assert search.result is search.snapshots[0]


def test_a_run_without_metrics_is_read(tmp_path):
  run = made.training(tmp_path / 'run', is_evaluated=False)
  for file in ('metrics.jsonl', 'genotype.json', 'dataset.json'):
    (run / file).unlink()
  training = gather.gather([run]).trainings[0]
  assert training.step == 0
  assert training.mean_iou is None
  said = ' '.join(training.missing)
  assert 'There are no metrics yet: no loop has ended.' in said
  for file in ('genotype.json', 'dataset.json'):
    assert f'{run / file} is not there.' in said


@pytest.mark.parametrize(
  ('file', 'text', 'message'),
  [
    ('metrics.jsonl', '{"step": 1', '1 of the lines of '),
    ('dataset.json', '{"form', 'dataset.json: Unterminated string'),
    ('evaluation-val-40.json', '[]', 'it holds no object.'),
    ('evaluation-val-40.json', '{"step": 1}', "KeyError('confusion_matrix')."),
    ('genotype.json', '{}', 'genotype.json'),
    ('config.gin', 'TrainConfig.train_stepz = 3', 'train_stepz'),
    ('starts.jsonl', '{', 'no start of a run.'),
  ],
)
def test_what_cannot_be_read_is_said(tmp_path, file, text, message):
  run = made.training(tmp_path / 'run')
  (run / file).write_text(text)
  (said,) = gather.gather([run]).trainings[0].missing
  assert message in said
  assert said.endswith('.')


def test_a_snapshot_that_was_cut_short_is_left_out_and_said(tmp_path):
  run = made.search(tmp_path / 'run')
  path = run / 'architecture/step-00000030.npz'
  path.write_bytes(path.read_bytes()[:100])
  search = gather.gather([run]).searches[0]
  assert [s.step for s in search.snapshots] == [10, 20]
  assert 'step-00000030.npz' in search.missing[0]


def test_events_that_were_cut_short_are_read_up_to_there(tmp_path):
  run = made.training(tmp_path / 'run')
  (path,) = (run / 'summaries').iterdir()
  path.write_bytes(path.read_bytes()[:-3])
  rates = gather.gather([run]).trainings[0].timing.rates
  assert [step for step, _ in rates] == [10, 20, 30]


def test_rows_of_other_types_are_no_numbers():
  rows: list[dict[str, Any]] = [
    {'step': 1, 'a': 1},
    {'step': 2, 'a': 'x'},
    {'step': 3, 'a': True},
    {'step': 4, 'a': float('nan')},
    {'step': 5},
    {'step': 5, 'a': 10**400},
    {'step': 10**400, 'a': 1},
    {'step': 6, 'a': 2.5},
  ]
  assert gathered.series(rows, 'a') == ((1, 6), (1.0, 2.5))
  assert gathered.series(rows, 'b') == ((), ())
