# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Exports a trained segmenter as a SavedModel.

The SavedModel takes uint8 RGB images of any size and batch (signatures
`serving_default` for labels, `probabilities`), or JPEG and PNG files of unlike
sizes (signature `segment`: label maps as PNG, and the pixels of each class).
Class names, colours and the genotype are inside. It needs TensorFlow only, none
of this package.

Example:
  auto-deeplab export --run_dir=runs/demo/train \
    --output_dir=runs/demo/saved_model

TensorFlow Serving wants a version number as the last folder:

  auto-deeplab export --run_dir=runs/demo/train --output_dir=models/demo/1
  tensorflow_model_server --model_name=demo --model_base_path=$PWD/models/demo
"""

from absl import flags

from auto_deeplab import configs
from auto_deeplab.cli import commands

_RUN_DIR = flags.DEFINE_string(
  'run_dir', None, 'Run folder that train wrote.', required=True
)
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir',
  None,
  'Folder for the SavedModel; must not exist, or be empty.',
  required=True,
)
_CHECKPOINT = flags.DEFINE_string(
  'checkpoint',
  None,
  "Path prefix of a checkpoint, or 'best': the best mIoU during training; by "
  'default the newest.',
)
_MAX_PIXELS = flags.DEFINE_integer(
  'max_pixels',
  configs.ServingConfig().max_pixels,
  'Pixels that a picture may have; the SavedModel refuses larger ones.',
  lower_bound=1,
)
_CANVAS_STEPS = flags.DEFINE_integer(
  'canvas_steps',
  configs.ServingConfig().canvas_steps,
  'Lengths that the sides of a padded picture may have from one to its double, '
  'so that pictures of many sizes are of few, with the same labels. 0 pads to '
  'the next size at which maps nest.',
  lower_bound=0,
)


def main() -> None:
  """Loads the run, writes the SavedModel, and says what comes next."""
  from auto_deeplab.runs import trained_network
  from auto_deeplab.serving import exporter

  exporter.require_free(_OUTPUT_DIR.value)  # Before the minute of loading.
  segmenter = trained_network.load_segmenter(
    _RUN_DIR.value, checkpoint=_CHECKPOINT.value
  )
  exporter.export(
    segmenter.model,
    dataset_info=segmenter.dataset_info,
    genotype=segmenter.genotype,
    output_dir=_OUTPUT_DIR.value,
    step=segmenter.step,
    config=configs.ServingConfig(
      max_pixels=_MAX_PIXELS.value, canvas_steps=_CANVAS_STEPS.value
    ),
  )
  print(
    f'Wrote the SavedModel of step {segmenter.step} to {_OUTPUT_DIR.value}. '
    f'Next: {commands.shown("predict")} --model_dir={_OUTPUT_DIR.value} '
    '--input=PICTURES --output_dir=predictions'
  )
