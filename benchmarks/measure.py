# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: alternating rounds, memory, a printed table.

A benchmark compares what it measures with a limit that it measures beside it,
in turns, for a machine is now faster and now slower. What counts is the ratio.
"""

from collections.abc import Callable, Mapping, Sequence
import functools
import json
import pathlib
import resource
import statistics
import time
from typing import TypeVar

T = TypeVar('T')


def alternating(
  runs: Mapping[str, Callable[[], T]], num_rounds: int
) -> dict[str, list[T]]:
  """Calls each function once a round, in turns; what is first changes.

  Args:
    runs: what to call, by name; once more beforehand, to warm up.
    num_rounds: calls of each that count.

  Returns:
    What each function returned in each round, by name.
  """
  names = list(runs)
  for name in names:
    runs[name]()
  results: dict[str, list[T]] = {name: [] for name in names}
  for number in range(num_rounds):
    for name in names if number % 2 == 0 else names[::-1]:
      results[name].append(runs[name]())
  return results


def alternating_seconds(
  runs: Mapping[str, Callable[[], object]],
  num_rounds: int,
  clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
  """Returns the seconds that each function of `alternating` takes, by name.

  Args:
    runs: what to time, by name.
    num_rounds: calls of each that are timed.
    clock: seconds of the wall, or of the CPU (`time.process_time`), which other
      users of the machine disturb less.
  """

  def seconds(run: Callable[[], object]) -> float:
    start = clock()
    run()
    return clock() - start

  timed = {k: functools.partial(seconds, run) for k, run in runs.items()}
  return alternating(timed, num_rounds)


def median_ratio(
  numerator: Sequence[float], denominator: Sequence[float]
) -> float:
  """Returns the median over the rounds of the ratio within a round."""
  return statistics.median(
    a / b for a, b in zip(numerator, denominator, strict=True)
  )


def rss_bytes() -> int:
  """Returns the memory that this process has in RAM now (Linux)."""
  pages = int(pathlib.Path('/proc/self/statm').read_text().split()[1])
  return pages * resource.getpagesize()


def peak_rss_bytes(*, of_children: bool = False) -> int:
  """Returns the most memory that this process had in RAM at once (Linux).

  Args:
    of_children: of the largest child process that has ended, instead.
  """
  who = resource.RUSAGE_CHILDREN if of_children else resource.RUSAGE_SELF
  return resource.getrusage(who).ru_maxrss * 1024


def report(rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
  """Prints rows, all of the same keys, as JSON or as a table."""
  if as_json:
    print(json.dumps(list(rows), indent=1))
    return
  lines = [list(rows[0]), *([_cell(v) for v in row.values()] for row in rows)]
  widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
  for line in lines:
    print('  '.join(f'{c:>{w}}' for c, w in zip(line, widths, strict=True)))


def _cell(value: object) -> str:
  return f'{value:.4g}' if isinstance(value, float) else str(value)
