# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the pages of README and docs/ hold: sections and blocks of code."""

import re

from tests import import_graph

_BLOCK = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)


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
