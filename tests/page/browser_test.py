# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The page in a browser: the slider works, nothing is fetched or complained."""

import asyncio
import io

import numpy as np
from PIL import Image
import pytest

from auto_deeplab.architecture import decode, lattice, primitives
from auto_deeplab.page import document, gather
from auto_deeplab.reporting import drawings
from tests import browser
from tests.page import made

pytestmark = pytest.mark.skipif(
  not browser.CHROMIUM, reason='there is no Chromium'
)

_MOVE = """
(() => {
  const slider = document.querySelector('input[type=range]');
  slider.value = %d;
  slider.dispatchEvent(new Event('input'));
  return slider.getAttribute('aria-valuetext');
})()
"""
_PARTS = """[...document.querySelectorAll('.timeline [data-key^="%s-"]')]"""
_NUMBERS = f"""
Object.fromEntries({_PARTS % 'number'}.map(
  (group) => [group.dataset.key, group.querySelector('text').textContent]))
"""
_LABELS = f"""
{_PARTS % 'label'}.map((group) => group.querySelector('text').textContent)
"""
_EDGES = f"""
[...new Set({_PARTS % 'edge'}.filter(
  (group) => getComputedStyle(group).display !== 'none').map(
  (group) => group.dataset.key))]
"""
_OVERFLOW = """
[...document.querySelectorAll('main *')].filter((element) =>
  element.getBoundingClientRect().right > innerWidth + 1 &&
  !element.closest('.scroll')).length
"""
# Whoever looks for a fault in the page finds its messages here.
_EVENTS = ('Runtime', 'Log', 'Network', 'Page')


@pytest.fixture(scope='module')
def gathered(tmp_path_factory):
  out = tmp_path_factory.mktemp('out')
  made.search(out / 'search')
  made.training(out / 'train')
  return gather.gather([out])


@pytest.fixture(scope='module')
def url(gathered, tmp_path_factory):
  path = tmp_path_factory.mktemp('page') / 'report.html'
  html = document.page(gathered.title, document.sections(gathered))
  document.write(html, path)
  return path.as_uri()


def look(url, folder, act):
  """Returns what a coroutine finds in a tab with the page, and its events."""

  async def open_and_act():
    async with browser.opened(url, folder) as tab:
      for domain in _EVENTS:
        await tab.call(f'{domain}.enable')
      await tab.call('Page.reload')
      await tab.until('document.readyState', 'complete')
      found = await act(tab)
      return found, tab.events

  return asyncio.run(open_and_act())


def test_the_slider_sets_lattice_and_cell(url, gathered, tmp_path):
  async def act(tab):
    found = []
    for number in (0, 1, 2):
      told = await tab.evaluate(_MOVE % number)
      scripts = (_NUMBERS, _LABELS, _EDGES)
      found.append((told, *[await tab.evaluate(s) for s in scripts]))
    return found

  found, events = look(url, tmp_path, act)
  snapshots = gathered.searches[0].snapshots
  for shown_at, snapshot in zip(found, snapshots, strict=True):
    told, numbers, labels, edges = shown_at
    assert told.startswith(f'Step {snapshot.step}:')
    probabilities = decode.transition_probabilities(snapshot.betas)
    for t in lattice.transitions(4):
      expected = probabilities[t.column, t.source_level, t.direction]
      shown = float(numbers[drawings.transition_key(t, 'number')])
      assert shown == pytest.approx(expected, abs=0.0056)
    genotype = snapshot.decode()
    kept = {drawings.edge_key(*e) for e in drawings.cell_edges(genotype)}
    assert {*edges} == kept
    operations = [name for block in genotype.cell for _, name in block]
    assert labels == [primitives.get(name).label for name in operations]
  told = [(e['method'], e.get('params')) for e in events]
  assert not [t for t in told if t[0] == 'Runtime.exceptionThrown']
  assert not [t for t in told if t[0] == 'Log.entryAdded']
  assert not [t for t in told if t[0] == 'Runtime.consoleAPICalled']
  requested = {
    p['request']['url'] for m, p in told if m == 'Network.requestWillBeSent'
  }
  assert {u for u in requested if not u.startswith('data:')} <= {url}


@pytest.mark.parametrize('width', [390, 1400])
def test_nothing_is_wider_than_the_screen(url, tmp_path, width):
  async def act(tab):
    picture = await tab.screenshot(width, 'light')
    return picture, await tab.evaluate(_OVERFLOW)

  (picture, number), _ = look(url, tmp_path, act)
  assert number == 0
  with Image.open(io.BytesIO(picture)) as image:
    assert image.width <= width


def test_the_slider_goes_by_the_arrow_keys(url, gathered, tmp_path):
  async def act(tab):
    await tab.evaluate("document.querySelector('input[type=range]').focus()")
    for kind in ('keyDown', 'keyUp'):
      await tab.call(
        'Input.dispatchKeyEvent',
        type=kind,
        key='ArrowLeft',
        windowsVirtualKeyCode=37,
      )
    return await tab.evaluate("document.querySelector('.moment').textContent")

  told, _ = look(url, tmp_path, act)
  assert told.startswith(f'Step {gathered.searches[0].snapshots[-2].step}:')


def test_paper_shows_all_and_is_no_wider_than_itself(url, tmp_path):
  async def act(tab):
    dark = [{'name': 'prefers-color-scheme', 'value': 'dark'}]
    await tab.call('Emulation.setEmulatedMedia', media='print', features=dark)
    await tab.call(
      'Emulation.setDeviceMetricsOverride',
      width=718,  # A4 less usual margins.
      height=1000,
      deviceScaleFactor=1,
      mobile=False,
    )
    await tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    return [
      await tab.evaluate(script)
      for script in (
        'document.documentElement.scrollWidth',
        "[...document.querySelectorAll('details:not([open])')].length",
        'getComputedStyle(document.body).color',
      )
    ]

  (width, closed, color), _ = look(url, tmp_path, act)
  assert width <= 718
  assert closed == 0
  assert color == 'rgb(28, 40, 51)'  # Of the light scheme.


def test_both_schemes_have_their_ground(url, tmp_path):
  async def act(tab):
    return [await tab.screenshot(800, s) for s in ('light', 'dark')]

  pictures, _ = look(url, tmp_path, act)
  light, dark = (
    np.median(np.asarray(Image.open(io.BytesIO(p)).convert('L')))
    for p in pictures
  )
  assert light > 230
  assert dark < 40
