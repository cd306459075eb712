# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Label maps and overlays from an exported SavedModel, and from nothing else.

This file imports NumPy and Pillow only, and TensorFlow where it runs a model:
it may be copied beside a SavedModel to a machine that does not have the
package. `serving.exporter` writes what is read here, and takes the names of the
format from here.

  client = SavedModelClient('runs/demo/saved_model')
  image = load_image('street.jpg')
  prediction = client.predict(image)  # Labels; probabilities if asked for.
  write_prediction(
    'street_out', image, prediction.labels, client.colors
  )  # street_out.png, street_out_overlay.jpg
"""

from collections.abc import Iterator, Sequence
import contextlib
import dataclasses
import glob
import json
import os
from pathlib import Path
from typing import Any
import warnings

import numpy as np
from PIL import Image, ImageOps

FORMAT = 'auto_deeplab.saved_model'
VERSION = 2
METADATA_PATH = os.path.join('assets.extra', 'metadata.json')
# What is asked of pixels, and of files; `serving.exporter` tells their outputs.
IMAGES = 'images'
LABELS_SIGNATURE = 'serving_default'
PROBABILITIES_SIGNATURE = 'probabilities'
QUANTIZED_SIGNATURE = 'quantized_probabilities'
# `_bytes`: by this suffix TensorFlow Serving's and Vertex AI's REST interfaces
# recognise a tensor that travels as {"b64": "..."}.
FILES = 'image_bytes'
FILES_SIGNATURE = 'segment'
CONFIDENCE_SIGNATURE = 'segment_with_confidence'
INPUTS = {
  LABELS_SIGNATURE: IMAGES,
  PROBABILITIES_SIGNATURE: IMAGES,
  QUANTIZED_SIGNATURE: IMAGES,
  FILES_SIGNATURE: FILES,
  CONFIDENCE_SIGNATURE: FILES,
}

PICTURE_SUFFIXES = (
  '.bmp',
  '.gif',
  '.jpeg',
  '.jpg',
  '.png',
  '.tif',
  '.tiff',
  '.webp',
)
# Of a picture: those of 4096 x 4096. A model may have another limit. A shorter
# side counts as this one, for no network pads to less.
MAX_PIXELS = 2**24
MIN_SIDE = 33
TIMES = 'x'
TOO_MANY_PIXELS = (
  ' pixels are too many; the limit is {}, '
  f'where a side of less than {MIN_SIDE} counts as {MIN_SIDE}.'
)
# A palette PNG has as many entries; so has a uint8 label.
_PALETTE_SIZE = 256
# Of 16 bits, the pixels below and above that become 0 and 255: 1 in so many.
_TAIL = 1000
# Near-lossless: the overlay's class borders stay sharp.
_JPEG_OPTIONS = {'quality': 95, 'subsampling': 0}


@dataclasses.dataclass(frozen=True)
class Prediction:
  """What the network says about one picture.

  Attributes:
    labels: uint8 [height, width], the most probable class of each pixel.
    probabilities: float32 [height, width, num_classes], sums to 1 over the
      classes; None unless asked for.
  """

  labels: np.ndarray
  probabilities: np.ndarray | None = None


class SavedModelClient:
  """Runs an exported segmenter on pictures of any size.

  Attributes:
    metadata: all that `assets.extra/metadata.json` says.
    class_names: the name of each class, in the order of the labels.
    colors: an (r, g, b) a class, each in 0..255.
    max_pixels: that a picture may have.
    values: the value of each class in the labels that it was trained on.
  """

  def __init__(self, model_dir: str | os.PathLike):
    """Loads the model.

    Args:
      model_dir: what `tools/export.py` wrote.

    Raises:
      FileNotFoundError: there is no such folder.
      ValueError: the folder is not a SavedModel of this project, is damaged,
        or is of another version.
    """
    import tensorflow as tf

    self.metadata = read_metadata(model_dir)
    self.class_names = tuple(self.metadata['class_names'])
    self.colors = tuple(tuple(color) for color in self.metadata['colors'])
    self.max_pixels = self.metadata['input']['max_pixels']
    classes = range(len(self.class_names))  # Older exports tell no values.
    self.values = tuple(self.metadata.get('values', classes))
    try:
      # Kept, for a signature does not keep its variables alive.
      self._saved_model = tf.saved_model.load(os.fspath(model_dir))
      self._signatures = self._saved_model.signatures
      _ = [self._signatures[name] for name in INPUTS]
    # A damaged file shows as OSError, IndexError, DataLossError and others.
    except Exception as e:
      raise ValueError(
        f'the SavedModel in {os.fspath(model_dir)!r} is damaged: {e}'
      ) from e

  def predict(
    self, image: np.ndarray, *, probabilities: bool = False
  ) -> Prediction:
    """Segments one picture.

    Args:
      image: uint8 [height, width, 3], RGB in 0..255.
      probabilities: whether to return them besides the labels; of 19 classes
        they are 76 times as large.

    Returns:
      Labels, and probabilities if asked for, at the size of `image`.

    Raises:
      ValueError: `image` has another dtype or shape, or is too large.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
      raise ValueError(
        f'`image` ({image.dtype} {list(image.shape)}) must be uint8 '
        '[height, width, 3].'
      )
    if image.size == 0:
      raise ValueError(f'`image` ({list(image.shape)}) has no pixels.')
    _require_pixels(image.shape[:2], self.max_pixels)
    if not probabilities:
      return Prediction(self._call(LABELS_SIGNATURE, image)['labels'])
    found = self._call(PROBABILITIES_SIGNATURE, image)['probabilities']
    return Prediction(np.argmax(found, axis=-1).astype(np.uint8), found)

  def _call(self, signature: str, image: np.ndarray) -> dict[str, np.ndarray]:
    outputs = self._signatures[signature](**{IMAGES: image[np.newaxis]})
    return {name: value[0].numpy() for name, value in outputs.items()}


def read_metadata(model_dir: str | os.PathLike) -> dict[str, Any]:
  """Returns the metadata of an exported SavedModel, checked.

  Args:
    model_dir: what `tools/export.py` wrote.

  Raises:
    FileNotFoundError: there is no such folder.
    ValueError: it is not a SavedModel of this project, or of another version.
  """
  folder = os.fspath(model_dir)
  if not os.path.isdir(folder):
    raise FileNotFoundError(f'the model folder {folder!r} does not exist.')
  for name in ('saved_model.pb', METADATA_PATH):
    if not os.path.isfile(os.path.join(folder, name)):
      raise ValueError(
        f'{folder!r} is not a SavedModel that Auto-DeepLab exported: '
        f'it has no {name!r}.'
      )
  path = os.path.join(folder, METADATA_PATH)
  try:
    metadata = json.loads(Path(path).read_text(encoding='utf-8'))
    found = metadata['format'], metadata['version']
    if found == (FORMAT, VERSION):
      _check_classes(metadata)
      if type(limit := metadata['input']['max_pixels']) is not int or limit < 1:
        raise ValueError(f'`max_pixels` ({limit!r}) is no number of pixels.')
      return metadata
  except (ValueError, TypeError, KeyError, RecursionError) as e:
    raise ValueError(f'{path!r} is damaged: {e!r}') from e
  raise ValueError(
    f'{folder!r} is of format {found[0]!r}, version {found[1]}; this client '
    f'reads {FORMAT!r}, version {VERSION}.'
  )


def _check_classes(metadata: dict[str, Any]) -> None:
  """Raises an error unless each class has a name, a colour and a value."""
  names, colors = metadata['class_names'], metadata['colors']
  values = metadata.get('values', list(range(len(names))))
  are_bytes = all(
    type(number) is int and 0 <= number <= 255
    for number in (*values, *(channel for color in colors for channel in color))
  )
  if (
    not are_bytes
    or not all(isinstance(name, str) for name in names)
    or any(len(color) != 3 for color in colors)
    or not len(names) == len(colors) == len(set(values)) == len(values)
  ):
    raise ValueError('its classes have no name, colour and value each.')


def load_image(
  path: str | os.PathLike, *, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
  """Reads a picture as a person sees it.

  The EXIF orientation is applied; greyscale, palette, CMYK and 16-bit pictures
  become 8-bit RGB; an alpha channel is dropped, as TensorFlow's decoders do.
  Of 16 bits the darkest and the brightest pixel become 0 and 255, see
  `to_8_bit`.

  Args:
    path: a picture that Pillow can read; of an animation, the first frame.
    max_pixels: that it may have. More is refused before it is decoded.

  Returns:
    uint8 [height, width, 3], RGB.

  Raises:
    ValueError: the file is missing, empty, truncated, too large or not a
      picture; the message names it.
  """
  name = os.fspath(path)
  try:
    if os.path.getsize(name) == 0:
      raise ValueError('the file is empty.')
    with _open_lazily(name) as picture:
      _require_pixels(picture.size[::-1], max_pixels)
      upright = ImageOps.exif_transpose(_with_8_bits(name, picture))
      return np.array(upright.convert('RGB'))
  except MemoryError:
    raise
  # Pillow's decoders raise whatever their parsing meets (OSError, SyntaxError,
  # struct.error, DecompressionBombError and more), mostly without the name.
  except Exception as e:
    reason = e.strerror if isinstance(e, OSError) and e.strerror else e
    raise ValueError(f'cannot read the picture {name!r}: {reason}') from e


def _open_lazily(name: str) -> Image.Image:
  with warnings.catch_warnings():
    # Pillow warns of large pictures; here a limit decides.
    warnings.simplefilter('ignore', Image.DecompressionBombWarning)
    return Image.open(name)


def _require_pixels(size: Sequence[int], max_pixels: int) -> None:
  height, width = (max(side, MIN_SIDE) for side in size)
  if height * width > max_pixels:
    shown = TIMES.join(map(str, size))
    raise ValueError(shown + TOO_MANY_PIXELS.format(max_pixels))


def to_8_bit(values: np.ndarray) -> np.ndarray:
  """Makes 8 bits of 16, for cameras fill 10, 12 or 14 of them.

  Of each picture, the darkest and the brightest pixel become 0 and 255, and all
  between in proportion. A thousandth at either end does not count, so that one
  hot pixel does not darken the others. Data sets are converted by the same
  rule: a network predicts on what it was trained on.

  Args:
    values: integers in 0..65535, of any shape.

  Returns:
    uint8 of the same shape; 0 where all values are equal.
  """
  sums = np.cumsum(np.bincount(values.ravel(), minlength=2**16))
  tail = values.size // _TAIL
  low = int(np.searchsorted(sums, tail, side='right'))
  high = int(np.searchsorted(sums, values.size - tail, side='left'))
  scaled = (np.arange(2**16) - low) * 255.0 / max(1, high - low)
  return np.rint(scaled.clip(0, 255)).astype(np.uint8)[values]


def _with_8_bits(name: str, picture: Image.Image) -> Image.Image:
  """Returns the picture, or a copy if it has 16 bits a channel."""
  if picture.mode == 'F':
    raise ValueError('floating-point pixels are not supported.')
  if picture.format == 'PNG' and _png_bits(name) == 16:
    # Pillow drops 8 of 16 bits where there is more than one channel.
    import tensorflow as tf

    try:
      values = tf.io.decode_png(tf.io.read_file(name), 3, tf.uint16).numpy()
    except tf.errors.OpError as e:  # Its words are of TensorFlow's parts.
      raise ValueError('it is truncated or damaged.') from e
  elif picture.mode.startswith('I'):
    values = np.asarray(picture)
  else:
    return picture
  if values.min(initial=0) < 0 or values.max(initial=0) > 0xFFFF:
    raise ValueError('32-bit pixels are not supported.')
  copy = Image.fromarray(to_8_bit(values))
  copy.info = picture.info  # With the EXIF orientation.
  return copy


def _png_bits(name: str) -> int:
  with open(name, 'rb') as file:
    return file.read(25)[24]


def find_pictures(inputs: Sequence[str]) -> list[str]:
  """Lists the pictures that files, folders and globs stand for.

  Args:
    inputs: paths of pictures; folders, of which the files with a picture's
      suffix are taken (not those of subfolders); globs, where `**` matches
      folders of any depth.

  Returns:
    Paths, sorted within each input, no file twice.

  Raises:
    ValueError: an input matches nothing.
  """
  found: dict[str, str] = {}
  for entry in inputs:
    if os.path.isdir(entry):
      paths = [os.path.join(entry, name) for name in os.listdir(entry)]
      paths = [p for p in paths if p.lower().endswith(PICTURE_SUFFIXES)]
    elif os.path.exists(entry):  # Also a name with brackets or a star in it.
      paths = [entry]
    else:
      paths = glob.glob(entry, recursive=True)
    files = sorted(p for p in paths if os.path.isfile(p))
    if not files:
      raise ValueError(f'the input {entry!r} matches no picture.')
    for path in files:
      found.setdefault(os.path.realpath(path), path)
  return list(found.values())


def output_stems(
  pictures: Sequence[str], output_dir: str | os.PathLike
) -> list[str]:
  """Returns what the files written for each picture start with.

  Args:
    pictures: paths of pictures.
    output_dir: where the files will go.

  Returns:
    `output_dir/NAME` a picture, NAME being its name without the suffix.

  Raises:
    ValueError: two pictures have the same name, or `output_dir` is the folder
      of one of them, which could overwrite it.
  """
  owners: dict[str, str] = {}
  for picture in pictures:
    folder = os.path.dirname(picture) or os.curdir
    if os.path.realpath(folder) == os.path.realpath(output_dir):
      raise ValueError(
        f'the output folder {os.fspath(output_dir)!r} holds the input '
        f'{picture!r}; choose another one.'
      )
    name = os.path.splitext(os.path.basename(picture))[0]
    stem = os.path.join(output_dir, name)
    if stem in owners:
      raise ValueError(
        f'{owners[stem]!r} and {picture!r} would both be written to '
        f'{stem + ".png"!r}; predict them into two folders.'
      )
    owners[stem] = picture
  return list(owners)


def colorize(labels: np.ndarray, colors: Sequence[Sequence[int]]) -> np.ndarray:
  """Paints a label map.

  Args:
    labels: uint8 [height, width].
    colors: an (r, g, b) a class, each in 0..255.

  Returns:
    uint8 [height, width, 3]; a label without a colour (255 for "ignore") is
    black.
  """
  return _palette(colors)[labels]


def overlay(
  image: np.ndarray,
  labels: np.ndarray,
  colors: Sequence[Sequence[int]],
  alpha: float = 0.5,
) -> np.ndarray:
  """Lays a label map's colours over its picture.

  Args:
    image: uint8 [height, width, 3].
    labels: uint8 [height, width].
    colors: an (r, g, b) a class, each in 0..255.
    alpha: share of the colours, in [0, 1]; the rest is the picture.

  Returns:
    uint8 [height, width, 3].

  Raises:
    ValueError: the sizes differ, or `alpha` is out of range.
  """
  if image.shape[:2] != labels.shape:
    raise ValueError(
      f'`image` {list(image.shape[:2])} and `labels` {list(labels.shape)} '
      'must be of one size.'
    )
  if not 0 <= alpha <= 1:
    raise ValueError(f'`alpha` ({alpha}) must be in [0, 1].')
  mixed = (1 - alpha) * image + alpha * colorize(labels, colors)
  return np.round(mixed).astype(np.uint8)


def write_prediction(
  stem: str | os.PathLike,
  image: np.ndarray,
  labels: np.ndarray,
  colors: Sequence[Sequence[int]],
  *,
  alpha: float = 0.5,
  probabilities: np.ndarray | None = None,
  values: Sequence[int] | None = None,
) -> list[str]:
  """Writes a prediction as files that never exist half-written.

  Args:
    stem: what the files' paths start with; the folder is made where missing.
    image: uint8 [height, width, 3], the picture.
    labels: uint8 [height, width].
    colors: an (r, g, b) a class, each in 0..255.
    alpha: share of the colours in the overlay, in [0, 1].
    probabilities: float32 [height, width, num_classes], or None.
    values: the pixel value of each class, in 0..255; None for its label.

  Returns:
    The paths: `STEM.png`, whose pixel values are the labels, or their `values`,
    and whose palette holds the colours; `STEM_overlay.jpg`; and with
    `probabilities` `STEM.npz`, which holds them under that name.

  Raises:
    ValueError: the sizes differ, or `alpha` is out of range.
    OSError: a file cannot be written; the message names it.
  """
  painted = Image.fromarray(overlay(image, labels, colors, alpha))
  label_map = _with_palette(labels, colors, values)
  stem = os.fspath(stem)
  os.makedirs(os.path.dirname(stem) or os.curdir, exist_ok=True)
  paths = [f'{stem}.png', f'{stem}_overlay.jpg']
  with _written_aside(paths[0]) as temporary:
    label_map.save(temporary, format='PNG')
  with _written_aside(paths[1]) as temporary:
    painted.save(temporary, format='JPEG', **_JPEG_OPTIONS)
  if probabilities is not None:
    paths.append(f'{stem}.npz')
    with _written_aside(paths[2]) as temporary, open(temporary, 'wb') as file:
      np.savez_compressed(file, probabilities=probabilities)
  return paths


def _with_palette(
  labels: np.ndarray,
  colors: Sequence[Sequence[int]],
  values: Sequence[int] | None,
) -> Image.Image:
  """Returns a palette picture of the values of labels."""
  table, palette = np.arange(_PALETTE_SIZE, dtype=np.uint8), _palette(colors)
  if values is not None:
    table[: len(values)] = values
    palette = np.zeros_like(palette)
    palette[list(values)] = colors
  picture = Image.fromarray(table[labels])
  picture.putpalette(palette.tobytes())
  return picture


def _palette(colors: Sequence[Sequence[int]]) -> np.ndarray:
  """Returns uint8 [256, 3]: the colours, then black."""
  palette = np.zeros([_PALETTE_SIZE, 3], np.uint8)
  palette[: len(colors)] = colors
  return palette


@contextlib.contextmanager
def _written_aside(path: str) -> Iterator[str]:
  """Gives a temporary path, renamed to `path` once all of it is written."""
  folder, name = os.path.split(path)
  temporary = os.path.join(folder, f'.{name}.{os.getpid()}.tmp')
  try:
    yield temporary
    os.replace(temporary, path)
  except OSError as e:
    # A full disk is reported without the file that it was too small for.
    raise OSError(f'cannot write {path!r}: {e.strerror or e}') from e
  finally:
    with contextlib.suppress(FileNotFoundError):
      os.remove(temporary)
