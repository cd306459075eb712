# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""What a search takes for showing how it does.

  python -m benchmarks.snapshots --data_dir=runs/demo/data

Searches by a recipe in this process, in a run folder of its own, and counts the
CPU-seconds of the snapshots (files, rows, scores of the probe, curvature) and
of all steps with them. What is traced before the first step is in neither.
Columns:

  steps      of the search
  cpu_s      of the search from its first step to its end
  traced_s   of the longest snapshot, the first, which traces the probe
  share      of the snapshots but that one, in the search without it
  with_trace the same with it
"""

from collections.abc import Callable, Sequence
import functools
import tempfile
import time
from unittest import mock

from absl import app, flags

from auto_deeplab import configs
from auto_deeplab.experiments import search, snapshots
from auto_deeplab.runs import outer_loop
from auto_deeplab.runs import run as run_lib
from benchmarks import measure

FLAGS = flags.FLAGS
flags.DEFINE_string('data_dir', None, 'Data set.', required=True)
flags.DEFINE_string('recipe', 'demo_search', 'Of the search.')
flags.DEFINE_multi_string('settings', [], 'Bindings that are stronger.')
flags.DEFINE_boolean('json', False, 'Print JSON.')


def measure_search(run_dir: str) -> dict[str, float]:
  """Searches once, and returns the columns."""
  config = configs.load(
    configs.SearchExperiment, [FLAGS.recipe], FLAGS.settings
  )
  seconds: dict[str, list[float]] = {'snapshot': [], 'loop': []}
  snapshot = _timed(snapshots.Snapshots.__call__, seconds['snapshot'])
  loop = _timed(outer_loop.run, seconds['loop'])
  with (
    mock.patch.object(snapshots.Snapshots, '__call__', snapshot),
    mock.patch.object(outer_loop, 'run', loop),
  ):
    search.run(config, run_lib.Place(FLAGS.data_dir, run_dir))
  (total,) = seconds['loop']
  traced = max(seconds['snapshot'])
  shown = sum(seconds['snapshot'])
  return {
    'steps': config.schedule.train_steps,
    'cpu_s': total,
    'traced_s': traced,
    'share': (shown - traced) / (total - traced),
    'with_trace': shown / total,
  }


def _timed(function: Callable, into: list[float]) -> Callable:
  """Returns the function, which then notes its CPU-seconds."""

  @functools.wraps(function)
  def timed(*args, **kwargs):
    start = time.process_time()
    try:
      return function(*args, **kwargs)
    finally:
      into.append(time.process_time() - start)

  return timed


def main(argv: Sequence[str]) -> None:
  del argv
  with tempfile.TemporaryDirectory() as run_dir:
    measure.report([measure_search(run_dir)], as_json=FLAGS.json)


if __name__ == '__main__':
  app.run(main)
