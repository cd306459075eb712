# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures of an architecture: the lattice with its path, and the cell.

Both are drawn by matplotlib without pyplot, so nothing needs a display and no
global state changes; as PNG files, or as figures whose moving parts have the
names (`gid`) that this module's `*_key` give.
"""

from collections.abc import Iterable, Sequence
import os
from typing import Any

from matplotlib import axes as axes_lib
from matplotlib import figure as figure_lib
from matplotlib import lines, patches
from matplotlib.backends import backend_agg
import numpy as np

from auto_deeplab.architecture import artifact, decode, lattice, primitives
from auto_deeplab.architecture import genotype as genotype_lib

_DOTS_PER_INCH, _SMALL_DOTS_PER_INCH = 110, 72
INK, PATH, PAPER, NODE = '#22313f', '#c93a4e', '#ffffff', '#7d92a3'

# Line of a state in the drawing of a cell; they repeat after ten.
_STATE_COLORS = (
  '#22313f',
  '#7a5195',
  '#1f77b4',
  '#c0392b',
  '#2e8b57',
  '#b8860b',
  '#d6589f',
  '#008b8b',
  '#6b4423',
  '#708090',
)

# Of a transition's line: what it has at probability 0, and what 1 adds.
WIDTH, OPACITY = (0.6, 5.4), (0.2, 0.6)

# The lattice, in inches.
_LAYER_WIDTH, _LEVEL_HEIGHT = 0.95, 0.95
_NODE_SIZE = 0.2
# From here on the numbers are left out and the layers stand closer.
_MAX_NUMBERED_LAYERS = 30
# Where the number stands on its transition: near the source, clear of the
# middle, where transitions cross.
_NUMBER_POSITION = 0.3

# The cell, in inches: block b stands in column b and row b + 2, alone in both.
_COLUMN_WIDTH, _ROW_HEIGHT = 2.15, 0.95
_BOX_WIDTH, _BOX_HEIGHT = 1.45, 0.68
_INPUT_WIDTH, _CONCAT_WIDTH = 0.8, 0.4


def transition_key(transition: lattice.Transition, part: str) -> str:
  """Names the `line` or the `number` of a transition in the lattice."""
  column, level = transition.column, transition.source_level
  return f'{part}-{column}-{level}-{transition.direction}'


def node_key(layer: int, level: int) -> str:
  """Names a node of the lattice."""
  return f'node-{layer}-{level}'


def edge_key(block: int, index: int, state: int) -> str:
  """Names the line into an operation of a block from a state of the cell."""
  return f'edge-{block}-{index}-{state}'


def operation_key(block: int, index: int, part: str) -> str:
  """Names the `box` or the `label` of an operation of a block."""
  return f'{part}-{block}-{index}'


def draw_lattice(
  betas: Any, backbone: Sequence[int], path: str | os.PathLike[str]
) -> None:
  """Draws `lattice_figure`, with its path's probability above.

  Args:
    betas: `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]` logits.
    backbone: The level of each layer of the path to highlight.
    path: PNG file to write, atomically.

  Raises:
    ValueError: As of `lattice_figure`.
  """
  figure = lattice_figure(betas, backbone)
  probability = decode.path_probability(betas, backbone)
  figure.axes[0].set_title(
    'Transition probabilities and the chosen path '
    f'(probability {probability:.3g})',
    color=INK,
    fontsize=11,
  )
  _write(figure, path)


def lattice_figure(
  betas: Any | None, backbone: Sequence[int]
) -> figure_lib.Figure:
  """Draws all transitions by their probability, and a path through them.

  The width and the strength of a line, and the number on it, are the
  probability of the transition given its source.

  Args:
    betas: `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]` logits; None where there
      was no search, and the path is all there is to show.
    backbone: The level of each layer of the path to highlight.

  Raises:
    ValueError: If betas have a wrong shape or a value that is not finite, or
      the backbone is no path through them.
  """
  num_layers = len(backbone)
  chosen = set(lattice.path_transitions(backbone))
  probabilities = np.zeros(lattice.legal_mask(num_layers).shape)
  if betas is not None:
    decode.path_probability(betas, backbone)  # Refuses what is no path.
    probabilities = decode.transition_probabilities(betas)
  figure, axes = _lattice_axes(num_layers)
  for transition in lattice.transitions(num_layers):
    _draw_transition(
      axes,
      transition,
      probabilities[
        transition.column, transition.source_level, transition.direction
      ],
      transition in chosen,
      betas is not None and num_layers <= _MAX_NUMBERED_LAYERS,
    )
  _draw_nodes(axes, backbone)
  return figure


def _lattice_axes(
  num_layers: int,
) -> tuple[figure_lib.Figure, axes_lib.Axes]:
  """Axes with a column a layer, the stem first, and a row a level."""
  width = _layer_width(num_layers)
  # Room for the labels and, above a short lattice, for the title.
  figure = figure_lib.Figure(
    figsize=(
      max(width * (num_layers + 1), 5.0) + 1.2,
      _LEVEL_HEIGHT * lattice.NUM_LEVELS + 1.0,
    ),
    layout='constrained',
  )
  axes = figure.add_subplot()
  if width == _LEVEL_HEIGHT:
    axes.set_aspect('equal')  # For the nodes to be round.
  axes.set_xlim(lattice.STEM_LAYER - 0.4, num_layers - 0.6)
  axes.set_ylim(lattice.NUM_LEVELS - 0.6, -0.4)
  axes.set_xticks(range(lattice.STEM_LAYER, num_layers))
  axes.set_xticklabels(['stem', *map(str, range(num_layers))])
  axes.set_yticks(range(lattice.NUM_LEVELS))
  axes.set_yticklabels(
    f'level {level}\nstride {stride}'
    for level, stride in enumerate(lattice.OUTPUT_STRIDES)
  )
  axes.set_xlabel('layer', color=INK)
  axes.set_ylabel('level and output stride', color=INK)
  axes.tick_params(length=0, colors=INK)
  axes.spines[:].set_visible(False)
  return figure, axes


def _layer_width(num_layers: int) -> float:
  return _LAYER_WIDTH if num_layers <= _MAX_NUMBERED_LAYERS else 0.6


def _draw_transition(
  axes: axes_lib.Axes,
  transition: lattice.Transition,
  probability: float,
  is_chosen: bool,
  is_numbered: bool,
) -> None:
  start = np.array([transition.column - 1, transition.source_level])
  end = np.array([transition.column, transition.level])
  axes.add_line(
    lines.Line2D(
      *zip(start, end, strict=True),
      color=PATH if is_chosen else INK,
      linewidth=WIDTH[0] + WIDTH[1] * (probability or 0.6 * is_chosen),
      alpha=1.0 if is_chosen else OPACITY[0] + OPACITY[1] * probability,
      solid_capstyle='round',
      zorder=2 if is_chosen else 1,
      gid=transition_key(transition, 'line'),
    )
  )
  if is_numbered:
    x, y = start + _NUMBER_POSITION * (end - start)
    axes.text(
      x,
      y,
      f'{probability:.2f}',
      color=PATH if is_chosen else INK,
      fontsize=8,
      fontweight='bold' if is_chosen else 'normal',
      ha='center',
      va='center',
      bbox={'facecolor': 'white', 'edgecolor': 'none', 'pad': 0.6},
      zorder=4,
      gid=transition_key(transition, 'number'),
    )


def _draw_nodes(axes: axes_lib.Axes, backbone: Sequence[int]) -> None:
  """Draws the stem and every node; those of the path are filled."""
  nodes = [(lattice.STEM_LAYER, 0), *lattice.nodes(len(backbone))]
  on_path = {(lattice.STEM_LAYER, 0), *enumerate(backbone)}
  width = _NODE_SIZE / _layer_width(len(backbone))
  height = _NODE_SIZE / _LEVEL_HEIGHT
  for node in nodes:
    is_chosen = node in on_path
    options: dict[str, Any] = {
      'facecolor': PATH if is_chosen else PAPER,
      'edgecolor': PATH if is_chosen else NODE,
      'linewidth': 1.5,
      'zorder': 3,
      'gid': node_key(*node),
    }
    if node[0] == lattice.STEM_LAYER:
      corner = node[0] - width / 2, node[1] - height / 2
      axes.add_patch(patches.Rectangle(corner, width, height, **options))
    else:
      axes.add_patch(patches.Ellipse(node, width, height, **options))


def draw_cell(
  genotype: genotype_lib.Genotype, path: str | os.PathLike[str]
) -> None:
  """Draws `cell_figure`.

  Args:
    genotype: Whose cell to draw.
    path: PNG file to write, atomically.
  """
  _write(cell_figure(genotype), path)


def cell_figure(
  genotype: genotype_lib.Genotype,
  others: Iterable[genotype_lib.Genotype] = (),
) -> figure_lib.Figure:
  """Draws the cell as a graph.

  Each state runs along a row of its own, from where it is made to the right,
  and each block stands in a column of its own below the states that it may
  read. A line comes down from each state that it does read and ends at the
  operation of that edge. All blocks run into the concatenation.

  Args:
    genotype: Whose cell to draw.
    others: Of as many blocks; the lines of their cells are in the figure, too,
      for whoever shows one after the other.
  """
  figure, axes = _cell_axes(genotype.num_blocks)
  for state, name in enumerate(genotype_lib.INPUTS):
    _draw_box(axes, (0.0, _row(state)), (_INPUT_WIDTH, 0.42), name, 'white')
  for block, edges in enumerate(genotype.cell):
    _draw_block(axes, block)
    for index, (_, operation) in enumerate(edges):
      _draw_operation(axes, block, index, operation)
  for edge in sorted(set().union(*map(cell_edges, (genotype, *others)))):
    _draw_edge(axes, *edge)
  _draw_concatenation(axes, genotype.num_blocks)
  return figure


def cell_edges(genotype: genotype_lib.Genotype) -> set[tuple[int, int, int]]:
  """Returns (block, operation's index, state that it reads) of all edges."""
  return {
    (block, index, state)
    for block, edges in enumerate(genotype.cell)
    for index, (state, _) in enumerate(edges)
  }


def _cell_axes(
  num_blocks: int,
) -> tuple[figure_lib.Figure, axes_lib.Axes]:
  """Axes over the whole figure, in inches, downwards from the first row."""
  width = _column(num_blocks) + _CONCAT_WIDTH + 1.0
  height = _ROW_HEIGHT * (num_blocks + 2) + 0.3
  figure = figure_lib.Figure(figsize=(width + 0.3, height))
  axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
  axes.set_xlim(-0.15, width + 0.15)
  axes.set_ylim(height - 0.6, -0.6)
  axes.set_axis_off()
  return figure, axes


def _row(state: int) -> float:
  """The height where a state runs."""
  return _ROW_HEIGHT * state


def _column(block: int) -> float:
  """The left side of a block; of the concatenation, if it follows the last."""
  return _INPUT_WIDTH + _COLUMN_WIDTH * (block + 1) - _BOX_WIDTH


def _right_side(state: int) -> float:
  """Where the row of a state begins."""
  if state < genotype_lib.NUM_INPUTS:
    return _INPUT_WIDTH
  return _column(state - genotype_lib.NUM_INPUTS) + _BOX_WIDTH


def _draw_box(
  axes: axes_lib.Axes,
  left_middle: tuple[float, float],
  size: tuple[float, float],
  text: str,
  color: str,
  keys: Sequence[str | None] = (None, None),
  **text_options: Any,
) -> None:
  """Draws a rounded box by the middle of its left side, (width, height)."""
  (x, y), (width, height) = left_middle, size
  axes.add_patch(
    patches.FancyBboxPatch(
      (x, y - height / 2),
      width,
      height,
      boxstyle='round,pad=0,rounding_size=0.07',
      facecolor=color,
      edgecolor=INK,
      linewidth=1.0,
      zorder=3,
      gid=keys[0],
    )
  )
  options = {'fontsize': 9, 'ha': 'center', 'va': 'center', **text_options}
  axes.text(x + width / 2, y, text, color=INK, zorder=4, gid=keys[1], **options)


def _draw_block(axes: axes_lib.Axes, block: int) -> None:
  """Draws the frame of a block, its name, and the sum at its right."""
  x, y = _column(block), _row(block + genotype_lib.NUM_INPUTS)
  _draw_box(axes, (x, y), (_BOX_WIDTH, _BOX_HEIGHT), '', '#f7f7f7')
  axes.text(
    x + _BOX_WIDTH - 0.15,
    y,
    '+',
    ha='center',
    va='center',
    fontsize=14,
    color=INK,
    zorder=4,
  )
  axes.text(
    x,
    y - _BOX_HEIGHT / 2 - 0.05,
    f'block {block}',
    ha='left',
    va='bottom',
    fontsize=8,
    color=INK,
    zorder=4,
  )


def _operation_height(block: int, index: int) -> float:
  """Where an operation of a block lies: 0 is the upper one."""
  return _row(block + genotype_lib.NUM_INPUTS) + (-0.16, 0.16)[index]


def _draw_operation(
  axes: axes_lib.Axes, block: int, index: int, operation: str
) -> None:
  """Draws an operation in its block."""
  primitive = primitives.get(operation)
  _draw_box(
    axes,
    (_column(block) + 0.08, _operation_height(block, index)),
    (1.06, 0.26),
    primitive.label,
    primitive.color,
    keys=[operation_key(block, index, part) for part in ('box', 'label')],
    fontsize=8,
  )


def _draw_edge(axes: axes_lib.Axes, block: int, index: int, state: int) -> None:
  """Draws the line from a state to an operation of a block."""
  left, y = _column(block), _operation_height(block, index)
  # The lower operation's line comes down on the outside, so the two of a block
  # do not cross on their last leg.
  x = left - (0.24, 0.42)[index]
  points = [(_right_side(state), _row(state)), (x, _row(state)), (x, y)]
  key = edge_key(block, index, state)
  _draw_line(axes, [*points, (left + 0.08, y)], state, key)
  axes.plot(
    x, _row(state), 'o', markersize=4, color=_color(state), zorder=3, gid=key
  )


def _draw_concatenation(axes: axes_lib.Axes, num_blocks: int) -> None:
  """Draws the bar that all blocks run into, and the cell's output."""
  left = _column(num_blocks)
  first, last = genotype_lib.NUM_INPUTS, num_blocks + 1
  for state in range(first, last + 1):
    points = [(_right_side(state), _row(state)), (left, _row(state))]
    _draw_line(axes, points, state)
  middle = (_row(first) + _row(last)) / 2
  height = _row(last) - _row(first) + _BOX_HEIGHT
  size = (_CONCAT_WIDTH, height)
  _draw_box(axes, (left, middle), size, 'concat', 'white', rotation=90)
  right = left + _CONCAT_WIDTH
  _draw_line(axes, [(right, middle), (right + 0.45, middle)], None)
  axes.text(
    right + 0.52, middle, 'H[l]', ha='left', va='center', fontsize=9, color=INK
  )


def _draw_line(
  axes: axes_lib.Axes,
  points: list[tuple[float, float]],
  state: int | None,
  key: str | None = None,
) -> None:
  """Draws a line with an arrow at its end, in the colour of a state."""
  color = INK if state is None else _color(state)
  axes.plot(
    *zip(*points[:-1], strict=True), color=color, lw=1.4, zorder=2, gid=key
  )
  axes.add_patch(
    patches.FancyArrowPatch(
      points[-2],
      points[-1],
      arrowstyle='-|>',
      mutation_scale=10,
      color=color,
      linewidth=1.4,
      shrinkA=0,
      shrinkB=0,
      zorder=5,
      gid=key,
    )
  )


def _color(state: int) -> str:
  return _STATE_COLORS[state % len(_STATE_COLORS)]


def pixels(figure: figure_lib.Figure) -> np.ndarray:
  """Returns a figure as a small picture, uint8 `[height, width, 3]`."""
  figure.set_dpi(_SMALL_DOTS_PER_INCH)
  canvas = backend_agg.FigureCanvasAgg(figure)
  canvas.draw()
  return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _write(figure: figure_lib.Figure, path: str | os.PathLike[str]) -> None:
  with artifact.writing(path) as file:
    figure.savefig(file, format='png', dpi=_DOTS_PER_INCH, facecolor='white')
