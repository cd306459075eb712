# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""From pictures to a network: one command after the other, within the hours.

    OUT/data/              converted, unless the pictures are TFRecords already
    OUT/contact_sheet.png  some of them with their labels, to look at
    OUT/plan/              recipes for search and training (`planner`)
    OUT/search/, decoded/  only where the plan has a search
    OUT/train_plan/        of the network that it found, for the time left
    OUT/train/             the training, and its evaluation
    OUT/saved_model/
    OUT/report.html        where the command has the verb
    OUT/logs/VERB.log      what the long ones printed

What is done shows in these folders, and nowhere else: the chain asks them for
the first step that is not, does it, and asks again. So it goes on wherever it
was stopped, also where a step was redone by hand.
"""

from collections.abc import Callable, Sequence
import dataclasses
import json
import math
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import Any

from auto_deeplab import configs
from auto_deeplab.architecture import decode
from auto_deeplab.data.records import tfrecord
from auto_deeplab.planning import planner
from auto_deeplab.runs import checkpoints, metrics_file

_POLL_SECONDS = 1.0
_LINE_SECONDS = 20.0
# A stage that is begun gets at least this, and at least what it takes to save.
_LEAST_SECONDS = 60.0
# What a run that was asked to end, and has saved itself, exits with.
_SAVED = os.EX_TEMPFAIL
# Their output is for the user at once; that of the others is a file.
_SHOWN = ('build_tfrecords', 'plan', 'evaluate')
# Stopped when the time is up, with what they have by then.
_STOPPABLE = ('search', 'train')
_SCORE = f'{metrics_file.SCORE}mean_iou'


@dataclasses.dataclass(frozen=True)
class Step:
  """A command of the chain.

  Attributes:
    name: of the step; a verb, or 'train_plan'.
    verb: of the command.
    arguments: its flags.
    is_done: whether its folder says so.
    is_needed: whether the chain ends where it fails.
  """

  name: str
  verb: str
  arguments: tuple[str, ...]
  is_done: bool
  is_needed: bool = True


@dataclasses.dataclass(frozen=True)
class Chain:
  """What is to be done with a folder of pictures.

  Attributes:
    pictures: the folder, or that of TFRecords.
    out: folder for all results.
    convert_flags: passed on to `build_tfrecords`.
    has_report: whether the command has the verb.
  """

  pictures: str
  out: str
  convert_flags: tuple[str, ...] = ()
  has_report: bool = False

  @property
  def data_dir(self) -> str:
    """Where the TFRecords are."""
    if os.path.exists(os.path.join(self.pictures, tfrecord.INFO_NAME)):
      return self.pictures
    return f'{self.out}/data'

  def steps(self, hours: float) -> list[Step]:
    """Returns the steps as far as they are known by now.

    Args:
      hours: that are left, for what is yet to be planned.
    """
    data, out = f'--data_dir={self.data_dir}', self.out
    plan = f'{out}/plan'
    steps = [] if self.data_dir == self.pictures else [self._convert()]
    steps += [
      Step(
        'inspect_dataset',
        'inspect_dataset',
        (data, f'--contact_sheet={out}/contact_sheet.png'),
        os.path.exists(f'{out}/contact_sheet.png'),
      ),
      Step(
        'plan',
        'plan',
        (data, f'--hours={hours:.3g}', f'--output_dir={plan}'),
        os.path.exists(f'{plan}/{planner.PLAN}'),
      ),
    ]
    genotype = f'{plan}/{planner.GENOTYPE}'
    if os.path.exists(f'{plan}/{planner.SEARCH}'):
      genotype = f'{out}/decoded/genotype.json'
      steps += self._searching(genotype, hours)
    steps += self._training(genotype)
    return steps

  def _convert(self) -> Step:
    flags = list(self.convert_flags)
    if not any(flag.startswith('--dataset=') for flag in flags):
      flags.insert(0, '--dataset=folder')
    return Step(
      'build_tfrecords',
      'build_tfrecords',
      (
        *flags,
        f'--data_dir={self.pictures}',
        f'--output_dir={self.data_dir}',
      ),
      os.path.exists(os.path.join(self.data_dir, tfrecord.INFO_NAME)),
    )

  def _searching(self, genotype: str, hours: float) -> list[Step]:
    data, out = f'--data_dir={self.data_dir}', self.out
    recipe, run_dir = f'{out}/plan/{planner.SEARCH}', f'{out}/search'
    is_decoded = os.path.exists(genotype)
    return [
      Step(
        'search',
        'search',
        (f'--gin_file={recipe}', data, f'--run_dir={run_dir}'),
        is_decoded or _is_searched(recipe, run_dir),
      ),
      Step(
        'decode',
        'decode',
        (f'--run_dir={run_dir}', f'--output_dir={out}/decoded'),
        is_decoded,
      ),
      # It takes another time than the network that was only guessed.
      Step(
        'train_plan',
        'plan',
        (
          data,
          f'--genotype={genotype}',
          f'--hours={hours:.3g}',
          f'--output_dir={out}/train_plan',
        ),
        os.path.exists(f'{out}/train_plan/{planner.PLAN}')
        or os.path.exists(f'{out}/train/config.gin'),
        is_needed=False,
      ),
    ]

  def _training(self, genotype: str) -> list[Step]:
    data, out = f'--data_dir={self.data_dir}', self.out
    recipe, run_dir = f'{out}/train_plan/{planner.TRAIN}', f'{out}/train'
    if not os.path.exists(recipe):
      recipe = f'{out}/plan/{planner.TRAIN}'
    step = checkpoints.newest_step(f'{run_dir}/checkpoints')
    steps = [
      Step(
        'train',
        'train',
        (
          f'--gin_file={recipe}',
          f'--genotype={genotype}',
          data,
          f'--run_dir={run_dir}',
        ),
        _is_trained(recipe, run_dir, step),
      ),
      Step(
        'evaluate',
        'evaluate',
        (data, f'--run_dir={run_dir}'),
        os.path.exists(f'{run_dir}/evaluation-val-{step}.json'),
      ),
      Step(
        'export',
        'export',
        (f'--run_dir={run_dir}', f'--output_dir={out}/saved_model'),
        _exported_step(f'{out}/saved_model') == step,
      ),
    ]
    if self.has_report:
      runs = [
        path
        for path in (f'{out}/search', run_dir)
        if path == run_dir or os.path.exists(path)
      ]
      report = f'{out}/report.html'
      steps.append(
        Step(
          'report',
          'report',
          (*runs, f'--output={report}'),
          _is_newer(report, f'{run_dir}/evaluation-val-{step}.json'),
        )
      )
    return steps


def _is_searched(recipe: str, run_dir: str) -> bool:
  steps = configs.load(configs.SearchExperiment, [recipe]).schedule.train_steps
  return os.path.exists(decode.snapshot_path(run_dir, steps))


def _is_trained(recipe: str, run_dir: str, step: int) -> bool:
  """Whether all steps are made, and the scores at their end are written."""
  if not os.path.exists(recipe):
    return False
  schedule = configs.load(configs.TrainExperiment, [recipe]).schedule
  metrics = metrics_file.MetricsFile(f'{run_dir}/metrics.jsonl')
  return step >= schedule.train_steps and bool(metrics.scores_of(step))


def _exported_step(folder: str) -> int | None:
  path = pathlib.Path(folder, 'assets.extra', 'metadata.json')
  return json.loads(path.read_text()).get('step') if path.exists() else None


def _is_newer(path: str, than: str) -> bool:
  if not os.path.exists(path) or not os.path.exists(than):
    return False
  return os.path.getmtime(path) >= os.path.getmtime(than)


# How far it is ---------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Standing:
  """How far the chain is.

  Attributes:
    share: of the time it takes, in [0, 1].
    seconds_left: to its end.
    score: the last mIoU on val; None before the first.
  """

  share: float
  seconds_left: float
  score: float | None

  def __str__(self) -> str:
    parts = [f'{self.share:.0%} done', f'{self.seconds_left / 60:.0f} min left']
    if self.score is not None:
      parts.append(f'mIoU {self.score:.3f}')
    return ', '.join(parts)


def standing(
  chain: Chain,
  name: str,
  seconds: float,
  allowed: float = math.inf,
) -> Standing | None:
  """Returns how far the chain is; None before there is a plan.

  Args:
    chain: of the step.
    name: of the step that runs.
    seconds: for which it has.
    allowed: that are left of the hours.
  """
  expected = _expected(chain)
  if not expected or name not in expected:
    return None
  names = list(expected)
  before = sum(expected[n] for n in names[: names.index(name)])
  after = sum(expected[n] for n in names[names.index(name) + 1 :])
  share = _share(chain, name)
  own = expected[name]
  left = own * (1 - share) if share else max(own - seconds, 0.0)
  left = min(left + after, max(allowed, 0.0))
  done = before + own * (share or min(seconds / max(own, 1e-9), 0.99))
  return Standing(
    min(done / max(done + left, 1e-9), 1.0), left, last_score(chain)
  )


def _expected(chain: Chain) -> dict[str, float]:
  """Seconds a step, of the plan and, where there is one, the second plan."""
  expected: dict[str, float] = {}
  for folder in ('plan', 'train_plan'):
    path = f'{chain.out}/{folder}'
    if os.path.exists(f'{path}/{planner.PLAN}'):
      expected |= planner.load_seconds(path)
  return expected


def _share(chain: Chain, name: str) -> float:
  """How much of its steps a search or a training has made; 0 of others."""
  config = pathlib.Path(chain.out, name, 'config.gin')
  if name not in _STOPPABLE or not config.exists():
    return 0.0
  text = config.read_text()
  total = next(
    int(line.partition('=')[2])
    for line in text.splitlines()
    if line.partition('.')[2].startswith('train_steps =')
  )
  rows = _rows(chain, name)
  return min(rows[-1]['step'] / total, 1.0) if rows else 0.0


def _rows(chain: Chain, name: str) -> list[dict[str, Any]]:
  path = pathlib.Path(chain.out, name, 'metrics.jsonl')
  return metrics_file.MetricsFile(path).rows_with('step')


def last_score(chain: Chain) -> float | None:
  """Returns the last mIoU on val of the training."""
  scores = [row[_SCORE] for row in _rows(chain, 'train') if _SCORE in row]
  return scores[-1] if scores else None


# Doing it --------------------------------------------------------------------


class StepError(ValueError):
  """A step failed; the message names it, and where it says more."""


class Stopped(BaseException):
  """The chain was asked to end; what ran has saved itself.

  Attributes:
    exit_status: what a program that raises it exits with: try again.
  """

  exit_status = _SAVED


def run(
  chain: Chain,
  hours: float,
  start: Callable[[str], list[str]],
  tell: Callable[[str], None] = print,
  shown: Callable[[str], str] = lambda verb: f'auto-deeplab {verb}',
) -> float | None:
  """Does what is left of a chain.

  Args:
    chain: the chain.
    hours: from now on; a search or training that would take longer is stopped,
      and what it has by then is used.
    start: returns what starts a verb, the first arguments of a process.
    tell: called with each line.
    shown: returns what a user types to start a verb.

  Returns:
    The mIoU on val.

  Raises:
    StepError: a step failed.
    ValueError: the hours are not greater than 0.
    Stopped: SIGTERM came.
  """
  if not 0 < hours < math.inf:
    raise ValueError(f'`hours` ({hours}) must be greater than 0.')
  deadline = time.monotonic() + hours * 3600
  over: set[str] = set()
  while step := _next(chain, deadline, over):
    tell(f'+ {shown(step.verb)} {shlex.join(step.arguments)}')
    _prepare(chain, step)
    limit = deadline - _seconds_after(chain, step.name)
    status = _do(chain, step, start(step.verb), limit, deadline, tell)
    if status == _SAVED and step.name in _STOPPABLE:
      tell(
        f'The time for {step.name} is up at {_share(chain, step.name):.0%} of '
        'its steps; going on with what it has. The same command with more '
        'hours goes on with it.'
      )
    elif status and step.is_needed:
      raise StepError(_failure(chain, step, status))
    over.add(step.name)
  return last_score(chain)


def _next(chain: Chain, deadline: float, over: set[str]) -> Step | None:
  """Returns the first step that is neither done nor was done just now."""
  hours = max((deadline - time.monotonic()) / 3600, 0.001)
  for step in chain.steps(hours):
    if not step.is_done and step.name not in over:
      return step
  return None


def _prepare(chain: Chain, step: Step) -> None:
  if step.name == 'export':  # Which overwrites nothing.
    shutil.rmtree(f'{chain.out}/saved_model', ignore_errors=True)
  os.makedirs(f'{chain.out}/logs', exist_ok=True)


def _seconds_after(chain: Chain, name: str) -> float:
  """Returns what comes after a step that may be stopped."""
  expected = _expected(chain)
  if name == 'search':
    # What a search takes of a training's time is lost to it.
    others = [s for n, s in expected.items() if n not in ('search', 'decode')]
    return 0.6 * sum(others)
  return sum(expected.get(n, 0.0) for n in ('evaluate', 'export'))


def _log(chain: Chain, step: Step) -> str:
  return f'{chain.out}/logs/{step.name}.log'


def _failure(chain: Chain, step: Step, status: int) -> str:
  if step.verb in _SHOWN:
    return f'{step.verb} failed, see above.'
  log = _log(chain, step)
  text = pathlib.Path(log).read_text(errors='replace').strip()
  last = text.rpartition('\n')[2] or f'status {status}'
  return f'{step.verb} failed: {last} (all of it: {log})'


def _do(
  chain: Chain,
  step: Step,
  command: Sequence[str],
  limit: float,
  deadline: float,
  tell: Callable[[str], None],
) -> int:
  """Runs a step, telling how far it is; returns its exit status."""
  if step.verb in _SHOWN:
    process = subprocess.Popen(
      [*command, *step.arguments], stdout=subprocess.PIPE
    )
    reader = threading.Thread(target=_tell_lines, args=(process, tell))
    reader.start()
    try:
      return _watch(chain, step, process, limit, deadline, tell)
    finally:
      reader.join()
  with open(_log(chain, step), 'ab') as output:
    process = subprocess.Popen(
      [*command, *step.arguments], stdout=output, stderr=subprocess.STDOUT
    )
    return _watch(chain, step, process, limit, deadline, tell)


def _tell_lines(
  process: subprocess.Popen[bytes], tell: Callable[[str], None]
) -> None:
  """Tells what a verb prints, up to its proposal of the next one."""
  assert process.stdout is not None
  is_told = True
  for line in process.stdout:
    text, proposal, _ = (
      line.decode(errors='replace').rstrip().partition(' Next:')
    )
    if is_told:
      tell(text)
    is_told = is_told and not proposal


def _watch(
  chain: Chain,
  step: Step,
  process: subprocess.Popen[bytes],
  limit: float,
  deadline: float,
  tell: Callable[[str], None],
) -> int:
  begin = last = time.monotonic()
  limit = max(limit, begin + _LEAST_SECONDS)
  asked = _Asked(process)
  previous = [signal.signal(n, asked.notice) for n in _Asked.NUMBERS]
  try:
    while process.poll() is None:
      now = time.monotonic()
      if step.name in _STOPPABLE and now > limit:
        process.send_signal(signal.SIGTERM)
        limit = math.inf
      if now - last >= _LINE_SECONDS:
        last = now
        if found := standing(chain, step.name, now - begin, deadline - now):
          tell(f'{step.name}: {found}')
      time.sleep(_POLL_SECONDS)
  finally:
    for number, handler in zip(_Asked.NUMBERS, previous):
      signal.signal(number, handler)
  asked.settle()
  return process.returncode


class _Asked:
  """Passes on the signals that ask this process to end."""

  NUMBERS = (signal.SIGTERM, signal.SIGINT)

  def __init__(self, process: subprocess.Popen[bytes]):
    self._process = process
    self._number: int | None = None

  def notice(self, number: int, _: Any) -> None:
    """Has the process save what it has; a terminal sent it Ctrl-C as well."""
    self._number = number
    if number == signal.SIGTERM or not sys.stdin.isatty():
      self._process.send_signal(signal.SIGTERM)

  def settle(self) -> None:
    """Raises what this process was asked for, now that the other has ended."""
    message = 'asked to end; the same command goes on from there.'
    if self._number == signal.SIGINT:
      raise KeyboardInterrupt(message)
    if self._number is not None:
      raise Stopped(message)
