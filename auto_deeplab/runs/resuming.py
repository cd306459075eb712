# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run does before it reads anything of its folder."""

from collections.abc import Iterator, Mapping
import contextlib

import tensorflow as tf

from auto_deeplab.runs import checkpoints, run_folder, run_lock
from auto_deeplab.training import cluster, distribution


@contextlib.contextmanager
def holding(
  folder: run_folder.RunFolder,
  strategy: tf.distribute.Strategy,
  definition: Mapping[str, str],
  skip_damaged: bool,
) -> Iterator[None]:
  """Holds the folder's lock, with a newest checkpoint that can be read.

  Args:
    folder: of this worker. Each locks its own; the first one sees to the
      checkpoints, while the others wait.
    strategy: of all workers.
    definition: contents of the files that define the run, by name.
    skip_damaged: see `checkpoints.require_whole`.

  Raises:
    ValueError: another process holds it, the newest checkpoint is damaged, or
      the workers differ in what defines the run or in its newest checkpoint.
    ConnectionError: another worker was lost, here or within.
  """
  with run_lock.holding(folder.lock), cluster.naming_lost_workers(strategy):
    if folder.saves == folder.checkpoints:
      checkpoints.require_whole(folder.checkpoints, skip_damaged)
    distribution.sum_over_workers(strategy, 0.0)
    newest = str(checkpoints.newest_step(folder.checkpoints))
    cluster.require_agreement(
      strategy, {**definition, 'newest checkpoint': newest}
    )
    yield
