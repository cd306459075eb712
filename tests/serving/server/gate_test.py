# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The gate holds no more than it has places for, and nothing for too long."""

import asyncio
import threading
import time

import pytest

from auto_deeplab import configs
from auto_deeplab.serving.server import errors, gate


def test_what_takes_too_long_is_told_so_and_what_waits_is_not_begun():
  config = configs.ServerConfig(concurrency=1, timeout_seconds=0.2)
  release = threading.Event()
  begun = []

  async def run():
    house = gate.Gate(config)
    slow = asyncio.create_task(house.compute(release.wait))
    await asyncio.sleep(0.05)
    waiting = asyncio.create_task(house.compute(lambda: begun.append(1)))
    for task in (slow, waiting):
      with pytest.raises(
        errors.ServingError, match=r'^no answer within 0\.2 seconds\.$'
      ) as caught:
        await task
      assert caught.value.code is errors.Code.DEADLINE_EXCEEDED
    release.set()
    assert await house.compute(lambda: 7) == 7

  asyncio.run(run())
  assert begun == []


def test_draining_waits_for_those_within_but_not_for_ever():
  config = configs.ServerConfig(timeout_seconds=0.2)

  async def run():
    house = gate.Gate(config)
    house.enter()
    asyncio.get_running_loop().call_later(0.05, house.leave)
    assert await house.drain()
    with pytest.raises(errors.ServingError, match=r'^the server is about to'):
      house.enter()
    house = gate.Gate(config)
    house.enter()
    began = time.monotonic()
    assert not await house.drain()
    assert time.monotonic() - began < 5

  asyncio.run(run())
