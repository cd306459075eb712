# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Shows what a data set holds, checks it, and draws some of it.

    auto-deeplab inspect_dataset runs/demo/data

prints the sizes, the share of each class in all pixels, the shards with their
checksums, and what --skip_invalid left out.

    auto-deeplab inspect_dataset runs/demo/data --verify

reads all of it as training does: checksums, every example decodes, sizes agree,
labels hold classes only, sums are those of dataset.json. Each fault is a line
that names shard and example; with any, the exit status is 1.

    auto-deeplab inspect_dataset runs/demo/data \
      --contact_sheet=sheet.png --split=train --num_pictures=12

draws pictures with their labels beside them, in the classes' colours.
"""

from absl import flags

from auto_deeplab.cli import progress

# `inspect_dataset DATA` is `inspect_dataset --data_dir=DATA`.
POSITIONAL = 'data_dir'

_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'Folder of the TFRecords.', required=True
)
_VERIFY = flags.DEFINE_bool('verify', False, 'Read and check all of it.')
_NUM_WORKERS = flags.DEFINE_integer(
  'num_workers', 1, 'Processes that verify, each a shard.', lower_bound=1
)
_CONTACT_SHEET = flags.DEFINE_string(
  'contact_sheet', None, 'PNG file to draw pictures and labels to.'
)
_SPLIT = flags.DEFINE_list(
  'split', None, 'Splits to verify and to draw. Default: all.'
)
_NUM_PICTURES = flags.DEFINE_integer(
  'num_pictures', 12, 'Pictures a split on the contact sheet.', lower_bound=1
)


def _verify() -> None:
  """Prints the faults.

  Raises:
    ValueError: there are any.
  """
  from auto_deeplab.data.records import inspection

  told, num_faults = progress.Progress(), 0
  for fault in inspection.find_faults(
    _DATA_DIR.value,
    _SPLIT.value or (),
    num_workers=_NUM_WORKERS.value,
    on_progress=lambda *counts: told('Verifying', *counts),
  ):
    num_faults += 1
    print(fault, flush=True)
  if num_faults:
    raise ValueError(f'{_DATA_DIR.value} has {num_faults} faults, see above.')
  print('All examples are as dataset.json says.')


def _draw() -> None:
  from auto_deeplab.data.records import inspection, tfrecord
  from auto_deeplab.reporting import contact_sheet

  info = tfrecord.load_info(_DATA_DIR.value)
  pictures = [
    (f'{split}: {picture.name}', picture.image, picture.label)
    for split in _SPLIT.value or info.splits
    for picture in inspection.read_pictures(
      _DATA_DIR.value, split, _NUM_PICTURES.value
    )
  ]
  contact_sheet.draw(
    pictures, info.class_names, info.colors, _CONTACT_SHEET.value
  )
  print(f'Wrote {_CONTACT_SHEET.value}.')


def main() -> None:
  """Prints, draws and checks, the latter two if asked to."""
  from auto_deeplab.data.records import inspection

  print(inspection.describe(_DATA_DIR.value), flush=True)
  if _CONTACT_SHEET.value:
    _draw()
  if _VERIFY.value:
    _verify()
