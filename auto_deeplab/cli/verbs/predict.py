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
  NAME.tif          with --geotiff, in the place of NAME.png of a TIFF: the
                    label map, with its georeference
  NAME.npz          with --probabilities: `probabilities`, float32
                    [height, width, num_classes]

and legend.png: the colour, the value and the name of each class.

A folder stands for all pictures below it, and its subfolders come again in
--output_dir. What is passed over is counted. A picture that cannot be read is
named at the end; the others are still segmented, and the exit status is then 1.
With --skip_existing a run that was ended goes on.

A picture of more pixels than the model takes is predicted in windows that
overlap; --window=1025 has smaller ones, or has them for smaller pictures, where
the memory does not suffice.

Examples:
  auto-deeplab predict --model_dir=runs/demo/saved_model \
    --input=photos --output_dir=predictions

  auto-deeplab predict --model_dir=runs/demo/saved_model \
    --input=street.jpg --input='more/**/*.png' --output_dir=predictions

  auto-deeplab predict --server=grpc://localhost:8500/demo --input=photos \
    --output_dir=predictions
"""

from collections.abc import Iterator, Mapping, Sequence
import os
import sys
import time
from typing import TYPE_CHECKING
import warnings

from absl import flags
from tqdm import tqdm

# For type checkers: what is imported once the flags are read.
if TYPE_CHECKING:
  from auto_deeplab.serving import client, engines

  _Model = client.SavedModelClient | client.RemoteModel | engines.Engine

_Result = ValueError | None

FOR_MEMORY = 'take smaller windows (--window)'

_MODEL_DIR = flags.DEFINE_string(
  'model_dir',
  None,
  'What export wrote: the folder of a SavedModel, or a file .tflite, .onnx or '
  '.xml (OpenVINO).',
)
_SERVER = flags.DEFINE_string(
  'server',
  None,
  "In its place, a server that has the model: 'grpc://HOST:PORT[/MODEL]' or "
  "'http://HOST:PORT[/MODEL]' of TensorFlow Serving or `serve`, "
  "'kserve+http://HOST:PORT[/MODEL]' of others.",
)
_INPUT = flags.DEFINE_multi_string(
  'input',
  None,
  'A picture, a folder, or a quoted glob; may be repeated.',
  required=True,
)
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', None, 'Folder for the results; made if missing.', required=True
)
_SKIP_EXISTING = flags.DEFINE_bool(
  'skip_existing', False, 'Pass over pictures whose label map is there.'
)
_WINDOW = flags.DEFINE_integer(
  'window',
  0,
  'Longest side of what the network is given at once; larger pictures are '
  'predicted in windows that overlap. 0: those alone that are beyond the limit '
  'of the model, in windows of 1537 pixels.',
  lower_bound=0,
)
_MAX_PIXELS = flags.DEFINE_integer(
  'max_pixels',
  2**28,
  'Pixels that a picture may have, each of which takes some 10 bytes; larger '
  'ones are left out, undecoded.',
  lower_bound=1,
)
_GEOTIFF = flags.DEFINE_bool(
  'geotiff',
  False,
  'Read TIFFs part by part, and write their label maps as GeoTIFFs, which lie '
  'where the pictures do and tell where those have no data. Needs rasterio: '
  'pip install "auto_deeplab[geo]".',
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


def _with_progress(
  jobs: 'Sequence[client.Job]', results: Iterator[_Result]
) -> Iterator[_Result]:
  """Yields the results: under a bar on a terminal, else with a line each."""
  if sys.stderr.isatty():
    yield from tqdm(results, unit='picture', total=len(jobs))
    return
  start = time.perf_counter()
  for number, (job, result) in enumerate(zip(jobs, results), start=1):
    now = time.perf_counter()
    shown = f'{job.path} ({now - start:.2f} s)'
    print(f'[{number}/{len(jobs)}] {shown}', flush=True)
    start = now
    yield result


def _write_legend(model: '_Model', stems: Sequence[str]) -> str | None:
  """Draws what the colours mean; returns the path, None if nobody knows."""
  from auto_deeplab.reporting import legend

  if not model.class_names:  # Not all servers tell.
    return None
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

  if (_MODEL_DIR.value is None) == (_SERVER.value is None):
    raise ValueError('either --model_dir or --server must be given.')
  # Of pictures of many sizes, oneDNN would make again what it just gave up, and
  # each time leave some memory behind. It asks when the first one is segmented.
  os.environ.setdefault('ONEDNN_PRIMITIVE_CACHE_CAPACITY', '100000')
  # In megabytes; GDAL would take a twentieth of the machine.
  os.environ.setdefault('GDAL_CACHEMAX', '64')
  # That a TIFF lies nowhere; nor do its labels.
  warnings.filterwarnings('ignore', module='rasterio')
  found, skipped = client.find_pictures(_INPUT.value, _OUTPUT_DIR.value)
  jobs = client.jobs(found, _OUTPUT_DIR.value)
  stems = [job.stem for job in jobs]
  if _SKIP_EXISTING.value:
    is_geo = _GEOTIFF.value
    left = [job for job in jobs if not client.is_written(job, is_geo=is_geo)]
    skipped['already there'] = len(jobs) - len(left)
    jobs = left
  problems, more = _run(jobs, stems) if jobs else ([], '')
  _say_skipped(skipped)
  num_done = len(jobs) - len(problems)
  if problems:
    raise ValueError(
      f'{num_done} of {len(jobs)} pictures segmented into '
      f'{_OUTPUT_DIR.value!r}; left out: {"; ".join(problems)}'
    )
  print(
    f'Wrote label maps and overlays of {num_done} pictures to '
    f'{_OUTPUT_DIR.value}{more}.'
  )


def _model() -> '_Model':
  """Returns what computes labels, from here or from elsewhere."""
  from auto_deeplab.serving import client, engines

  if _SERVER.value:
    return client.connect(_SERVER.value)
  return engines.load(_MODEL_DIR.value)


def _run(
  jobs: 'Sequence[client.Job]', stems: Sequence[str]
) -> tuple[list[str], str]:
  """Returns what is wrong with which pictures, and what there is to say."""
  from auto_deeplab.serving import client

  model = _model()
  legend_path = _write_legend(model, stems)
  predictor = client.Predictor(
    model,
    client.Settings(
      window=_WINDOW.value,
      max_pixels=_MAX_PIXELS.value,
      probabilities=_PROBABILITIES.value,
      alpha=_OVERLAY_ALPHA.value,
      own_values=_VALUES.value == 'own',
      is_geo=_GEOTIFF.value,
    ),
  )
  start = time.perf_counter()
  results = predictor.run(jobs)
  problems = [str(e) for e in _with_progress(jobs, results) if e is not None]
  rate = len(jobs) / (time.perf_counter() - start)
  own_rate = len(jobs) / max(predictor.network_seconds, 1e-9)
  said = f' ({rate:.3g} pictures a second; the network alone {own_rate:.3g})'
  if legend_path:
    said += f'; {os.path.basename(legend_path)} has their colours'
  return problems, said


def _say_skipped(skipped: Mapping[str, int]) -> None:
  parts = [f'{count} {why}' for why, count in sorted(skipped.items()) if count]
  if parts:
    print(f'Passed over: {", ".join(parts)}.')
