# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Evaluates a trained network: IoU of each class, mIoU, pixel accuracy.

  python tools/evaluate.py --data_dir=DATA --run_dir=runs/train --split=val

Pictures are evaluated whole, at their own size and a single scale. The scores
are printed and written to RUN_DIR/evaluation-SPLIT.json, with the confusion
matrix.
"""

import json
import pathlib

from absl import flags
import cli
import run_flags

from auto_deeplab.architecture import artifact
from auto_deeplab.training import experiment

_SPLIT = flags.DEFINE_string('split', 'val', 'Split of the data set.')
_CHECKPOINT = flags.DEFINE_string(
  'checkpoint', None, 'Path prefix of a checkpoint; by default the newest.'
)


def main() -> None:
  place = run_flags.place(eval_split=_SPLIT.value)
  evaluation = experiment.run_evaluation(place, _CHECKPOINT.value)
  report = {
    'step': evaluation.step,
    'split': _SPLIT.value,
    **evaluation.scores,
    'confusion_matrix': evaluation.confusion_matrix.tolist(),
  }
  path = pathlib.Path(place.run_dir) / f'evaluation-{_SPLIT.value}.json'
  with artifact.writing(path) as file:
    file.write(json.dumps(report, indent=1).encode())
  for name, value in evaluation.scores.items():
    print(f'{name:24s} {value:.4f}')
  print(
    f'Wrote {path}. Next:\n  python tools/export.py --run_dir={place.run_dir} '
    f'--output_dir={place.run_dir}/saved_model'
  )


if __name__ == '__main__':
  cli.run(main)
