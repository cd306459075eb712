# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""From what was gathered to one HTML file, and its figures as files."""

import base64
from collections.abc import Callable, Mapping, Sequence, Set
import hashlib
import importlib.resources
import itertools
import os
import pathlib
import re
import time
from typing import Any

import jinja2
import markupsafe

import auto_deeplab
from auto_deeplab.architecture import artifact
from auto_deeplab.page import (
  blocks,
  data_section,
  overview_section,
  pictures_section,
  plan_section,
  records_section,
  search_section,
  study_section,
  training_section,
)
from auto_deeplab.page.gathered import Gathered
from auto_deeplab.reporting import svg

# In the order of the page. Each returns None where there is nothing for it.
SECTIONS: tuple[Callable[[Gathered], blocks.Section | None], ...] = (
  overview_section.section,
  study_section.section,
  data_section.section,
  plan_section.section,
  search_section.section,
  training_section.section,
  pictures_section.section,
  records_section.section,
)

_DOTS_PER_INCH = 160


def sections(gathered: Gathered) -> list[blocks.Section]:
  """Returns the sections that there is something for."""
  found = (section(gathered) for section in SECTIONS)
  return [section for section in found if section is not None]


def page(title: str, shown: Sequence[blocks.Section]) -> str:
  """Returns the page, which fetches nothing.

  Args:
    title: of the page.
    shown: its sections.
  """
  files = importlib.resources.files(__package__)
  names = ('document.html', 'document.css', 'document.js', 'blocks.html')
  texts = {name: (files / name).read_text(encoding='utf-8') for name in names}
  script = texts['document.js']
  environment = _environment(texts)
  looks: Any = environment.get_template('blocks.html').module
  body = looks.sections(shown)
  return environment.get_template('document.html').render(
    title=title,
    sections=shown,
    body=body,
    time=time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime()),
    version=auto_deeplab.__version__,
    style=markupsafe.Markup(texts['document.css']),
    light=markupsafe.Markup(svg.variables(body)),
    dark=markupsafe.Markup(svg.variables(body, is_dark=True)),
    script=markupsafe.Markup(script),
    digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
  )


def _environment(texts: Mapping[str, str]) -> jinja2.Environment:
  """Returns what renders the templates of one page."""
  numbers = itertools.count(1)

  def drawn(
    figure: blocks.Figure, hidden: Set[str] = frozenset()
  ) -> markupsafe.Markup:
    # Built by matplotlib as XML, in which all texts are escaped.
    name = f'figure{next(numbers)}'
    return markupsafe.Markup(
      svg.element(figure.figure, name, figure.label, hidden)
    )

  # What stands in names and files is text, whatever it looks like.
  environment = jinja2.Environment(
    loader=jinja2.DictLoader(texts),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  environment.filters |= {
    'svg': drawn,
    'data_url': _data_url,
    'key': lambda name: f'{slug(name)}-{next(numbers)}',
  }
  return environment


def _data_url(data: bytes, media_type: str) -> str:
  return f'data:{media_type};base64,{base64.b64encode(data).decode()}'


def slug(name: str) -> str:
  """Returns a name that identifiers and files can have."""
  return re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-') or 'figure'


def write(html: str, path: str | os.PathLike[str]) -> None:
  """Writes the page, atomically."""
  with artifact.writing(path) as file:
    file.write(html.encode())


def write_figures(
  shown: Sequence[blocks.Section], folder: str | os.PathLike[str]
) -> int:
  """Writes each figure of the page as SVG and as PNG.

  Args:
    shown: sections of the page.
    folder: to write to.

  Returns:
    How many figures there are.
  """
  names: set[str] = set()
  for section in shown:
    for figure, hidden in blocks.figures(section.blocks):
      name = _new(slug(figure.name), names)
      for artist in figure.figure.findobj():
        if artist.get_gid() in hidden:
          artist.set_visible(False)
      with artifact.writing(pathlib.Path(folder, f'{name}.svg')) as file:
        file.write(svg.render(figure.figure))
      with artifact.writing(pathlib.Path(folder, f'{name}.png')) as file:
        figure.figure.savefig(
          file, format='png', dpi=_DOTS_PER_INCH, facecolor='white'
        )
  return len(names)


def _new(name: str, names: set[str]) -> str:
  """Returns a name that is not among the names yet, and adds it to them."""
  numbered = (f'{name}-{number}' for number in itertools.count(2))
  found = next(n for n in itertools.chain([name], numbered) if n not in names)
  names.add(found)
  return found
