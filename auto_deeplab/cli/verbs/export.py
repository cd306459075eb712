# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Exports a trained segmenter as a SavedModel, and for other runtimes.

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

--scales, --flip and --long_side make the SavedModel predict as evaluate does
with such an EvalConfig, at the time that those views take:

  auto-deeplab export --run_dir=runs/demo/train \
    --output_dir=runs/demo/exact_model --scales=0.75,1,1.25 --flip

--format asks for files beside the SavedModel: OUTPUT_DIR.tflite,
OUTPUT_DIR.onnx, OUTPUT_DIR.xml with OUTPUT_DIR.bin (OpenVINO). predict and
evaluate take each of them as --model_dir. With --quantize=int8 TFLite's and
OpenVINO's compute with 8-bit integers, and have -int8 before the suffix;
--quantize=bfloat16 is for OpenVINO or, without --format, for the SavedModel:

  auto-deeplab export --run_dir=runs/demo/train --data_dir=runs/demo/data \
    --output_dir=runs/demo/saved_model --format=tflite,openvino --quantize=int8

Each is loaded and compared before it gets its name: 99.9 % of the pixels of up
to 50 pictures need the labels that the network says, of the split val where
--data_dir is given, else of drawn ones. Quantized the mIoU of that split may
fall by 0.015 instead.
"""

from collections.abc import Callable
import os
import re
import tempfile
from typing import TYPE_CHECKING, Any

from absl import flags

from auto_deeplab import configs
from auto_deeplab.cli import commands

# For type checkers: these import TensorFlow.
if TYPE_CHECKING:
  import numpy as np

  from auto_deeplab.runs import trained_network

_SAVED_MODEL = 'saved_model'
_NUM_COMPARED = 50

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

_FORMAT = flags.DEFINE_list(
  'format',
  [_SAVED_MODEL],
  'What to write besides the SavedModel, which is always written: tflite, '
  'onnx, openvino.',
)
_SIZE = flags.DEFINE_string(
  'size',
  None,
  'HEIGHTxWIDTH of all pictures that those files will take, which then are '
  'faster; pictures of any size by default.',
)
_QUANTIZE = flags.DEFINE_enum(
  'quantize',
  None,
  ['int8', 'bfloat16'],
  'Those files compute with 8-bit integers (tflite, openvino), or in bfloat16 '
  'on CPUs that have it (openvino). bfloat16 without --format: the SavedModel '
  'does.',
)
_CALIBRATION_PICTURES = flags.DEFINE_integer(
  'calibration_pictures',
  100,
  'Of the split train, by which the ranges of the integers are chosen.',
  lower_bound=1,
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir',
  None,
  'Folder that build_tfrecords wrote: pictures to compare on, and to quantize '
  'by.',
)

_SCALES = flags.DEFINE_list(
  'scales',
  ['1'],
  'Of the pictures: the SavedModel predicts each and averages, as evaluate '
  'does with the same EvalConfig.scales.',
)
_FLIP = flags.DEFINE_boolean(
  'flip', False, 'The SavedModel predicts each scale mirrored as well.'
)
_LONG_SIDE = flags.DEFINE_integer(
  'long_side',
  0,
  'Pixels that the SavedModel resizes the longer side of each picture to, '
  'before the scales; labels keep the size of the picture. 0 resizes nothing.',
  lower_bound=0,
)


def _views() -> configs.EvalConfig:
  """Returns the views of a picture that the SavedModel takes."""
  try:
    scales = tuple(float(scale) for scale in _SCALES.value)
  except ValueError as e:
    raise ValueError(
      f'--scales ({",".join(_SCALES.value)}) must be numbers, such as '
      '0.75,1,1.25.'
    ) from e
  return configs.EvalConfig(
    scales=scales, use_flip=_FLIP.value, long_side=_LONG_SIDE.value
  )


def _view_options(num_classes: int) -> dict[str, Any]:
  """Returns the options of `exporter.export` for more than one view."""
  from auto_deeplab.evaluation import inference

  views = _views()
  if views == configs.EvalConfig():
    return {}
  return {
    'around': lambda network: (
      lambda images: inference.logits(network, images, num_classes, views)
    ),
    'views': {
      name: getattr(views, name) for name in ('scales', 'use_flip', 'long_side')
    },
  }


def _size() -> tuple[int, int] | None:
  if _SIZE.value is None:
    return None
  found = re.fullmatch(r'([1-9]\d*)x([1-9]\d*)', _SIZE.value)
  if not found:
    raise ValueError(
      f'--size ({_SIZE.value}) must be HEIGHTxWIDTH, such as 513x513.'
    )
  return int(found[1]), int(found[2])


def _precision() -> str:
  return _QUANTIZE.value or 'float32'


def _formats() -> list[str]:
  """Returns the formats besides the SavedModel; what cannot be is refused."""
  from auto_deeplab.serving import conversions, engines

  # Each once, in the order that they were given.
  names = [
    name for name in dict.fromkeys(_FORMAT.value) if name != _SAVED_MODEL
  ]
  is_possible = names or _QUANTIZE.value == 'bfloat16'
  if _QUANTIZE.value and not (_DATA_DIR.value and is_possible):
    raise ValueError(
      '--quantize needs --data_dir, and int8 --format of tflite or openvino.'
    )
  if names and _views() != configs.EvalConfig():
    raise ValueError(
      '--scales, --flip and --long_side are for the SavedModel alone.'
    )
  if _SIZE.value and not names:
    raise ValueError('--size is for the files that --format asks for.')
  for name in names:
    conversions.require_free(
      conversions.file_of(_OUTPUT_DIR.value, name, _precision())
    )
    engines.FORMATS[name].require_installed(_precision())
  return names


def _pictures(split: str, number: int) -> 'list[np.ndarray]':
  from auto_deeplab.data.input import input_pipeline

  dataset = input_pipeline.eval_dataset(_DATA_DIR.value, split).take(number)
  return [example['image'][0].numpy() for example in dataset]


def _no_worse(saved_model_dir: str) -> Callable[..., None]:
  """Returns what refuses a file whose mIoU is less than the SavedModel's."""
  from auto_deeplab.evaluation import exported
  from auto_deeplab.serving import comparison, engines

  def mean_iou(model) -> float:
    def label(picture: 'np.ndarray') -> 'np.ndarray':
      return model.predict(picture).labels

    found = exported.evaluate(
      comparison.at_size(label, size) if (size := _size()) else label,
      model.class_names,
      _DATA_DIR.value,
      'val',
    )
    return found.scores['mean_iou']

  whole = mean_iou(engines.load(saved_model_dir))

  def require(engine) -> None:
    reached = mean_iou(engine)
    print(
      f'mIoU in {_precision()} {reached:.4f}, in float32 {whole:.4f}.',
      flush=True,
    )
    comparison.require_no_worse(reached, whole)

  return require


def _convert(model, names: list[str], pictures: 'list[np.ndarray]') -> None:
  from auto_deeplab.serving import conversions

  options: dict[str, Any] = {}
  if names and _QUANTIZE.value:
    number = _CALIBRATION_PICTURES.value if _precision() == 'int8' else 0
    options['calibration'] = _pictures('train', number)
    options['accept'] = _no_worse(_OUTPUT_DIR.value)
  for name in names:
    path, share = conversions.convert(
      model,
      _OUTPUT_DIR.value,
      name,
      pictures=pictures,
      size=_size(),
      precision=_precision(),
      **options,
    )
    kind = 'pictures of the data set' if _DATA_DIR.value else 'drawn pictures'
    place = os.path.join(os.path.dirname(_OUTPUT_DIR.value), path.name)
    print(
      f'Wrote {place}: its labels are those of the SavedModel on {share:.3%} '
      f'of the pixels of {len(pictures)} {kind}.',
      flush=True,
    )


def _export(
  precision: str, output_dir: str, pictures: 'list[np.ndarray]', **options
) -> 'trained_network.LoadedSegmenter':
  """Writes the SavedModel of a network that computes in a precision of ours."""
  from auto_deeplab.runs import trained_network
  from auto_deeplab.serving import exporter

  segmenter = trained_network.load_segmenter(
    _RUN_DIR.value, checkpoint=_CHECKPOINT.value, precision=precision
  )
  exporter.export(
    segmenter.model,
    dataset_info=segmenter.dataset_info,
    genotype=segmenter.genotype,
    output_dir=output_dir,
    step=segmenter.step,
    compute_dtype=precision.removeprefix('mixed_'),
    pictures=pictures,
    **_view_options(segmenter.dataset_info.num_classes),
    **options,
  )
  return segmenter


def main() -> None:
  """Loads the run, writes the SavedModel, and says what comes next."""
  from auto_deeplab.serving import comparison, exporter

  exporter.require_free(_OUTPUT_DIR.value)  # Before the minute of loading.
  names, _, _ = _formats(), _size(), _views()
  config = configs.ServingConfig(
    max_pixels=_MAX_PIXELS.value, canvas_steps=_CANVAS_STEPS.value
  )
  pictures = (
    _pictures('val', _NUM_COMPARED)
    if _DATA_DIR.value
    else comparison.drawn_pictures()
  )
  pictures = comparison.fitting(pictures, config.max_pixels)
  options: dict[str, Any] = {'config': config}
  precision = 'float32'
  if _QUANTIZE.value and not names:
    with tempfile.TemporaryDirectory() as folder:
      _export(precision, folder, pictures, **options)
      options['accept'] = _no_worse(folder)
    precision = 'mixed_bfloat16'
  segmenter = _export(precision, _OUTPUT_DIR.value, pictures, **options)
  _convert(segmenter.model, names, pictures)
  print(
    f'Wrote the SavedModel of step {segmenter.step} to {_OUTPUT_DIR.value}. '
    f'Next: {commands.shown("predict")} --model_dir={_OUTPUT_DIR.value} '
    '--input=PICTURES --output_dir=predictions'
  )
