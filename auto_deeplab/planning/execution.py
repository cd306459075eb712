# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Does the steps of a chain, each a process of its own, within the hours."""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import dataclasses
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

from auto_deeplab.planning import standing
from auto_deeplab.planning.chain import Chain, Step

_POLL_SECONDS = 1.0
# Between two looks at how far it is.
_LOOK_SECONDS = 5.0
# A training of whose steps fewer than this share fit is given another schedule,
# once so much of its time has told how fast it is, and if it has so much to go;
# to start again may take so much of what is left. All four were chosen, not
# tuned.
_SHORTENED = 0.98
_TELLING = 0.2
_WORTHWHILE = 0.1
_STARTING = 0.2
# Of its architecture steps a search that is cut has to have made so many for
# what it found to be trained. Chosen.
_TRUSTED = 0.5
# What there has to be time for when a training ends.
_AFTER_TRAINING = ('evaluate', 'export', 'report')
# A stage that is begun gets at least this, and at least what it takes to save.
_LEAST_SECONDS = 60.0
# What a run that was asked to end, and has saved itself, exits with.
_SAVED = os.EX_TEMPFAIL
# Their output is for the user at once; that of the others is a file.
_SHOWN = ('build_tfrecords', 'plan', 'evaluate')


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
  show: Callable[[str, standing.Standing], None] = lambda *_: None,
) -> float | None:
  """Does what is left of a chain.

  Args:
    chain: the chain.
    hours: from now on; a search or training that would take longer is stopped,
      and what it has by then is used.
    start: returns what starts a verb, the first arguments of a process.
    tell: called with each line.
    shown: returns what a user types to start a verb.
    show: called every few seconds with the step's name and how far all is.

  Returns:
    The mIoU on val of what was exported.

  Raises:
    StepError: a step failed.
    ValueError: the hours are not greater than 0, or the folder of the results
      has those of other pictures.
    FileNotFoundError: there are no pictures.
    Stopped: SIGTERM came.
  """
  if not 0 < hours < math.inf:
    raise ValueError(f'`hours` ({hours:g}) must be greater than 0.')
  deadline = time.monotonic() + hours * 3600
  chain.note_pictures()
  _settle_models(chain)  # Of a kill.
  over: set[str] = set()
  while step := _next(chain, deadline, over):
    tell(f'+ {shown(step.verb)} {shlex.join(step.arguments)}')
    os.makedirs(f'{chain.out}/logs', exist_ok=True)
    after = _seconds_after(chain, step.name)
    watch = _Watch(chain, step, after, deadline, show)
    with _keeping_model(chain, step):
      status = _do(watch, start(step.verb), tell)
    if status == _SAVED and watch.fitting is not None:
      chain.shorten(watch.fitting)
      tell(
        f'At its pace {watch.fitting} steps of {step.name} fit into the hours, '
        f'fewer than planned: its schedule ends there now ({chain.shorter}).'
      )
      continue
    if status == _SAVED and step.name in standing.STOPPABLE:
      _go_on(chain, step.name, tell)
    elif status and step.is_needed:
      raise StepError(_failure(chain, step, status))
    elif status:
      tell(f'{_failure(chain, step, status)} Going on without.')
    over.add(step.name)
  return chain.score()


def _go_on(chain: Chain, name: str, tell: Callable[[str], None]) -> None:
  """Says with what the chain goes on after one that was stopped."""
  searched = chain.searched_share() if name == 'search' else 1.0
  if searched < _TRUSTED and chain.give_up_search():
    tell(
      f'The time for search is up; its newest snapshot has {searched:.0%} of '
      'the steps of its architecture, too few to choose a network: going on '
      f'with that of the plan ({chain.known}).'
    )
    return
  share = standing.share_of_steps(chain, name)
  if share < 1:
    more = ' The same command with more hours goes on with it.'
    tell(
      f'The time for {name} is up at {share:.0%} of its '
      'steps; going on with what it has.' + (more if name == 'train' else '')
      # What a search has found by then is decoded at once, and trained.
    )


def _next(chain: Chain, deadline: float, over: set[str]) -> Step | None:
  """Returns the first step that is neither done nor was done just now."""
  hours = max((deadline - time.monotonic()) / 3600, 0.001)
  for step in chain.steps(hours):
    if not step.is_done and step.name not in over:
      return step
  return None


@contextlib.contextmanager
def _keeping_model(chain: Chain, step: Step) -> Iterator[None]:
  """Has an export, which overwrites nothing, take the place of another.

  Where it fails or is stopped, that one is put back.
  """
  if step.name != 'export':
    yield
    return
  model, before = _models(chain)
  if os.path.exists(model):
    shutil.rmtree(before, ignore_errors=True)
    os.replace(model, before)
  try:
    yield
  finally:
    _settle_models(chain)


def _models(chain: Chain) -> tuple[str, str]:
  """Returns where a model is, and where it is while another is made."""
  return f'{chain.out}/saved_model', f'{chain.out}/saved_model.before'


def _settle_models(chain: Chain) -> None:
  """Leaves one model: the new one if it was made."""
  model, before = _models(chain)
  if os.path.exists(model):
    shutil.rmtree(before, ignore_errors=True)
  elif os.path.exists(before):
    os.replace(before, model)


def _seconds_after(chain: Chain, name: str) -> float:
  """Returns what comes after a step that may be stopped."""
  expected = standing.expected_seconds(chain)
  if name == 'search':
    # What a search takes of a training's time is lost to it.
    others = [s for n, s in expected.items() if n not in ('search', 'decode')]
    return 0.6 * sum(others)
  return sum(expected.get(n, 0.0) for n in _AFTER_TRAINING)


def _log(chain: Chain, step: Step) -> str:
  return f'{chain.out}/logs/{step.name}.log'


def _failure(chain: Chain, step: Step, status: int) -> str:
  if step.verb in _SHOWN:
    return f'{step.verb} failed, see above.'
  log = _log(chain, step)
  text = pathlib.Path(log).read_text(errors='replace').strip()
  last = text.rpartition('\n')[2] or f'status {status}'
  return f'{step.verb} failed: {last} (all of it: {log})'


@dataclasses.dataclass
class _Watch:
  """Looks at a step while it runs.

  Attributes:
    chain: of the step.
    step: that runs.
    after: seconds that what comes after it is expected to take.
    deadline: when the hours are over.
    show: of `run`.
    fitting: the steps that a training was stopped for, to go on with a schedule
      of so many.
  """

  chain: Chain
  step: Step
  after: float
  deadline: float
  show: Callable[[str, standing.Standing], None]
  fitting: int | None = None

  def __call__(self, process: subprocess.Popen[bytes]) -> int:
    """Returns the exit status of the process, when it has ended."""
    begin = time.monotonic()
    pace = standing.Pace(self.chain, self.step.name, begin)
    limit = self._limit(pace, begin, begin)
    next_look = begin + _LOOK_SECONDS
    asked = _Asked(process)
    previous = [signal.signal(n, asked.notice) for n in _Asked.NUMBERS]
    try:
      while process.poll() is None:
        now = time.monotonic()
        if self.step.name in standing.STOPPABLE and now > limit:
          process.send_signal(signal.SIGTERM)
          limit = math.inf
        if now >= next_look:
          next_look = now + _LOOK_SECONDS
          self._look(pace, begin, now)
          if limit < math.inf:
            limit = self._limit(pace, begin, now)
            self.fitting = self._fitting(pace, begin, now, limit)
            if self.fitting is not None:
              limit = now
        time.sleep(_POLL_SECONDS)
    finally:
      for number, handler in zip(_Asked.NUMBERS, previous):
        signal.signal(number, handler)
    asked.settle()
    # One that had all done, and no handler any more, when its time was up.
    if limit == math.inf and process.returncode == -signal.SIGTERM:
      return _SAVED
    return process.returncode

  def _limit(self, pace: standing.Pace, begin: float, now: float) -> float:
    """Returns when a search or a training is to be asked to end.

    On a machine that has become busier than when it was planned for, what comes
    after takes longer as well.
    """
    slowness = standing.slowness(self.chain, self.step.name, now - begin)
    after = pace.line_seconds + slowness * self.after
    return max(self.deadline - after, begin + _LEAST_SECONDS)

  def _fitting(
    self, pace: standing.Pace, begin: float, now: float, limit: float
  ) -> int | None:
    """Returns the steps to plan a training anew for; None leaves it alone."""
    total = standing.total_steps(self.chain, self.step.name)
    if self.step.name != 'train' or total is None:
      return None
    reached = pace.steps_by(limit, now)
    if reached is None or reached >= _SHORTENED * total:
      return None
    # It saves itself, and starts once more.
    fitting = pace.steps_by(limit - pace.starting, now) or 0
    is_told = now - begin > _TELLING * (limit - begin)
    if not is_told or pace.starting > _STARTING * (limit - now):
      return None
    to_go = fitting - standing.steps_done(self.chain, self.step.name)
    return fitting if to_go > _WORTHWHILE * fitting else None

  def _look(self, pace: standing.Pace, begin: float, now: float) -> None:
    found = standing.of(
      self.chain, self.step.name, now - begin, self.deadline - now
    )
    if found:
      rate = pace.rate(now)
      self.show(self.step.name, dataclasses.replace(found, rate=rate))


def _do(
  watch: _Watch, command: Sequence[str], tell: Callable[[str], None]
) -> int:
  """Runs a step; returns its exit status."""
  chain, step = watch.chain, watch.step
  if step.verb in _SHOWN:
    process = subprocess.Popen(
      [*command, *step.arguments], stdout=subprocess.PIPE
    )
    reader = threading.Thread(target=_tell_lines, args=(process, tell))
    reader.start()
    try:
      return watch(process)
    finally:
      reader.join()
  with open(_log(chain, step), 'ab') as output:
    process = subprocess.Popen(
      [*command, *step.arguments], stdout=output, stderr=subprocess.STDOUT
    )
    return watch(process)


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
