# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""`RUN/starts.jsonl`: when, where and by which command a run was started.

A line for each time that it was started or resumed. It tells, and defines
nothing: a run that is resumed by another command goes on.
"""

import dataclasses
import json
import os
import pathlib
import platform
import shlex
import sys
import time

import tensorflow as tf

import auto_deeplab

_FILE = 'starts.jsonl'


@dataclasses.dataclass(frozen=True)
class Start:
  """A start of a run.

  Attributes:
    step: that it began or went on with.
    time: when, as '2026-11-28T09:20:00Z'.
    command: as it could be typed again.
    folder: in which it was typed.
    versions: of this package, TensorFlow and Python.
    machine: what it ran on.
  """

  step: int
  time: str
  command: str
  folder: str
  versions: str
  machine: str


def present(step: int) -> Start:
  """Returns what this process is."""
  return Start(
    step=step,
    time=time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()),
    command=shlex.join(sys.orig_argv),
    folder=os.getcwd(),
    versions=(
      f'auto_deeplab {auto_deeplab.__version__}, TensorFlow {tf.__version__}, '
      f'Python {platform.python_version()}'
    ),
    machine=f'{platform.node()}, {platform.machine()}, {os.cpu_count()} cores',
  )


def append(run_dir: str | os.PathLike[str], start: Start) -> None:
  """Adds a start to those of a run.

  Raises:
    OSError: it cannot be written.
  """
  with pathlib.Path(run_dir, _FILE).open('a', encoding='utf-8') as file:
    file.write(json.dumps(dataclasses.asdict(start)) + '\n')


def load(run_dir: str | os.PathLike[str]) -> list[Start]:
  """Returns the starts of a run, the oldest first; none of an old run.

  Raises:
    ValueError: a line is no start; the message names it.
  """
  path = pathlib.Path(run_dir, _FILE)
  if not path.exists():
    return []
  starts = []
  text = path.read_text(encoding='utf-8', errors='replace')
  for number, line in enumerate(text.splitlines(), start=1):
    try:
      starts.append(_parse(line))
    except (ValueError, TypeError, RecursionError) as e:
      raise ValueError(f'{path}, line {number}: no start of a run.') from e
  return starts


def _parse(line: str) -> Start:
  start = Start(**json.loads(line))
  for name, value in dataclasses.asdict(start).items():
    if not isinstance(value, int if name == 'step' else str):
      raise ValueError(f'`{name}` ({value!r}) is of the wrong type.')
  return start
