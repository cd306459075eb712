# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The page shows what a dropped picture is made of, and asks nobody else."""

import asyncio
import base64
import contextlib
import hashlib
import pathlib
import re

import pytest
import tensorflow as tf

from auto_deeplab.serving.server import models, page
from tests import browser

# Drops a file, as a hand does.
DROP = """
(() => {
  const bytes = Uint8Array.from(atob('%s'), (c) => c.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], '%s', {type: 'image/png'}));
  document.dispatchEvent(new DragEvent('drop', {dataTransfer: data}));
})()
"""
STATUS = "document.getElementById('status').innerText"
ROWS = """
[...document.querySelectorAll('#legend tr')].map((row) =>
  [row.cells[0].firstChild.style.background, row.cells[1].textContent,
   row.cells[3].textContent])
"""
# With the colours alone.
PIXELS = """
(() => {
  const alpha = document.getElementById('alpha');
  alpha.value = 100;
  alpha.dispatchEvent(new Event('input'));
  const canvas = document.getElementById('canvas');
  const image = canvas.getContext('2d').getImageData(
    0, 0, canvas.width, canvas.height);
  return [canvas.width, canvas.height, [...image.data]];
})()
"""


def test_the_page_fetches_nothing_and_runs_its_own_script_alone():
  text, policy = page.render(models.Place(pathlib.Path(), 'demo', 3))
  assert '<title>demo</title>' in text
  assert 'version 3' in text
  assert not re.search(r'https?:|src=|href=|@import|url\(', text)
  assert 'innerHTML' not in text
  (script,) = re.findall(r'<script>(.*?)</script>', text, re.DOTALL)
  digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
  assert f"script-src 'sha256-{digest}'" in policy
  assert policy.startswith("default-src 'none'; ")


def test_a_name_is_escaped():
  text, _ = page.render(models.Place(pathlib.Path(), '<b>', 1))
  assert '<b>' not in text


def test_the_server_gives_the_page(server):
  connection = server.connect()
  with contextlib.closing(connection):
    connection.request('GET', '/')
    response = connection.getresponse()
    text, policy = page.render(models.Place(pathlib.Path(), 'tiny', 1))
    assert response.read().decode() == text
    assert response.getheader('Content-Security-Policy') == policy
    assert response.getheader('Content-Type') == 'text/html; charset=utf-8'


@pytest.mark.skipif(not browser.CHROMIUM, reason='there is no Chromium')
def test_a_dropped_picture_is_shown_with_its_classes(
  server, model_dir, png, tmp_path
):
  async def look():
    url = f'http://localhost:{server.port}/'
    async with browser.opened(url, tmp_path) as tab:
      await tab.until('typeof take', 'function')
      await tab.evaluate(DROP % (base64.b64encode(png).decode(), 'a.png'))
      await tab.until(STATUS, r'a\.png: 33 x 24, \d+\.\d s')
      found = await tab.evaluate(ROWS), await tab.evaluate(PIXELS)
      await tab.evaluate(DROP % ('AAAA', '<b>.png'))
      await tab.until(STATUS, r'<b>\.png: neither a JPEG nor a PNG\.')
      return found

  rows, (width, height, pixels) = asyncio.run(look())
  model = tf.saved_model.load(str(model_dir))
  outputs = model.signatures['segment'](image_bytes=tf.constant([png]))
  names = [name.decode() for name in outputs['class_names'][0].numpy()]
  counts = outputs['class_pixels'][0].numpy().tolist()
  colors = outputs['colors'][0].numpy().tolist()
  expected = [
    [f'rgb({", ".join(map(str, color))})', name, str(count)]
    for count, name, color in zip(counts, names, colors, strict=True)
    if count
  ]
  assert sorted(rows) == sorted(expected)
  areas = [int(row[2]) for row in rows]
  assert areas == sorted(areas, reverse=True)
  assert (width, height) == (33, 24)
  labels = tf.io.decode_png(outputs['label_png_bytes'][0])[..., 0].numpy()
  assert pixels == [
    value for label in labels.ravel() for value in (*colors[label], 255)
  ]
