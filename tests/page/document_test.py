# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The page is one file that fetches nothing, and shows names as names."""

import base64
import hashlib
import html.parser
import itertools
import os
import pathlib
import re

from PIL import Image
import pytest

from auto_deeplab.page import document, gather
from auto_deeplab.reporting import drawings, svg
from tests import tiny
from tests.page import made

# What a script or a style sheet would be, wherever a page shows a name.
HOSTILE = '<script>alert(1)</script> "\' & $x^ </style>'


class Outline(html.parser.HTMLParser):
  """The elements of a page, and the texts of its headings."""

  def __init__(self, text):
    super().__init__()
    self.tags = []
    self.headings = []
    self._is_heading = False
    self.feed(text)

  def handle_starttag(self, tag, attributes):
    self.tags.append((tag, dict(attributes)))
    self._is_heading = bool(re.fullmatch('h[1-6]', tag))
    if self._is_heading:
      self.headings.append((int(tag[1]), ''))

  def handle_data(self, data):
    if self._is_heading:
      level, text = self.headings[-1]
      self.headings[-1] = level, text + data

  def handle_endtag(self, tag):
    self._is_heading = False


def render(gathered):
  return document.page(gathered.title, document.sections(gathered))


@pytest.fixture(scope='module')
def page(tmp_path_factory):
  out = tmp_path_factory.mktemp('out')
  tiny.write_data(out)
  made.plan(out / 'plan')
  made.search(out / 'search')
  for name in ('train', 'train2'):
    made.training(out / name)
  return render(gather.gather([out]))


def test_it_fetches_nothing(page):
  outside = re.sub(r'data:image/\w+;base64,[\w+/=]+', '', page)
  assert not re.search(r'https?:|@import|url\((?!#)', outside)
  for tag, attributes in Outline(page).tags:
    assert tag not in ('link', 'iframe', 'object', 'base', 'form')
    assert re.match(r'#|data:|$', attributes.get('src') or '')
    assert (attributes.get('href') or '#').startswith('#')


def test_its_own_script_alone_may_run(page):
  scripts = re.findall(r'<script>(.*?)</script>', page, re.DOTALL)
  assert len(scripts) == 1
  digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest())
  policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
  assert f"{policy}script-src 'sha256-{digest.decode()}'" in page
  assert 'innerHTML' not in page


def test_headings_follow_one_another_and_landmarks_are_there(page):
  outline = Outline(page)
  levels = [level for level, _ in outline.headings]
  assert levels[0] == 1
  assert levels.count(1) == 1
  assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
  assert all(text.strip() for _, text in outline.headings)
  tags = [tag for tag, _ in outline.tags]
  assert {'header', 'nav', 'main'} <= {*tags}
  assert tags.count('table') == tags.count('caption')
  assert dict(outline.tags)['html']['lang'] == 'en'


def test_what_is_seen_is_told(page):
  for tag, attributes in Outline(page).tags:
    if tag == 'svg':
      assert attributes['role'] == 'img'
      assert attributes['aria-label']
    if tag == 'img':
      assert attributes['alt']
    if tag == 'input':
      label = f'<label for="{attributes["id"]}">'
      assert label in page


def test_what_is_named_is_there_once(page):
  outline = Outline(page)
  ids = [a['id'] for _, a in outline.tags if 'id' in a]
  assert len(set(ids)) == len(ids)
  links = [a['href'][1:] for t, a in outline.tags if t == 'a']
  assert {*links} <= {*ids}
  for key in ('aria-labelledby', 'aria-describedby', 'data-frames', 'for'):
    named = [a[key] for _, a in outline.tags if key in a]
    assert {*named} <= {*ids}


def test_colours_are_there_in_both_schemes(page):
  used = set(re.findall(r'var\((--c-\w+)\)', page))
  light, dark = page.split('@media screen and (prefers-color-scheme: dark)')[:2]
  for text in (light, dark[: dark.index('}')]):
    assert used <= set(re.findall(r'(--c-\w+):', text))


def test_texts_stand_out_from_their_ground_in_both_schemes():
  path = pathlib.Path(document.__file__).with_name('document.css')
  light, dark = (
    dict(re.findall(r'--([\w-]+): (#[0-9a-f]{6})', block))
    for block in re.findall(r':root \{(.*?)\}', path.read_text(), re.DOTALL)
  )
  for colors in (light, light | dark):
    for ground in ('ground', 'card', 'note-ground', 'warn-ground'):
      assert svg.contrast(colors['ink'], colors[ground]) >= 4.5
    for ground in ('ground', 'card'):
      for text in ('soft', 'accent'):
        assert svg.contrast(colors[text], colors[ground]) >= 4.5


def test_a_hostile_name_is_a_name(tmp_path):
  folder = tmp_path / "<img src=x onerror=alert(1)> '"
  names = (HOSTILE, 'a\u202eb', 'c\x00d', '$')
  run = made.training(folder, names)
  (run / 'config.gin').write_text(f'# TrainConfig.{HOSTILE}')
  text = render(gather.gather([run]))
  tags = Outline(text).tags
  assert [tag for tag, _ in tags].count('script') == 1
  assert 'img' not in [tag for tag, _ in tags]
  assert '&lt;script&gt;alert(1)' in text
  assert not any('onerror' in attributes for _, attributes in tags)


def test_equal_pages_are_equal_but_for_their_time(tmp_path):
  run = made.training(tmp_path / 'run')
  gathered = gather.gather([run])
  first, second = (
    re.sub(r'Made on .* UTC', '', render(gathered)) for _ in range(2)
  )
  assert first == second


def test_each_figure_is_written_as_both_files(tmp_path):
  made.search(tmp_path / 'search')
  shown = document.sections(gather.gather([tmp_path / 'search']))
  folder = tmp_path / 'figures'
  number = document.write_figures(shown, folder)
  files = sorted(os.listdir(folder))
  assert len(files) == 2 * number == 14
  assert {'search-lattice.svg', 'search-lattice.png'} <= {*files}
  for path in folder.glob('*.png'):
    with Image.open(path) as image:
      assert image.width > 300
  for path in folder.glob('*.svg'):
    assert '<text' in path.read_text()


def test_a_file_shows_no_edges_of_other_snapshots(tmp_path):
  gathered = gather.gather([made.search(tmp_path / 'search')])
  document.write_figures(document.sections(gathered), tmp_path / 'figures')
  text = (tmp_path / 'figures/search-cell.svg').read_text()
  genotype = gathered.searches[0].snapshots[-1].decode()
  kept = {drawings.edge_key(*e) for e in drawings.cell_edges(genotype)}
  assert set(re.findall(r'id="(edge-[^"]*)"', text)) == kept


def test_figures_of_one_name_are_told_apart(tmp_path):
  for name in ('a b', 'a-b'):
    made.training(tmp_path / name)
  shown = document.sections(gather.gather([tmp_path]))
  document.write_figures(shown, tmp_path / 'figures')
  names = {path.stem for path in pathlib.Path(tmp_path, 'figures').iterdir()}
  assert {'a-b-loss', 'a-b-loss-2'} <= names


def test_the_page_is_written_whole(tmp_path):
  document.write('<p>é', tmp_path / 'new/page.html')
  assert (tmp_path / 'new/page.html').read_text(encoding='utf-8') == '<p>é'
