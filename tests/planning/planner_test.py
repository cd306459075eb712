# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How a plan is made and what is written of it."""

import dataclasses
import itertools
import pathlib
import re
from typing import Any

import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.data.records import tfrecord
from auto_deeplab.planning import (
  designs,
  fingerprint,
  machine,
  measuring,
  planner,
)
from auto_deeplab.planning import plan as plan_lib
from tests import tiny


@pytest.fixture(scope='module')
def data(tmp_path_factory):
  return str(tiny.write_data(tmp_path_factory.mktemp('plan')))


@pytest.fixture
def tried(monkeypatch):
  """What was tried; `answers` are given in turn, the last again and again."""

  class Tried(list[str]):
    answers: list[Any]

  tried = Tried()
  tried.answers = [{}]

  def run(kind, *arguments):
    tried.append(kind)
    answer = (
      tried.answers.pop(0) if len(tried.answers) > 1 else tried.answers[0]
    )
    if isinstance(answer, Exception):
      raise answer
    common = {'start': 10.0, 'step': 0.2, 'cpu_step': 0.4, 'peak': 2**30}
    common |= {'picture': 0.1, 'evaluation': 2.0, 'architecture': 0.3}
    return common | answer

  monkeypatch.setattr(measuring, 'run', run)
  monkeypatch.setattr(
    machine, 'measure', lambda: machine.Machine(2, 8 * 2**30, 4e10)
  )
  return tried


def test_without_time_for_a_search_a_genotype_is_written(data, tried, tmp_path):
  made = planner.make(data, 0.05)
  assert 'search' not in tried
  written = planner.write(made, tmp_path / 'plan')
  assert sorted(p.name for p in (tmp_path / 'plan').iterdir()) == [
    'genotype.json',
    'plan.json',
    'train.gin',
  ]
  assert written[-1].endswith('plan.json')
  genotype = genotype_lib.Genotype.load(tmp_path / 'plan/genotype.json')
  assert genotype == made.plan.design.genotype
  recipe = str(tmp_path / 'plan/train.gin')
  config = configs.load(configs.TrainExperiment, [recipe])
  assert config.schedule.train_steps == made.plan.train_steps


def test_with_time_both_are_tried_and_written(data, tried, tmp_path):
  made = planner.make(data, 24)
  assert tried[-2:] == ['train', 'search']
  planner.write(made, tmp_path)
  assert (tmp_path / 'search.gin').exists()
  # For where the search is cut.
  genotype = genotype_lib.Genotype.load(tmp_path / 'genotype.json')
  assert genotype == made.plan.design.genotype
  stages = {stage.verb: stage.seconds for stage in made.plan.stages}
  assert planner.load_seconds(tmp_path) == stages


def test_of_a_genotype_the_training_alone_is_planned(data, tried, tmp_path):
  made = planner.make(data, 5, genotype=tiny.GENOTYPE)
  assert set(tried) == {'train'}
  planner.write(made, tmp_path, 'some/genotype.json')
  assert not (tmp_path / 'genotype.json').exists()


def test_what_does_not_fit_into_the_memory_gives_way(data, tried):
  first = planner.make(data, 50).plan.design
  tried.answers = [measuring.OutOfMemory('no'), {'step': 2.0}]
  assert planner.make(data, 50).plan.design != first
  tried.answers = [{'peak': 7 * 2**30}, {'step': 2.0}]
  assert planner.make(data, 50).plan.design != first


def test_where_nothing_fits_it_says_so(data, tried):
  tried.answers = [measuring.OutOfMemory('trying needs more memory.')]
  with pytest.raises(measuring.OutOfMemory, match=r'^trying needs'):
    planner.make(data, 5)


@pytest.mark.parametrize(
  ('seconds', 'number'), [(0.5, 12), (2.0, 5), (20.0, 2)]
)
def test_steps_are_timed_in_a_loop_as_runs_make_them(
  monkeypatch, seconds, number
):
  clock, loops = [100.0], []

  class Trainer:
    def train(self, steps):
      loops.append(int(steps))
      clock[0] += seconds * int(steps)

  monkeypatch.setattr(measuring, '_BEGIN', 90.0)
  monkeypatch.setattr(measuring.time, 'monotonic', lambda: clock[0])
  found = measuring._timed(Trainer())
  assert loops == [1, 1, number]
  assert found['start'] == 10.0 + seconds
  assert found['step'] == seconds


@pytest.mark.parametrize(('others', 'seconds'), [(3, 2.0), (0, 5.0)])
def test_what_a_picture_takes_is_told_of_val_of_any_size(
  monkeypatch, others, seconds
):
  clock = [0.0]

  class Evaluator:
    def evaluate(self, number):
      clock[0] += 3.0 + 2.0 * int(number)

  monkeypatch.setattr(measuring.time, 'monotonic', lambda: clock[0])
  found = measuring._timed_picture(Evaluator(), others)
  assert (found['evaluation'], found['picture']) == (5.0, seconds)


def test_what_fits_is_found_however_small(data, tried, monkeypatch):
  found = fingerprint.read(data)
  smallest = designs.designs(found)[-1]
  run = measuring.run

  def short_of_memory(kind, data_dir, recipe, *others):
    text = pathlib.Path(recipe).read_text()
    filters = f'SegmenterConfig.filter_multiplier = {smallest.filters}\n'
    if kind == 'train' and filters not in text:
      raise measuring.OutOfMemory('trying needs more memory.')
    return run(kind, data_dir, recipe, *others)

  monkeypatch.setattr(measuring, 'run', short_of_memory)
  assert planner.make(data, 2).plan.design.filters == smallest.filters


def test_a_plan_without_a_search_replaces_one_with_it(data, tried, tmp_path):
  planner.write(planner.make(data, 24), tmp_path)
  planner.write(planner.make(data, 0.05), tmp_path)
  assert not (tmp_path / 'search.gin').exists()


@pytest.mark.parametrize('hours', [0, -1, float('inf')])
def test_hours_have_to_be_some(data, tried, hours):
  with pytest.raises(
    ValueError, match=rf'^`hours` \({hours}\) must be greater'
  ):
    planner.make(data, hours)
  assert not tried


@pytest.mark.parametrize(('seconds', 'again'), [(1.0, True), (200.0, False)])
def test_little_time_is_spent_on_a_better_guess(
  data, tried, monkeypatch, seconds, again
):
  found, seen = fingerprint.read(data), machine.measure()
  design = designs.choose(found, seen, 0.3 * 3600)
  guessed = designs.estimate(found, seen, design).train_seconds
  clock = itertools.chain([0.0], itertools.repeat(seconds))
  monkeypatch.setattr(planner.time, 'monotonic', lambda: next(clock))
  # Too slow for that design, and not so slow that it must not be trained.
  tried.answers = [{'step': 1.9 * guessed}]
  planner.make(data, 0.3)
  assert (tried.count('train') > 1) == again


def test_planning_takes_of_the_hours(data, tried, monkeypatch):
  clock = itertools.chain([0.0], itertools.repeat(360.0))
  monkeypatch.setattr(planner.time, 'monotonic', lambda: next(clock))
  left, make = [], plan_lib.make

  def noting(data, seen, hours, *others):
    left.append(hours)
    return make(data, seen, hours, *others)

  monkeypatch.setattr(plan_lib, 'make', noting)
  planner.make(data, 5)
  assert left == [4.9]


def test_a_person_reads_what_it_takes(data, tried):
  text = planner.summary(planner.make(data, 24))
  assert '8 pictures to train on, 3 to evaluate on, about 64x64' in text
  assert re.search(r'^  search +\d+\.\d min +1\.0 GiB$', text, re.MULTILINE)
  assert 'Warning: 8 pictures are few' in text


def test_a_damaged_plan_is_named(tmp_path):
  (tmp_path / 'plan.json').write_text('{}')
  with pytest.raises(ValueError, match=r'plan\.json cannot be read: KeyError'):
    planner.load_seconds(tmp_path)


def test_a_trial_that_fails_says_why(data, tmp_path):
  (tmp_path / 'bad.gin').write_text('TrainConfig.train_steps = -1\n')
  with pytest.raises(ValueError, match=r'^trying the train failed: .*-1'):
    measuring.run('train', data, str(tmp_path / 'bad.gin'), 'none.json')


def test_a_trial_measures_a_training(data, tmp_path):
  recipe, genotype = tmp_path / 'train.gin', tmp_path / 'genotype.json'
  tiny.GENOTYPE.save(genotype)
  recipe.write_text(configs.to_gin(tiny.train_config()))
  found = measuring.run('train', data, str(recipe), str(genotype))
  wall = {'start', 'step', 'evaluation', 'picture'}
  assert found.keys() == {*wall, *(f'cpu_{n}' for n in wall), 'peak'}
  assert 0 < found['step'] < found['start']
  assert 2**27 < found['peak'] < 2**34


def test_a_trial_evaluates_a_picture_of_the_largest_size(data):
  info = tfrecord.load_info(data)
  val = dataclasses.replace(info.splits['val'], max_size=(33, 48))
  info = dataclasses.replace(info, splits={**info.splits, 'val': val})
  seen = []

  def segmenter(images, training):
    seen.append((*images.shape, training))
    return tf.zeros([*images.shape[:3], info.num_classes])

  strategy = tf.distribute.OneDeviceStrategy('/cpu:0')
  measuring._evaluate_largest(strategy, segmenter, info)
  assert set(seen) == {(1, 33, 48, 3, False)}
