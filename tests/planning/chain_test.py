# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which step comes next."""

import dataclasses
import json
import os
import pathlib

import pytest

from auto_deeplab import configs
from auto_deeplab.architecture import decode
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.cli import __main__ as command
from auto_deeplab.planning import chain as chain_lib
from tests import pages, tiny
from tests.page import made
from tests.planning import made_chain


@pytest.fixture
def chain(tmp_path):
  return made_chain.make(tmp_path)


def names(chain):
  return [step.name for step in chain.steps(1) if not step.is_done]


def test_pictures_are_converted_with_the_flags_that_are_passed_on(chain):
  convert = chain.steps(1)[0]
  assert convert.arguments == (
    '--dataset=folder',
    '--val_fraction=0.2',
    f'--data_dir={chain.pictures}',
    f'--output_dir={chain.out}/data',
  )
  other = chain_lib.Chain('a', 'b', ('--dataset=coco',)).steps(1)[0]
  assert other.arguments[0] == '--dataset=coco'


def test_pictures_without_val_are_converted_again(chain):
  made.dataset(pathlib.Path(chain.out, 'data'))
  path = f'{chain.out}/data/dataset.json'
  with open(path) as file:
    document = json.load(file)
  made_chain.write(f'{chain.out}/contact_sheet.png')
  os.utime(path, (0, 0))
  assert names(chain)[:2] == ['build_tfrecords', 'plan']
  os.utime(f'{chain.out}/contact_sheet.png', (0, 0))
  shard = document['splits']['train']['shards'][0] | {'name': 'b'}
  document['splits']['val'] = document['splits']['train'] | {'shards': [shard]}
  made_chain.write(path, json.dumps(document))
  assert names(chain)[0] == 'inspect_dataset'


def test_tfrecords_are_taken_as_they_are(chain):
  made_chain.write(f'{chain.pictures}/dataset.json')
  assert names(chain)[0] == 'inspect_dataset'
  assert chain.data_dir == chain.pictures


def test_a_search_is_a_step_where_it_is_planned(chain):
  made_chain.plan(chain, with_search=False)
  assert names(chain)[-4:] == ['train', 'evaluate', 'export', 'report']
  assert 'search' not in names(chain)
  made_chain.plan(chain)
  assert names(chain)[2:5] == ['search', 'decode', 'train_plan']


def test_folders_say_what_is_done(chain):
  made_chain.plan(chain)
  made_chain.write(f'{chain.out}/data/dataset.json')
  made_chain.write(f'{chain.out}/contact_sheet.png')
  assert names(chain)[0] == 'search'
  made_chain.write(f'{chain.out}/search/architecture/step-00000900.npz')
  assert names(chain)[0] == 'search'
  made_chain.write(f'{chain.out}/search/architecture/step-00001000.npz')
  assert names(chain)[0] == 'decode'
  made_chain.write(f'{chain.out}/decoded/genotype.json')
  assert names(chain)[0] == 'train_plan'
  made_chain.write(f'{chain.out}/train_plan/plan.json')
  made_chain.write(
    f'{chain.out}/train_plan/train.gin', 'TrainConfig.train_steps = 50\n'
  )
  (train,) = (s for s in chain.steps(1) if s.name == 'train')
  assert f'--gin_file={chain.out}/train_plan/train.gin' in train.arguments
  assert f'--genotype={chain.out}/decoded/genotype.json' in train.arguments


def test_a_search_shows_the_architecture_steps_of_its_newest_snapshot(chain):
  made_chain.plan(chain)
  assert chain.searched_share() == 0
  for step, share in (300, 0), (400, 0), (700, 0.5), (1000, 1):
    made_chain.snapshot(chain, step)
    assert chain.searched_share() == share


def test_where_a_search_is_given_up_the_network_of_the_plan_is_trained(chain):
  made_chain.plan(chain)
  tiny.GENOTYPE.save(f'{chain.out}/plan/genotype.json')
  made_chain.snapshot(chain, 300)
  assert 'search' in names(chain)
  chain.give_up_search()
  assert {'search', 'decode'}.isdisjoint(names(chain))
  steps = {step.name: step for step in chain.steps(1)}
  given = f'--genotype={chain.out}/known/genotype.json'
  for name in 'train_plan', 'train':
    assert given in steps[name].arguments
  assert genotype_lib.Genotype.load(chain.known) == tiny.GENOTYPE
  # What was decoded by hand after all counts.
  decoded = f'{chain.out}/decoded/genotype.json'
  tiny.GENOTYPE.save(decoded)
  steps = {step.name: step for step in chain.steps(1)}
  assert f'--genotype={decoded}' in steps['train'].arguments


def test_a_search_that_ended_by_itself_is_done(chain):
  made_chain.plan(chain)
  made_chain.snapshot(chain, 500)
  made_chain.snapshot(chain, 600)
  assert 'search' in names(chain)
  stop = decode.EarlyStop(600, 500)
  decode.save_early_stop(f'{chain.out}/search', stop)
  assert 'search' not in names(chain)
  assert chain.searched_share() == 1


def test_what_is_of_another_checkpoint_is_not_done(chain, monkeypatch):
  made_chain.plan(chain, with_search=False)
  run_dir, model = f'{chain.out}/train', f'{chain.out}/saved_model'
  monkeypatch.setattr(chain_lib.checkpoints, 'newest_step', lambda _: 40)
  made_chain.write(
    f'{run_dir}/metrics.jsonl', '{"step": 40, "eval/mean_iou": 0.5}\n'
  )
  made_chain.write(f'{run_dir}/evaluation-val-20.json', '{"mean_iou": 0.5}')
  made_chain.write(f'{model}/assets.extra/metadata.json', '{"step": 20}')
  assert names(chain)[-3:] == ['evaluate', 'export', 'report']
  assert 'train' not in names(chain)
  made_chain.write(f'{run_dir}/evaluation-val-40.json', '{"mean_iou": 0.5}')
  made_chain.write(f'{model}/assets.extra/metadata.json', '{"step": 40}')
  assert {'evaluate', 'export'}.isdisjoint(names(chain))


def test_what_is_torn_is_done_again(chain, monkeypatch):
  made_chain.plan(chain, with_search=False)
  run_dir, model = f'{chain.out}/train', f'{chain.out}/saved_model'
  monkeypatch.setattr(chain_lib.checkpoints, 'newest_step', lambda _: 40)
  made_chain.write(f'{run_dir}/evaluation-val-40.json', '{"mean_i')
  made_chain.write(f'{model}/assets.extra/metadata.json', '{"step"')
  assert {'evaluate', 'export'} <= set(names(chain))
  assert chain.score() is None


def test_of_a_training_that_was_cut_the_best_is_used(chain, monkeypatch):
  made_chain.plan(chain, with_search=False)
  run_dir = f'{chain.out}/train'
  monkeypatch.setattr(chain_lib.checkpoints, 'newest_step', lambda _: 30)
  found = {'step': 20, 'checkpoint': 'ckpt-20', 'mean_iou': 0.5}
  made_chain.write(f'{run_dir}/best/best.json', json.dumps(found))
  made_chain.write(f'{run_dir}/evaluation-val-30.json', '{"mean_iou": 0.4}')
  steps = {step.name: step for step in chain.steps(1)}
  for name in ('evaluate', 'export'):
    assert '--checkpoint=best' in steps[name].arguments
    assert not steps[name].is_done
  made_chain.write(f'{run_dir}/evaluation-val-20.json', '{"mean_iou": 0.5}')
  assert 'evaluate' not in names(chain)
  # One that has come to its end is at its best, whatever the scores say.
  monkeypatch.setattr(chain_lib.checkpoints, 'newest_step', lambda _: 40)
  made_chain.write(
    f'{run_dir}/metrics.jsonl', '{"step": 40, "eval/mean_iou": 0.4}\n'
  )
  assert not any('best' in a for s in chain.steps(1) for a in s.arguments)


def test_a_training_whose_steps_do_not_fit_gets_a_shorter_schedule(
  chain, monkeypatch
):
  made_chain.plan(chain, with_search=False)
  chain.shorten(30)
  (train,) = (s for s in chain.steps(1) if s.name == 'train')
  recipes = [
    f'--gin_file={chain.out}/{n}.gin' for n in ('plan/train', 'train/shorter')
  ]
  assert [a for a in train.arguments if 'gin' in a] == recipes
  assert not train.is_done
  monkeypatch.setattr(chain_lib.checkpoints, 'newest_step', lambda _: 30)
  metrics = '{"step": 30, "eval/mean_iou": 0.4}\n'
  made_chain.write(f'{chain.out}/train/metrics.jsonl', metrics)
  assert 'train' not in names(chain)


def test_a_shorter_schedule_is_shorter_in_all(chain, tmp_path):
  chain.shorten(300)
  config = configs.load(configs.TrainExperiment, [chain.shorter])
  assert config.schedule.train_steps == 300
  # As a plan of so many steps has them.
  assert config.weight_optimizer.warmup_steps == 300 // 16
  momentum = config.segmenter.batch_norm_momentum
  assert momentum == pytest.approx(1 - 20 / 300, abs=1e-4)


def test_a_training_goes_on_where_its_schedule_was_deleted(chain):
  made_chain.plan(chain, with_search=False)
  made_chain.write(
    f'{chain.out}/train/config.gin', 'TrainConfig.train_steps = 30\n'
  )
  (train,) = (s for s in chain.steps(1) if s.name == 'train')
  assert '--allow_config_change' in train.arguments


def test_without_a_search_no_plan_of_one_counts(chain):
  made_chain.plan(chain, with_search=False)
  made_chain.write(
    f'{chain.out}/train_plan/train.gin', 'TrainConfig.train_steps = 50\n'
  )
  (train,) = (s for s in chain.steps(1) if s.name == 'train')
  assert f'--gin_file={chain.out}/plan/train.gin' in train.arguments


def test_other_pictures_are_not_taken_for_those_that_were_converted(chain):
  chain.note_pictures()
  made.dataset(pathlib.Path(chain.out, 'data'))
  other = dataclasses.replace(chain, convert_flags=('--dataset=coco',))
  other.note_pictures()  # Without val they are converted again.
  path = f'{chain.out}/data/dataset.json'
  with open(path) as file:
    document = json.load(file)
  shard = document['splits']['train']['shards'][0] | {'name': 'b'}
  document['splits']['val'] = document['splits']['train'] | {'shards': [shard]}
  made_chain.write(path, json.dumps(document))
  other.note_pictures()
  with pytest.raises(ValueError, match=r'^.*/data was converted by .*coco'):
    chain.note_pictures()
  os.rmdir(chain.pictures)
  other.note_pictures()  # They are not needed any more.


def test_pictures_that_are_not_there_are_named(chain):
  os.rmdir(chain.pictures)
  with pytest.raises(FileNotFoundError, match=r'/pictures is no folder\.$'):
    chain.note_pictures()


def test_the_score_is_that_of_what_was_exported(chain):
  assert chain.score() is None
  made_chain.write(
    f'{chain.out}/train/evaluation-val-20.json', '{"mean_iou": 0.5}'
  )
  made_chain.write(
    f'{chain.out}/train/evaluation-val-30.json', '{"mean_iou": 0.4}'
  )
  assert chain.score() is None
  made_chain.write(
    f'{chain.out}/saved_model/assets.extra/metadata.json', '{"step": 20}'
  )
  assert chain.score() == 0.5


def test_a_page_is_made_of_all_of_it_at_the_end(chain):
  step = chain.steps(1)[-1]
  assert (step.verb, step.is_needed) == ('report', False)
  assert step.arguments == (
    chain.out,
    f'--data_dir={chain.data_dir}',
    f'--output={chain.out}/report.html',
  )


def test_a_step_gives_the_flags_that_its_verb_has(chain):
  chain = chain_lib.Chain(chain.pictures, chain.out)
  made_chain.plan(chain)
  for step in chain.steps(1):
    assert step.verb in command.VERBS
    given = {
      word[2:].partition('=')[0]
      for word in step.arguments
      if word.startswith('--')
    }
    flags = pages.flags(step.verb)
    assert {n for n, is_required in flags.items() if is_required} <= given
    assert given <= flags.keys()
