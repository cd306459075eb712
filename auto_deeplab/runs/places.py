# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Where a run reads, writes and computes."""

import dataclasses

from auto_deeplab.runs import initialization


@dataclasses.dataclass(frozen=True)
class Place:
  """What the flags of a tool say, and no recipe does.

  Attributes:
    data_dir: folder of a data set's TFRecords.
    run_dir: folder of the run.
    distribution: one of `distribution.STRATEGIES`.
    tpu_address: of the TPU, for 'tpu' alone.
    train_split: split that is trained on.
    eval_split: split that a training is evaluated on; never seen by a search.
    start: what a training begins with.
    skip_damaged_checkpoints: whether a resumed run may take an older checkpoint
      where the newest is damaged.
    allow_config_change: whether it may take another configuration.
  """

  data_dir: str
  run_dir: str
  distribution: str = 'one_device'
  tpu_address: str | None = None
  train_split: str = 'train'
  eval_split: str = 'val'
  start: initialization.Start = dataclasses.field(
    default_factory=initialization.Start
  )
  skip_damaged_checkpoints: bool = False
  allow_config_change: bool = False
