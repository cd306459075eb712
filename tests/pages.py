# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the pages of README and docs/ hold, and the flags that they name."""

import ast
import pathlib
import re

from tests import import_graph

_BLOCK = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)

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


def flags(tool: pathlib.Path) -> dict[str, bool]:
  """The flags that a tool defines, or a neighbour of it, and which it needs."""
  tree = ast.parse(tool.read_text(encoding='utf-8'))
  found: dict[str, bool] = {}
  for node in ast.walk(tree):
    if isinstance(node, ast.Call) and '.DEFINE_' in ast.unparse(node.func):
      is_required = any(keyword.arg == 'required' for keyword in node.keywords)
      found[ast.literal_eval(node.args[0])] = is_required
    if isinstance(node, ast.Import):
      neighbours = [tool.with_name(f'{n.name}.py') for n in node.names]
      for neighbour in filter(pathlib.Path.is_file, neighbours):
        found |= flags(neighbour)
  return found
