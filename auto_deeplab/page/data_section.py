# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The data: what is in the pictures, and what is doubtful about them."""

from collections.abc import Iterator
import io

import numpy as np
from PIL import Image

from auto_deeplab.data import datasets
from auto_deeplab.data.records import inspection
from auto_deeplab.page import blocks, words
from auto_deeplab.page.gathered import Data, Gathered
from auto_deeplab.reporting import legend as colors

# Of the pictures that are shown, in pixels.
_HEIGHT, _MAX_WIDTH = 180, 320
IGNORED = 'ignored'


def section(gathered: Gathered) -> blocks.Section | None:
  """Shows the data sets, or the tables that the runs have of them."""
  groups = [
    blocks.Group(data.info.name if data.info else data.name, tuple(_of(data)))
    for data in gathered.data
  ]
  known = [data.info for data in gathered.data]
  for run in gathered.runs:
    if run.info is not None and run.info not in known:
      known.append(run.info)
      groups.append(blocks.Group(run.info.name, tuple(_of_table(run.info))))
  if not groups:
    return None
  if len(groups) == 1:
    return blocks.Section('data', 'The data', groups[0].blocks)
  return blocks.Section('data', 'The data', tuple(groups))


def _of(data: Data) -> Iterator[blocks.Block]:
  if data.missing:
    yield blocks.Notes(data.missing)
  if data.info is None:
    return
  yield from _table_of(data.info)
  if data.pictures:
    yield gallery(data.info, data)
  if data.skipped:
    yield blocks.Notes(
      (f'{len(data.skipped)} pictures were left out.', *data.skipped[:10]),
      'warning',
    )
  yield _classes(data.info)


def _of_table(info: datasets.DatasetInfo) -> Iterator[blocks.Block]:
  yield from _table_of(info)
  yield blocks.Notes(
    ('The pictures are not shown: --data_dir says where they are.',)
  )
  yield _classes(info)


def _table_of(info: datasets.DatasetInfo) -> Iterator[blocks.Block]:
  if info.warnings:
    yield blocks.Notes(info.warnings, 'warning')
  if not info.splits:
    yield blocks.Notes(('Nothing is known of its pictures.',))
    return
  yield blocks.Table(
    f'{info.name}: {info.num_classes} classes',
    ('split', 'pictures', 'smallest', 'largest', 'ignored pixels'),
    tuple(
      (
        name,
        f'{split.num_examples:,}',
        words.size(split.min_size),
        words.size(split.max_size),
        words.percent(split.ignored_pixel_share),
      )
      for name, split in info.splits.items()
    ),
  )


def _classes(info: datasets.DatasetInfo) -> blocks.Table:
  return blocks.Table(
    'Share of each class in all pixels',
    ('class', *info.splits),
    tuple(
      (
        name,
        *(
          words.percent(split.class_pixel_shares[index], 2)
          for split in info.splits.values()
        ),
      )
      for index, name in enumerate(info.class_names)
    ),
    is_folded=True,
  )


def gallery(info: datasets.DatasetInfo, data: Data) -> blocks.Gallery:
  """Shows pictures of each split, each with its label."""
  return blocks.Gallery(
    'Some pictures, each with its label',
    tuple(
      _picture(f'{split}: {picture.name}', picture, info)
      for split, pictures in data.pictures.items()
      for picture in pictures
    ),
    legend(info),
  )


def legend(info: datasets.DatasetInfo) -> tuple[tuple[str, str], ...]:
  """Returns the name and the colour of each class, and of what is ignored."""
  names = (*info.class_names, IGNORED)
  shown = (*info.colors, colors.IGNORED)
  return tuple(
    (name, words.color(color)) for name, color in zip(names, shown, strict=True)
  )


def _picture(
  title: str,
  picture: inspection.LabelledPicture,
  info: datasets.DatasetInfo,
) -> blocks.Picture:
  seen = np.unique(picture.label)
  names = [info.class_names[v] for v in seen if v < info.num_classes]
  return blocks.Picture(
    title,
    (
      ('image/jpeg', encode_picture(picture.image), f'picture {title}'),
      (
        'image/png',
        encode_label(picture.label, info),
        f'its label: {", ".join(names) or "nothing"}',
      ),
    ),
  )


def encode_picture(image: np.ndarray) -> bytes:
  """Returns a small JPEG of an image, uint8 [height, width, 3]."""
  small = Image.fromarray(image)
  small.thumbnail((_MAX_WIDTH, _HEIGHT))
  file = io.BytesIO()
  small.save(file, 'JPEG', quality=80)
  return file.getvalue()


def encode_label(label: np.ndarray, info: datasets.DatasetInfo) -> bytes:
  """Returns a small PNG of a label, uint8 [height, width], in its colours."""
  # An average of colours would be the colour of another class.
  small = Image.fromarray(label)
  small.thumbnail((_MAX_WIDTH, _HEIGHT), Image.Resampling.NEAREST)
  small.putpalette(colors.table(info.colors).tobytes())
  file = io.BytesIO()
  small.save(file, 'PNG', optimize=True)
  return file.getvalue()
