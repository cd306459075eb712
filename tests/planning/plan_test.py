# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is chosen for which pictures, machine and hours."""

import dataclasses

import pytest

from auto_deeplab import configs
from auto_deeplab.architecture import cost
from auto_deeplab.planning import (
  designs,
  fingerprint,
  machine,
  plan,
  settings,
)

_GIB = 2**30
DATA = fingerprint.Fingerprint(
  num_train=400,
  num_val=100,
  size=(360, 480),
  max_size=(360, 480),
  class_shares=(0.5, 0.3, 0.2),
  object_side=40.0,
  boundary_share=0.03,
  rarest_presence=0.5,
)
MACHINE = machine.Machine(cores=2, memory_bytes=16 * _GIB, rate=4e10)
MEASURED = designs.Measured(
  start_seconds=20.0,
  train_seconds=0.5,
  evaluate_seconds=0.1,
  evaluate_start_seconds=5.0,
  train_bytes=2 * _GIB,
  search_start_seconds=60.0,
  search_seconds=0.5,
  architecture_seconds=0.5,
  search_bytes=3 * _GIB,
)


def made(hours=2.0, data=DATA, computer=MACHINE, measured=MEASURED, **more):
  design = designs.choose(data, computer, hours * 3600)
  return plan.make(data, computer, hours, design, measured, **more)


def value(choices, setting):
  """The value that a recipe gives to a setting; None if it gives none."""
  found = [c.value for c in choices if c.setting == setting]
  return found[0] if found else None


# Layers, blocks, crop of the training, and seconds of a step that moves weights
# and architecture, on one core of a Xeon of 47e9 multiply-adds a second.
@pytest.mark.parametrize(
  ('layers', 'blocks', 'crop', 'seconds'),
  [
    (12, 5, 97, 5.92),
    (8, 4, 97, 1.74),
    (8, 3, 97, 1.31),
    (5, 3, 97, 0.74),
    (8, 3, 385, 3.48),
  ],
)
def test_what_a_search_takes_is_guessed_by_its_edges_and_crops(
  layers, blocks, crop, seconds
):
  design = designs.Design(crop, 4, 4, layers, blocks, 8, (16, 16, 32), 48, 16)
  guessed = designs.estimate(
    DATA, dataclasses.replace(MACHINE, rate=4.7e10), design
  )
  both = guessed.search_seconds + guessed.architecture_seconds
  assert both == pytest.approx(seconds, rel=0.26)


@pytest.mark.parametrize('hours', [0.2, 2, 20])
def test_its_recipes_are_read_and_say_what_was_chosen(tmp_path, hours):
  planned = made(hours)
  (tmp_path / 'train.gin').write_text(
    settings.to_gin(planned.train, 'For you.')
  )
  train = configs.load(configs.TrainExperiment, [str(tmp_path / 'train.gin')])
  train.check_beginning()
  assert train.schedule.train_steps == planned.train_steps
  assert train.input.crop_size == (planned.design.crop,) * 2
  assert train.segmenter.filter_multiplier == planned.design.filters
  if planned.search_steps:
    path = tmp_path / 'search.gin'
    path.write_text(settings.to_gin(planned.search, 'For you.'))
    search = configs.load(configs.SearchExperiment, [str(path)])
    assert search.schedule.train_steps == planned.search_steps
    assert search.supernet.num_layers == planned.design.layers


@pytest.mark.parametrize('hours', [0.1, 0.5, 2, 8])
def test_it_takes_less_than_the_hours(hours):
  planned = made(hours)
  assert planned.seconds <= hours * 3600
  # What is left over is a margin, unless the steps are at their most.
  most = 200 * DATA.num_train / planned.design.batch // 10 * 10
  assert planned.seconds > 0.8 * hours * 3600 or planned.train_steps == most


def test_a_stage_takes_what_its_steps_were_measured_to_take():
  planned = made(3)
  seconds = {stage.verb: stage.seconds for stage in planned.stages}
  steps = planned.search_steps
  assert list(seconds) == [
    *('search', 'decode', 'train', 'evaluate', 'export', 'report')
  ]
  evaluating = 5 + 10 * planned.evaluations
  assert seconds['train'] == 20 + 0.5 * planned.train_steps + evaluating
  start = value(planned.search, 'SearchConfig.arch_start_step')
  assert seconds['search'] == 60 + 0.5 * steps + 0.5 * (steps - start)


def test_it_is_evaluated_as_often_as_costs_little():
  planned = made(2)
  assert planned.evaluations == 10
  interval = value(planned.train, 'TrainConfig.eval_interval')
  assert 0 <= 10 * interval - planned.train_steps < 10
  # A hundred pictures of 20 seconds each are evaluated at the end alone.
  slow = dataclasses.replace(MEASURED, evaluate_seconds=20.0)
  planned = made(2, measured=slow)
  assert planned.evaluations == 1
  assert value(planned.train, 'TrainConfig.eval_interval') is None


def test_a_search_is_that_which_was_seen_to_choose_better_than_chance():
  planned = made(8)
  assert planned.search_steps >= 2000
  start = value(planned.search, 'SearchConfig.arch_start_step')
  assert start == pytest.approx(planned.search_steps / 8, abs=5)
  assert value(planned.search, 'ArchitectureLossConfig.skip_dropout') == 0.5


@pytest.mark.parametrize(
  ('steps', 'rate'),
  # Those of `camvid_search`, and the paper's 15,000 architecture steps.
  [(600, 0.02), (4800, 0.0107), (17_140, 0.003), (100_000, 0.003)],
)
def test_architectures_may_go_as_far_as_in_the_paper(steps, rate):
  design = designs.choose(DATA, MACHINE, 7200.0)
  choices = list(settings.of_search(design, steps, 'there is time.'))
  setting = 'ArchitectureOptimizerConfig.learning_rate'
  assert value(choices, setting) == pytest.approx(rate, abs=1e-4)


def test_what_a_training_would_leave_over_is_searched_in():
  # Its 1,600 steps at most take 13 minutes of two hours.
  few = dataclasses.replace(DATA, num_train=40, size=(96, 96))
  slow = dataclasses.replace(MEASURED, search_seconds=5.0)
  planned = made(2, data=few, measured=slow)
  assert planned.train_steps > 1200
  assert 500 <= planned.search_steps < 2000
  assert planned.why.endswith(
    ' steps fit into what the training does not need.'
  )
  assert planned.seconds <= 2 * 3600


def test_a_budget_too_small_for_a_search_trains_only():
  planned = made(0.3)
  assert planned.search_steps == 0
  assert planned.search == ()
  assert planned.why == (
    'the 10000 training steps that are needed take 83 minutes and come first; '
    'a search of 2000 steps takes 34, and would fit with some 109 minutes more.'
  )
  assert 'search' not in [stage.verb for stage in planned.stages]


@pytest.mark.parametrize('hours', [0.2, 1, 2, 4, 10])
def test_the_training_comes_first(hours):
  planned = made(hours)
  needed = designs.wanted_steps(DATA, planned.design.batch)
  assert planned.train_steps >= 0.9 * needed or not planned.search_steps


def test_the_minutes_that_a_search_lacks_suffice_for_it():
  without = made(0.8)
  more = int(without.why.split()[-3])
  design = without.design
  with_one = plan.make(DATA, MACHINE, 0.8 + more / 60, design, MEASURED)
  assert with_one.search_steps >= 2000
  less = plan.make(DATA, MACHINE, 0.8 + (more - 2) / 60, design, MEASURED)
  assert less.search_steps == 0


def test_a_given_genotype_is_not_searched_for():
  planned = made(8, genotype_is_given=True)
  assert (planned.search_steps, planned.why) == (0, 'the genotype is given.')


def test_too_few_pictures_are_not_halved():
  few = dataclasses.replace(DATA, num_train=3)
  slow = dataclasses.replace(MEASURED, train_seconds=0.01)
  assert made(8, data=few, measured=slow).search_steps > 0  # Batches of one.
  one = dataclasses.replace(DATA, num_train=1)
  planned = made(8, data=one, measured=slow)
  assert planned.why == '1 pictures are too few to be halved.'


def test_more_time_buys_a_larger_network_and_never_a_smaller():
  costs = [
    designs.choose(DATA, MACHINE, hours * 3600).step_multiply_adds(3)
    for hours in (0.1, 0.5, 2, 10, 50)
  ]
  assert costs == sorted(costs)
  assert costs[0] < costs[-1] / 10


def test_what_was_too_large_is_not_chosen_again():
  first = designs.choose(DATA, MACHINE, 1e6)
  below = first.step_multiply_adds(3)
  second = designs.choose(DATA, MACHINE, 1e6, below=below)
  assert second.step_multiply_adds(3) < below


@pytest.mark.parametrize('size', [(64, 64), (180, 240), (2048, 1536)])
def test_crops_nest_and_are_about_a_picture_at_most(size):
  data = dataclasses.replace(DATA, size=size)
  for design in designs.designs(data):
    assert design.crop % 32 == 1
    assert 97 <= design.crop <= max(97, min(size) + 32)
    assert design.crop >= min(min(size) / 2, 257)


def test_the_networks_are_those_that_are_counted():
  # That of CamVid's recipe on its crops, forwards and twice that backwards.
  (design,) = (
    d for d in designs.designs(DATA) if d.filters == 16 and d.crop == 289
  )
  network = cost.Network(
    design.genotype, (289, 289), 16, 3, (24, 24, 48), 64, 24, 64
  )
  expected = 3 * 4 * cost.count(network).multiply_adds
  assert design.step_multiply_adds(3) == expected


def test_rare_classes_and_few_pictures_are_met():
  rare = dataclasses.replace(DATA, class_shares=(0.995, 0.005, 0.0))
  planned = made(2, data=rare)
  assert value(planned.train, 'InputConfig.class_balance') == 0.5
  weights = 'LossConfig.class_weights'
  assert value(planned.train, weights) is None
  assert value(made(2).train, 'InputConfig.class_balance') is None
  # Crops that show it are no help where all do.
  everywhere = dataclasses.replace(rare, rarest_presence=1.0)
  planned = made(2, data=everywhere)
  assert value(planned.train, weights) == 'median_frequency'
  assert value(planned.train, 'InputConfig.class_balance') is None
  few = dataclasses.replace(DATA, num_train=50)
  planned = made(2, data=few)
  assert value(planned.train, 'InputConfig.brightness_jitter') == 0.2


def test_what_is_wrong_is_warned_of():
  data = dataclasses.replace(DATA, num_train=10, class_shares=(1.0, 0.0))
  large = dataclasses.replace(MEASURED, train_bytes=15 * _GIB)
  slow = dataclasses.replace(large, train_seconds=20.0)
  planned = made(1, data=data, measured=slow)
  assert [warning.partition(':')[0] for warning in planned.warnings] == [
    '1 of 2 classes have no pixel in train (1)',
    f'{planned.train_steps} training steps fit, 800 would be needed',
    '15.0 GiB are needed of the 16.0 GiB that are free.',
    '10 pictures are few',
  ]
  assert not plan.fits(MACHINE, large)
  assert plan.fits(MACHINE, MEASURED)


def test_half_precision_is_taken_where_it_is_faster():
  gpu = dataclasses.replace(MACHINE, gpus=1, bfloat16_rate=8e10)
  setting = 'RuntimeConfig.precision'
  assert value(made(2, computer=gpu).train, setting) == 'mixed_bfloat16'
  assert value(made(2).train, setting) is None


def test_hours_that_do_not_suffice_are_refused():
  message = r'^`hours` are too few: of the 1\.2 minutes that are left after pla'
  with pytest.raises(ValueError, match=message):
    made(0.02)
  with pytest.raises(ValueError, match=r'of the 0\.0 minutes .* leave 0 s to '):
    made(-0.1)


def test_batch_norm_forgets_its_start_however_few_steps():
  for steps in (10, 100, 800, 2600, 100_000):
    assert settings.momentum(steps) ** steps < 0.01
  assert settings.momentum(100_000) == 0.9997


def test_a_reason_stands_above_its_setting():
  choices = (
    settings.Choice('InputConfig.batch_size', 8, 'Why.'),
    settings.Choice('TrainConfig.train_steps', 10),
  )
  assert settings.to_gin(choices, 'One.\nTwo.') == (
    '# One.\n# Two.\n\n# Why.\nInputConfig.batch_size = 8\n\n'
    'TrainConfig.train_steps = 10\n'
  )


def test_a_draft_holds_both():
  drafted = plan.draft(DATA, MACHINE, designs.choose(DATA, MACHINE, 7200))
  assert value(drafted.search, 'SearchConfig.train_steps') == 1000
  assert value(drafted.train, 'TrainConfig.train_steps') == 1000
