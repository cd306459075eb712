# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Label maps and overlays from an exported model, and from nothing else.

This folder imports NumPy and Pillow only, and besides what runs or reaches a
model, when it is asked to: it may be copied beside a SavedModel to a machine
that does not have the package. `serving.exporter` writes what is read here, and
takes the names of the format from here.

  model = SavedModelClient('runs/demo/saved_model')
  image = load_image('street.jpg')
  prediction = model.predict(image)  # Labels; probabilities if asked for.
  write_prediction(
    'street_out', image, prediction.labels, model.colors
  )  # street_out.png, street_out_overlay.jpg
"""

from .contract import (
  CONFIDENCE_SIGNATURE,
  FILES,
  FILES_SIGNATURE,
  FORMAT,
  IMAGES,
  INPUTS,
  LABELS_SIGNATURE,
  MAX_PIXELS,
  METADATA_PATH,
  MIN_SIDE,
  PROBABILITIES_SIGNATURE,
  QUANTIZED_SIGNATURE,
  TIMES,
  TOO_MANY_PIXELS,
  VERSION,
  Prediction,
  check_metadata,
  read_metadata,
)
from .files import (
  PICTURE_SUFFIXES,
  find_pictures,
  output_stems,
)
from .local import (
  SavedModelClient,
)
from .painting import (
  colorize,
  overlay,
  write_prediction,
)
from .pictures import (
  load_image,
  to_8_bit,
)

__all__ = [
  'CONFIDENCE_SIGNATURE',
  'FILES',
  'FILES_SIGNATURE',
  'FORMAT',
  'IMAGES',
  'INPUTS',
  'LABELS_SIGNATURE',
  'MAX_PIXELS',
  'METADATA_PATH',
  'MIN_SIDE',
  'PICTURE_SUFFIXES',
  'PROBABILITIES_SIGNATURE',
  'QUANTIZED_SIGNATURE',
  'TIMES',
  'TOO_MANY_PIXELS',
  'VERSION',
  'Prediction',
  'SavedModelClient',
  'check_metadata',
  'colorize',
  'find_pictures',
  'load_image',
  'output_stems',
  'overlay',
  'read_metadata',
  'to_8_bit',
  'write_prediction',
]
