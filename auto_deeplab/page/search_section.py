# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The search: what it found, how surely, and how it came to that."""

from collections.abc import Iterator, Sequence

import numpy as np

from auto_deeplab.architecture import (
  cost,
  decode,
  lattice,
  primitives,
  signals,
)
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.page import architecture, blocks, charts, words
from auto_deeplab.page.gathered import Decoded, Gathered, Search

# Searches that are shown in full.
_MAX_SHOWN = 4

# What a chart shows: its name, caption and unit, and keys of `metrics.jsonl`
# with what they are called.
_CHARTS = (
  (
    'iou',
    'Mean IoU of the supernet, as it is and of the decoded network alone',
    'mean IoU on half B',
    {
      'probe/mean_iou': 'supernet',
      'probe/decoded_mean_iou': 'decoded network',
    },
  ),
  (
    'loss',
    'Loss of the weights on half A, of the architecture on half B',
    'loss',
    {'weights/loss': 'weights', 'architecture/loss': 'architecture'},
  ),
  (
    'eigenvalue',
    'Largest eigenvalue of the Hessian by alpha and beta',
    'eigenvalue',
    {'hessian/eigenvalue': 'eigenvalue'},
  ),
  (
    'cost',
    'Cost of the decoded network, and what it is to be',
    'cost',
    {'cost/decoded': 'decoded network', 'cost/target': 'target'},
  ),
)


def section(gathered: Gathered) -> blocks.Section | None:
  """Shows the searches, and genotypes that came without one."""
  searches = gathered.searches[:_MAX_SHOWN]
  found = [(search.name, tuple(_of(search))) for search in searches]
  if not gathered.searches:
    found += [(d.name, tuple(_of_decoded(d))) for d in gathered.decoded]
  if not found:
    return None
  groups = tuple(blocks.Group(name, shown) for name, shown in found)
  shown: tuple[blocks.Block, ...] = found[0][1] if len(found) == 1 else groups
  if len(gathered.searches) > _MAX_SHOWN:
    left = gathered.searches[_MAX_SHOWN:]
    line = f'Not shown here: {", ".join(search.name for search in left)}.'
    shown = (blocks.Notes((line,)), *shown)
  return blocks.Section('search', 'The search', shown)


def _of(search: Search) -> Iterator[blocks.Block]:
  if search.missing:
    yield blocks.Notes(search.missing)
  snapshots = _alike(search.snapshots)
  result = search.result
  if result is None or not snapshots:
    yield blocks.Facts(tuple(_cost(search)))
    yield from _charts(search)
    return
  genotype = result.decode()
  doubts = tuple(_doubts(search, result, genotype))
  if doubts:
    yield blocks.Notes(doubts, 'warning')
  yield blocks.Facts((*_certainty(result, genotype), *_cost(search)))
  yield architecture.timeline(
    search.name, snapshots, _moments(search, snapshots), result
  )
  yield from _charts(search)
  yield from _of_snapshots(search.name, snapshots)


def _alike(
  snapshots: Sequence[decode.Snapshot],
) -> tuple[decode.Snapshot, ...]:
  """Returns those of the last one's shape: a file from elsewhere is none."""
  if not snapshots:
    return ()
  last = snapshots[-1]
  return tuple(
    s
    for s in snapshots
    if (s.alphas.shape, s.betas.shape, s.primitives)
    == (last.alphas.shape, last.betas.shape, last.primitives)
  )


def _doubts(
  search: Search, result: decode.Snapshot, genotype: genotype_lib.Genotype
) -> Iterator[str]:
  if search.config and result.step <= search.config.schedule.arch_start_step:
    start = search.config.schedule.arch_start_step
    yield (
      f'Alpha and beta have not moved yet (they begin to at step {start:,}): '
      'this network is as good as a random one.'
    )
  elif signals.is_collapsed(genotype):
    share = signals.shares(genotype)[primitives.SKIP_CONNECT]
    yield (
      f'{share:.0%} of the edges that the cell keeps are skip connections, the '
      'known collapse of such searches.'
    )
  if search.stop:
    yield (
      f'The search was stopped at step {search.stop.step:,} because the '
      'curvature grew; its result is the snapshot of step '
      f'{search.stop.snapshot:,}.'
    )


def _certainty(
  result: decode.Snapshot, genotype: genotype_lib.Genotype
) -> Iterator[tuple[str, str]]:
  probability = decode.path_probability(result.betas, genotype.backbone)
  counted = cost.count(cost.Network(genotype))
  margins = signals.margins(result)
  yield 'snapshot', f'step {result.step:,}'
  yield (
    'probability of the path',
    (
      f'{probability:.3g}, the largest of '
      f'{lattice.num_paths(genotype.num_layers):,} paths'
    ),
  )
  yield (
    'lead over the second',
    (
      f'{words.percent(margins["margin/alpha"])} cell, '
      f'{words.percent(margins["margin/beta"])} lattice'
    ),
  )
  yield (
    'multiply-adds (F = 20, 2049 × 1025)',
    words.large(counted.multiply_adds),
  )


def _cost(search: Search) -> Iterator[tuple[str, str]]:
  yield 'steps', words.steps(search.step, search.num_steps)
  if search.timing.seconds:
    yield 'time', words.duration(search.timing.seconds)
  if rate := search.timing.usual_rate:
    yield 'speed', f'{rate:.2g} steps/s'


def _moments(search: Search, snapshots: Sequence[decode.Snapshot]) -> list[str]:
  """Returns what is said of each snapshot beside the slider."""
  scores = {
    key: dict(zip(*search.series(key), strict=True))
    for key in ('probe/mean_iou', 'probe/decoded_mean_iou')
  }
  lines = []
  for snapshot in snapshots:
    genotype = snapshot.decode()
    probability = decode.path_probability(snapshot.betas, genotype.backbone)
    entropies = decode.entropies(snapshot.alphas, snapshot.betas)
    line = (
      f'Step {snapshot.step:,}: the path has probability {probability:.2g}; '
      f'entropy of alpha {entropies["entropy/alpha"]:.2f} bits, of beta '
      f'{entropies["entropy/beta"]:.2f} bits'
    )
    mixed, alone = (scores[key].get(snapshot.step) for key in scores)
    if mixed is not None and alone is not None:
      line += f'; mean IoU {mixed:.3f}, decoded {alone:.3f}'
    lines.append(f'{line}.')
  return lines


def _charts(search: Search) -> Iterator[blocks.Figure]:
  for name, caption, unit, keys in _CHARTS:
    series = [
      charts.Series(label, *search.series(key)) for key, label in keys.items()
    ]
    series = [line for line in series if len(line.steps) > 1]
    if series:
      yield _chart(f'{search.name}-{name}', caption, unit, series)


def _chart(
  name: str, caption: str, unit: str, series: Sequence[charts.Series]
) -> blocks.Figure:
  return blocks.Figure(
    name, caption, charts.told(series), charts.lines(series, unit)
  )


def _of_snapshots(
  name: str, snapshots: Sequence[decode.Snapshot]
) -> Iterator[blocks.Figure]:
  """Yields what alphas and betas alone tell."""
  steps = tuple(float(snapshot.step) for snapshot in snapshots)
  for part, caption, unit, of, keys in (
    (
      'entropy',
      'Entropy of the choices, 100 % where all are equally likely',
      'share of the largest, %',
      _relative_entropies,
      ('cell (alpha)', 'lattice (beta)'),
    ),
    (
      'margin',
      'Lead of the likeliest choice over the second',
      'lead, %',
      lambda s: [100 * m for m in signals.margins(s).values()],
      ('cell (alpha)', 'lattice (beta)'),
    ),
  ):
    values = np.array([of(snapshot) for snapshot in snapshots])
    series = [
      charts.Series(key, steps, tuple(column.tolist()))
      for key, column in zip(keys, values.T, strict=True)
    ]
    yield _chart(f'{name}-{part}', caption, unit, series)
  yield _shares(name, snapshots)


def _relative_entropies(snapshot: decode.Snapshot) -> list[float]:
  found = decode.entropies(snapshot.alphas, snapshot.betas)
  largest = decode.entropies(
    np.zeros_like(snapshot.alphas), np.zeros_like(snapshot.betas)
  )
  return [100 * found[key] / largest[key] for key in found]


def _shares(name: str, snapshots: Sequence[decode.Snapshot]) -> blocks.Figure:
  names = primitives.operations(snapshots[-1].primitives)
  shares = np.array(
    [
      [signals.shares(s.decode(), s.primitives)[key] for key in names]
      for s in snapshots
    ]
  ).T
  labels = [primitives.get(key).label for key in names]
  told = ', '.join(
    f'{label} {row[-1]:.0%}' for label, row in zip(labels, shares, strict=True)
  )
  return blocks.Figure(
    f'{name}-primitives',
    'Share of each primitive among the edges that the decoded cell keeps',
    f'Chart of shares over the snapshots; at the last one: {told}.',
    charts.rows_over_steps(labels, [s.step for s in snapshots], shares),
  )


def _of_decoded(decoded: Decoded) -> Iterator[blocks.Block]:
  if decoded.missing:
    yield blocks.Notes(decoded.missing)
  if decoded.genotype is not None:
    yield from architecture.of_genotype(decoded.name, decoded.genotype)
