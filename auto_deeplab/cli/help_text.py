# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What --help prints: all flags of a verb, and none of the libraries'."""

import os
import re
import sys
from types import ModuleType

from absl import flags

from auto_deeplab.cli import commands

_WORDS = {'-h', '-?', '-help', '--help', '-helpshort', '--helpshort'}


def is_asked(argv: list[str]) -> bool:
  """Whether the arguments of a program ask for its help."""
  words = argv[1:]
  return bool(_WORDS.intersection(words[: (words + ['--']).index('--')]))


def show(text: str) -> None:
  """Prints a help; a reader that has enough of it, as `head`, is no error."""
  try:
    print(text, flush=True)
  except BrokenPipeError:
    # Python flushes once more as it ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def of_verb(verb: ModuleType) -> str:
  """Returns the help of a verb whose module is loaded, and no other verb's."""
  # Those that the module defines, then those that verbs share.
  modules = [verb.__name__] + [
    module
    for module in flags.FLAGS.flags_by_module_dict()
    if module.startswith(__package__) and module != verb.__name__
  ]
  return '\n\n'.join(
    [
      _as_typed(verb.__doc__ or '').strip(),
      _usage(verb, modules),
      *filter(None, map(_of_flags, modules)),
      '--helpfull lists the flags of the libraries as well.',
    ]
  )


def _as_typed(text: str) -> str:
  """Returns a text with its commands as this one was started."""
  pattern = rf'\b{commands.NAME} (\w+)'
  return re.sub(pattern, lambda match: commands.shown(match[1]), text)


def _usage(verb: ModuleType, modules: list[str]) -> str:
  """Returns the line that names the flags that have to be given."""
  found = flags.FLAGS.flags_by_module_dict()
  first = getattr(verb, 'POSITIONAL', None)
  needed = [
    first.upper() if flag.name == first else f'--{flag.name}=...'
    for module in modules
    for flag in found.get(module, ())
    # All that a flag without a default can fail is to be given.
    if flag.default is None and flag.validators
  ]
  words = [verb.WORDS] if hasattr(verb, 'WORDS') else []
  name = verb.__name__.rpartition('.')[2]
  return ' '.join(
    ['Usage:', commands.shown(name), *words, *needed, '[--FLAG=...]']
  )


def _of_flags(module: str) -> str:
  """Returns the flags that a module defines, below what it says of them."""
  # The first line that absl writes is the name of the module. Of a flag that
  # may be repeated, that it is not given is no default to speak of.
  lines = [
    line
    for line in flags.FLAGS.module_help(module).strip().splitlines()[1:]
    if line.strip() != "(default: '[]')"
  ]
  if not lines:
    return ''
  is_shared = '.verbs.' not in module
  title = (sys.modules[module].__doc__ or '').splitlines()[0]
  return '\n'.join([title if is_shared else 'Its own flags.', *lines])
