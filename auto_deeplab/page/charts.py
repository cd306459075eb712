# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Charts, by matplotlib without pyplot, that go with the page's text.

Lines differ in colour and in kind, so that they are told apart without colour;
the colours are told apart by colour-blind people too, and stand out from white
by 3 to 1 or more.
"""

from collections.abc import Iterator, Sequence
import dataclasses
import itertools

from matplotlib import axes as axes_lib
from matplotlib import figure as figure_lib
from matplotlib import patches, ticker
import numpy as np

INK, PALE, GRID = '#22313f', '#5f6f7c', '#dde3e8'
ACCENT = '#0067a5'
_BLACK = '#0b1117'
# Okabe and Ito's, the light ones of them darker.
COLORS = (ACCENT, '#c24e00', '#00795a', '#9a3d85', '#7a6000', '#4a5a68')
_STYLES = ('-', (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))

# In inches; at the scale of the page an inch is 96 pixels.
_WIDTH, _HEIGHT = 4.2, 2.5
_SMALL, _USUAL = 8.0, 8.5
# Numbers stand in the fields of a matrix up to this many.
_MAX_NUMBERED = 16
# Beyond, a field is a pixel of a picture and no shape of its own.
_MAX_SHAPES = 40
_STRONGEST = 0.47
_LONGEST_NAME = 28


@dataclasses.dataclass(frozen=True)
class Series:
  """A line of a chart: values at steps."""

  label: str
  steps: tuple[float, ...]
  values: tuple[float, ...]


def shown(name: str, longest: int = _LONGEST_NAME) -> str:
  """Returns a name that a drawing can hold, whoever gave it."""
  text = ''.join(
    c if c.isprintable() else '\N{REPLACEMENT CHARACTER}' for c in name
  )
  return text if len(text) <= longest else f'{text[: longest - 1]}…'


def lines(
  series: Sequence[Series],
  unit: str,
  *,
  is_log: bool = False,
  from_zero: bool = False,
  is_wide: bool = False,
) -> figure_lib.Figure:
  """Draws values over steps.

  Args:
    series: what to draw, of one unit.
    unit: of the values.
    is_log: whether the axis of the values is logarithmic.
    from_zero: whether it begins with 0.
    is_wide: whether there is room for long labels.
  """
  figure, axes = _axes((2 if is_wide else 1) * _WIDTH, _HEIGHT)
  for index, line in enumerate(series):
    axes.plot(
      line.steps,
      line.values,
      color=COLORS[index % len(COLORS)],
      linestyle=_STYLES[index % len(_STYLES)],
      linewidth=1.8,
      marker='o' if len(line.steps) < 30 else None,
      markersize=3.5,
      label=shown(line.label),
    )
  axes.set_xlabel('step', color=PALE)
  axes.set_ylabel(unit, color=PALE)
  axes.grid(axis='y', color=GRID, linewidth=0.8)
  axes.xaxis.set_major_locator(ticker.MaxNLocator(6, integer=True))
  axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f'{x:,.0f}'))
  if is_log:
    axes.set_yscale('log')
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(_number))
  elif from_zero:
    axes.set_ylim(bottom=0.0)
  if len(series) > 1:
    axes.legend(
      loc='lower left',
      bbox_to_anchor=(0.0, 1.0),
      ncols=3 if is_wide else 2,
      frameon=False,
      fontsize=_USUAL,
      labelcolor=INK,
      borderaxespad=0.2,
      handlelength=2.6,
    )
  return figure


def _number(value: float, _: int = 0) -> str:
  return f'{value:g}'


def told(series: Sequence[Series]) -> str:
  """Returns what a chart of lines shows, in words."""
  parts = [
    f'{line.label} goes from {line.values[0]:.4g} at step '
    f'{line.steps[0]:,.0f} to {line.values[-1]:.4g} at step '
    f'{line.steps[-1]:,.0f}'
    for line in series
    if line.steps
  ]
  return f'Line chart. {"; ".join(parts)}.'


def bars(
  names: Sequence[str],
  values: Sequence[float],
  unit: str,
  marks: Sequence[float | None] = (),
  labels: tuple[str, str] = ('', ''),
  form: str = '{:.2f}',
  limit: float | None = None,
) -> figure_lib.Figure:
  """Draws a bar a name, from top to bottom.

  Args:
    names: of the bars.
    values: their lengths.
    unit: of these.
    marks: another value of each, drawn as a diamond, if there are any.
    labels: what bars and marks are, where there are both.
    form: how a value is written.
    limit: what the axis ends with.
  """
  figure, axes = _axes(_WIDTH, 0.75 + 0.25 * len(names))
  places = np.arange(len(names))
  axes.barh(places, values, height=0.62, color=ACCENT, label=labels[0])
  longest = limit or max([*values, 1e-12])
  if marks:
    at = [(m, p) for m, p in zip(marks, places, strict=True) if m is not None]
    axes.plot(
      [mark for mark, _ in at],
      [place for _, place in at],
      linestyle='none',
      marker='D',
      markersize=5.5,
      markerfacecolor='#ffffff',
      markeredgecolor=COLORS[1],
      markeredgewidth=1.6,
      clip_on=False,
      zorder=3,
      label=labels[1],
    )
    axes.legend(
      loc='lower left',
      bbox_to_anchor=(0.0, 1.0),
      ncols=2,
      frameon=False,
      fontsize=_USUAL,
      labelcolor=INK,
      borderaxespad=0.2,
    )
  for place, value in zip(places.tolist(), values, strict=True):
    axes.text(
      longest * 1.03,
      place,
      form.format(value),
      va='center',
      ha='left',
      fontsize=_USUAL,
      color=INK,
    )
  axes.set_yticks(places, [shown(name) for name in names])
  axes.set_ylim(len(names) - 0.4, -0.6)
  axes.set_xlim(0, longest)
  axes.set_xlabel(unit, color=PALE)
  axes.xaxis.set_major_locator(ticker.MaxNLocator(5))
  axes.xaxis.set_major_formatter(ticker.FuncFormatter(_number))
  axes.grid(axis='x', color=GRID, linewidth=0.8)
  axes.spines['bottom'].set_visible(False)
  return figure


def matrix(
  shares: np.ndarray,
  rows: Sequence[str],
  columns: Sequence[str],
  axis_names: tuple[str, str],
) -> figure_lib.Figure:
  """Draws shares in [0, 1] as fields, the stronger the larger.

  Args:
    shares: `[len(rows), len(columns)]`; NaN where there is none.
    rows: names of the rows.
    columns: names of the columns.
    axis_names: of both axes.
  """
  height, width = shares.shape
  is_numbered = max(width, height) <= _MAX_NUMBERED
  field = 0.42 if is_numbered else max(0.1, min(0.24, 9.0 / max(width, 1)))
  figure, axes = _axes(field * width + 1.9, field * height + 1.5)
  axes.set_xlim(-0.5, width - 0.5)
  axes.set_ylim(height - 0.5, -0.5)
  if max(width, height) <= _MAX_SHAPES:
    for row, column in np.argwhere(shares > 0.002):
      share = float(shares[row, column])
      axes.add_patch(
        patches.Rectangle(
          (column - 0.5, row - 0.5),
          1,
          1,
          facecolor=ACCENT,
          # So that a text can be read on each of them, in both schemes.
          alpha=_STRONGEST * share,
          lw=0,
        )
      )
      if is_numbered and share >= 0.005:
        axes.text(
          column,
          row,
          f'{100 * share:.0f}',
          ha='center',
          va='center',
          fontsize=_SMALL,
          color=_BLACK,
        )
  else:
    picture = np.zeros((height, width, 4))
    picture[..., :3] = [int(ACCENT[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    picture[..., 3] = _STRONGEST * np.nan_to_num(shares)
    axes.imshow(picture, interpolation='nearest', aspect='auto')
  axes.set_xticks(range(width), [shown(c) for c in columns], rotation=90)
  axes.set_yticks(range(height), [shown(r) for r in rows])
  axes.set_ylabel(axis_names[0], color=PALE)
  axes.set_xlabel(axis_names[1], color=PALE)
  axes.spines[:].set_visible(True)
  axes.spines[:].set_color(GRID)
  if max(width, height) > _MAX_SHAPES:
    axes.tick_params(labelsize=5.0)
  return figure


def rows_over_steps(
  names: Sequence[str], steps: Sequence[int], shares: np.ndarray
) -> figure_lib.Figure:
  """Draws a row a name, over steps, the stronger the larger its share.

  Args:
    names: of the rows.
    steps: of the columns.
    shares: `[len(names), len(steps)]` in [0, 1].
  """
  figure, axes = _axes(_WIDTH, 0.75 + 0.28 * len(names))
  for row, name_shares in enumerate(shares):
    for first, last, share in _equal_ones(name_shares):
      axes.add_patch(
        patches.Rectangle(
          (first - 0.5, row - 0.44),
          last - first + 1,
          0.88,
          facecolor=ACCENT,
          alpha=share,
          lw=0,
        )
      )
    axes.text(
      len(steps) - 0.3,
      row,
      f'{name_shares[-1]:.0%}',
      va='center',
      ha='left',
      fontsize=_USUAL,
      color=INK,
    )
  axes.set_xlim(-0.5, len(steps) - 0.5)
  axes.set_ylim(len(names) - 0.5, -0.5)
  axes.set_yticks(range(len(names)), [shown(name) for name in names])
  places = range(len(steps) - 1, -1, -max(1, len(steps) // 5))[::-1]
  axes.set_xticks([*places], [f'{steps[place]:,}' for place in places])
  axes.set_xlabel('step', color=PALE)
  axes.spines[:].set_visible(True)
  axes.spines[:].set_color(GRID)
  return figure


def _equal_ones(values: np.ndarray) -> Iterator[tuple[int, int, float]]:
  """Yields (first, last, value) of neighbours that are equal, but zeros."""
  starts = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist()]
  for first, end in itertools.pairwise([*starts, len(values)]):
    if values[first] > 0:
      yield first, end - 1, float(values[first])


def strips(
  groups: Sequence[tuple[str, Sequence[float]]], unit: str
) -> figure_lib.Figure:
  """Draws a dot a value, each group in a row of its own, and its mean.

  Args:
    groups: (name, values) each.
    unit: of the values.
  """
  figure, axes = _axes(2 * _WIDTH, 0.8 + 0.55 * len(groups))
  for row, (_, values) in enumerate(groups):
    # Side by side where many are alike; the same each time.
    offsets = 0.22 * np.sin(2.4 * np.arange(len(values)))
    axes.plot(
      values,
      row + offsets,
      linestyle='none',
      marker='o',
      markersize=5.5,
      markerfacecolor=COLORS[row % len(COLORS)],
      markeredgecolor='#ffffff',
      markeredgewidth=0.6,
    )
    axes.plot([np.mean(values)] * 2, [row - 0.36, row + 0.36], color=INK, lw=2)
  axes.set_yticks(range(len(groups)), [shown(name) for name, _ in groups])
  axes.set_ylim(len(groups) - 0.5, -0.5)
  axes.set_xlabel(unit, color=PALE)
  axes.grid(axis='x', color=GRID, linewidth=0.8)
  return figure


def _axes(
  width: float, height: float
) -> tuple[figure_lib.Figure, axes_lib.Axes]:
  """Axes of a given size, in inches, with what all charts have."""
  figure = figure_lib.Figure(figsize=(width, height), layout='constrained')
  axes = figure.add_subplot()
  axes.set_axisbelow(True)
  axes.spines[['top', 'right', 'left']].set_visible(False)
  axes.spines['bottom'].set_color(PALE)
  axes.tick_params(colors=INK, labelsize=_USUAL, length=0)
  axes.xaxis.label.set_fontsize(_USUAL)
  axes.yaxis.label.set_fontsize(_USUAL)
  return figure, axes
