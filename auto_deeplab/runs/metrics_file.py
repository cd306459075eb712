# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""`metrics.jsonl`, and the losses of a loop that has no row in it yet.

    RUN/metrics.jsonl          one object a loop, evaluation or snapshot
    RUN/unfinished_loop.json   the columns of a loop that was asked to end
"""

from collections.abc import Iterator, Mapping
import json
import os
import pathlib
from typing import Any

from absl import logging

from auto_deeplab.architecture import artifact

# Begins the keys of an evaluation's scores.
SCORE = 'eval/'


class MetricsFile:
  """Rows of numbers, each with its `step`."""

  def __init__(self, path: str | os.PathLike[str]):
    """Initializes the file, which the first row makes."""
    self._path = pathlib.Path(path)

  def append(self, step: int, values: Mapping[str, Any]) -> None:
    """Adds a row of JSON values."""
    self._path.parent.mkdir(parents=True, exist_ok=True)
    try:
      with self._path.open('a') as file:
        file.write(json.dumps({'step': step, **values}) + '\n')
    except OSError as e:
      raise artifact.naming(e, self._path) from e

  def append_numbers(self, step: int, values: Mapping[str, float]) -> None:
    """Adds a row of numbers."""
    self.append(step, {key: float(v) for key, v in values.items()})

  def append_scores(self, step: int, scores: Mapping[str, float]) -> None:
    """Adds the row of an evaluation; `scores_of` reads it."""
    row = {f'{SCORE}{key}': value for key, value in scores.items()}
    self.append_numbers(step, row)

  def forget_after(self, step: int, keep_scores: bool = True) -> None:
    """Drops rows beyond the step that a run resumes from.

    Args:
      step: of the checkpoint.
      keep_scores: whether scores at this very step stay.
    """
    if not self._path.exists():
      return
    kept = [
      json.dumps(row)
      for row in self._rows()
      if row['step'] <= step
      and (keep_scores or row['step'] < step or not _scores_of(row))
    ]
    with artifact.writing(self._path) as file:
      file.write(''.join(f'{line}\n' for line in kept).encode())

  def rows_with(self, key: str) -> list[dict[str, Any]]:
    """Returns the rows that have a key, in order."""
    return [row for row in self._rows() if key in row]

  def scores_of(self, step: int) -> dict[str, float]:
    """Returns the scores of a step's evaluation; empty if there are none."""
    found = (_scores_of(row) for row in self._rows() if row['step'] == step)
    return next(filter(None, found), {})

  def _rows(self) -> Iterator[dict[str, Any]]:
    """Yields all rows, but one that a crash has cut short, and says so."""
    if not self._path.exists():
      return
    text = self._path.read_text(encoding='utf-8', errors='replace')
    for number, line in enumerate(text.splitlines(), start=1):
      row = _parse(line)
      if row is None:
        logging.warning(
          '%s, line %d is no row, cut short perhaps by a crash: %.40r is left '
          'out.',
          self._path,
          number,
          line,
        )
      else:
        yield row


class UnfinishedLoop:
  """What the steps of a loop returned up to one in its midst."""

  def __init__(self, path: str | os.PathLike[str]):
    """Initializes the file, which `save` makes."""
    self._path = pathlib.Path(path)

  def save(self, step: int, columns: Mapping[str, list[float]]) -> None:
    """Keeps the values of the loop that this step lies in."""
    with artifact.writing(self._path) as file:
      file.write(json.dumps({'step': step, 'columns': columns}).encode())

  def load(self, step: int) -> dict[str, list[float]]:
    """Returns the values kept at this step; empty if a loop begins here."""
    if not self._path.exists():
      return {}
    saved = json.loads(self._path.read_text())
    return saved['columns'] if saved['step'] == step else {}


def _parse(line: str) -> dict[str, Any] | None:
  """Returns a row of the metrics; None of what is none."""
  try:
    row = json.loads(line)
  except (json.JSONDecodeError, RecursionError):
    return None
  is_row = isinstance(row, dict) and isinstance(row.get('step'), int)
  return row if is_row else None


def _scores_of(row: Mapping[str, Any]) -> dict[str, float]:
  return {
    key.removeprefix(SCORE): value
    for key, value in row.items()
    if key.startswith(SCORE)
  }
