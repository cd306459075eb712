# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Writes a network for other runtimes, beside its SavedModel.

  OUTPUT_DIR/             the SavedModel, which `exporter` wrote
  OUTPUT_DIR.tflite       TensorFlow Lite
  OUTPUT_DIR.onnx         ONNX
  OUTPUT_DIR.xml, .bin    OpenVINO
  OUTPUT_DIR-int8.tflite  and so on, of 8-bit integers or bfloat16

Each is loaded and compared with the SavedModel before it gets its name.
"""

from collections.abc import Callable, Sequence
import os
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from auto_deeplab.serving import aside, client, comparison, engines, module
from auto_deeplab.serving.engines import base

# Raises a ValueError of a file that is not good enough.
Accept = Callable[[base.Engine], None]


def file_of(
  saved_model_dir: str | os.PathLike, name: str, precision: str = base.FLOAT32
) -> Path:
  """Returns the path of the file of a format.

  Args:
    saved_model_dir: beside which it lies.
    name: of the format.
    precision: that it computes in.

  Raises:
    ValueError: there is no such format, or not in that precision.
  """
  if name not in engines.FORMATS:
    raise ValueError(
      f'`format` ({name!r}) must be one of {sorted(engines.FORMATS)}.'
    )
  precisions = engines.FORMATS[name].PRECISIONS
  if precision not in precisions:
    raise ValueError(
      f'{name} is written in {", ".join(precisions)}, not in {precision}.'
    )
  folder = Path(saved_model_dir).resolve()
  kind = '' if precision == base.FLOAT32 else f'-{precision}'
  return folder.with_name(f'{folder.name}{kind}{engines.FORMATS[name].SUFFIX}')


def convert(
  model: tf.keras.Model,
  saved_model_dir: str | os.PathLike,
  name: str,
  *,
  pictures: Sequence[np.ndarray],
  size: tuple[int, int] | None = None,
  precision: str = base.FLOAT32,
  calibration: Sequence[np.ndarray] = (),
  accept: Accept | None = None,
) -> tuple[Path, float]:
  """Writes a network in a format.

  Args:
    model: that `exporter.export` was given.
    saved_model_dir: what it wrote.
    name: of the format.
    pictures: to compare on, uint8 [height, width, 3] each. Where a size is
      given they are brought to it.
    size: (height, width) of all pictures that the file will take; any by
      default.
    precision: that it computes in.
    calibration: as `pictures`; by them the ranges of 8-bit integers are chosen.
    accept: what decides in the place of equal labels, in other precisions.

  Returns:
    The path of the file, and the share of pixels that have equal labels.

  Raises:
    ValueError: it says something else than the SavedModel, or cannot be made.
    FileExistsError: the file is there already.
  """
  target = require_free(file_of(saved_model_dir, name, precision))
  reference = client.SavedModelClient(saved_model_dir)
  metadata = _metadata(reference.metadata, size, precision)
  is_traced_at_size = engines.FORMATS[name].IS_TRACED_AT_SIZE
  network = module.PortableModule(
    model, len(reference.class_names), size if is_traced_at_size else None
  )
  if size:
    pictures = [comparison.resized(each, size) for each in pictures]
    calibration = [comparison.resized(each, size) for each in calibration]
  options = {'calibration': calibration} if calibration else {}
  with aside.folder_beside(target) as folder:
    written = folder / target.name
    engines.FORMATS[name].convert(network, written, metadata, **options)
    engine = engines.open_file(written)
    share = _compared(engine, reference, target, pictures, accept)
    # The file that is looked for comes last.
    for path in sorted(folder.iterdir()):
      path.rename(target.with_name(path.name))
  return target, share


def require_free(target: Path) -> Path:
  """Returns the path of a file that is not there.

  Raises:
    FileExistsError: it is.
  """
  if target.exists():
    raise FileExistsError(f'the file {os.fspath(target)!r} exists already.')
  return target


def _compared(
  engine: base.Engine,
  reference: client.SavedModelClient,
  target: Path,
  pictures: Sequence[np.ndarray],
  accept: Accept | None,
) -> float:
  def label(predictor):
    return lambda picture: predictor.predict(picture).labels

  functions = label(engine), label(reference)
  try:
    if accept is None:
      return comparison.require_equal(target.name, *functions, pictures)
    accept(engine)
    return comparison.equal_share(*functions, pictures)
  except RuntimeError as e:  # As runtimes say that they cannot.
    raise ValueError(f'{target.name} is refused, for it cannot run: {e}') from e


def _metadata(
  metadata: dict[str, Any], size: tuple[int, int] | None, precision: str
) -> dict[str, Any]:
  """Returns what a file says of itself, by what the SavedModel says."""
  unknown = ('signatures', 'tensorflow_version')
  kept = {key: metadata[key] for key in metadata if key not in unknown}
  return kept | {
    'format': base.FORMAT,
    'input': {
      'pixels': metadata['input']['pixels'],
      'size': list(size) if size else 'any; one size within a batch',
      'max_pixels': metadata['input']['max_pixels'],
    },
    'outputs': [client.LABELS, client.PROBABILITIES],
    'compute_dtype': precision,
  }
