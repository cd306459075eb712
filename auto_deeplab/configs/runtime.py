# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How a run computes and what it leaves behind."""

import dataclasses

from auto_deeplab.configs import rules

PRECISIONS = ('float32', 'mixed_bfloat16', 'mixed_float16')
# What `training.distribution` makes of the machines that there are.
STRATEGIES = ('one_device', 'mirrored', 'multi_worker', 'tpu')


@dataclasses.dataclass(frozen=True)
class RuntimeConfig:
  """How a run computes and what it leaves behind.

  Attributes:
    seed: integer; initial weights, data order, augmentation, the A/B halves
      and drop path all follow from it.
    precision: one of `PRECISIONS`, a Keras mixed-precision policy. Batch norm
      statistics, softmax and loss stay float32.
    steps_per_loop: steps between two host visits (logs, checks for NaN).
    checkpoint_interval: steps between two checkpoints; a multiple of
      `steps_per_loop`.
    checkpoints_to_keep: number of newest checkpoints kept.
    synchronized_batch_norm: whether batch norm sums statistics over replicas.
    use_xla: compile the network's forward and backward pass by XLA. Of no use
      on CPUs, where its convolutions are slower than TensorFlow's own, and
      untried on GPUs. A search is too large for it: of 4 layers (B=5, F=8) on
      two cores, its first step was not ready after 4 minutes, which takes 8 s
      without. Not together with `synchronized_batch_norm`.
    deterministic: have a search or a training compute the same bits each time,
      on GPUs as well (TensorFlow's op determinism). Needless on CPUs. It costs
      speed there, and an operation of which TensorFlow has no such kernel ends
      the run with an error, as XLA's gradient of max pooling does. It holds for
      the whole process, and overrides `InputConfig.deterministic`.
  """

  seed: int = 0
  precision: str = 'float32'
  steps_per_loop: int = 100
  checkpoint_interval: int = 1000
  checkpoints_to_keep: int = 3
  synchronized_batch_norm: bool = False
  use_xla: bool = False
  deterministic: bool = False

  def __post_init__(self):
    rules.require_types(self)
    rules.require_non_negative(self, 'seed')
    rules.require(
      self.precision in PRECISIONS, self, 'precision', f'one of {PRECISIONS}'
    )
    rules.require_positive(
      self, 'steps_per_loop', 'checkpoint_interval', 'checkpoints_to_keep'
    )
    rules.require(
      self.checkpoint_interval % self.steps_per_loop == 0,
      self,
      'checkpoint_interval',
      f'a multiple of `steps_per_loop` ({self.steps_per_loop})',
    )
    rules.require(
      not (self.use_xla and self.synchronized_batch_norm),
      self,
      'use_xla',
      'False where `synchronized_batch_norm` is True',
    )
