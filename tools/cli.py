# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What every tool shares: start-up, and errors of the user in one line."""

from collections.abc import Callable, Mapping, Sequence
import logging as python_logging
import os
import re
import sys
from types import TracebackType

# Before TensorFlow is imported: its start-up banner says nothing to a user.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from absl import app, flags, logging


def _quieten() -> None:
  """Leaves the word to the tools; --verbosity brings the others back."""
  # `app.run` turns INFO on, where libraries tell of all that they do.
  logging.set_verbosity(logging.WARNING)
  # Of a checkpoint that is refused, TensorFlow lists all that it did not read.
  python_logging.getLogger('tensorflow').setLevel('ERROR')


def _tool() -> str:
  return os.path.splitext(os.path.basename(sys.argv[0]))[0]


def _say_interrupted(
  kind: type[BaseException],
  error: BaseException,
  traceback: TracebackType | None,
) -> None:
  """Says in one line what Ctrl-C came upon; all else keeps its traceback.

  Python then ends itself by the signal that Ctrl-C sends. Shells call that
  status 130 and end the script that they run; of a tool that exits, with
  whatever status, they would go on with the next command.
  """
  if issubclass(kind, KeyboardInterrupt):
    print(f'{_tool()}: {str(error) or "interrupted."}', file=sys.stderr)
  else:
    sys.__excepthook__(kind, error, traceback)


# At once: the imports of a tool take seconds.
sys.excepthook = _say_interrupted


def _is_out_of_memory(error: Exception) -> bool:
  # By their names: not every tool needs TensorFlow.
  names = {kind.__name__ for kind in type(error).__mro__}
  is_of_device = 'OpError' in names and 'out of memory' in str(error).lower()
  return bool({'MemoryError', 'ResourceExhaustedError'} & names) or is_of_device


def run(
  main: Callable[[], None],
  statuses: Mapping[type[BaseException], int] | None = None,
  for_memory: str = 'end other programs, or take a larger machine',
) -> None:
  """Parses flags, runs `main()`, and exits.

  Args:
    main: the tool's body. A `ValueError` or `OSError` that it raises is
      printed as one line on standard error, its notes below, and the exit
      status is 1. So is a lack of memory.
    statuses: exceptions that are printed likewise, and their exit statuses.
    for_memory: what to do where the memory does not suffice.
  """
  # What bad input raises; all else is a defect and keeps its traceback.
  expected: dict[type[BaseException], int] = {ValueError: 1, OSError: 1}
  expected.update(statuses or {})
  tool = _tool()

  def guarded_main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
      raise app.UsageError(f'unexpected argument: {argv[1]}')
    if not flags.FLAGS['verbosity'].present:
      _quieten()
    try:
      main()
    except KeyboardInterrupt as e:
      # Of a subclass, Python would exit with status 1.
      raise KeyboardInterrupt(str(e)) from e
    except tuple(expected) as e:
      message = ' '.join(str(e).split())
      notes = getattr(e, '__notes__', [])
      print(f'{tool}: {message}', *notes, sep='\n', file=sys.stderr)
      sys.exit(next(v for kind, v in expected.items() if isinstance(e, kind)))
    except Exception as e:
      if not _is_out_of_memory(e):
        raise
      shape = re.search(r'tensor with (shape ?\[[\d,]*\])', str(e))
      what = f' for a tensor of {shape[1]}' if shape else ''
      print(f'{tool}: out of memory{what}; {for_memory}.', file=sys.stderr)
      sys.exit(1)

  app.run(guarded_main)
