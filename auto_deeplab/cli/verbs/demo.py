# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Runs the whole chain, on synthetic pictures, in a few minutes.

  auto-deeplab demo

draws and converts pictures, searches, decodes, trains, evaluates, exports,
predicts, and makes a page of all that, report.html, each by the command that it
prints, into runs/demo below the working directory. Started again, a chain that
was stopped goes on from its last checkpoint.

On CamVid it takes about an hour. CAMVID is the folder of its train.txt and
val.txt, as SegNet has them:

  auto-deeplab demo --dataset=camvid --data_dir=CAMVID

The recipes are demo_search and demo_train, or camvid_search and camvid_train.
"""

import os
import shutil
import signal
import subprocess
import sys

from absl import flags

from auto_deeplab.cli import commands

# The recipes of a data set, and which of its pictures are predicted.
_CHAINS = {'synthetic': ('demo', 'images/val'), 'camvid': ('camvid', 'val')}

_DATASET = flags.DEFINE_enum(
  'dataset', 'synthetic', list(_CHAINS), 'Kind of data set.'
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'Folder of the pictures of CamVid.'
)
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', None, 'Folder for all results; runs/demo or runs/camvid.'
)


def main() -> None:
  """Runs one verb after the other, up to the first that fails."""
  chain, _ = _CHAINS[_DATASET.value]
  out = _OUTPUT_DIR.value or f'runs/{chain}'
  pictures = _DATA_DIR.value or f'{out}/data/pictures'
  if chain == 'camvid' and not os.path.isfile(f'{pictures}/val.txt'):
    raise ValueError(
      f"--data_dir ({_DATA_DIR.value}) must be CamVid in SegNet's layout, the "
      'folder of val.txt.'
    )
  for verb, *arguments in steps(_DATASET.value, pictures, out):
    if verb == 'export':  # Which overwrites nothing.
      shutil.rmtree(f'{out}/saved_model', ignore_errors=True)
    _run(verb, arguments)


def steps(dataset: str, pictures: str, out: str) -> list[list[str]]:
  """Returns each verb of the chain with its arguments.

  Args:
    dataset: one of `_CHAINS`.
    pictures: folder of its pictures.
    out: folder for all results.
  """
  chain, predicted = _CHAINS[dataset]
  data, trained = f'--data_dir={out}/data', f'--run_dir={out}/train'
  searched, decoded = f'--run_dir={out}/search', f'{out}/decoded'
  return [
    [
      'build_tfrecords',
      f'--dataset={dataset}',
      f'--data_dir={pictures}',
      f'--output_dir={out}/data',
    ],
    ['search', f'--gin_file={chain}_search', data, searched],
    ['decode', searched, f'--output_dir={decoded}'],
    [
      'train',
      f'--gin_file={chain}_train',
      f'--genotype={decoded}/genotype.json',
      data,
      trained,
    ],
    ['evaluate', data, trained],
    ['export', trained, f'--output_dir={out}/saved_model'],
    [
      'predict',
      f'--model_dir={out}/saved_model',
      f'--input={pictures}/{predicted}',
      f'--output_dir={out}/predictions',
    ],
    ['report', out, f'--output={out}/report.html'],
  ]


def _run(verb: str, arguments: list[str]) -> None:
  """Runs a verb, and ends as it does where it fails.

  What asks this process to end is for the verb, which may have to save.
  """
  print('+', commands.shown(verb), *arguments, flush=True)
  with subprocess.Popen([*commands.arguments(verb), *arguments]) as process:
    # A terminal sends Ctrl-C to both.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number))
    status = process.wait()
  if status == -signal.SIGINT:
    raise KeyboardInterrupt
  if status:
    # As shells count: 128 and the signal that ended it.
    sys.exit(status if status > 0 else 128 - status)
