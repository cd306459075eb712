# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Segments pictures with an exported SavedModel.

Needs the SavedModel alone, no checkpoint and no recipe. For each picture
NAME.jpg (or .png and others; any size) it writes

  NAME.png          the label map: a pixel's value is its class, and the
                    palette holds the classes' colours; with --values=own it
                    is the value that the class had in the labels before their
                    conversion
  NAME_overlay.jpg  the picture under the colours of its classes
  NAME.npz          with --probabilities: `probabilities`, float32
                    [height, width, num_classes]

and legend.png: the colour, the value and the name of each class.

A picture that cannot be read is named at the end; the others are still
segmented, and the exit status is then 1.

Examples:
  auto-deeplab predict --model_dir=runs/demo/saved_model \
    --input=photos --output_dir=predictions

  auto-deeplab predict --model_dir=runs/demo/saved_model \
    --input=street.jpg --input='more/**/*.png' --output_dir=predictions
"""

from collections.abc import Iterator
import os
import sys
import time
from typing import TYPE_CHECKING

from absl import flags
from tqdm import tqdm

# For type checkers: what is imported once the flags are read.
if TYPE_CHECKING:
  from auto_deeplab.serving import client

FOR_MEMORY = 'take smaller pictures'

_MODEL_DIR = flags.DEFINE_string(
  'model_dir', None, 'SavedModel that export wrote.', required=True
)
_INPUT = flags.DEFINE_multi_string(
  'input',
  None,
  'A picture, a folder of pictures, or a quoted glob; may be repeated.',
  required=True,
)
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', None, 'Folder for the results; made if missing.', required=True
)
_OVERLAY_ALPHA = flags.DEFINE_float(
  'overlay_alpha',
  0.5,
  'Share of the colours in the overlay: 0 is the picture alone, 1 the classes.',
  lower_bound=0,
  upper_bound=1,
)
_PROBABILITIES = flags.DEFINE_bool(
  'probabilities', False, 'Also write NAME.npz with the class probabilities.'
)
_VALUES = flags.DEFINE_enum(
  'values',
  'class',
  ('class', 'own'),
  'What a pixel of a label map holds: its class, or the value that the class '
  'has in the labels as their maker wrote them.',
)


def _with_progress(pictures: list[str]) -> Iterator[str]:
  """Yields the pictures: under a bar on a terminal, else with a line each."""
  if sys.stderr.isatty():
    yield from tqdm(pictures, unit='picture')
    return
  for number, picture in enumerate(pictures, start=1):
    start = time.perf_counter()
    yield picture
    seconds = time.perf_counter() - start
    print(f'[{number}/{len(pictures)}] {picture} ({seconds:.2f} s)', flush=True)


def _write_legend(model: 'client.SavedModelClient', stems: list[str]) -> str:
  """Draws what the colours mean; returns the path."""
  from auto_deeplab.reporting import legend

  stem = os.path.join(_OUTPUT_DIR.value, legend.STEM)
  while stem in stems:  # A picture is called so.
    stem += '_'
  is_own = _VALUES.value == 'own'
  values = model.values if is_own else range(len(model.colors))
  legend.write(f'{stem}.png', model.class_names, model.colors, values)
  return f'{stem}.png'


def main() -> None:
  """Segments every picture that can be read, then names the others."""
  from auto_deeplab.serving import client

  # Of pictures of many sizes, oneDNN would make again what it just gave up, and
  # each time leave some memory behind. It asks when the first one is segmented.
  os.environ.setdefault('ONEDNN_PRIMITIVE_CACHE_CAPACITY', '100000')
  pictures = client.find_pictures(_INPUT.value)
  stems = client.output_stems(pictures, _OUTPUT_DIR.value)
  model = client.SavedModelClient(_MODEL_DIR.value)
  stem_of = dict(zip(pictures, stems, strict=True))
  legend_path = _write_legend(model, stems)
  problems = []
  for picture in _with_progress(pictures):
    try:
      image = client.load_image(picture, max_pixels=model.max_pixels)
    except ValueError as e:
      problems.append(str(e))
      continue
    prediction = model.predict(image, probabilities=_PROBABILITIES.value)
    client.write_prediction(
      stem_of[picture],
      image,
      prediction.labels,
      model.colors,
      alpha=_OVERLAY_ALPHA.value,
      probabilities=prediction.probabilities,
      values=model.values if _VALUES.value == 'own' else None,
    )
  num_done = len(pictures) - len(problems)
  if problems:
    raise ValueError(
      f'{num_done} of {len(pictures)} pictures segmented into '
      f'{_OUTPUT_DIR.value!r}; left out: {"; ".join(problems)}'
    )
  print(
    f'Wrote label maps and overlays of {num_done} pictures to '
    f'{_OUTPUT_DIR.value}; {os.path.basename(legend_path)} has their colours.'
  )
