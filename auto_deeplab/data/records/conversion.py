# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""From pictures to a data set: shards in parallel, then `dataset.json`.

    DATA/.incomplete/    the shards so far; renamed into DATA at the end
    DATA/skipped.json    the pictures that were left out, if there are any

The bytes depend on the pictures, the number of shards and the seed, and on
nothing else. Pictures that are left out leave no trace but `skipped.json`: the
shards are those of a source that never held them.
"""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import shutil

import numpy as np

from auto_deeplab.data import datasets
from auto_deeplab.data.datasets import DatasetInfo, SplitInfo
from auto_deeplab.data.records import info_file, shards, soundness, tfrecord
from auto_deeplab.data.records.shards import Fault, ShardReport, ShardTask
from auto_deeplab.data.records.workers import Workers
from auto_deeplab.data.sources import sources

SKIPPED_NAME = 'skipped.json'

_FORMAT, _VERSION = 'auto_deeplab.skipped', 1

_STAGING, _LOCK = '.incomplete', 'lock'


def write_dataset(
  source: sources.Source,
  output_dir: str | os.PathLike[str],
  *,
  num_shards: int = 8,
  num_workers: int = 1,
  seed: int = 0,
  skip_invalid: bool = False,
  on_progress: Callable[[int, int], None] = lambda *_: None,
) -> DatasetInfo:
  """Converts pictures to a data set.

  All is written into a folder aside and renamed at the end, so that a failure
  leaves a data set that was in `output_dir` as it was. The shards that were
  finished by then stay aside, and the same conversion goes on from them.

  Args:
    source: the pictures.
    output_dir: the folder to write to, made if it is missing.
    num_shards: files a split; a split of fewer pictures gets one a picture.
    num_workers: processes; more than shards have nothing to do.
    seed: decides in which order the pictures of a split are written.
    skip_invalid: whether to leave out pictures that cannot be used, and list
      them in `skipped.json`. If there are any, their splits are read twice.
    on_progress: called now and then with (pictures done, pictures in all).

  Raises:
    ValueError: a picture or label is missing or cannot be used, see
      `data.sources.pictures`; with `skip_invalid`, all of a split; or no
      training could make sense of the labels, see `soundness`.
    OSError: a file cannot be written, or another conversion writes there.
  """
  for name, value in (('num_shards', num_shards), ('num_workers', num_workers)):
    if value < 1:
      raise ValueError(f'`{name}` ({value}) must be at least 1.')
  output_dir = pathlib.Path(output_dir)
  is_new = not output_dir.exists()
  staging = output_dir / _STAGING
  staging.mkdir(parents=True, exist_ok=True)
  with (
    _locked(staging),
    _kept_if_useful(staging, is_new),
    Workers(num_workers) as workers,
  ):

    def convert(source: sources.Source) -> list[ShardReport]:
      tasks = _plan(source, staging, num_shards, seed)
      return _convert(workers, tasks, skip_invalid, on_progress)

    reports, skipped = _convert_valid(source, staging, skip_invalid, convert)
    info = _summarize(source, reports)
    _publish(staging, output_dir, info, skipped)
  return info


def load_skipped(data_dir: str | os.PathLike[str]) -> tuple[Fault, ...]:
  """Returns the pictures that a conversion left out; none without the file.

  Raises:
    ValueError: `skipped.json` cannot be read.
  """
  path = pathlib.Path(data_dir, SKIPPED_NAME)
  if not path.exists():
    return ()
  try:
    document = json.loads(path.read_text(encoding='utf-8'))
    if (document['format'], document['version']) != (_FORMAT, _VERSION):
      raise ValueError(f'not of the format {_FORMAT}, version {_VERSION}')
    return tuple(Fault(**entry) for entry in document['pictures'])
  except (ValueError, KeyError, TypeError) as e:
    raise ValueError(f'{path} cannot be read: {e}.') from e


def _convert_valid(
  source: sources.Source,
  staging: pathlib.Path,
  skip_invalid: bool,
  convert: Callable[[sources.Source], list[ShardReport]],
) -> tuple[list[ShardReport], list[Fault]]:
  """Converts the pictures that can be used, and returns those that cannot.

  The places of pictures in their split have no gaps, so leaving one out moves
  all that follow: what was found is left out from the start the next time.
  """
  skipped = _still_faulty(source, staging) if skip_invalid else []
  while True:
    reports = convert(_without(source, skipped))
    faults = [fault for report in reports for fault in report.faults]
    if not faults:
      return reports, skipped
    if not skip_invalid:
      raise ValueError(_complaint(faults))
    skipped = sorted([*skipped, *faults], key=lambda f: (f.split, f.name))
    shards.write_text(staging / SKIPPED_NAME, _skipped_to_text(skipped))


def _convert(
  workers: Workers,
  tasks: Sequence[ShardTask],
  skip_invalid: bool,
  on_progress: Callable[[int, int], None],
) -> list[ShardReport]:
  """Runs tasks, all of them or up to the first with a fault."""
  total = sum(len(task.members) for task in tasks)
  reports = []
  for report in workers.run(
    shards.write_shard, tasks, lambda done: on_progress(done, total)
  ):
    reports.append(report)
    if report.faults and not skip_invalid:
      break
  # Of several workers, they come in any order.
  return sorted(reports, key=lambda r: r.shard.name if r.shard else '')


def _plan(
  source: sources.Source, staging: pathlib.Path, num_shards: int, seed: int
) -> list[ShardTask]:
  """Returns a task a shard, and removes what belongs to none of them."""
  tasks = []
  for split, pairs in source.splits.items():
    order = datasets.seeded_order(len(pairs), seed, split)
    count = min(num_shards, len(pairs))
    for shard in range(count):
      path = staging / f'{split}-{shard:05d}-of-{count:05d}.tfrecord'
      members = tuple((index, pairs[index]) for index in order[shard::count])
      tasks.append(
        ShardTask(path, split, members, source.label_values, source.reduction)
      )
  known = {file for task in tasks for file in task.files}
  for path in set(staging.iterdir()) - known:
    if path.name not in (SKIPPED_NAME, _LOCK):
      path.unlink()
  return tasks


def _summarize(
  source: sources.Source, reports: Sequence[ShardReport]
) -> DatasetInfo:
  splits = {
    split: summarize_split(
      [report for report in reports if report.split == split],
      len(source.class_names),
    )
    for split in source.splits
  }
  return DatasetInfo(
    source.name,
    source.class_names,
    source.colors,
    splits=splits,
    warnings=soundness.examine(source, reports),
    values=source.own_values,
    class_digest=info_file.class_digest(source.class_names),
  )


def summarize_split(
  reports: Sequence[ShardReport], num_classes: int
) -> SplitInfo:
  """Returns what `dataset.json` says of the shards of a split, in order."""
  files = tuple(report.shard for report in reports if report.shard)
  counts = np.sum([report.pixel_counts for report in reports], axis=0)
  shares = np.round(counts / counts.sum(), 6).tolist()
  smallest = np.min([report.min_size for report in reports], axis=0).tolist()
  largest = np.max([report.max_size for report in reports], axis=0).tolist()
  return SplitInfo(
    num_examples=sum(file.num_examples for file in files),
    shards=files,
    min_size=(smallest[0], smallest[1]),
    max_size=(largest[0], largest[1]),
    class_pixel_shares=tuple(shares[:num_classes]),
    ignored_pixel_share=shares[datasets.IGNORE_LABEL],
  )


# Pictures that cannot be used ------------------------------------------------


def _complaint(faults: Sequence[Fault]) -> str:
  """Names the first, and counts those that stand in its shard."""
  text = faults[0].reason
  if len(faults) > 1:
    text += f' {len(faults) - 1} more pictures of its shard cannot be used.'
  return f'{text} `skip_invalid` leaves such pictures out.'


def _still_faulty(source: sources.Source, staging: pathlib.Path) -> list[Fault]:
  """Looks again at what a conversion that ended early had to leave out."""
  faults = []
  for fault in load_skipped(staging):
    pairs = {pair.name: pair for pair in source.splits.get(fault.split, ())}
    if fault.name in pairs:
      try:
        shards.read_pair(pairs[fault.name], source)
      except (ValueError, OSError) as e:
        faults.append(dataclasses.replace(fault, reason=str(e)))
  return faults


def _without(source: sources.Source, faults: Sequence[Fault]) -> sources.Source:
  """Returns the source without some of its pictures.

  Raises:
    ValueError: nothing is left of a split.
  """
  names = {(fault.split, fault.name): fault for fault in faults}
  splits = {}
  for split, pairs in source.splits.items():
    splits[split] = tuple(p for p in pairs if (split, p.name) not in names)
    if not splits[split]:
      reason = names[split, pairs[0].name].reason
      raise ValueError(
        f'No picture of the split {split} can be used; of the first: {reason}'
      )
  return dataclasses.replace(source, splits=splits)


def _skipped_to_text(faults: Sequence[Fault]) -> str:
  document = {
    'format': _FORMAT,
    'version': _VERSION,
    'made_by': 'tools/build_tfrecords.py',
    'num_skipped': len(faults),
    'pictures': [dataclasses.asdict(fault) for fault in faults],
  }
  return json.dumps(document, indent=1) + '\n'


# The folder ------------------------------------------------------------------


@contextlib.contextmanager
def _locked(staging: pathlib.Path) -> Iterator[None]:
  """Keeps a second conversion out of the folder; a kill frees it."""
  with open(staging / _LOCK, 'w', encoding='utf-8') as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
      raise OSError(
        f'Another conversion is writing to {staging.parent}.'
      ) from e
    yield


@contextlib.contextmanager
def _kept_if_useful(staging: pathlib.Path, is_new: bool) -> Iterator[None]:
  """After a failure, leaves the staging folder only if a shard is finished.

  Ctrl-C may come after all was published: then the folder is gone, or half so,
  and the data set beside it stays.
  """
  try:
    yield
  except BaseException:
    if not any(staging.glob('*.tfrecord')):
      shutil.rmtree(staging, ignore_errors=True)
      if is_new and not any(staging.parent.iterdir()):
        staging.parent.rmdir()
    raise


def _publish(
  staging: pathlib.Path,
  output_dir: pathlib.Path,
  info: DatasetInfo,
  skipped: Sequence[Fault],
) -> None:
  """Gives all files their final names, `dataset.json` last.

  A reader in between, or one after a kill in between, finds shards that are not
  the ones of the old `dataset.json`, and says so.
  """
  shards.write_text(staging / tfrecord.INFO_NAME, info_file.to_text(info))
  stale = _shard_names(output_dir)
  names = [s.name for split in info.splits.values() for s in split.shards]
  if skipped:
    names.append(SKIPPED_NAME)
  else:
    (output_dir / SKIPPED_NAME).unlink(missing_ok=True)
  for name in (*names, tfrecord.INFO_NAME):
    os.replace(staging / name, output_dir / name)
  for name in stale - set(names):
    (output_dir / name).unlink(missing_ok=True)
  shutil.rmtree(staging)


def _shard_names(data_dir: pathlib.Path) -> set[str]:
  """Returns the shards of the data set in a folder, if there is one."""
  try:
    info = tfrecord.load_info(data_dir)
  except (OSError, ValueError):
    return set()
  return {s.name for split in info.splits.values() for s in split.shards}
