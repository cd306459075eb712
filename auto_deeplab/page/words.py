# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Numbers as the page writes them."""

NOTHING = '–'


def number(value: float | None, form: str = '{:,.4f}') -> str:
  """Returns a number in a form; a dash if there is none."""
  return NOTHING if value is None else form.format(value)


def percent(share: float | None, digits: int = 1) -> str:
  """Returns a share as percent; a dash if there is none."""
  return (
    NOTHING if share is None else f'{100 * share:.{digits}f}\N{NO-BREAK SPACE}%'
  )


def duration(seconds: float | None) -> str:
  """Returns a time in the unit that fits; a dash if there is none."""
  if not seconds:
    return NOTHING
  if seconds < 90:
    return f'{seconds:.0f} s'
  if seconds < 5400:
    return f'{seconds / 60:.0f} min'
  return f'{seconds / 3600:.1f} h'


def large(value: float | None) -> str:
  """Returns a count as millions or billions; a dash if there is none."""
  if value is None:
    return NOTHING
  for unit, name in ((1e9, 'billion'), (1e6, 'million')):
    if value >= unit:
      return f'{value / unit:,.2f} {name}'
  return f'{value:,.0f}'


def size(height_width: tuple[int, int]) -> str:
  """Returns (height, width) as people say it, width first."""
  return f'{height_width[1]} × {height_width[0]}'


def steps(step: int, of: int | None) -> str:
  """Returns how far a run is."""
  if of is None or step == of:
    return f'{step:,}'
  return f'{step:,} of {of:,}'


def color(red_green_blue: tuple[int, int, int]) -> str:
  """Returns a colour as style sheets write it."""
  return '#{:02x}{:02x}{:02x}'.format(*red_green_blue)
