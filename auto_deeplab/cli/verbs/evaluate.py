# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Evaluates a trained network: IoU, boundary IoU, pixel accuracy.

  auto-deeplab evaluate --data_dir=DATA --run_dir=runs/train --split=val

Pictures are evaluated whole, at their own size and a single scale. The recipe
multi_scale averages over scales and mirror images, as papers do
for their best numbers; EvalConfig.window_size slides a window over pictures
that are too large:

  auto-deeplab evaluate --data_dir=DATA --run_dir=runs/train \
    --gin_file=multi_scale

The scores are printed and written to RUN_DIR/evaluation-SPLIT-STEP.json, with
the confusion matrix, and those of each picture to pictures-SPLIT-STEP.jsonl,
the worst first. The four worst and the four best are drawn into the folder
examples-SPLIT-STEP; --write_examples=0 leaves them out. Settings other than the
default ones are part of the names, as is the path of a checkpoint of another
run. --continuous follows a training:
it evaluates each new checkpoint, adds a row to RUN_DIR/evaluation-SPLIT.jsonl
and ends with the training. --write_predictions writes PNGs as the data set's
test server wants them, also of a split without labels:

  auto-deeplab evaluate --data_dir=DATA --run_dir=runs/train --split=test \
    --write_predictions=results

What export wrote is evaluated as it is, and its scores are printed alone:

  auto-deeplab evaluate --data_dir=DATA --model_dir=runs/saved_model-int8.tflite
"""

import dataclasses
from typing import TYPE_CHECKING

from absl import flags

from auto_deeplab import configs
from auto_deeplab.cli import commands, gin_flags, run_flags

# For type checkers: these import TensorFlow.
if TYPE_CHECKING:
  from auto_deeplab.evaluation import evaluation
  from auto_deeplab.runs import run as run_lib

FOR_MEMORY = (
  'set `EvalConfig.window_size` and `EvalConfig.window_stride`, or lower them'
)

_SPLIT = flags.DEFINE_string('split', 'val', 'Split of the data set.')
_CHECKPOINT = flags.DEFINE_string(
  'checkpoint',
  None,
  "Path prefix of a checkpoint, or 'best': the best mIoU during training; by "
  'default the newest.',
)
_MODEL_DIR = flags.DEFINE_string(
  'model_dir',
  None,
  'What export wrote, in the place of --run_dir: the folder of a SavedModel, '
  'or a file .tflite, .onnx or .xml (OpenVINO).',
)
_CONTINUOUS = flags.DEFINE_boolean(
  'continuous', False, 'Evaluate each new checkpoint until the training ends.'
)
_WRITE_PREDICTIONS = flags.DEFINE_string(
  'write_predictions', None, 'Folder that receives the predictions.'
)
_WRITE_EXAMPLES = flags.DEFINE_integer(
  'write_examples',
  4,
  'How many of the worst pictures, and of the best, are drawn.',
  lower_bound=0,
)


def _follow(place: 'run_lib.Place', config: configs.EvalConfig) -> None:
  from auto_deeplab.evaluation import evaluation

  if _CHECKPOINT.value or _WRITE_PREDICTIONS.value:
    raise ValueError(
      '--continuous takes neither --checkpoint nor --write_predictions.'
    )
  for found in evaluation.follow(place, config):
    evaluation.append(found, place.run_dir)
    path = evaluation.write(found, place.run_dir)
    print(
      f'step {found.step}: mIoU {found.scores["mean_iou"]:.4f}, in {path}',
      flush=True,
    )


def _write_legend(place: 'run_lib.Place') -> None:
  """Draws what the predictions' colours mean, where that is not known."""
  from auto_deeplab.data.records import tfrecord
  from auto_deeplab.evaluation import predictions
  from auto_deeplab.reporting import legend

  info = tfrecord.load_info(place.data_dir)
  written = predictions.format_of(info)
  if written.has_legend:
    legend.write(
      f'{_WRITE_PREDICTIONS.value}/{predictions.LEGEND_STEM}.png',
      info.class_names,
      info.colors,
      written.values,
    )


def _write_examples(
  found: 'evaluation.Evaluation', place: 'run_lib.Place'
) -> None:
  """Draws the worst pictures and the best, and says where they are."""
  from auto_deeplab.data.records import tfrecord
  from auto_deeplab.evaluation import evaluation
  from auto_deeplab.reporting import examples

  info = tfrecord.load_info(place.data_dir)
  folder = evaluation.examples_dir(found, place.run_dir)
  kinds = {'worst': found.worst, 'best': found.best}
  examples.write(
    folder,
    [
      examples.Shown(
        kind,
        dataclasses.asdict(example.scores),
        example.image,
        example.label,
        example.prediction,
      )
      for kind, shown in kinds.items()
      for example in shown
    ],
    info.class_names,
    info.colors,
  )
  if found.worst:
    print(f'The worst pictures and the best are drawn in {folder}.')


def _evaluate(place: 'run_lib.Place', config: configs.EvalConfig) -> None:
  from auto_deeplab.evaluation import evaluation

  found = evaluation.run(
    place,
    config,
    checkpoint=_CHECKPOINT.value,
    predictions_dir=_WRITE_PREDICTIONS.value,
    num_examples=_WRITE_EXAMPLES.value,
  )
  if _WRITE_PREDICTIONS.value:
    _write_legend(place)
    print(
      f'Wrote {found.num_predictions} predictions of step {found.step} to '
      f'{_WRITE_PREDICTIONS.value}.'
    )
  if not found.scores:
    return
  print(evaluation.table(found.scores))
  _write_examples(found, place)
  print(
    f'Wrote {evaluation.write(found, place.run_dir)}. Next:\n  '
    f'{commands.shown("export")} --run_dir={place.run_dir} '
    f'--output_dir={place.run_dir}/saved_model'
  )


def _evaluate_exported(
  place: 'run_lib.Place', config: configs.EvalConfig
) -> None:
  """Evaluates a SavedModel, or a file of another runtime."""
  from auto_deeplab.evaluation import evaluation, exported
  from auto_deeplab.serving import engines

  if _CONTINUOUS.value or _CHECKPOINT.value:
    raise ValueError('--model_dir takes neither --checkpoint nor --continuous.')
  model = engines.load(_MODEL_DIR.value)
  found = exported.evaluate(
    lambda picture: model.predict(picture).labels,
    model.class_names,
    place.data_dir,
    place.eval_split,
    config,
    predictions_dir=_WRITE_PREDICTIONS.value,
  )
  if _WRITE_PREDICTIONS.value:
    print(
      f'Wrote {found.num_predictions} predictions to '
      f'{_WRITE_PREDICTIONS.value}.'
    )
  if found.scores:
    print(evaluation.table(found.scores))


def main() -> None:
  config = gin_flags.load(configs.EvalExperiment).evaluation
  place = run_flags.place(eval_split=_SPLIT.value)
  if bool(place.run_dir) == bool(_MODEL_DIR.value):
    raise ValueError('one of --run_dir and --model_dir is to be given.')
  if _MODEL_DIR.value:
    _evaluate_exported(place, config)
  elif _CONTINUOUS.value:
    _follow(place, config)
  else:
    _evaluate(place, config)
