# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Draws the demo data set: small landscapes with exact labels.

Seven classes, objects from about 8 to 150 pixels, far ones hidden by near ones.
What a pixel is cannot be told from its neighbourhood alone, so a network that
sees one scale only loses:

* water mirrors the sky: same colours, same streaks; where it lies tells them
  apart;
* paths and house walls are of the same stone; what surrounds them tells;
* trees, houses and paths are as small or large as they are far or near.

Every picture is a function of (seed, split, index) and nothing else.
"""

from collections.abc import Callable
import hashlib
import json
import os
import pathlib
import shutil

import numpy as np
from PIL import Image

from auto_deeplab.data.sources import landscape

# Written into classes.json; only a folder that carries it is ever replaced.
MADE_BY = 'auto_deeplab.data.synthetic'

MIN_SIZE = 64


def draw_folder(
  data_dir: str | os.PathLike[str],
  *,
  seed: int = 0,
  num_examples: dict[str, int],
  image_size: tuple[int, int] = (192, 256),
  on_example: Callable[[str, int, int], None] = lambda *_: None,
) -> None:
  """Draws the data set as a folder that `data.sources.folder` reads.

  Args:
    data_dir: the folder to make. One that an earlier call made is replaced as a
      whole, once all pictures are drawn.
    seed: any integer.
    num_examples: pictures a split.
    image_size: (height, width) in pixels.
    on_example: called with (split, number drawn, number in all).

  Raises:
    ValueError: a number or size is too small, or `data_dir` holds something
      else.
  """
  data_dir = pathlib.Path(data_dir)
  _check_arguments(data_dir, num_examples, image_size)
  staging = data_dir.with_name(f'.{data_dir.name}.incomplete')
  shutil.rmtree(staging, ignore_errors=True)
  try:
    for split, count in num_examples.items():
      for kind in ('images', 'labels'):
        (staging / kind / split).mkdir(parents=True)
      for index in range(count):
        image, label = draw(seed, split, index, image_size)
        name = f'{split}_{index:05d}'
        image.save(staging / 'images' / split / f'{name}.jpg', quality=95)
        label.save(staging / 'labels' / split / f'{name}.png')
        on_example(split, index + 1, count)
    (staging / 'classes.json').write_text(_class_table(), encoding='utf-8')
    if data_dir.exists():
      shutil.rmtree(data_dir)
    os.replace(staging, data_dir)
  finally:
    shutil.rmtree(staging, ignore_errors=True)


def draw(
  seed: int, split: str, index: int, image_size: tuple[int, int] = (192, 256)
) -> tuple[Image.Image, Image.Image]:
  """Draws one picture and its label.

  Args:
    seed: any integer.
    split: name of the split; each has its own pictures.
    index: number of the picture within the split.
    image_size: (height, width) in pixels.

  Returns:
    The picture (mode RGB) and its label (mode L, values 0..6).
  """
  key = hashlib.sha256(f'{seed}/{split}/{index}'.encode()).digest()
  rng = np.random.default_rng(int.from_bytes(key[:16], 'big'))
  return landscape.paint(rng, image_size)


def _check_arguments(
  data_dir: pathlib.Path,
  num_examples: dict[str, int],
  image_size: tuple[int, int],
) -> None:
  for split, count in num_examples.items():
    if count < 1:
      raise ValueError(f'`num_{split}` ({count}) must be at least 1.')
  if min(image_size) < MIN_SIZE:
    raise ValueError(
      f'`image_size` ({image_size[0]}, {image_size[1]}) must be at least '
      f'{MIN_SIZE} each.'
    )
  if data_dir.exists() and not _is_ours(data_dir):
    raise ValueError(
      f'`data_dir` ({data_dir}) exists and was not drawn by this tool; name '
      'another folder.'
    )


def _is_ours(data_dir: pathlib.Path) -> bool:
  if data_dir.is_dir() and not any(data_dir.iterdir()):
    return True
  try:
    table = json.loads((data_dir / 'classes.json').read_text(encoding='utf-8'))
    return table.get('made_by') == MADE_BY
  except (OSError, ValueError, AttributeError):
    return False


def _class_table() -> str:
  classes = [
    {'name': name, 'color': list(color)}
    for name, color in landscape.CLASSES.items()
  ]
  table = {'made_by': MADE_BY, 'classes': classes}
  return json.dumps(table, indent=1) + '\n'
