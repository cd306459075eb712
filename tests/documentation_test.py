# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What README, docs, recipes and help name is there: files, flags, settings."""

import dataclasses
import re

import pytest

from auto_deeplab import configs
from tests import import_graph, pages

_ROOT = import_graph.ROOT
_TEXTS = sorted(
  path.relative_to(_ROOT).as_posix()
  for pattern in (
    '*.md',
    'docs/*.md',
    'gin_configs/*.gin',
    'auto_deeplab/cli/verbs/*.py',
  )
  for path in _ROOT.glob(pattern)
)
_LINK = re.compile(r'\]\((?!https?:)([^)#]*)#?([^)]*)\)')
_COMMAND = re.compile(r'auto-deeplab (\w+)((?: +[^|<\s]\S*)*)')
_FLAG = re.compile(r'--(\w+)')
_RECIPE = re.compile(r'gin_configs/\w+\.gin')
_TARGET = re.compile(r'(?:^|`)make ([a-z][a-z-]*)', re.MULTILINE)
# Of the repository, or of the package.
_FILE = re.compile(r'`([a-z_]+/[\w/]+\.(?:py|gin))`')
# What a page has the reader write.
_TO_BE_WRITTEN = {'auto_deeplab/data/sources/weeds.py'}
_SETTING = re.compile(r'\b(\w+Config)\.(\w+)')


@pytest.fixture(params=_TEXTS)
def text(request) -> str:
  """A text with its comment signs and broken lines undone."""
  lines = (_ROOT / request.param).read_text(encoding='utf-8')
  lines = re.sub(r'^# ?', '', lines, flags=re.MULTILINE)
  return re.sub(r'\\\n *', '', lines)


@pytest.mark.parametrize('page', pages.PAGES)
def test_links_lead_to_files_and_headings(page):
  text = pages.without_code(pages.read(page))
  broken = []
  for path, anchor in _LINK.findall(text):
    target = (_ROOT / page).parent / path if path else _ROOT / page
    if not target.exists() or (
      anchor and anchor not in pages.anchors(target.read_text())
    ):
      broken.append(f'{path}#{anchor}')
  assert broken == []


@pytest.mark.parametrize('page', pages.PAGES)
def test_named_links_are_given(page):
  text = pages.without_code(pages.read(page))
  used = set(re.findall(r'\]\[([^\]]+)\]', text))
  assert used == set(re.findall(r'^\[([^\]]+)\]: https://', text, re.MULTILINE))


def test_files_that_are_named_are_there(text):
  missing = [
    file
    for file in _FILE.findall(text)
    if file not in _TO_BE_WRITTEN
    and not (_ROOT / file).exists()
    and not (_ROOT / 'auto_deeplab' / file).exists()
  ]
  assert missing == []


def test_commands_name_verbs_and_flags_that_exist(text):
  unknown = []
  for name, arguments in _COMMAND.findall(pages.as_commands(text)):
    flags = pages.flags(name)
    unknown += [
      f'{name} --{flag}'
      for flag in _FLAG.findall(arguments)
      if flag not in flags
    ]
  assert unknown == []


def test_recipes_exist(text):
  assert [r for r in _RECIPE.findall(text) if not (_ROOT / r).is_file()] == []


def test_make_targets_exist(text):
  makefile = (_ROOT / 'Makefile').read_text(encoding='utf-8')
  targets = set(re.findall(r'^([a-z-]+):', makefile, re.MULTILINE))
  assert set(_TARGET.findall(text)) <= targets


def test_settings_exist(text):
  unknown = []
  for config, field in _SETTING.findall(text):
    fields = {f.name for f in dataclasses.fields(getattr(configs, config))}
    if field not in fields:
      unknown.append(f'{config}.{field}')
  assert unknown == []


def test_the_readme_is_read_to_its_end():
  # What is longer belongs in docs/, and the readme says where.
  readme = (_ROOT / 'README.md').read_text(encoding='utf-8')
  assert len(readme.splitlines()) <= 200


def test_the_readme_leads_to_every_page():
  readme = (_ROOT / 'README.md').read_text(encoding='utf-8')
  linked = {path for path, _ in _LINK.findall(readme)}
  # Sphinx's own first page, and what it takes from the root.
  others = {'index.md', 'changelog.md', 'contributing.md'}
  names = {path.name for path in _ROOT.glob('docs/*.md')} - others
  assert {f'docs/{name}' for name in names} <= linked


def test_the_tables_of_the_readme_name_every_tool_and_recipe():
  readme = (_ROOT / 'README.md').read_text(encoding='utf-8')
  chain = ('search', 'decode', 'train', 'evaluate', 'export', 'predict')
  for tool in ('build_tfrecords', *chain):
    assert f'| `{tool}.py` |' in readme
  for recipe in _ROOT.glob('gin_configs/*.gin'):
    family, size = recipe.stem.rsplit('_', 1)
    assert f'`{family}_' in readme
    assert f'_{size}`' in readme
