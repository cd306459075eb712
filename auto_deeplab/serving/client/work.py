# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Reading and writing beside what computes."""

from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
import itertools
from typing import Any, TypeVar

_Item = TypeVar('_Item')


def in_turns(
  items: Sequence[_Item],
  read: Callable[[_Item], Any],
  compute: Callable[[_Item, Any], Any],
  write: Callable[[_Item, Any, Any], object],
  is_large: Callable[[Any], bool] = lambda content: False,
) -> Iterator[ValueError | None]:
  """Does three things to each item, in three threads, in order.

  While one is computed, in the thread of whoever iterates, the next is read and
  the one before written: of each kind one, so that few are in memory.

  Args:
    items: what to go through.
    read: returns what `compute` is given, besides the item. Of a `ValueError`
      the item is left out.
    compute: returns what `write` is given, besides both. Likewise.
    write: any error of it ends all.
    is_large: of what was read, whether it is computed only once the one before
      is written.

  Yields:
    None for each item that was computed, or why it was left out. At the end
    all are written.
  """
  with (
    futures.ThreadPoolExecutor(1, 'read') as reader,
    futures.ThreadPoolExecutor(1, 'write') as writer,
  ):
    written: futures.Future[Any] = writer.submit(bool)
    reading = [reader.submit(read, item) for item in items[:1]]
    for item, following in itertools.zip_longest(items, items[1:]):
      content, error = _attempt(reading.pop().result)
      if following is not None:
        reading.append(reader.submit(read, following))
      if error is None:
        if is_large(content):
          written.result()
        computed, error = _attempt(compute, item, content)
      if error is None:
        written.result()
        written = writer.submit(write, item, content, computed)
      content = computed = None  # The next may be large.
      yield error
    written.result()


def _attempt(
  function: Callable[..., Any], *arguments: Any
) -> tuple[Any, ValueError | None]:
  """Returns what a function returns, or why it does not."""
  try:
    return function(*arguments), None
  except ValueError as e:
    return None, e
