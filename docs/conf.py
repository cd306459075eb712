# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How Sphinx makes HTML of these pages and of the docstrings: `make docs`."""

import re
from typing import Any

import auto_deeplab

project = 'Auto-DeepLab'
author = 'The Auto-DeepLab Authors'
copyright = f'2026, {author}'
release = auto_deeplab.__version__
html_theme = 'furo'
html_title = f'{project} {release}'
exclude_patterns = ['_build']

extensions = [
  'myst_parser',
  'sphinx.ext.apidoc',
  'sphinx.ext.autodoc',
  'sphinx.ext.napoleon',
  'sphinx.ext.viewcode',
]

# Headings are what links of the pages may name, as on GitHub.
myst_heading_anchors = 3

# A page for each module that there is, so that no list of them is to be kept.
apidoc_modules = [
  {
    'path': '../auto_deeplab',
    'destination': 'reference',
    # A verb's page is its --help. Verbs share names of flags, so that no two
    # can be imported by one program.
    'exclude_patterns': ['**/cli/verbs/**', '**/gin_configs/**'],
    'separate_modules': True,
    'module_first': True,
    'automodule_options': {'members', 'show-inheritance'},
  }
]
# What a package's __init__ names is described where it is defined.
autodoc_default_options = {'ignore-module-all': True}
autodoc_member_order = 'bysource'
autodoc_inherit_docstrings = False  # Keras' own are not of this page.

# `name` in a docstring is a link where there is such a thing, code elsewhere.
default_role = 'py:obj'
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# A paragraph and, after an empty line, one that is indented.
_PREFORMATTED = re.compile(r'^(\S.*)\n\n(?= +\S)', re.MULTILINE)


def _as_restructured_text(*arguments: Any) -> None:
  """Marks as code what docstrings indent, as Markdown understands it."""
  lines = arguments[-1]
  lines[:] = _PREFORMATTED.sub(r'\1\n\n::\n\n', '\n'.join(lines)).splitlines()


def _skips(*arguments: Any) -> bool | None:
  """Leaves out what is of others, though a class of ours has it."""
  module = getattr(arguments[3], '__module__', None) or auto_deeplab.__name__
  return None if module.startswith(auto_deeplab.__name__) else True


def setup(app: Any) -> None:
  """Is called by Sphinx."""
  app.connect('autodoc-skip-member', _skips)
  # Before napoleon (500), which indents what it makes of sections.
  app.connect('autodoc-process-docstring', _as_restructured_text, priority=400)
