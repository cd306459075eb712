# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Converts pictures and their labels to the TFRecords that training reads.

One of three kinds of data set (--dataset):

camvid     CamVid in SegNet's layout: train.txt and val.txt beside the pictures.

    python tools/build_tfrecords.py --dataset=camvid \
      --data_dir=CamVid --output_dir=runs/camvid/data

folder     Your own pictures, JPEG or PNG, and for each a PNG of the same name
           whose pixel values are classes:

               PICTURES/classes.json
               PICTURES/images/train/a.jpg   PICTURES/labels/train/a.png
               PICTURES/images/val/b.jpg     PICTURES/labels/val/b.png

           classes.json: {"classes": ["sky", "road", "car"]}; a class may also
           be {"name": "road", "color": [128, 64, 128], "value": 7} to give its
           colour in pictures and its pixel value. Pixels of "ignore_label"
           (default 255) do not count.

    python tools/build_tfrecords.py --dataset=folder \
      --data_dir=PICTURES --output_dir=runs/mine/data

synthetic  Drawn landscapes with exact labels, to try everything out. They are
           drawn into --data_dir (default: OUTPUT_DIR/pictures) as a folder of
           the kind above, and converted like one.

    python tools/build_tfrecords.py --dataset=synthetic \
      --output_dir=runs/demo/data --num_train=400 --num_val=100

A picture or label that cannot be used stops the conversion with its name, and
what was in --output_dir stays as it was.
"""

import os
import sys
import time

from absl import flags
import cli
import tqdm

from auto_deeplab.data import layouts, synthetic, tfrecord

_DATASET = flags.DEFINE_string(
  'dataset',
  None,
  f'Kind of data set: {", ".join(layouts.SOURCES)}.',
  required=True,
)
_DATA_DIR = flags.DEFINE_string('data_dir', None, 'Folder of the pictures.')
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', None, 'Folder for the TFRecords.', required=True
)
_NUM_SHARDS = flags.DEFINE_integer(
  'num_shards', 8, 'Files a split.', lower_bound=1
)
_SEED = flags.DEFINE_integer(
  'seed', 0, 'Decides the order on disk and, for synthetic, the pictures.'
)
_NUM_TRAIN = flags.DEFINE_integer(
  'num_train', 400, 'Synthetic only: pictures to train with.', lower_bound=1
)
_NUM_VAL = flags.DEFINE_integer(
  'num_val', 100, 'Synthetic only: pictures to evaluate with.', lower_bound=1
)
_IMAGE_SIZE = flags.DEFINE_list(
  'image_size', ['192', '256'], 'Synthetic only: height,width in pixels.'
)


class _Progress:
  """A bar a split on a terminal, a line now and then elsewhere."""

  _SECONDS_A_LINE = 10

  def __init__(self, verb: str):
    self._verb = verb

  def __call__(self, split: str, done: int, total: int) -> None:
    if done == 1:
      self._bar = tqdm.tqdm(
        total=total,
        desc=f'{self._verb} {split}',
        unit=' pictures',
        disable=not sys.stderr.isatty(),
      )
      self._last_line = time.monotonic()
    self._bar.update()
    if done == total:
      self._bar.close()
    is_due = time.monotonic() - self._last_line >= self._SECONDS_A_LINE
    if self._bar.disable and (is_due or done == total):
      self._last_line = time.monotonic()
      print(f'{self._verb} {split}: {done}/{total} pictures', flush=True)


def _draw(data_dir: str) -> None:
  synthetic.draw_folder(
    data_dir,
    seed=_SEED.value,
    num_examples={'train': _NUM_TRAIN.value, 'val': _NUM_VAL.value},
    image_size=_image_size(),
    on_example=_Progress('Drawing'),
  )


def _image_size() -> tuple[int, int]:
  try:
    height, width = (int(value) for value in _IMAGE_SIZE.value)
  except ValueError as e:
    raise ValueError(
      f'`image_size` ({",".join(_IMAGE_SIZE.value)}) must be height,width.'
    ) from e
  return height, width


def main() -> None:
  """Converts a data set and says what comes next."""
  data_dir = _DATA_DIR.value
  if _DATASET.value == 'synthetic':
    data_dir = data_dir or os.path.join(_OUTPUT_DIR.value, 'pictures')
    _draw(data_dir)
  info = tfrecord.write_dataset(
    layouts.open_source(_DATASET.value, data_dir),
    _OUTPUT_DIR.value,
    num_shards=_NUM_SHARDS.value,
    seed=_SEED.value,
    on_example=_Progress('Converting'),
  )
  counts = ', '.join(
    f'{split.num_examples} {name}' for name, split in info.splits.items()
  )
  recipe = 'demo' if info.name == 'synthetic' else 'camvid'
  print(
    f'Wrote {counts} examples of {info.num_classes} classes to '
    f'{_OUTPUT_DIR.value}. Next:\n  python tools/search.py '
    f'--data_dir={_OUTPUT_DIR.value} --run_dir=NEW_RUN '
    f'--gin_file=gin_configs/{recipe}_search.gin'
  )


if __name__ == '__main__':
  cli.run(main)
