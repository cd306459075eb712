# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What comes when, in a run that is whole and in one that is resumed."""

import json
import os
import signal

import orbit
import pytest
import tensorflow as tf

from auto_deeplab.runs import checkpoints, preemption
from auto_deeplab.training import gradient_step
from tests import counting


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
  assert checkpoints.steps(tmp_path / 'checkpoints') == [3, 4, 6, 8, 9, 10]
  assert steps_of(tmp_path, 'eval/mean_iou') == [3, 6, 9, 10]


def test_without_evaluations_too(tmp_path):
  assert counting.run(tmp_path, evaluates=False) == {}
  assert steps_of(tmp_path, 'train/loss') == [4, 8, 10]
  assert checkpoints.steps(tmp_path / 'checkpoints') == [4, 8, 10]


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
  assert checkpoints.steps(broken / 'checkpoints') == [3]
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


# SIGTERM and Ctrl-C ----------------------------------------------------------


def terminate_at(step, number=signal.SIGTERM):
  def on_step(at):
    if at == step:
      os.kill(os.getpid(), number)

  return on_step


def test_ctrl_c_saves_as_well(tmp_path):
  with pytest.raises(preemption.Interrupted) as error:
    counting.run(tmp_path, on_step=terminate_at(5, signal.SIGINT))
  assert str(error.value) == (
    f'asked to end; {tmp_path}/checkpoints/ckpt-5 is saved, the same command '
    'goes on from there.'
  )
  assert checkpoints.steps(tmp_path / 'checkpoints')[-1] == 5


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
  assert checkpoints.steps(asked / 'checkpoints')[-1] == step
  assert counting.run(asked) == scores
  assert rows(asked) == rows(whole)
  assert checkpoints.steps(asked / 'checkpoints') == [8, 9, 10]


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
  assert checkpoints.steps(tmp_path / 'checkpoints') == []


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


# Full disks and NaN ----------------------------------------------------------


def test_a_full_disk_of_metrics_is_named(tmp_path):
  def fill_disk(step):  # In the midst of the run: it reads as endless zeros.
    if step == 1:
      (tmp_path / 'metrics.jsonl').symlink_to('/dev/full')

  with pytest.raises(OSError) as error:
    counting.run(tmp_path, on_step=fill_disk)
  assert str(error.value) == (
    f"[Errno 28] No space left on device: '{tmp_path}/metrics.jsonl'"
  )
  assert checkpoints.steps(tmp_path / 'checkpoints') == []


@pytest.mark.parametrize(
  ('message', 'error_type'),
  [
    ('events.v2; No space left on device', OSError),
    ('OOM when allocating tensor', tf.errors.ResourceExhaustedError),
  ],
)
def test_a_full_disk_of_summaries_is_named(
  tmp_path, monkeypatch, message, error_type
):
  def flush(_):
    raise tf.errors.ResourceExhaustedError(None, None, message)

  monkeypatch.setattr(orbit.utils.SummaryManager, 'flush', flush)
  with pytest.raises(error_type) as error:
    counting.run(tmp_path)
  if error_type is OSError:
    assert str(error.value) == (
      f"[Errno 28] No space left on device: '{tmp_path}/summaries'"
    )


def run_into_nan(path, monkeypatch, **settings):
  """Counts, but what is counted is NaN from step 6 (counted from 0) on."""
  make = gradient_step.StepLog.add

  def add(self, step, name, values):
    nan = tf.constant(float('nan'))
    norms = {'gradient_norm': nan, 'gradient_norms': tf.stack([nan])}
    make(self, step, name, values | (norms if step >= 6 else {}))

  with monkeypatch.context() as patch:
    patch.setattr(gradient_step.StepLog, 'add', add)
    with pytest.raises(gradient_step.NotFiniteError) as error:
      counting.run(path, evaluates=False, **settings)
  return str(error.value)


def test_the_state_that_met_a_nan_is_kept(tmp_path, monkeypatch):
  message = run_into_nan(tmp_path, monkeypatch)
  assert message == (
    'train/gradient_norm is nan at step 6, from the gradient of sum/kernel:0; '
    'the run stops. A smaller learning rate, gradient clipping or float32 are '
    f'what to try. {tmp_path}/checkpoints/ckpt-4 is intact. '
    f'{tmp_path}/post_mortem keeps the state of step 8.'
  )
  folder = tmp_path / 'post_mortem'
  found = json.loads((folder / 'not_finite.json').read_text())
  assert message.startswith(found.pop('message'))
  assert found == {'step': 6, 'tensor': 'sum/kernel:0', 'state_of_step': 8}
  key = 'global_step/.ATTRIBUTES/VARIABLE_VALUE'
  assert tf.train.load_variable(str(folder / 'ckpt-8'), key) == 8
  # The run itself goes on from before.
  assert checkpoints.steps(tmp_path / 'checkpoints') == [4]
  counting.run(tmp_path, evaluates=False)
  assert steps_of(tmp_path, 'train/loss') == [4, 8, 10]


def test_a_nan_before_the_first_checkpoint_says_so(tmp_path, monkeypatch):
  settings = {'steps_per_loop': 8, 'checkpoint_interval': 8}
  message = run_into_nan(tmp_path, monkeypatch, **settings)
  assert message.endswith(
    ' are what to try. No checkpoint is saved yet. '
    f'{tmp_path}/post_mortem keeps the state of step 8.'
  )
  assert checkpoints.steps(tmp_path / 'checkpoints') == []


def test_what_cannot_be_kept_does_not_hide_the_nan(tmp_path, monkeypatch):
  (tmp_path / 'post_mortem').touch()
  message = run_into_nan(tmp_path, monkeypatch)
  assert message.startswith('train/gradient_norm is nan at step 6, ')
  assert message.endswith(
    f' The state could not be kept: checkpoint {tmp_path}/post_mortem/ckpt-8 '
    'cannot be written: Not a directory; checkpoints before it are intact.'
  )
