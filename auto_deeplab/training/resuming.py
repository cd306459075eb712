# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run does before it reads anything of its folder."""

from collections.abc import Iterator
import contextlib

import tensorflow as tf

from auto_deeplab.training import (
  checkpoints,
  distribution,
  run_folder,
  run_lock,
)


@contextlib.contextmanager
def holding(
  folder: run_folder.RunFolder,
  strategy: tf.distribute.Strategy,
  skip_damaged: bool,
) -> Iterator[None]:
  """Holds the folder's lock, with a newest checkpoint that can be read.

  Args:
    folder: of this worker. Each locks its own; the first one sees to the
      checkpoints, while the others wait.
    strategy: of all workers.
    skip_damaged: see `checkpoints.require_whole`.

  Raises:
    ValueError: another process holds it, or the newest checkpoint is damaged.
  """
  with run_lock.holding(folder.lock):
    if folder.saves == folder.checkpoints:
      checkpoints.require_whole(folder.checkpoints, skip_damaged)
    distribution.sum_over_workers(strategy, 0.0)
    yield
