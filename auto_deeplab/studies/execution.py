# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Does the tasks of a study, several at a time, each a process of its own.

On Linux, which can keep a process to some of the cores.

A task that ended well leaves a record and is not done again. One that was
stopped goes on where it was, as the runs that it consists of do.
"""

from collections.abc import Callable, Iterator, Sequence
import concurrent.futures
import contextlib
import dataclasses
import json
import os
import pathlib
import shlex
import signal
import subprocess
from typing import IO, Any

from auto_deeplab.architecture import artifact
from auto_deeplab.studies.plan import Study, Task

_FORMAT, _VERSION = 'auto_deeplab.study_record', 1


@dataclasses.dataclass(frozen=True)
class Record:
  """What a task took so far.

  Attributes:
    command: what was run, from the verb on.
    cpu_seconds: of all its processes, those that were stopped included.
    is_done: whether the last of them ended well.
  """

  command: str
  cpu_seconds: float = 0.0
  is_done: bool = False


class TaskError(ValueError):
  """Tasks failed; the message names each, and the file with what it printed."""


def load_record(study: Study, task: Task) -> Record:
  """Returns the record of a task, an empty one if it was not begun.

  Raises:
    ValueError: the record cannot be read, or is of another command.
  """
  path = _record_path(study, task)
  command = shlex.join([task.verb, *task.arguments])
  if not path.exists():
    return Record(command)
  try:
    document = json.loads(path.read_text(encoding='utf-8'))
    if (document.pop('format'), document.pop('version')) != (_FORMAT, _VERSION):
      raise ValueError(f'not of the format {_FORMAT}, version {_VERSION}')
    record = Record(**document)
  except (ValueError, KeyError, TypeError, AttributeError) as e:
    raise ValueError(f'{path} cannot be read: {e}.') from e
  if record.command != command:
    raise ValueError(
      f'{path} is of another command, `{record.command}`, than this study '
      f'has, `{command}`; take another folder.'
    )
  return record


def save_record(study: Study, task: Task, record: Record) -> None:
  """Writes the record of a task."""
  document = {'format': _FORMAT, 'version': _VERSION}
  with artifact.writing(_record_path(study, task)) as file:
    document |= dataclasses.asdict(record)
    file.write((json.dumps(document, indent=1) + '\n').encode())


def left(study: Study, only: Sequence[str] = ()) -> list[Task]:
  """Returns the tasks that are not done, in order.

  Args:
    study: the study.
    only: names of tasks, all if empty; each of the study's.

  Raises:
    ValueError: a name is no task's, or a record cannot be read.
  """
  tasks = study.tasks()
  names = [task.name for task in tasks]
  for name in only:
    if name not in names:
      raise ValueError(
        f'{name!r} is no task of this study; the first of {len(names)} is '
        f'{names[0]!r}.'
      )
  return [
    task
    for task in tasks
    if (not only or task.name in only) and not load_record(study, task).is_done
  ]


def ready(study: Study, tasks: Sequence[Task]) -> list[Task]:
  """Returns those of some tasks whose needs are done."""
  by_name = {task.name: task for task in study.tasks()}

  def is_done(name: str) -> bool:
    return load_record(study, by_name[name]).is_done

  return [task for task in tasks if all(map(is_done, task.needs))]


def run(
  study: Study,
  tasks: Sequence[Task],
  start: Callable[[str], list[str]],
  num_workers: int = 1,
  on_end: Callable[[Task, Record], None] = lambda *_: None,
) -> None:
  """Does tasks, each once those that it needs are done.

  One that fails, as a training that diverges does each time, keeps no other
  waiting but those that need it.

  Args:
    study: of the tasks.
    tasks: what is left; what they need is among them or done.
    start: returns what starts a verb, the first arguments of a process.
    num_workers: tasks at a time; the cores are divided among them.
    on_end: called with each task that ended well.

  Raises:
    TaskError: some tasks failed; all others are done that do not need them.
    ValueError: what a task needs is neither done nor among them.
  """
  shares = _shares(num_workers)
  failures: list[str] = []
  waiting = list(tasks)
  running: dict[concurrent.futures.Future[Record], tuple[Task, int]] = {}
  children = _Children()
  with (
    _hearing(children),
    concurrent.futures.ThreadPoolExecutor(num_workers) as pool,
  ):
    while waiting or running:
      busy = {worker for _, worker in running.values()}
      free = (worker for worker in range(num_workers) if worker not in busy)
      for task, worker in zip(ready(study, waiting), free):
        waiting.remove(task)
        child = pool.submit(
          _run, study, task, start(task.verb), shares[worker], children
        )
        running[child] = task, worker
      if not running and failures:
        break
      if not running:
        raise ValueError(
          f'{waiting[0].name} needs {", ".join(waiting[0].needs)}, which is '
          'not done.'
        )
      done, _ = concurrent.futures.wait(
        running, return_when=concurrent.futures.FIRST_COMPLETED
      )
      for child in done:
        task, _ = running.pop(child)
        try:
          on_end(task, child.result())
        except TaskError as e:
          failures.append(str(e))
  if failures:
    raise TaskError('; '.join(failures))


def _run(
  study: Study,
  task: Task,
  start: Sequence[str],
  cores: set[int],
  children: '_Children',
) -> Record:
  """Does one task, and writes its record however it ends."""
  record = load_record(study, task)
  if record.is_done:  # By another process, since this one looked.
    return record
  log = pathlib.Path(study.study_dir, 'logs', f'{task.name}.log')
  log.parent.mkdir(parents=True, exist_ok=True)
  with log.open('ab') as output:
    status, seconds = children.run([*start, *task.arguments], output, cores)
  record = dataclasses.replace(
    record,
    cpu_seconds=round(record.cpu_seconds + seconds, 2),
    is_done=status == 0,
  )
  save_record(study, task, record)
  if children.asked is not None:
    raise children.error()
  if status:
    last = log.read_text(errors='replace').strip().rpartition('\n')[2]
    raise TaskError(f'{task.name} failed: {last} (all of it: {log})')
  return record


def _record_path(study: Study, task: Task) -> pathlib.Path:
  return pathlib.Path(study.study_dir, 'records', f'{task.name}.json')


# Processes -------------------------------------------------------------------


def _shares(num_workers: int) -> list[set[int]]:
  """Divides the cores that this process may use among the workers."""
  cores = sorted(os.sched_getaffinity(0))
  return [
    # One of them, which others have as well, where there are too few.
    set(cores[worker::num_workers] or [cores[worker % len(cores)]])
    for worker in range(num_workers)
  ]


class Stopped(BaseException):
  """The study was asked to end; what ran has saved itself.

  Attributes:
    exit_status: what a program that raises it exits with: try again.
  """

  exit_status = os.EX_TEMPFAIL


class _Children:
  """The processes that run; a signal that this one gets ends them all.

  Attributes:
    asked: the signal, None before it.
  """

  def __init__(self) -> None:
    self.asked: int | None = None
    self._pids: set[int] = set()

  def notice(self, number: int, _: Any) -> None:
    """Handles the signal: has each save what it has, and end."""
    self.asked = number
    for pid in tuple(self._pids):
      _end(pid)

  def error(self) -> BaseException:
    """Returns what to raise after the signal."""
    message = 'asked to end; the same command goes on from there.'
    is_person = self.asked == signal.SIGINT
    return KeyboardInterrupt(message) if is_person else Stopped(message)

  def _begin(self, pid: int) -> None:
    self._pids.add(pid)
    if self.asked is not None:  # While it was started.
      _end(pid)

  def run(
    self, arguments: Sequence[str], output: IO[bytes], cores: set[int]
  ) -> tuple[int, float]:
    """Runs a process; returns its exit status, and its CPU-seconds."""
    if self.asked is not None:
      raise self.error()
    # In a session of its own, lest Ctrl-C reaches it twice.
    process = subprocess.Popen(
      arguments, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
    )
    self._begin(process.pid)
    # At once, before it starts a thread for each core that it sees.
    os.sched_setaffinity(process.pid, cores)
    _, status, usage = os.wait4(process.pid, 0)
    self._pids.discard(process.pid)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


def _end(pid: int) -> None:
  with contextlib.suppress(ProcessLookupError):  # It has just ended.
    os.kill(pid, signal.SIGTERM)


@contextlib.contextmanager
def _hearing(children: _Children) -> Iterator[None]:
  """Has the children hear of SIGTERM and Ctrl-C, within."""
  numbers = (signal.SIGTERM, signal.SIGINT)
  previous = [signal.signal(number, children.notice) for number in numbers]
  try:
    yield
  finally:
    for number, handler in zip(numbers, previous):
      signal.signal(number, handler)
