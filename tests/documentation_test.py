# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What README, docs and recipes name is there: files, flags, settings."""

import ast
import dataclasses
import pathlib
import re

import pytest

from auto_deeplab import configs
from tests import import_graph

_ROOT = import_graph.ROOT
_TEXTS = sorted(
  path.relative_to(_ROOT).as_posix()
  for pattern in ('*.md', 'docs/*.md', 'gin_configs/*.gin')
  for path in _ROOT.glob(pattern)
)
_LINK = re.compile(r'\]\((?!https?:)([^)#]+)')
_COMMAND = re.compile(r'python tools/(\w+)\.py((?: +[^|<\s]\S*)*)')
_FLAG = re.compile(r'--(\w+)')
_RECIPE = re.compile(r'gin_configs/\w+\.gin')
_TARGET = re.compile(r'(?:^|`)make ([a-z][a-z-]*)', re.MULTILINE)
_SETTING = re.compile(r'\b(\w+Config)\.(\w+)')


@pytest.fixture(params=_TEXTS)
def text(request) -> str:
  """A text with its comment signs and broken lines undone."""
  lines = (_ROOT / request.param).read_text(encoding='utf-8')
  lines = re.sub(r'^# ?', '', lines, flags=re.MULTILINE)
  return re.sub(r'\\\n *', '', lines)


def _flags(tool: pathlib.Path) -> set[str]:
  """Flags that a tool or a neighbour that it imports defines."""
  tree = ast.parse(tool.read_text(encoding='utf-8'))
  names: set[str] = set()
  for node in ast.walk(tree):
    if isinstance(node, ast.Call) and '.DEFINE_' in ast.unparse(node.func):
      names.add(ast.literal_eval(node.args[0]))
    if isinstance(node, ast.Import):
      neighbours = [tool.with_name(f'{n.name}.py') for n in node.names]
      names |= {f for n in neighbours if n.is_file() for f in _flags(n)}
  return names


def test_links_lead_to_files(text):
  # From the root, or from the folder of docs.
  missing = [
    link
    for link in _LINK.findall(text)
    if not (_ROOT / link).exists() and not (_ROOT / 'docs' / link).exists()
  ]
  assert missing == []


def test_commands_name_tools_and_flags_that_exist(text):
  unknown = []
  for name, arguments in _COMMAND.findall(text):
    tool = _ROOT / f'tools/{name}.py'
    flags = _flags(tool) if tool.is_file() else set()
    unknown += [
      f'{name}.py --{flag}'
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
  linked = set(_LINK.findall(readme))
  pages = {path.name for path in _ROOT.glob('docs/*.md')}
  # Sphinx's own first page, and what it takes from the root.
  pages -= {'index.md', 'changelog.md', 'contributing.md'}
  assert {f'docs/{page}' for page in pages} <= linked


def test_the_tables_of_the_readme_name_every_tool_and_recipe():
  readme = (_ROOT / 'README.md').read_text(encoding='utf-8')
  chain = ('search', 'decode', 'train', 'evaluate', 'export', 'predict')
  for tool in ('build_tfrecords', *chain):
    assert f'| `{tool}.py` |' in readme
  for recipe in _ROOT.glob('gin_configs/*.gin'):
    family, size = recipe.stem.rsplit('_', 1)
    assert f'`{family}_' in readme
    assert f'_{size}`' in readme
