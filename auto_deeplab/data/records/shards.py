# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""One shard of a conversion: the work of one process at a time.

    train-00000-of-00008.tfrecord.part    being written
    train-00000-of-00008.tfrecord         whole
    train-00000-of-00008.tfrecord.json    its receipt: what was written, of what

A shard with a receipt is finished. A later conversion keeps it if its bytes are
those of the receipt and its pictures, their order and the time of their last
change are the same.
"""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
from typing import Any

import numpy as np

from auto_deeplab.data import datasets
from auto_deeplab.data.datasets import ShardInfo
from auto_deeplab.data.records import tfrecord
from auto_deeplab.data.sources import label_classes, pictures, sources

_PART, _RECEIPT = '.part', '.json'

# Counted up when the same pictures give other bytes than before.
_VERSION = 2


@dataclasses.dataclass(frozen=True)
class ShardTask:
  """What a shard is made of.

  Attributes:
    path: the file to write.
    split: the split that it belongs to.
    members: (place in the split sorted by name, pair), in the order to write.
    label_values: value or colour in the label files -> class or ignore label.
    reduction: how many times smaller pictures and labels become.
  """

  path: pathlib.Path
  split: str
  members: tuple[tuple[int, sources.Pair], ...]
  label_values: label_classes.LabelValues
  reduction: int

  @property
  def files(self) -> tuple[pathlib.Path, pathlib.Path]:
    """The shard and its receipt."""
    return self.path, self.path.with_name(self.path.name + _RECEIPT)


@dataclasses.dataclass(frozen=True)
class Fault:
  """A picture that cannot be used.

  Attributes:
    split: its split.
    name: the name of its pair.
    reason: a sentence that names the file.
  """

  split: str
  name: str
  reason: str


@dataclasses.dataclass(frozen=True)
class ShardReport:
  """What became of a task.

  Attributes:
    split: the split that the shard belongs to.
    shard: the file; None if there are faults, and no file therefore.
    min_size: smallest (height, width) in pixels, each over all pictures.
    max_size: largest (height, width) in pixels, each over all pictures.
    pixel_counts: pixels of each label value, 0 to 255.
    num_uniform: labels that have one value all over.
    digests: (name, digest of the pixels) of each picture.
    palettes: (index, red, green, blue, label) for each colour that an index
      has in labels that were read by the indices of their palettes, with the
      first such label; at most two colours an index.
    faults: the pictures that cannot be used.
  """

  split: str
  shard: ShardInfo | None
  min_size: tuple[int, int]
  max_size: tuple[int, int]
  pixel_counts: tuple[int, ...]
  num_uniform: int = 0
  digests: tuple[tuple[str, str], ...] = ()
  palettes: tuple[tuple[int, int, int, int, str], ...] = ()
  faults: tuple[Fault, ...] = ()


def write_shard(
  task: ShardTask, advance: Callable[[int], None] = lambda _: None
) -> ShardReport:
  """Converts the pictures of a shard, or finds that this was done before.

  If one of them cannot be used the others are looked at nevertheless, to name
  all that cannot, and nothing is written.

  Args:
    task: what to write.
    advance: called with the number of pictures that were just done.

  Raises:
    OSError: the shard cannot be written; there is no trace of it then.
  """
  fingerprint = _fingerprint(task)
  report = _read_receipt(task, fingerprint)
  if report:
    advance(len(task.members))
    return report
  tally, faults = Tally(), []
  with _part_of(task.path) as part:
    with tfrecord.record_writer(part) as writer:
      for index, pair in task.members:
        try:
          image, label, counts = read_pair(pair, task)
        except (ValueError, OSError) as e:
          faults.append(Fault(task.split, pair.name, str(e)))
        else:
          tally.add(image.size, counts, pair.name, image.digest)
          tally.add_palette(pair.label, label.palette)
          writer.write(tfrecord.encode_example(index, pair.name, image, label))
        advance(1)
    if faults:
      return tally.report(task.split, None, tuple(faults))
    os.replace(part, task.path)
  report = tally.report(task.split, _shard_info(task))
  _write_receipt(task, fingerprint, report)
  return report


def read_pair(
  pair: sources.Pair, rule: ShardTask | sources.Source
) -> tuple[pictures.EncodedPicture, pictures.EncodedPicture, np.ndarray]:
  """Reads and checks a picture and its label.

  Args:
    pair: where they are.
    rule: whose `label_values` and `reduction` apply.

  Returns:
    Image, label, and the pixels of each label value, int64 [256].

  Raises:
    FileNotFoundError: a file is missing.
    ValueError: one cannot be used, see `sources.pictures`, their sizes differ,
      or the image's name is not UTF-8.
  """
  _require_utf_8(pair)
  image = pictures.read_image(pair.image)
  if pair.label is None:
    label, counts = pictures.ignored_label(image.size)
  else:
    label, counts = pictures.read_label(pair.label, rule.label_values)
  if image.size != label.size:
    raise ValueError(
      f'{pair.image} has {_describe(image.size)} pixels, its label '
      f'{pair.label} has {_describe(label.size)}.'
    )
  if rule.reduction > 1:
    image = pictures.reduce_image(image, rule.reduction)
    label, counts = pictures.reduce_label(label, rule.reduction)
  return image, label, counts


def _require_utf_8(pair: sources.Pair) -> None:
  """Raises a ValueError if an example could not hold the name."""
  try:
    pair.name.encode()
  except UnicodeEncodeError as e:
    raise ValueError(
      f'The name {os.fsencode(pair.image)!r} is not UTF-8; rename the picture '
      'and its label.'
    ) from e


def write_text(path: pathlib.Path, text: str) -> None:
  """Writes a small file, whole or not at all.

  Raises:
    OSError: it cannot be written; the message names it.
  """
  with _part_of(path) as part:
    try:
      part.write_text(text, encoding='utf-8')
    except OSError as e:
      raise OSError(f'{path} cannot be written: {e.strerror}.') from e
    os.replace(part, path)


@contextlib.contextmanager
def _part_of(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields the name under which to write, and leaves no file of that name."""
  part = path.with_name(path.name + _PART)
  try:
    yield part
  finally:
    part.unlink(missing_ok=True)


class Tally:
  """What is known of the pictures of a shard so far."""

  def __init__(self):
    self._sizes: set[tuple[int, int]] = set()
    self._counts = np.zeros(256, np.int64)
    self._num_uniform = 0
    self._digests: list[tuple[str, str]] = []
    self._palettes: dict[int, dict[datasets.Color, str]] = {}

  def add(
    self,
    size: tuple[int, int],
    counts: np.ndarray,
    name: str = '',
    digest: str = '',
  ) -> None:
    """Adds a picture.

    Args:
      size: (height, width) in pixels.
      counts: int64 [256], pixels of each label value.
      name: of its pair.
      digest: of its pixels.
    """
    self._sizes.add(size)
    self._counts += counts
    self._num_uniform += int(counts.max() == size[0] * size[1])
    self._digests.append((name, digest))

  def add_palette(
    self, label: object, palette: Sequence[tuple[int, datasets.Color]]
  ) -> None:
    """Adds the colours of the indices that occur in a label."""
    for index, color in palette:
      colors = self._palettes.setdefault(index, {})
      if len(colors) < 2:
        colors.setdefault(color, str(label))

  def report(
    self, split: str, shard: ShardInfo | None, faults: tuple[Fault, ...] = ()
  ) -> ShardReport:
    """Returns what is known of the pictures that were added."""
    heights, widths = zip(*self._sizes or {(0, 0)}, strict=True)
    return ShardReport(
      split,
      shard,
      (min(heights), min(widths)),
      (max(heights), max(widths)),
      tuple(self._counts.tolist()),
      self._num_uniform,
      tuple(self._digests),
      tuple(
        (index, *color, label)
        for index, colors in self._palettes.items()
        for color, label in colors.items()
      ),
      faults,
    )


def _shard_info(task: ShardTask) -> ShardInfo:
  return ShardInfo(
    task.path.name,
    len(task.members),
    task.path.stat().st_size,
    tfrecord.sha256(task.path),
  )


def _describe(size: tuple[int, int]) -> str:
  return f'{size[1]}x{size[0]}'


# Receipts --------------------------------------------------------------------


def _fingerprint(task: ShardTask) -> str:
  """Hashes all that decides about the bytes, the pictures by their last change.

  To hash the pictures themselves would be to read them all.
  """
  digest = hashlib.sha256()
  values = sorted(task.label_values.items(), key=repr)
  digest.update(
    f'{_VERSION} {task.path.name} {values} {task.reduction}'.encode()
  )
  for index, pair in task.members:
    digest.update(f'\n{index} {pair!r}'.encode())
    for file in (pair.image, getattr(pair.label, 'path', pair.label)):
      digest.update(f' {_last_change(file)}'.encode())
  return digest.hexdigest()


def _last_change(file: object) -> tuple[int, int] | None:
  if not isinstance(file, pathlib.Path):
    return None
  try:
    status = file.stat()
  except OSError:  # It is missing, which is told when it is read.
    return None
  return status.st_size, status.st_mtime_ns


def _write_receipt(
  task: ShardTask, fingerprint: str, report: ShardReport
) -> None:
  document = {'fingerprint': fingerprint, **dataclasses.asdict(report)}
  write_text(task.files[1], json.dumps(document))


def _read_receipt(task: ShardTask, fingerprint: str) -> ShardReport | None:
  """Returns the report of a shard that is finished and whole."""
  path, receipt = task.files
  try:
    document = json.loads(receipt.read_text(encoding='utf-8'))
    if document.pop('fingerprint') != fingerprint:
      return None
    shard = ShardInfo(**document.pop('shard'))
    tfrecord.verify_shard(str(path), shard)
  except (OSError, ValueError, KeyError, TypeError):
    return None
  return ShardReport(
    shard=shard,
    **{k: _with_tuples(v) for k, v in document.items()},
  )


def _with_tuples(value: Any) -> Any:
  """Returns a value of JSON with tuples in the place of lists."""
  if not isinstance(value, list):
    return value
  return tuple(_with_tuples(item) for item in value)
