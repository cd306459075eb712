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
  CONTEXT,
  CONTEXT_SIGNATURE,
  FEATURES_SIGNATURE,
  FILES,
  FILES_SIGNATURE,
  FORMAT,
  IMAGES,
  INPUTS,
  LABELS,
  LABELS_SIGNATURE,
  MAX_PIXELS,
  METADATA_PATH,
  MIN_SIDE,
  PROBABILITIES,
  PROBABILITIES_SIGNATURE,
  QUANTIZED_SIGNATURE,
  TIMES,
  TOO_MANY_PIXELS,
  VERSION,
  Prediction,
  check_metadata,
  read_metadata,
  require_pixels,
)
from .files import (
  PICTURE_SUFFIXES,
  Found,
  Job,
  find_pictures,
  jobs,
)
from .folders import DEFAULT_WINDOW, Predictor, Settings
from .geotiff import AnyPicture, GeoTiff, is_written, open_picture
from .local import (
  SavedModelClient,
)
from .painting import (
  colorize,
  overlay,
  write_prediction,
)
from .pictures import (
  PillowPicture,
  load_image,
  to_8_bit,
)
from .remote import RemoteModel, connect
from .servers import DEFAULT_MODEL, Patience, ServerError
from .windows import Rule, predict_windows
from .work import in_turns

__all__ = [
  'CONFIDENCE_SIGNATURE',
  'CONTEXT',
  'CONTEXT_SIGNATURE',
  'DEFAULT_MODEL',
  'DEFAULT_WINDOW',
  'FEATURES_SIGNATURE',
  'FILES',
  'FILES_SIGNATURE',
  'FORMAT',
  'IMAGES',
  'INPUTS',
  'LABELS',
  'LABELS_SIGNATURE',
  'MAX_PIXELS',
  'METADATA_PATH',
  'MIN_SIDE',
  'PICTURE_SUFFIXES',
  'PROBABILITIES',
  'PROBABILITIES_SIGNATURE',
  'QUANTIZED_SIGNATURE',
  'TIMES',
  'TOO_MANY_PIXELS',
  'VERSION',
  'AnyPicture',
  'Found',
  'GeoTiff',
  'Job',
  'Patience',
  'PillowPicture',
  'Prediction',
  'Predictor',
  'RemoteModel',
  'Rule',
  'SavedModelClient',
  'ServerError',
  'Settings',
  'check_metadata',
  'colorize',
  'connect',
  'find_pictures',
  'in_turns',
  'is_written',
  'jobs',
  'load_image',
  'open_picture',
  'overlay',
  'predict_windows',
  'read_metadata',
  'require_pixels',
  'to_8_bit',
  'write_prediction',
]
