# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run says of itself before it begins, on standard error.

Two lines, such as

    train: 367 pictures of train, 11 classes; 1,234,567 parameters; 1 replica
      on CPU:0; float32
    train: goes on from step 400 (runs/x/checkpoints/ckpt-400), 2200 to go
"""

from collections.abc import Mapping
import sys

import tensorflow as tf

from auto_deeplab.data import datasets
from auto_deeplab.runs import run as run_lib


def say(
  label: str,
  run: run_lib.Run,
  strategy: tf.distribute.Strategy,
  info: datasets.DatasetInfo,
  *,
  pictures: str,
  parameters: Mapping[str, int],
  num_steps: int,
) -> None:
  """Prints two lines on standard error.

  Args:
    label: names the run.
    run: resumed.
    strategy: that it computes with.
    info: of its data set.
    pictures: how many it learns from, and where they are.
    parameters: how many there are of each kind.
    num_steps: the step that it ends at.
  """
  counts = ', '.join(f'{count:,} {kind}' for kind, count in parameters.items())
  lines = [
    f'{pictures}, {info.num_classes} classes; {counts}; {_devices(strategy)}; '
    f'{run.runtime.precision}',
    _where(run, num_steps),
  ]
  for line in lines:
    print(f'{label}: {line}', file=sys.stderr, flush=True)


def pictures_of(info: datasets.DatasetInfo, split: str) -> str:
  """Returns what a training learns from."""
  return f'{info.split(split).num_examples} pictures of {split}'


def pictures_of_halves(info: datasets.DatasetInfo, split: str) -> str:
  """Returns what a search learns from; A has one more of an odd number."""
  of_b = info.split(split).num_examples // 2
  of_a = info.split(split).num_examples - of_b
  return f'{of_a} pictures in half A of {split} and {of_b} in half B'


def _devices(strategy: tf.distribute.Strategy) -> str:
  """Returns the number of replicas, and the devices of those here."""
  replicas = strategy.num_replicas_in_sync
  here = strategy.extended.worker_devices
  names = (name.rpartition('/')[2].removeprefix('device:') for name in here)
  devices = ', '.join(names).upper()
  where = f'on {devices}' if replicas == len(here) else f'here on {devices}'
  return f'{replicas} {"replica" if replicas == 1 else "replicas"} {where}'


def _where(run: run_lib.Run, num_steps: int) -> str:
  step, checkpoint = run.step, run.checkpoint
  if checkpoint is None:
    weights = f', with the weights of {run.beginning}' if run.beginning else ''
    return f'begins at step {step} of {num_steps}{weights}'
  if step >= num_steps:
    return f'all of its {num_steps} steps are made ({checkpoint})'
  return f'goes on from step {step} ({checkpoint}), {num_steps - step} to go'
