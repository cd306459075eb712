# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What there is to know of a machine before a recipe is made for it."""

import dataclasses
import os
import pathlib
import time

import tensorflow as tf

_MEMINFO = pathlib.Path('/proc/meminfo')
_CGROUP_LIMIT = pathlib.Path('/sys/fs/cgroup/memory.max')

# Of the convolution that is timed: a 3x3 of so many channels on such a map.
_CHANNELS, _SIDE = 64, 65
_SECONDS = 1.0


@dataclasses.dataclass(frozen=True)
class Machine:
  """A machine in numbers.

  Attributes:
    cores: that this process may use.
    memory_bytes: that can be had.
    rate: multiply-adds a second of a convolution in float32, all cores, or the
      GPU.
    bfloat16_rate: the same in bfloat16.
    gpus: how many there are.
  """

  cores: int
  memory_bytes: int
  rate: float
  bfloat16_rate: float = 0.0
  gpus: int = 0


def measure() -> Machine:
  """Looks at this machine, and times a convolution for some seconds."""
  gpus = tf.config.list_physical_devices('GPU')
  for gpu in gpus:
    # Else this process keeps the memory that what it tries is to have.
    tf.config.experimental.set_memory_growth(gpu, True)
  return Machine(
    cores=len(os.sched_getaffinity(0)),
    memory_bytes=available_bytes(),
    rate=_convolution_rate(tf.float32),
    bfloat16_rate=_convolution_rate(tf.bfloat16),
    gpus=len(gpus),
  )


def available_bytes(
  meminfo: pathlib.Path = _MEMINFO, limit: pathlib.Path = _CGROUP_LIMIT
) -> int:
  """Returns the memory that is free, or that a container may have."""
  lines = dict(line.split(':') for line in meminfo.read_text().splitlines())
  free = int(lines['MemAvailable'].split()[0]) * 1024
  text = limit.read_text().strip() if limit.exists() else 'max'
  return free if text == 'max' else min(free, int(text))


def _convolution_rate(dtype: tf.DType) -> float:
  """Returns multiply-adds a second, with tracing left out."""
  maps = tf.ones([4, _SIDE, _SIDE, _CHANNELS], dtype)
  kernel = tf.ones([3, 3, _CHANNELS, _CHANNELS], dtype)
  convolve = tf.function(lambda: tf.nn.conv2d(maps, kernel, 1, 'SAME'))
  convolve().numpy()
  begin, number = time.monotonic(), 0
  while time.monotonic() - begin < _SECONDS:
    convolve().numpy()
    number += 1
  seconds = time.monotonic() - begin
  return number * 4 * _SIDE**2 * 9 * _CHANNELS**2 / seconds
