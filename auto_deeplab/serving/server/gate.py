# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How many requests are held at once, and for how long."""

import asyncio
from collections.abc import Callable
from concurrent import futures
from typing import TypeVar

from auto_deeplab.configs import ServerConfig
from auto_deeplab.serving.server import errors

_T = TypeVar('_T')


class Gate:
  """Lets requests in, and computes for a few of them at a time.

  Whoever is let in (`enter`) leaves again (`leave`): from its head on, until
  its answer is sent, a request has a place, for it has memory. All but
  `compute`'s function runs in the event loop's thread.

  Attributes:
    pending: requests that are in.
    is_closed: no more are let in.
  """

  def __init__(self, config: ServerConfig):
    self._config = config
    self.pending = 0
    self.is_closed = False
    self._is_empty = asyncio.Event()
    self._is_empty.set()
    self._workers = futures.ThreadPoolExecutor(config.concurrency, 'predict')

  def enter(self) -> None:
    """Takes a place.

    Raises:
      ServingError: there is none, or the server is about to end.
    """
    if self.is_closed:
      raise errors.ServingError(
        errors.Code.UNAVAILABLE, 'the server is about to end.'
      )
    places = self._config.concurrency + self._config.queue_length
    if self.pending >= places:
      raise errors.ServingError(
        errors.Code.RESOURCE_EXHAUSTED,
        f'{places} requests are being answered or wait; try again later.',
      )
    self.pending += 1
    self._is_empty.clear()

  def leave(self) -> None:
    """Gives a place back."""
    self.pending -= 1
    if not self.pending:
      self._is_empty.set()

  async def compute(self, function: Callable[[], _T]) -> _T:
    """Returns what a function returns, called in a thread once one is free.

    Raises:
      ServingError: of the function; or it takes too long. One that waits is
        then not called; one that runs goes on, and its thread is not free.
    """
    called = asyncio.get_running_loop().run_in_executor(self._workers, function)
    seconds = self._config.timeout_seconds
    try:
      return await asyncio.wait_for(called, seconds)
    except TimeoutError as e:
      raise errors.ServingError(
        errors.Code.DEADLINE_EXCEEDED, f'no answer within {seconds:g} seconds.'
      ) from e

  async def drain(self) -> bool:
    """Lets nobody in, and returns whether all left before the time was up."""
    self.is_closed = True
    try:
      await asyncio.wait_for(
        self._is_empty.wait(), self._config.timeout_seconds
      )
    except TimeoutError:
      return False
    finally:
      self._workers.shutdown(wait=False, cancel_futures=True)
    return True
