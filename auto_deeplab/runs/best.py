# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The best checkpoint of a training, by the evaluations within it.

RUN/best/ckpt-400.index      a copy, whatever becomes of the newest ones
RUN/best/ckpt-400.data-00000-of-00001
RUN/best/best.json           names it and its score; written last
"""

import json
import math
import os
import pathlib
import shutil
from typing import Any

from auto_deeplab.architecture import artifact

SCORE = 'mean_iou'


class Best:
  """Keeps the checkpoint of the best score, the first one of equals."""

  def __init__(self, folder: str | os.PathLike[str]):
    """Initializes the keeper.

    Args:
      folder: RUN/best; made with the first checkpoint.
    """
    self._folder = pathlib.Path(folder)
    self._list = self._folder / 'best.json'

  def load(self) -> dict[str, Any] | None:
    """Returns `step`, `checkpoint` (its name) and the score, if there is one.

    Raises:
      ValueError: the file does not parse, or lacks one of these.
    """
    try:
      best = json.loads(self._list.read_text())
      return {key: best[key] for key in ('step', 'checkpoint', SCORE)}
    except FileNotFoundError:
      return None
    except (ValueError, KeyError, TypeError) as e:
      raise ValueError(
        f'{self._list} is damaged, or of another version: {e!r}'
      ) from e

  def update(
    self, path: str | os.PathLike[str], step: int, score: float
  ) -> None:
    """Takes a checkpoint if its score is the best so far; NaN is none.

    Args:
      path: prefix of the checkpoint.
      step: of it.
      score: of its evaluation; the higher, the better.

    Raises:
      OSError: it cannot be copied; the best so far stays.
    """
    best = self.load()
    if math.isnan(score) or (best and best[SCORE] >= score):
      return
    path = pathlib.Path(path)
    for source in sorted(path.parent.glob(f'{path.name}.*')):
      target = self._folder / source.name
      with source.open('rb') as file, artifact.writing(target) as copy:
        shutil.copyfileobj(file, copy)
    best = {'step': step, SCORE: score, 'checkpoint': path.name}
    with artifact.writing(self._list) as file:
      file.write(json.dumps(best, indent=1).encode())
    self._delete_all_but(path.name)

  def forget_after(self, step: int) -> None:
    """Drops one that a run which resumes at this step has not reached."""
    best = self.load()
    if best and best['step'] > step:
      self._list.unlink()
      self._delete_all_but(None)

  def _delete_all_but(self, name: str | None) -> None:
    for path in self._folder.glob('ckpt-*'):
      if path.stem != name:
        path.unlink()


def path_of(run_dir: str | os.PathLike[str]) -> str:
  """Returns the path prefix of a training's best checkpoint.

  Raises:
    FileNotFoundError: there is none.
    ValueError: the file that names it is damaged.
  """
  folder = pathlib.Path(run_dir) / 'best'
  best = Best(folder).load()
  if best is None:
    raise FileNotFoundError(
      f'{folder}/best.json does not exist; has the training made an evaluation '
      'yet?'
    )
  return str(folder / best['checkpoint'])
