# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What Prometheus asks for, as its text format wants it."""

import bisect
import collections
from collections.abc import Iterator
import os
from pathlib import Path

_PREFIX = 'auto_deeplab'
# Upper ends of the histogram, in seconds.
_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'


class Metrics:
  """Counts requests, by protocol and by status; both are few, and ours."""

  def __init__(self):
    self._requests: collections.Counter[tuple[str, str]] = collections.Counter()
    # The last is of what is slower than all bounds.
    self._buckets: dict[str, list[int]] = {}
    self._seconds: dict[str, float] = collections.defaultdict(float)

  def observe(self, protocol: str, status: str, seconds: float) -> None:
    """Counts a request that was answered.

    Args:
      protocol: that it came by.
      status: of the answer.
      seconds: from its head to its answer.
    """
    self._requests[protocol, status] += 1
    buckets = self._buckets.setdefault(protocol, [0] * (len(_BOUNDS) + 1))
    buckets[bisect.bisect_left(_BOUNDS, seconds)] += 1
    self._seconds[protocol] += seconds

  def text(self, pending: int) -> str:
    """Returns all, with the number of requests that are being answered."""
    return '\n'.join([*self._lines(pending), ''])

  def _lines(self, pending: int) -> Iterator[str]:
    name = f'{_PREFIX}_requests_total'
    yield from _head(name, 'counter', 'Requests that were answered.')
    for (protocol, status), count in sorted(self._requests.items()):
      yield f'{name}{{protocol="{protocol}",status="{status}"}} {count}'
    name = f'{_PREFIX}_request_seconds'
    yield from _head(name, 'histogram', 'From the head of it to its answer.')
    for protocol, buckets in sorted(self._buckets.items()):
      total = 0
      for bound, count in zip((*_BOUNDS, '+Inf'), buckets, strict=True):
        total += count
        yield f'{name}_bucket{{protocol="{protocol}",le="{bound}"}} {total}'
      yield f'{name}_sum{{protocol="{protocol}"}} {self._seconds[protocol]:.6f}'
      yield f'{name}_count{{protocol="{protocol}"}} {total}'
    name = f'{_PREFIX}_requests_pending'
    yield from _head(name, 'gauge', 'Requests that hold a place.')
    yield f'{name} {pending}'
    name = 'process_resident_memory_bytes'
    yield from _head(name, 'gauge', 'Resident memory.')
    yield f'{name} {_resident_bytes()}'


def _head(name: str, kind: str, meaning: str) -> list[str]:
  return [f'# HELP {name} {meaning}', f'# TYPE {name} {kind}']


def _resident_bytes() -> int:
  pages = Path('/proc/self/statm').read_text().split()[1]
  return int(pages) * os.sysconf('SC_PAGE_SIZE')
