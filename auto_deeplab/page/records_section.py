# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How to do it again: commands, configurations, and where all of it lies."""

from collections.abc import Iterator

from auto_deeplab.page import blocks, words
from auto_deeplab.page.gathered import Gathered, Run

# Runs whose files are shown; of a study with more, the first.
_MAX_SHOWN = 12


def section(gathered: Gathered) -> blocks.Section | None:
  """Shows where each run lies, and what started it."""
  runs = gathered.runs
  if not runs:
    return None
  found: list[blocks.Block] = [
    blocks.Table(
      'Where each run lies',
      ('run', 'folder', 'data set', 'last start'),
      tuple(_row(run) for run in runs),
      num_words=4,
      is_folded=len(runs) > _MAX_SHOWN,
    )
  ]
  without = [run.name for run in runs if not run.starts]
  if without:
    which = f'{len(without)} runs' if len(without) > 3 else ', '.join(without)
    found.append(
      blocks.Notes((f'No command was kept by {which}, made before that was.',))
    )
  for run in runs[:_MAX_SHOWN]:
    found += _files_of(run)
  if len(runs) > _MAX_SHOWN:
    line = f'The files of the first {_MAX_SHOWN} of {len(runs)} runs are shown.'
    found.append(blocks.Notes((line,)))
  return blocks.Section('records', 'How it was made', tuple(found))


def _row(run: Run) -> tuple[str, ...]:
  last = run.starts[-1] if run.starts else None
  return (
    run.name,
    run.path,
    run.info.name if run.info else words.NOTHING,
    f'{last.time}, {last.versions}, {last.machine}' if last else words.NOTHING,
  )


def _files_of(run: Run) -> Iterator[blocks.Block]:
  if run.starts:
    lines = [
      f'# {start.time}, from step {start.step:,}, in {start.folder}\n'
      f'{start.command}'
      for start in run.starts
    ]
    yield blocks.Code(f'{run.name}: commands', '\n'.join(lines))
  if run.config_text:
    yield blocks.Code(f'{run.name}: config.gin', run.config_text)
