# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, by the protocol of its developer tools."""

import asyncio
import base64
import contextlib
import itertools
import json
import pathlib
import re
import shutil
import subprocess
from typing import Any
import urllib.request

from tornado import websocket

CHROMIUM = shutil.which('chromium') or shutil.which('google-chrome')
SECONDS = 60


class Tab:
  """A page of the browser.

  Attributes:
    events: what the browser has told of it, as far as it was asked to.
  """

  def __init__(self, connection: websocket.WebSocketClientConnection):
    self._connection = connection
    self._numbers = itertools.count(1)
    self.events: list[dict[str, Any]] = []

  async def call(self, method: str, **parameters):
    number = next(self._numbers)
    message = {'id': number, 'method': method, 'params': parameters}
    await self._connection.write_message(json.dumps(message))
    while answer := await self._connection.read_message():
      found = json.loads(answer)
      if found.get('id') == number:
        assert 'result' in found, found
        return found['result']
      self.events.append(found)
    raise ConnectionError('the browser ended.')

  async def evaluate(self, script: str):
    found = await self.call(
      'Runtime.evaluate', expression=script, returnByValue=True
    )
    assert 'exceptionDetails' not in found, found
    return found['result'].get('value')

  async def until(self, script: str, pattern: str) -> None:
    """Waits until what a script returns matches."""
    found = None
    for _ in range(10 * SECONDS):
      found = await self.evaluate(script)
      if re.fullmatch(pattern, str(found)):
        return
      await asyncio.sleep(0.1)
    raise TimeoutError(f'{script} is {found}')

  async def screenshot(self, width: int, scheme: str) -> bytes:
    """Returns a PNG of the whole page, at a width, light or dark."""
    features = [{'name': 'prefers-color-scheme', 'value': scheme}]
    await self.call('Emulation.setEmulatedMedia', features=features)
    await self.call(
      'Emulation.setDeviceMetricsOverride',
      width=width,
      height=900,
      deviceScaleFactor=1,
      mobile=width < 600,
    )
    found = await self.call(
      'Page.captureScreenshot', captureBeyondViewport=True
    )
    return base64.b64decode(found['data'])


@contextlib.asynccontextmanager
async def opened(url: str, folder: pathlib.Path):
  """Gives a tab that shows a page; `folder` is the browser's own."""
  assert CHROMIUM
  browser = subprocess.Popen(
    [
      *(CHROMIUM, '--headless=new', '--no-sandbox', '--disable-gpu'),
      *('--remote-debugging-port=0', f'--user-data-dir={folder}', url),
    ],
    stderr=subprocess.PIPE,
    text=True,
  )
  try:
    assert browser.stderr
    lines = iter(browser.stderr.readline, '')
    pattern = re.compile(r'DevTools listening on ws://([^/]+)/')
    host = next(m[1] for line in lines if (m := pattern.match(line)))
    for _ in range(SECONDS):
      with urllib.request.urlopen(f'http://{host}/json') as response:
        tabs = [t for t in json.load(response) if t['url'] == url]
      if tabs:
        break
      await asyncio.sleep(1)
    yield Tab(
      await websocket.websocket_connect(
        tabs[0]['webSocketDebuggerUrl'], max_message_size=2**28
      )
    )
  finally:
    browser.kill()
    browser.communicate()
