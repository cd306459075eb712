# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Figures as SVG elements of a page, which has two schemes of colours.

A colour of a figure becomes a variable of the page's style sheet, named by it:
`#c93a4e` is `var(--c-c93a4e)`. `variables` defines them for light, as drawn,
and for dark, where light and dark are exchanged and the hue stays.
"""

from collections.abc import Iterable, Set
import colorsys
import io
import re
from xml.etree import ElementTree

import matplotlib
from matplotlib import figure as figure_lib
from matplotlib import text as text_lib

_SVG = 'http://www.w3.org/2000/svg'
_LINK = '{http://www.w3.org/1999/xlink}href'
_COLOR = re.compile(r'#[0-9a-f]{6}')
# Lightness in the dark scheme: of black, and what white has less.
_DARK_BLACK, _DARK_RANGE = 0.94, 0.84
# What white becomes, and about what texts become.
_DARK_GROUND, _DARK_INK = '#191919', '#b6c8d8'
# From this lightness on a colour is one to write on.
_LIGHT = 0.65
_CONTRAST = 4.5


def render(figure: figure_lib.Figure) -> bytes:
  """Returns a figure as an SVG file, whose texts are texts."""
  file = io.BytesIO()
  for text in figure.findobj(text_lib.Text):
    # A name with two $ is no formula.
    text.set_parse_math(False)
  # A salt, for equal figures to be equal files.
  with matplotlib.rc_context(
    {'svg.fonttype': 'none', 'svg.hashsalt': 'auto_deeplab'}
  ):
    figure.savefig(
      file,
      format='svg',
      transparent=True,
      metadata={'Date': None},
      bbox_inches='tight',
      pad_inches=0.04,
    )
  return file.getvalue()


def element(
  figure: figure_lib.Figure,
  name: str,
  label: str,
  hidden: Set[str] = frozenset(),
) -> str:
  """Returns a figure as an element to put into HTML.

  What has a `gid` has it as `data-key`. `--width` is what it is wide in
  pixels, at 96 an inch; the style sheet may make less of it.

  Args:
    figure: what to draw.
    name: no other element's of the page.
    label: what a screen reader says in its place.
    hidden: keys of the parts that are not to be seen.
  """
  root = ElementTree.fromstring(render(figure))
  for part in [p for p in root if p.tag == f'{{{_SVG}}}metadata']:
    root.remove(part)
  # A style sheet within would be one of the whole page.
  for parent in root.iter():
    for part in [p for p in parent if p.tag == f'{{{_SVG}}}style']:
      parent.remove(part)
  for part in root.iter():
    _adapt(part, name, hidden)
  width, height = root.attrib['viewBox'].split()[2:]
  root.attrib |= {
    'role': 'img',
    'aria-label': label,
    'style': f'--width: {float(width) * 96 / 72:.0f}px; '
    f'aspect-ratio: {width} / {height}',
  }
  for attribute in ('width', 'height', 'version'):
    root.attrib.pop(attribute, None)
  text = ElementTree.tostring(root, encoding='unicode')
  # Within HTML, elements need no names of their spaces.
  text = re.sub(r' xmlns:\w+="[^"]*"', '', text)
  return text.replace('ns0:', '').replace('ns1:href', 'href')


def _adapt(part: ElementTree.Element, name: str, hidden: Set[str]) -> None:
  """Makes an element fit for a page that has other figures as well."""
  key = part.attrib.pop('id', None)
  if key and part.tag == f'{{{_SVG}}}g':
    if '-' in key:
      part.attrib['data-key'] = key
    if key in hidden:
      part.attrib['style'] = 'display: none'
  elif key:
    part.attrib['id'] = f'{name}-{key}'
  if _LINK in part.attrib:
    part.attrib[_LINK] = f'#{name}-{part.attrib[_LINK][1:]}'
  if clip := part.attrib.get('clip-path'):
    part.attrib['clip-path'] = clip.replace('#', f'#{name}-')
  for attribute in ('style', 'fill', 'stroke'):
    if text := part.attrib.get(attribute):
      text = re.sub(
        r"font-family: [^;]*;? ?|font: ([\d.]+px) '[^;]*", _font, text
      )
      text = _COLOR.sub(lambda match: variable(match[0]), text)
      part.attrib.pop(attribute)
      part.attrib[attribute] = text


def _font(match: re.Match[str]) -> str:
  """Leaves the family of a font to the page."""
  return f'font-size: {match[1]}' if match[1] else ''


def variable(color: str) -> str:
  """Returns the variable of a colour, `#rrggbb`."""
  return f'var(--c-{color[1:]})'


def variables(text: str, is_dark: bool = False) -> str:
  """Returns the definitions of all colours that a page's figures name."""
  colors = sorted(set(re.findall(r'var\(--c-([0-9a-f]{6})\)', text)))
  return ' '.join(
    f'--c-{color}: {dark(f"#{color}") if is_dark else f"#{color}"};'
    for color in colors
  )


def dark(color: str) -> str:
  """Returns the counterpart of a colour, `#rrggbb`, on a dark ground.

  Of the same hue. What is drawn stands out from the ground, and a text from the
  light colours that it may stand on, by 4.5 to 1, as it should by WCAG's AA.
  """
  hue, lightness, saturation = colorsys.rgb_to_hls(*_channels(color))
  is_ground = lightness > _LIGHT
  step = -0.01 if is_ground else 0.01
  beside = _DARK_INK if is_ground else _DARK_GROUND
  lightness = _DARK_BLACK - _DARK_RANGE * lightness
  while True:
    found = _hexadecimal(colorsys.hls_to_rgb(hue, lightness, saturation))
    is_enough = contrast(found, beside) >= _CONTRAST
    if is_enough or not 0 < lightness + step < 1:
      return found
    lightness += step


def contrast(color: str, other: str) -> float:
  """Returns by how much two colours differ, 1 to 21, as WCAG has it."""
  dim, bright = sorted(map(_luminance, (color, other)))
  return (bright + 0.05) / (dim + 0.05)


def _luminance(color: str) -> float:
  linear = (
    c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
    for c in _channels(color)
  )
  return sum(
    share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
  )


def _channels(color: str) -> tuple[float, float, float]:
  red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
  return red, green, blue


def _hexadecimal(channels: Iterable[float]) -> str:
  return '#' + ''.join(f'{round(255 * value):02x}' for value in channels)
