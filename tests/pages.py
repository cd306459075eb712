# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the pages of README and docs/ hold, and the flags that they name."""

import ast
import pathlib
import re

from tests import import_graph

_BLOCK = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)

_CLI = import_graph.ROOT / 'auto_deeplab/cli'

PAGES = tuple(
  path.relative_to(import_graph.ROOT).as_posix()
  for pattern in ('*.md', 'docs/*.md')
  for path in sorted(import_graph.ROOT.glob(pattern))
)


def read(page: str) -> str:
  """The text of a page, by its path below the root of the repository."""
  return (import_graph.ROOT / page).read_text(encoding='utf-8')


def section(text: str, heading: str) -> str:
  """What stands below a heading of the second level, up to the next."""
  return f'{text}\n## '.split(f'\n## {heading}\n')[1].partition('\n## ')[0]


def blocks(text: str, *languages: str) -> list[str]:
  """The blocks of code in any of these languages; '' is for those in none."""
  return [
    code for language, code in _BLOCK.findall(text) if language in languages
  ]


def as_commands(text: str) -> str:
  """A text whose tools are called by their verbs, and lines are joined."""
  text = re.sub(r'\\\n *', '', text)
  return re.sub(r'python tools/(\w+)\.py', r'auto-deeplab \1', text)


def without_code(text: str) -> str:
  """A page without its blocks and words of code."""
  return re.sub(r'`[^`]+`', '', _BLOCK.sub('', text))


def anchors(text: str) -> set[str]:
  """The anchors of the headings of a page, as GitHub and MyST name them."""
  headings = re.findall(r'^#+ (.+)$', _BLOCK.sub('', text), re.MULTILINE)
  return {
    re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-')
    for heading in headings
  }


def flags(verb: str) -> dict[str, bool]:
  """The flags of a verb and whether it needs them; none of no verb."""
  path = _CLI / f'verbs/{verb}.py'
  return _flags(path) if path.is_file() else {}


def positional(verb: str) -> str | None:
  """The flag that the first word after a verb stands for; None of words."""
  source = (_CLI / f'verbs/{verb}.py').read_text(encoding='utf-8')
  if re.search(r"^WORDS = '", source, re.MULTILINE):
    return None
  found = re.search(r"^POSITIONAL = '(\w+)'$", source, re.MULTILINE)
  assert found, f'{verb} takes flags alone.'
  return found[1]


def _flags(path: pathlib.Path) -> dict[str, bool]:
  """The flags that a module defines, or one that it shares with others."""
  tree = ast.parse(path.read_text(encoding='utf-8'))
  found: dict[str, bool] = {}
  for node in ast.walk(tree):
    if isinstance(node, ast.Call) and '.DEFINE_' in ast.unparse(node.func):
      is_required = any(keyword.arg == 'required' for keyword in node.keywords)
      found[ast.literal_eval(node.args[0])] = is_required
    if ast.unparse(node) == 'run_flags.require_run_dir()':
      found['run_dir'] = True
    if isinstance(node, ast.ImportFrom) and node.module == 'auto_deeplab.cli':
      for name in node.names:
        found |= _flags(_CLI / f'{name.name}.py')
  return found
