# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Strategies by name, and how they share out a batch."""

from collections.abc import Callable, Iterable
import functools
import os
from typing import Any

from absl import logging
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.model.ops import devices
from auto_deeplab.training import cluster

# What the replicas of a strategy take their batches from: a DistributedDataset,
# or of one CPU a Dataset.
Batches = Iterable[Any]


def make_strategy(
  name: str, tpu_address: str | None = None
) -> tf.distribute.Strategy:
  """Builds a strategy.

  Args:
    name: one of `configs.STRATEGIES`. 'mirrored' uses all local GPUs, or all
      local logical CPUs where there is none; 'multi_worker' reads TF_CONFIG.
    tpu_address: name or address of the TPU, for 'tpu' alone.

  Raises:
    ValueError: if the name is unknown, or TF_CONFIG does not parse.
  """
  if name == 'one_device':
    device = '/gpu:0' if tf.config.list_logical_devices('GPU') else '/cpu:0'
    return tf.distribute.OneDeviceStrategy(device)
  if name == 'mirrored':
    devices = tf.config.list_logical_devices(
      'GPU'
    ) or tf.config.list_logical_devices('CPU')
    return _mirrored(tuple(d.name for d in devices))
  if name == 'multi_worker':
    cluster.check_tf_config(os.environ.get('TF_CONFIG'))
    return tf.distribute.MultiWorkerMirroredStrategy()
  if name == 'tpu':
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect(
      tpu_address or ''
    )
    return tf.distribute.TPUStrategy(resolver)
  raise ValueError(
    f'`distribution` ({name!r}) must be one of {configs.STRATEGIES}.'
  )


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.MirroredStrategy:
  """Returns the one strategy of this process over these devices.

  TensorFlow numbers the collective operations of every strategy from the same
  start, so those of two strategies in a process are taken for each other.
  """
  return tf.distribute.MirroredStrategy(list(devices))


def leave_graphs_to_cpu_kernels() -> None:
  """Switches Grappler's rewrites off where there is no GPU.

  They only cost there, for oneDNN fuses by itself: a search's first step takes
  19 s instead of 27, each further one 0.8 of the time.
  """
  if not tf.config.list_logical_devices('GPU'):
    tf.config.optimizer.set_experimental_options(
      {'disable_meta_optimizer': True}
    )


def set_precision(precision: str) -> None:
  """Sets Keras' policy, and warns of one that gains nothing here.

  Args:
    precision: `RuntimeConfig.precision`.
  """
  tf.keras.mixed_precision.set_global_policy(precision)
  dtype = tf.keras.mixed_precision.global_policy().compute_dtype
  if devices.is_emulated(tf.as_dtype(dtype)):
    logging.warning(
      '`RuntimeConfig.precision` (%r) gains nothing: this device has no %s '
      'convolutions, they are computed as float32.',
      precision,
      dtype,
    )


def replica_batch_size(
  strategy: tf.distribute.Strategy, batch_size: int, accumulation_steps: int = 1
) -> int:
  """Returns how many examples of a step's batch each replica takes.

  Raises:
    ValueError: if the replicas do not divide the batch, or their shares cannot
      be divided into `accumulation_steps` equal parts.
  """
  replicas = strategy.num_replicas_in_sync
  if batch_size % (replicas * accumulation_steps):
    parts = ''
    if accumulation_steps > 1:
      parts = f' times `TrainConfig.accumulation_steps` ({accumulation_steps})'
    raise ValueError(
      f'`InputConfig.batch_size` ({batch_size}) must be a multiple of the '
      f'number of replicas ({replicas}){parts}.'
    )
  return batch_size // replicas


def distribute(
  strategy: tf.distribute.Strategy,
  make_dataset: Callable[[tf.distribute.InputContext], tf.data.Dataset],
) -> Batches:
  """Returns the batches of the replicas.

  Args:
    strategy: the replicas.
    make_dataset: returns batches of one replica, made ahead.
  """
  devices = strategy.extended.worker_devices
  is_here = not has_several_workers(strategy) and len(devices) == 1
  if is_here and tf.DeviceSpec.from_string(devices[0]).device_type == 'CPU':
    # They are where they are needed. What would fetch them has a thread that
    # often misses that it is to end, as `input_pipeline` says: processes waited
    # up to a minute for it.
    return make_dataset(tf.distribute.InputContext())
  return strategy.distribute_datasets_from_function(make_dataset)


def has_several_workers(strategy: tf.distribute.Strategy) -> bool:
  """Returns whether other processes take part in each step."""
  return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def sum_over_workers(strategy: tf.distribute.Strategy, value: float) -> float:
  """Returns the sum of what all workers give here, each of them once.

  They wait for each other. Where there is but one, it is `value`.
  """
  if not has_several_workers(strategy):
    return value
  # Each replica of a worker gives its share.
  share = tf.constant(value / len(strategy.extended.worker_devices))
  shares = strategy.run(lambda: tf.identity(share))
  return float(strategy.reduce(tf.distribute.ReduceOp.SUM, shares, axis=None))


def worker_index(strategy: tf.distribute.Strategy) -> int:
  """Returns which of the workers this process is; 0 where there is but one."""
  if not has_several_workers(strategy):
    return 0
  resolver = strategy.cluster_resolver
  has_chief = 'chief' in resolver.cluster_spec().jobs
  is_worker = resolver.task_type == 'worker'
  return (resolver.task_id or 0) + int(has_chief and is_worker)
