# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How long a run took, by what it wrote for TensorBoard.

`metrics.jsonl` has no times: its rows are the same whenever a run is resumed.
"""

from collections.abc import Iterator
import dataclasses
import os
import pathlib

import numpy as np
import tensorflow as tf

_RATE = 'steps_per_second'


@dataclasses.dataclass(frozen=True)
class Timing:
  """What a run took.

  Attributes:
    seconds: of wall clock, over all times that it ran; 0 where nothing tells.
    rates: (step, steps a second) of each loop.
  """

  seconds: float = 0.0
  rates: tuple[tuple[int, float], ...] = ()

  @property
  def usual_rate(self) -> float | None:
    """Steps a second, the median over the loops."""
    rates = [rate for _, rate in self.rates]
    return float(np.median(rates)) if rates else None


def of_run(summaries: str | os.PathLike[str]) -> Timing:
  """Reads the files of a run; those of its evaluations are not needed.

  Args:
    summaries: `RUN/summaries`; nothing is known where there is none.
  """
  seconds, rates = 0.0, {}
  for path in sorted(pathlib.Path(summaries).glob('events.out.tfevents.*')):
    times = []
    for event in _events(path):
      times.append(event.wall_time)
      for value in event.summary.value:
        if value.tag == _RATE:
          rates[int(event.step)] = float(tf.make_ndarray(value.tensor))
    if times:
      seconds += max(times) - min(times)
  return Timing(seconds, tuple(sorted(rates.items())))


def _events(path: pathlib.Path) -> Iterator[tf.compat.v1.Event]:
  """Yields the events of a file up to where it was cut short, if it was."""
  try:
    for record in tf.data.TFRecordDataset(str(path)):
      yield tf.compat.v1.Event.FromString(record.numpy())
  except tf.errors.DataLossError:
    return
