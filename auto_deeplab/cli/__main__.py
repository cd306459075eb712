# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command `auto-deeplab`: its first argument names the verb."""

import ast
import difflib
import importlib
import importlib.resources
import sys

import auto_deeplab
from auto_deeplab.cli import commands, help_text, program

_VERBS = f'{__package__}.verbs'

# In the order in which a newcomer needs them; a module each.
VERBS = (
  'demo',
  'run',
  'build_tfrecords',
  'inspect_dataset',
  'plan',
  'search',
  'decode',
  'choose',
  'train',
  'evaluate',
  'export',
  'predict',
  'serve',
  'report',
  'study',
  'cost',
  'import_checkpoint',
  'check_parity',
)

# Words that are as good, for those whose names are longer or less expected.
ALIASES = {
  'convert': 'build_tfrecords',
  'inspect': 'inspect_dataset',
  'select': 'choose',
}


def overview() -> str:
  """Returns the verbs, each with the first line of its help."""
  width = max(map(len, VERBS))
  return '\n'.join(
    [
      'Searches for, trains and serves semantic segmentation networks.',
      '',
      f'Usage: {commands.NAME} VERB [--FLAG=...]',
      '',
      *(f'  {verb:{width}}  {line}' for verb, line in _first_lines().items()),
      '',
      f'{", ".join(ALIASES)} mean {", ".join(ALIASES.values())}.',
      '',
      f'{commands.NAME} VERB --help explains one, {commands.NAME} --version '
      'says which this is.',
    ]
  )


def _first_lines() -> dict[str, str]:
  """Returns what each verb does, in a line."""
  # Read and not imported: verbs share names of flags.
  files = importlib.resources.files(_VERBS)
  docs = {
    verb: ast.get_docstring(ast.parse((files / f'{verb}.py').read_text()))
    for verb in VERBS
  }
  return {verb: (doc or '').splitlines()[0] for verb, doc in docs.items()}


def _nearest(word: str) -> str | None:
  """Returns the verb that is written much alike, or does what the word says."""
  alike = difflib.get_close_matches(word, VERBS, n=1)
  lines = _first_lines().items()
  doing = [verb for verb, line in lines if line.lower().startswith(word)]
  return next(iter([*alike, *doing]), None)


def main() -> None:
  """Runs the verb that the first argument names."""
  word, *arguments = sys.argv[1:] or ['--help']
  if help_text.is_asked([commands.NAME, word]):
    help_text.show(overview())
    return
  if word == '--version':
    print(f'{commands.NAME} {auto_deeplab.__version__}')
    return
  verb = word.replace('-', '_')
  verb = ALIASES.get(verb, verb)
  if verb not in VERBS:
    nearest = _nearest(verb)
    meant = f' did you mean {nearest}?' if nearest else ''
    sys.exit(
      f'{commands.NAME}: there is no verb {word!r};{meant} there are '
      f'{", ".join(VERBS)}.'
    )
  # What messages, and the verbs that they propose, begin with.
  sys.argv = [f'{commands.NAME} {verb}', *arguments]
  program.run(importlib.import_module(f'{_VERBS}.{verb}'))


if __name__ == '__main__':
  main()
