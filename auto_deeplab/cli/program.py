# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How a verb starts and ends: errors of the user are one line."""

from collections.abc import Sequence
import functools
import io
import logging as python_logging
import os
import re
import sys
from types import ModuleType, TracebackType

# Before TensorFlow is imported: its start-up banner says nothing to a user.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from absl import app, flags, logging

from auto_deeplab.cli import help_text

# What bad input raises; all else is a defect and keeps its traceback.
_EXPECTED = (ValueError, OSError)


def _quieten() -> None:
  """Leaves the word to the verbs; --verbosity brings the others back."""
  # `app.run` turns INFO on, where libraries tell of all that they do.
  logging.set_verbosity(logging.WARNING)
  # Of a checkpoint that is refused, TensorFlow lists all that it did not read.
  python_logging.getLogger('tensorflow').setLevel('ERROR')


def _print_any_name() -> None:
  """Has names that the terminal cannot show be printed with escapes.

  Of a name that is no text an error would end the verb; standard error has
  escapes by itself.
  """
  if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == 'strict':
    sys.stdout.reconfigure(errors='backslashreplace')


def name() -> str:
  """Returns what messages begin with: `train`, or `auto-deeplab train`."""
  return os.path.splitext(os.path.basename(sys.argv[0]))[0]


def _say_interrupted(
  kind: type[BaseException],
  error: BaseException,
  traceback: TracebackType | None,
) -> None:
  """Says in one line what Ctrl-C came upon; all else keeps its traceback.

  Python then ends itself by the signal that Ctrl-C sends. Shells call that
  status 130 and end the script that they run; of a program that exits, with
  whatever status, they would go on with the next command.
  """
  if issubclass(kind, KeyboardInterrupt):
    print(f'{name()}: {str(error) or "interrupted."}', file=sys.stderr)
  else:
    sys.__excepthook__(kind, error, traceback)


# At once: the imports of a verb take seconds.
sys.excepthook = _say_interrupted


def _is_out_of_memory(error: BaseException) -> bool:
  # By their names: not every verb needs TensorFlow.
  names = {kind.__name__ for kind in type(error).__mro__}
  is_of_device = 'OpError' in names and 'out of memory' in str(error).lower()
  return bool({'MemoryError', 'ResourceExhaustedError'} & names) or is_of_device


def _say_out_of_memory(error: BaseException, remedy: str) -> None:
  shape = re.search(r'tensor with (shape ?\[[\d,]*\])', str(error))
  what = f' for a tensor of {shape[1]}' if shape else ''
  print(f'{name()}: out of memory{what}; {remedy}.', file=sys.stderr)


def _plain(error: BaseException) -> str:
  """Returns an error's message without what only a programmer knows."""
  message = str(error)
  if isinstance(error, FileNotFoundError) and error.filename is not None:
    message = f'{os.fspath(error.filename)} does not exist.'
  elif isinstance(error, OSError) and error.strerror:
    place = f'{error.filename}: ' if error.filename is not None else ''
    message = f'{place}{error.strerror}.'
  # '{{function_node ...}}' begins TensorFlow's, '[Errno 28]' the system's.
  return re.sub(r'\{\{\w+ [^{}]*\}\} ?|\[Errno -?\d+\] ', '', message)


def as_typed(message: str) -> str:
  """Returns a message with the flags of this verb as a user types them.

  The library says `seed` (7), or `seed` = 7, of what it was given.
  """

  def typed(match: re.Match[str]) -> str:
    if match[1] not in flags.FLAGS:
      return match[0]
    return f'--{match[1]}{"=" if match[2] else ""}'

  return re.sub(r'`(\w+)`( = )?', typed, message)


def run(verb: ModuleType) -> None:
  """Parses the flags of a verb, runs its `main()`, and exits.

  A `ValueError` or `OSError` that `main` raises is printed as one line on
  standard error, its notes below, and the exit status is 1. So is a lack of
  memory, and, with a status of its own, what has an `exit_status`.

  Args:
    verb: a module of `auto_deeplab.cli.verbs`. Its `FOR_MEMORY`, if it has
      one, says what to do where the memory does not suffice. `POSITIONAL`
      names the flag that its first word is, as in `plan DATA`. With
      `PASSES_ON`, flags that it does not know are the argument of `main`; with
      `WORDS`, which says what they are, the words that are no flags.
  """
  if help_text.is_asked(sys.argv):
    help_text.show(help_text.of_verb(verb))
    return
  passes_on = getattr(verb, 'PASSES_ON', False)
  takes_words = hasattr(verb, 'WORDS')
  if takes_words:  # They may stand before, between and after flags.
    flags.FLAGS.set_gnu_getopt()
  _name_first(getattr(verb, 'POSITIONAL', None))
  remedy = getattr(
    verb, 'FOR_MEMORY', 'end other programs, or take a larger machine'
  )

  def guarded_main(argv: Sequence[str]) -> None:
    words = argv[1:]
    if passes_on:
      words = [word for word in words if not word.startswith('--')]
    if words and not takes_words:
      sys.exit(f'{name()}: unexpected argument: {words[0]}; see --help.')
    if not flags.FLAGS['verbosity'].present:
      _quieten()
    _print_any_name()
    try:
      verb.main(*([argv[1:]] if passes_on or takes_words else []))
    except KeyboardInterrupt as e:
      # Of a subclass, Python would exit with status 1.
      raise KeyboardInterrupt(str(e)) from e
    except BaseException as e:
      if _is_out_of_memory(e):
        _say_out_of_memory(e, remedy)
        sys.exit(1)
      status = getattr(e, 'exit_status', None)
      if status is None and not isinstance(e, _EXPECTED):
        raise
      message = as_typed(' '.join(_plain(e).split()))
      notes = getattr(e, '__notes__', [])
      print(f'{name()}: {message}', *notes, sep='\n', file=sys.stderr)
      sys.exit(status or 1)

  parse = functools.partial(_parse, known_only=passes_on)
  app.run(guarded_main, flags_parser=parse)


def _name_first(flag: str | None) -> None:
  """Has absl take the first word for the value of a flag.

  What follows '--other' is the value of that, unless it is a boolean one.
  """
  is_value = False
  for index, word in enumerate(sys.argv[1:], start=1):
    if word.startswith('-'):
      is_value = '=' not in word and not _is_boolean(word.lstrip('-'))
    elif is_value:
      is_value = False
    elif flag:
      sys.argv[index] = f'--{flag}={word}'
      return


def _is_boolean(flag: str) -> bool:
  names = {flag, flag.removeprefix('no')} & set(flags.FLAGS)
  return any(flags.FLAGS[name].boolean for name in names)


def _parse(argv: list[str], known_only: bool) -> list[str]:
  """Parses the flags; what is wrong with them is one line."""
  try:
    return flags.FLAGS(argv, known_only=known_only)
  except flags.Error as e:
    faults = '; '.join(map(_plain_fault, str(e).splitlines()))
    sys.exit(f'{name()}: {faults}; see --help.')


def _plain_fault(line: str) -> str:
  """Returns what absl says of a flag in the words that a user types."""
  for pattern, words in (
    (r'flag --(\w+)=None: .* must have a value other.*', r'--\1 is missing'),
    (r"Unknown command line flag '(.*?)'\.?", r'there is no flag --\1'),
    (r' Did you mean: (\w+)\W.*', r'; did you mean --\1'),
    (r'^flag --', '--'),
    (r'[.]$', ''),
  ):
    line = re.sub(pattern, words, line)
  return line
