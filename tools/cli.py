# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What every tool shares: start-up, and errors of the user in one line."""

from collections.abc import Callable, Mapping, Sequence
import logging as python_logging
import os
import sys

# Before TensorFlow is imported: its start-up banner says nothing to a user.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from absl import app, flags, logging


def _quieten() -> None:
  """Leaves the word to the tools; --verbosity brings the others back."""
  # `app.run` turns INFO on, and orbit logs each of its loops there.
  logging.set_verbosity(logging.WARNING)
  # Of a checkpoint that is refused, TensorFlow lists all that it did not read.
  python_logging.getLogger('tensorflow').setLevel('ERROR')


def run(
  main: Callable[[], None],
  statuses: Mapping[type[Exception], int] | None = None,
) -> None:
  """Parses flags, runs `main()`, and exits.

  Args:
    main: the tool's body. A `ValueError` or `OSError` that it raises is
      printed as one line on standard error, its notes below, and the exit
      status is 1.
    statuses: exceptions that are printed likewise, and their exit statuses.
  """
  # What bad input raises; all else is a defect and keeps its traceback.
  expected: dict[type[Exception], int] = {ValueError: 1, OSError: 1}
  expected.update(statuses or {})
  tool = os.path.splitext(os.path.basename(sys.argv[0]))[0]

  def guarded_main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
      raise app.UsageError(f'unexpected argument: {argv[1]}')
    if not flags.FLAGS['verbosity'].present:
      _quieten()
    try:
      main()
    except tuple(expected) as e:
      message = ' '.join(str(e).split())
      notes = getattr(e, '__notes__', [])
      print(f'{tool}: {message}', *notes, sep='\n', file=sys.stderr)
      sys.exit(next(v for kind, v in expected.items() if isinstance(e, kind)))

  app.run(guarded_main)
