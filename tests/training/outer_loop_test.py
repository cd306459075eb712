# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What comes when, in a run that is whole and in one that is resumed."""

import json
import os
import signal

import pytest

from auto_deeplab.training import preemption, saver
from tests.training import counting


class Broken(Exception):
  """In the place of a power cut."""


def break_at(step):
  def on_step(at):
    if at == step:
      raise Broken

  return on_step


def rows(path):
  return (path / 'metrics.jsonl').read_text()


def steps_of(path, key):
  parsed = map(json.loads, rows(path).splitlines())
  return [row['step'] for row in parsed if key in row]


def test_loops_checkpoints_and_evaluations_come_at_multiples(tmp_path):
  counting.run(tmp_path, checkpoints_to_keep=9)
  assert steps_of(tmp_path, 'train/loss') == [3, 4, 6, 8, 9, 10]
  # At multiples of 4, before each evaluation and at the end.
  assert saver.steps(tmp_path / 'checkpoints') == [3, 4, 6, 8, 9, 10]
  assert steps_of(tmp_path, 'eval/mean_iou') == [3, 6, 9, 10]


def test_without_evaluations_too(tmp_path):
  assert counting.run(tmp_path, evaluates=False) == {}
  assert steps_of(tmp_path, 'train/loss') == [4, 8, 10]
  assert saver.steps(tmp_path / 'checkpoints') == [4, 8, 10]


@pytest.mark.parametrize('step', range(1, 11))
def test_a_resumed_run_has_the_rows_of_the_whole(tmp_path, step):
  whole, broken = tmp_path / 'whole', tmp_path / 'broken'
  scores = counting.run(whole)
  with pytest.raises(Broken):
    counting.run(broken, on_step=break_at(step))
  assert counting.run(broken) == scores
  assert rows(broken) == rows(whole)


def test_an_evaluation_that_was_broken_is_made_up_for(tmp_path, monkeypatch):
  whole, broken = tmp_path / 'whole', tmp_path / 'broken'
  scores = counting.run(whole)
  with monkeypatch.context() as patch:
    patch.setattr(counting.Evaluator, 'eval_step', _break)
    with pytest.raises(Broken):
      counting.run(broken)
  assert saver.steps(broken / 'checkpoints') == [3]
  assert counting.run(broken) == scores
  assert rows(broken) == rows(whole)


def _break(*_):
  raise Broken


def test_a_run_that_is_done_is_evaluated_again(tmp_path):
  scores = counting.run(tmp_path)
  text = rows(tmp_path)
  assert counting.run(tmp_path) == scores
  assert rows(tmp_path) == text


def test_checkpoints_are_found_without_their_list(tmp_path):
  counting.run(tmp_path, num_steps=4)
  (tmp_path / 'checkpoints' / 'checkpoint').unlink()
  counting.run(tmp_path)
  assert steps_of(tmp_path, 'train/loss') == [3, 4, 6, 8, 9, 10]


# SIGTERM ---------------------------------------------------------------------


def terminate_at(step):
  def on_step(at):
    if at == step:
      os.kill(os.getpid(), signal.SIGTERM)

  return on_step


@pytest.mark.parametrize('step', range(1, 11))
def test_a_run_that_is_asked_to_end_saves_its_step(tmp_path, step):
  whole, asked = tmp_path / 'whole', tmp_path / 'asked'
  scores = counting.run(whole)
  with pytest.raises(preemption.Preempted) as error:
    counting.run(asked, on_step=terminate_at(step))
  assert str(error.value) == (
    f'asked to end; {asked}/checkpoints/ckpt-{step} is saved, the same command '
    'goes on from there.'
  )
  assert saver.steps(asked / 'checkpoints')[-1] == step
  assert counting.run(asked) == scores
  assert rows(asked) == rows(whole)
  assert saver.steps(asked / 'checkpoints') == [8, 9, 10]


def test_a_run_that_is_asked_before_its_first_step_saves_nothing(
  tmp_path, monkeypatch
):
  def begin(trainer):
    os.kill(os.getpid(), signal.SIGTERM)

  monkeypatch.setattr(counting.Trainer, 'train_loop_begin', begin)
  with pytest.raises(preemption.Preempted) as error:
    counting.run(tmp_path)
  assert str(error.value) == (
    'asked to end before a step was made; the same command begins there again.'
  )
  assert saver.steps(tmp_path / 'checkpoints') == []


def test_one_that_is_asked_again_and_killed_in_between_too(tmp_path):
  whole, asked = tmp_path / 'whole', tmp_path / 'asked'
  scores = counting.run(whole, steps_per_loop=8, checkpoint_interval=8)
  for on_step, error in (
    (terminate_at(1), preemption.Preempted),
    (break_at(2), Broken),
    (terminate_at(2), preemption.Preempted),
  ):
    with pytest.raises(error):
      counting.run(
        asked, on_step=on_step, steps_per_loop=8, checkpoint_interval=8
      )
  result = counting.run(asked, steps_per_loop=8, checkpoint_interval=8)
  assert result == scores
  assert rows(asked) == rows(whole)


def test_an_evaluation_ends_at_once(tmp_path, monkeypatch):
  whole, asked = tmp_path / 'whole', tmp_path / 'asked'
  scores = counting.run(whole)

  def terminate(*_):
    os.kill(os.getpid(), signal.SIGTERM)
    pytest.fail('the evaluation went on.')

  with monkeypatch.context() as patch:
    patch.setattr(counting.Evaluator, 'eval_step', terminate)
    with pytest.raises(preemption.Preempted, match='ckpt-3 is saved'):
      counting.run(asked)
  assert counting.run(asked) == scores
  assert rows(asked) == rows(whole)
