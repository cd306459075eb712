# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Strategies by name."""

import pytest
import tensorflow as tf

from auto_deeplab.data.input import input_pipeline
from auto_deeplab.model.ops import devices
from auto_deeplab.training import distribution
from tests import tiny


def test_one_device_is_one_replica():
  strategy = distribution.make_strategy('one_device')
  assert isinstance(strategy, tf.distribute.OneDeviceStrategy)
  assert distribution.replica_batch_size(strategy, 7) == 7


def test_mirrored_takes_all_devices():
  strategy = distribution.make_strategy('mirrored')
  assert isinstance(strategy, tf.distribute.MirroredStrategy)
  devices = tf.config.list_logical_devices('GPU')
  devices = devices or tf.config.list_logical_devices('CPU')
  assert strategy.num_replicas_in_sync == len(devices)


def test_a_batch_is_shared_out_evenly(mirrored):
  assert distribution.replica_batch_size(mirrored, 6) == 3
  with pytest.raises(ValueError) as error:
    distribution.replica_batch_size(mirrored, 5)
  assert str(error.value) == (
    '`InputConfig.batch_size` (5) must be a multiple of the number of '
    'replicas (2).'
  )


def test_workers_do_not_agree_on_each_batch(data_dir, mirrored, monkeypatch):
  # That is decided by what follows alone, which says no here.
  monkeypatch.setattr(
    type(mirrored.extended), '_in_multi_worker_mode', lambda _: True
  )
  config = tiny.train_config().input
  dataset = mirrored.distribute_datasets_from_function(
    lambda context: input_pipeline.train_dataset(
      data_dir, 'train', config, seed=0, input_context=context
    )
  )
  get_next = tf.function(lambda iterator: next(iterator))
  get_next = get_next.get_concrete_function(iter(dataset))
  kinds = {op.type for op in get_next.graph.get_operations()}
  assert 'IteratorGetNext' in kinds
  assert 'CollectiveReduceV2' not in kinds
  assert not {k for k in kinds if 'Optional' in k}


def test_a_replicas_share_is_divided_evenly_for_accumulation(mirrored):
  assert distribution.replica_batch_size(mirrored, 8, 4) == 4
  with pytest.raises(ValueError) as error:
    distribution.replica_batch_size(mirrored, 6, 2)
  assert str(error.value) == (
    '`InputConfig.batch_size` (6) must be a multiple of the number of '
    'replicas (2) times `TrainConfig.accumulation_steps` (2).'
  )


@pytest.fixture
def policy():
  yield
  tf.keras.mixed_precision.set_global_policy('float32')


@pytest.mark.usefixtures('policy')
@pytest.mark.parametrize('is_emulated', [False, True])
def test_a_precision_that_gains_nothing_is_warned_of(
  is_emulated, monkeypatch, caplog
):
  monkeypatch.setattr(
    devices,
    'is_emulated',
    lambda dtype: is_emulated and dtype == tf.bfloat16,
  )
  distribution.set_precision('float32')
  assert not caplog.messages
  distribution.set_precision('mixed_bfloat16')
  assert tf.keras.mixed_precision.global_policy().name == 'mixed_bfloat16'
  warning = (
    "`RuntimeConfig.precision` ('mixed_bfloat16') gains nothing: this device "
    'has no bfloat16 convolutions, they are computed as float32.'
  )
  assert caplog.messages == [warning] * is_emulated


def test_an_unknown_strategy_is_refused():
  with pytest.raises(ValueError) as error:
    distribution.make_strategy('cluster')
  assert str(error.value) == (
    "`distribution` ('cluster') must be one of ('one_device', 'mirrored', "
    "'multi_worker', 'tpu')."
  )


def test_on_one_cpu_batches_come_straight_from_the_data_set(mirrored):
  def make_dataset(context):
    assert (context.num_input_pipelines, context.input_pipeline_id) == (1, 0)
    return tf.data.Dataset.range(context.num_replicas_in_sync)

  strategy = tf.distribute.OneDeviceStrategy('/cpu:0')
  dataset = distribution.distribute(strategy, make_dataset)
  assert isinstance(dataset, tf.data.Dataset)
  assert [int(x) for x in dataset] == [0]
  (batch,) = distribution.distribute(mirrored, make_dataset)
  first, second = mirrored.experimental_local_results(batch)
  assert (int(first), int(second)) == (0, 1)
