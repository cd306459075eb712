# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The contents of `dataset.json`, held to all that the shards do not tell.

It is input like any other: a person may have edited it, or another program.
"""

from collections.abc import Sequence
import dataclasses
import hashlib
import json
import re
from typing import Any

from auto_deeplab.data import datasets
from auto_deeplab.data.datasets import DatasetInfo, ShardInfo, SplitInfo

FORMAT = 'auto_deeplab.dataset'
VERSION = 1

_SHA256 = re.compile('[0-9a-f]{64}')

# Shares are rounded to 6 digits, and there are up to 256.
_SHARE_TOLERANCE = 1e-3


def to_text(info: DatasetInfo) -> str:
  """Returns the contents of a `dataset.json`."""
  classes: list[dict[str, Any]] = [
    {'name': name, 'color': list(color)}
    for name, color in zip(info.class_names, info.colors, strict=True)
  ]
  for entry, value in zip(classes, info.values, strict=False):
    entry['value'] = value
  document = {
    'format': FORMAT,
    'version': VERSION,
    'made_by': 'tools/build_tfrecords.py',
    'name': info.name,
    'classes': classes,
    'ignore_label': info.ignore_label,
    'splits': {k: dataclasses.asdict(v) for k, v in info.splits.items()},
  }
  if info.class_digest:
    document['class_digest'] = info.class_digest
  if info.warnings:
    document['warnings'] = list(info.warnings)
  return json.dumps(document, indent=1) + '\n'


def class_digest(names: Sequence[str]) -> str:
  """Returns a hash of the classes and their order, hexadecimal.

  The shards know classes by their numbers alone: of names in another order
  nothing else would tell.
  """
  return hashlib.sha256(json.dumps(list(names)).encode()).hexdigest()[:16]


def from_text(text: str) -> DatasetInfo:
  """Reads the contents of a `dataset.json`.

  Raises:
    ValueError: they cannot be read, are of another version, or contradict
      themselves; the message names the key.
  """
  try:
    document = json.loads(text)
  except RecursionError as e:
    raise ValueError('this is nested too deep.') from e
  if not isinstance(document, dict) or document.get('format') != FORMAT:
    raise ValueError(f'this is not a file of the format {FORMAT}.')
  if document.get('version') != VERSION:
    raise ValueError(
      f'"version" ({document.get("version")}) must be {VERSION}; convert the '
      'data set again.'
    )
  try:
    info = _parse(document)
  except KeyError as e:
    raise ValueError(f'the key {e} is missing.') from e
  except (TypeError, AttributeError) as e:
    raise ValueError(f'a value is of the wrong type: {e}.') from e
  _check_shards(info)
  return info


def _parse(document: dict[str, Any]) -> DatasetInfo:
  classes = document['classes']
  names = tuple(_text(entry, 'name') for entry in classes)
  digest = document.get('class_digest', '')
  if digest and digest != class_digest(names):
    raise ValueError(
      f'"classes" ({", ".join(names)}) are not those of the conversion, or in '
      'another order; convert the data set again.'
    )
  if document['ignore_label'] != datasets.IGNORE_LABEL:
    raise ValueError(
      f'"ignore_label" ({document["ignore_label"]}) must be '
      f'{datasets.IGNORE_LABEL}.'
    )
  splits = {}
  for name, entry in document['splits'].items():
    try:
      splits[name] = _parse_split(entry, len(names))
    except ValueError as e:
      raise ValueError(f'split {name}: {e}') from e
  return DatasetInfo(
    name=_text(document, 'name'),
    class_names=names,
    colors=tuple(_as_color(entry['color']) for entry in classes),
    splits=splits,
    warnings=tuple(map(str, document.get('warnings', ()))),
    values=tuple(e['value'] for e in classes if 'value' in e),
    class_digest=digest,
  )


def _parse_split(entry: dict[str, Any], num_classes: int) -> SplitInfo:
  split = SplitInfo(
    num_examples=_whole(entry, 'num_examples'),
    shards=tuple(_parse_shard(shard) for shard in entry['shards']),
    min_size=_as_size(entry, 'min_size'),
    max_size=_as_size(entry, 'max_size'),
    class_pixel_shares=tuple(entry['class_pixel_shares']),
    ignored_pixel_share=entry['ignored_pixel_share'],
  )
  in_shards = sum(shard.num_examples for shard in split.shards)
  if split.num_examples != in_shards:
    raise ValueError(
      f'"num_examples" ({split.num_examples}) must be {in_shards}, the sum of '
      'its shards.'
    )
  if any(
    low > high for low, high in zip(split.min_size, split.max_size, strict=True)
  ):
    raise ValueError(
      f'"min_size" ({split.min_size}) is larger than "max_size" '
      f'({split.max_size}).'
    )
  shares = (*split.class_pixel_shares, split.ignored_pixel_share)
  is_whole = abs(sum(shares) - 1) <= _SHARE_TOLERANCE
  if len(shares) != num_classes + 1 or min(shares) < 0 or not is_whole:
    raise ValueError(
      '"class_pixel_shares" and "ignored_pixel_share" must be a share a class '
      'and one more, 1 in all.'
    )
  return split


def _parse_shard(entry: dict[str, Any]) -> ShardInfo:
  shard = ShardInfo(**entry)
  name = _text(entry, 'name')
  if '/' in name or '\\' in name or name in ('.', '..'):
    raise ValueError(f'the shard {name!r} must lie in the folder itself.')
  _whole(entry, 'num_examples')
  _whole(entry, 'num_bytes')
  if not _SHA256.fullmatch(_text(entry, 'sha256')):
    raise ValueError(f'"sha256" ({shard.sha256}) of {name} is no SHA-256.')
  return shard


def _check_shards(info: DatasetInfo) -> None:
  """Raises a ValueError if a shard is named twice."""
  names = [
    shard.name for split in info.splits.values() for shard in split.shards
  ]
  for name in names:
    if names.count(name) > 1:
      raise ValueError(f'the shard {name} is named twice.')


def _text(entry: dict[str, Any], key: str) -> str:
  value = entry[key]
  if not isinstance(value, str) or not value:
    raise ValueError(f'"{key}" ({value!r}) must be a text that is not empty.')
  return value


def _whole(entry: dict[str, Any], key: str) -> int:
  value = entry[key]
  if not _is_positive(value):
    raise ValueError(f'"{key}" ({value!r}) must be a whole number above 0.')
  return value


def _is_positive(value: Any) -> bool:
  # A bool is an int to Python, not to a reader of the file.
  return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _as_color(values: Sequence[int]) -> datasets.Color:
  red, green, blue = values
  return red, green, blue


def _as_size(entry: dict[str, Any], key: str) -> tuple[int, int]:
  sides = entry[key]
  if len(sides) != 2 or not all(_is_positive(side) for side in sides):
    raise ValueError(f'"{key}" ({sides}) must be [height, width] in pixels.')
  return sides[0], sides[1]
