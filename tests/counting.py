# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A run without a network, for the loop around it: its loss is its batch."""

import orbit
import tensorflow as tf

from auto_deeplab.runs import outer_loop
from auto_deeplab.runs import run as run_lib
from auto_deeplab.training import gradient_step
from tests import tiny


class Trainer(orbit.StandardTrainer):
  """Adds up the numbers from its step on."""

  def __init__(self, first_step, on_step=None):
    dataset = tf.data.Dataset.range(first_step, 1000)
    options = orbit.StandardTrainerOptions(False, False)
    super().__init__(dataset, options)
    self.global_step = tf.Variable(first_step, dtype=tf.int64)
    self.model = tf.keras.Sequential(
      [tf.keras.layers.Dense(1, use_bias=False, name='sum')]
    )
    self.model.build([1, 1])
    self.model.variables[0].assign([[0.0]])
    self.log = gradient_step.StepLog({'train': self.model.variables})
    self._on_step = on_step

  def train_step(self, iterator):
    batch = tf.cast(next(iterator), tf.float32) / 7
    self.model.variables[0].assign_add(batch[tf.newaxis, tf.newaxis])
    step = int(self.global_step.numpy())
    values = {'loss': batch, 'gradient_norm': batch, 'gradient_norms': [batch]}
    self.log.add(step, 'train', values)
    self.global_step.assign(step + 1)
    if self._on_step:
      self._on_step(step + 1)

  def train_loop_end(self):
    return self.log.flush()


class Evaluator(orbit.StandardEvaluator):
  """Scores the sum."""

  def __init__(self, model):
    super().__init__(tf.data.Dataset.range(1))
    self._model = model

  def eval_begin(self):
    return None

  def eval_step(self, iterator):
    next(iterator)

  def eval_end(self, *_):
    return {'mean_iou': float(self._model.variables[0][0, 0])}


def run(path, *, num_steps=10, evaluates=True, on_step=None, **settings):
  """Runs, or goes on with, a count in a folder; returns its scores."""
  config = tiny.train_config(
    runtime={'steps_per_loop': 4, 'checkpoint_interval': 4, **settings}
  )
  place = run_lib.Place(data_dir='', run_dir=str(path))
  strategy = tf.distribute.get_strategy()
  with run_lib.Run(place, config, {}).opened(strategy) as run:
    trainer = Trainer(run.first_step, on_step)
    run.resume(trainer.global_step, model=trainer.model)
    return outer_loop.run(
      'count',
      run,
      trainer,
      strategy,
      num_steps=num_steps,
      evaluator=Evaluator(trainer.model) if evaluates else None,
      eval_interval=3,
    )
