# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Processes that share out tasks.

They are started afresh, not forked: a fork of a process that runs TensorFlow
has its locks without the threads that hold them.
"""

from collections.abc import Callable, Iterator, Sequence
import concurrent.futures
from concurrent.futures.process import BrokenProcessPool
import contextlib
import multiprocessing
import os
import signal
import threading
from typing import Any, TypeVar

_Task = TypeVar('_Task')
_Result = TypeVar('_Result')

# How often progress is told.
_POLL_SECONDS = 0.2

# A function tells its progress by it: one more item, or several.
Advance = Callable[[int], None]


class Workers:
  """So many processes; one is this process itself.

  Leaving the context stops the tasks that still run, at their next item. The
  processes end with this one, also if it is killed.

  Args:
    num_workers: at least 1.
  """

  def __init__(self, num_workers: int):
    self._executor: concurrent.futures.ProcessPoolExecutor | None = None
    if num_workers > 1:
      context = multiprocessing.get_context('spawn')
      self._num_items = context.Value('q', 0)
      self._stop = context.Event()
      self._executor = concurrent.futures.ProcessPoolExecutor(
        num_workers, context, _start, (self._num_items, self._stop)
      )

  def __enter__(self) -> 'Workers':
    return self

  def __exit__(self, *_: object) -> None:
    if self._executor:
      self._stop.set()
      self._executor.shutdown(cancel_futures=True)

  def run(
    self,
    function: Callable[[_Task, Advance], _Result],
    tasks: Sequence[_Task],
    on_items: Callable[[int], None],
  ) -> Iterator[_Result]:
    """Yields the results in the order in which they come.

    Args:
      function: of a module, for it is sent by its name.
      tasks: what it is called with, one after the other.
      on_items: called now and then with the items that are done so far.

    Raises:
      ChildProcessError: a process was killed; often it was out of memory.
      Exception: what a function raised.
    """
    if self._executor is None:
      return _run_here(function, tasks, on_items)
    return self._run_there(function, tasks, on_items)

  def _run_there(
    self,
    function: Callable[[_Task, Advance], _Result],
    tasks: Sequence[_Task],
    on_items: Callable[[int], None],
  ) -> Iterator[_Result]:
    assert self._executor
    self._num_items.value = 0
    with _holding_back_interrupts():
      futures = [self._executor.submit(_call, function, task) for task in tasks]
    pending = set(futures)
    try:
      while pending:
        done, pending = concurrent.futures.wait(
          pending, _POLL_SECONDS, concurrent.futures.FIRST_COMPLETED
        )
        on_items(self._num_items.value)
        for future in done:
          yield future.result()
    except BrokenProcessPool as e:
      raise ChildProcessError(
        'A worker process was killed, perhaps for want of memory; take a '
        'smaller `num_workers`.'
      ) from e


@contextlib.contextmanager
def _holding_back_interrupts() -> Iterator[None]:
  """Has processes that start meanwhile never hear of Ctrl-C.

  It reaches all processes of a terminal; the first of them decides, and hears
  of it afterwards.
  """
  mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
  # Another thread, of TensorFlow's, may be told of it in the place of this one.
  came: list[int] = []
  handler = None
  if threading.current_thread() is threading.main_thread():
    handler = signal.signal(
      signal.SIGINT, lambda number, _: came.append(number)
    )
  try:
    yield
  finally:
    if handler is not None:
      signal.signal(signal.SIGINT, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if came:
      signal.raise_signal(signal.SIGINT)


def _run_here(
  function: Callable[[_Task, Advance], _Result],
  tasks: Sequence[_Task],
  on_items: Callable[[int], None],
) -> Iterator[_Result]:
  num_items = 0

  def advance(count: int) -> None:
    nonlocal num_items
    num_items += count
    on_items(num_items)

  for task in tasks:
    yield function(task, advance)


# Within a worker -------------------------------------------------------------

# What `_start` was given: the items of all workers, and whether to stop.
_shared: tuple[Any, Any]


class _StoppedError(Exception):
  """Ends a task whose result nobody waits for."""


def _start(num_items: Any, stop: Any) -> None:
  global _shared
  _shared = num_items, stop
  threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
  """Without it, workers of a parent that was killed would stay for good."""
  parent = multiprocessing.parent_process()
  assert parent
  parent.join()
  os._exit(1)


def _call(
  function: Callable[[_Task, Advance], _Result], task: _Task
) -> _Result:
  _advance(0)  # A task or two are sent ahead: stop before they begin.
  return function(task, _advance)


def _advance(count: int) -> None:
  num_items, stop = _shared
  if stop.is_set():
    raise _StoppedError
  with num_items.get_lock():
    num_items.value += count
