# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Converts pictures and their labels to the TFRecords that training reads.

--dataset names the data set, --data_dir the folder that holds what its archives
unpack to:

ade20k             ADEChallengeData2016/
camvid             train.txt, val.txt and the folders that they name (SegNet's)
cityscapes         leftImg8bit/, gtFine/; test without labels
cityscapes_coarse  leftImg8bit/, gtCoarse/ to train with, gtFine/ for val
coco               annotations/, train2017/, val2017/; COCO's own classes
coco_voc           the same; the classes of VOC, to pretrain for it
voc                VOCdevkit/VOC2012/
voc_aug            the same and benchmark_RELEASE/ (SBD), merged as train_aug
cvat               labelmap.txt, SegmentationClass/: CVAT's segmentation masks
labelme            .json files beside their pictures
yolo               data.yaml: polygons of YOLO's segmentation
folder             your own pictures
synthetic          drawn landscapes with exact labels, to try everything out

    auto-deeplab build_tfrecords --dataset=cityscapes \
      --data_dir=CITYSCAPES --output_dir=runs/cityscapes/data

All splits that are there are converted, or those of --split. With --reduction=2
pictures and labels become half as high and wide, for the search.

Of your own, a picture is a JPEG, PNG, TIFF, WebP or BMP, its label a PNG of the
same name whose pixels are values or colours of classes:

    PICTURES/classes.json
    PICTURES/images/train/a.jpg   PICTURES/labels/train/a.png
    PICTURES/images/val/b.jpg     PICTURES/labels/val/b.png

classes.json: {"classes": ["sky", "road", "car"]}; a class may also be {"name":
"road", "color": [128, 64, 128], "value": 7} to give its colour in pictures and
its pixel value. Pixels of "ignore_label" (default 255) do not count. Instead of
the two folders, train.txt and val.txt may list the files, 'image label' a line.
--label_suffix=_mask.png finds labels that are called a_mask.png, also beside
their pictures where there is no folder images/, and --val_fraction=0.2 sets
pictures aside where there is no val.

    auto-deeplab build_tfrecords --dataset=folder \
      --data_dir=PICTURES --output_dir=runs/mine/data

The landscapes are drawn into --data_dir (default: OUTPUT_DIR/pictures) as such
a folder, and converted like one.

    auto-deeplab build_tfrecords --dataset=synthetic \
      --output_dir=runs/demo/data --num_train=400 --num_val=100

A picture or label that cannot be used stops the conversion with its name, and
what was in --output_dir stays as it was. With --skip_invalid such pictures are
left out and listed in OUTPUT_DIR/skipped.json. A conversion that was stopped,
by a bad picture, a full disk or a kill, goes on from its finished shards when
it is started again.
"""

import os
from typing import Any

from absl import flags

from auto_deeplab.cli import commands, program, progress

_DATASET = flags.DEFINE_string(
  'dataset', None, 'Kind of data set, one of the list above.', required=True
)
_DATA_DIR = flags.DEFINE_string('data_dir', None, 'Folder of the pictures.')
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', None, 'Folder for the TFRecords.', required=True
)
_SPLIT = flags.DEFINE_list(
  'split', [], 'Splits to convert, such as train,val; all if empty.'
)
_LABEL_SUFFIX = flags.DEFINE_string(
  'label_suffix',
  '',
  "Folder only: what follows an image's name in its label's, as in a_mask.png.",
)
_VAL_FRACTION = flags.DEFINE_float(
  'val_fraction',
  None,
  'Share of the pictures of train that become val, where there is none; also '
  'of a folder images/ without splits.',
)
_GROUP_SEPARATOR = flags.DEFINE_string(
  'group_separator',
  '',
  'With --val_fraction: pictures whose names agree up to the last of these '
  'stay together, such as the frames of a video with _.',
)
_REDUCTION = flags.DEFINE_integer(
  'reduction',
  1,
  'How many times smaller pictures become. 1 copies their files; more encodes '
  'them anew, as PNG.',
  lower_bound=1,
)
_NUM_SHARDS = flags.DEFINE_integer(
  'num_shards', 8, 'Files a split.', lower_bound=1
)
_NUM_WORKERS = flags.DEFINE_integer(
  'num_workers',
  1,
  'Processes, each for a shard at a time; each takes seconds to start.',
  lower_bound=1,
)
_SKIP_INVALID = flags.DEFINE_bool(
  'skip_invalid',
  False,
  'Leave out pictures that cannot be used, and list them.',
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

# Whose recipe is proposed; all others get a plan.
_RECIPES = {
  'synthetic': 'demo',
  'cityscapes': 'cityscapes',
  'camvid': 'camvid',
}


def _draw(data_dir: str, told: progress.Progress) -> None:
  from auto_deeplab.data.sources import synthetic

  synthetic.draw_folder(
    data_dir,
    seed=_SEED.value,
    num_examples={'train': _NUM_TRAIN.value, 'val': _NUM_VAL.value},
    image_size=_image_size(),
    on_example=lambda split, *counts: told(f'Drawing {split}', *counts),
  )


def _image_size() -> tuple[int, int]:
  try:
    height, width = (int(value) for value in _IMAGE_SIZE.value)
  except ValueError as e:
    raise ValueError(
      f'`image_size` ({",".join(_IMAGE_SIZE.value)}) must be height,width.'
    ) from e
  return height, width


def _val_split() -> Any:
  """Returns how to set pictures aside, or None."""
  from auto_deeplab.data.sources import splitting

  if _VAL_FRACTION.value is not None:
    return splitting.ValSplit(
      _VAL_FRACTION.value, _SEED.value, _GROUP_SEPARATOR.value
    )
  if _GROUP_SEPARATOR.value:
    raise ValueError('`group_separator` needs `val_fraction`.')
  return None


def main() -> None:
  """Converts a data set and says what comes next."""
  from auto_deeplab.data.records import conversion
  from auto_deeplab.data.sources import layouts

  data_dir, told = _DATA_DIR.value, progress.Progress()
  if _DATASET.value == 'synthetic':
    data_dir = data_dir or os.path.join(_OUTPUT_DIR.value, 'pictures')
    _draw(data_dir, told)
  info = conversion.write_dataset(
    layouts.open_source(
      _DATASET.value,
      data_dir,
      splits=_SPLIT.value,
      reduction=_REDUCTION.value,
      label_suffix=_LABEL_SUFFIX.value,
      val=_val_split(),
    ),
    _OUTPUT_DIR.value,
    num_shards=_NUM_SHARDS.value,
    num_workers=_NUM_WORKERS.value,
    seed=_SEED.value,
    skip_invalid=_SKIP_INVALID.value,
    on_progress=lambda *counts: told('Converting', *counts),
  )
  skipped = conversion.load_skipped(_OUTPUT_DIR.value)
  if skipped:
    print(
      f'Pictures left out, as they cannot be used: {len(skipped)}, see '
      f'{os.path.join(_OUTPUT_DIR.value, conversion.SKIPPED_NAME)}. The first: '
      f'{skipped[0].reason}'
    )
  for warning in info.warnings:
    print(f'Warning: {program.as_typed(warning)}')
  counts = ', '.join(
    f'{split.num_examples} {name}' for name, split in info.splits.items()
  )
  print(
    f'Wrote {counts} examples of {info.num_classes} classes to '
    f'{_OUTPUT_DIR.value}. Next:\n  {_next(info.name)}'
  )


def _next(dataset: str) -> str:
  """Returns the command to go on with."""
  data = f'--data_dir={_OUTPUT_DIR.value}'
  if dataset in _RECIPES:
    recipe = f'{_RECIPES[dataset]}_search'
    words = f'{data} --run_dir=NEW_RUN --gin_file={recipe}'
    return f'{commands.shown("search")} {words}'
  return f'{commands.shown("plan")} {data} --output_dir=RECIPES --hours=2'
