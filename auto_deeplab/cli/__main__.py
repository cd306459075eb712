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


def overview() -> str:
  """Returns the verbs, each with the first line of its help."""
  width = max(map(len, VERBS))
  # Read and not imported: verbs share names of flags.
  files = importlib.resources.files(_VERBS)
  docs = {
    verb: ast.get_docstring(ast.parse((files / f'{verb}.py').read_text()))
    for verb in VERBS
  }
  return '\n'.join(
    [
      'Searches for, trains and serves semantic segmentation networks.',
      '',
      f'Usage: {commands.NAME} VERB [--FLAG=...]',
      '',
      *(
        f'  {verb:{width}}  {(doc or "").splitlines()[0]}'
        for verb, doc in docs.items()
      ),
      '',
      f'{commands.NAME} VERB --help explains one, {commands.NAME} --version '
      'says which this is.',
    ]
  )


def main() -> None:
  """Runs the verb that the first argument names."""
  word, *arguments = sys.argv[1:] or ['--help']
  if help_text.is_asked([commands.NAME, word]):
    print(overview())
    return
  if word == '--version':
    print(f'{commands.NAME} {auto_deeplab.__version__}')
    return
  verb = word.replace('-', '_')
  if verb not in VERBS:
    nearest = difflib.get_close_matches(verb, VERBS, n=1)
    meant = f' did you mean {nearest[0]}?' if nearest else ''
    sys.exit(
      f'{commands.NAME}: there is no verb {word!r};{meant} there are '
      f'{", ".join(VERBS)}.'
    )
  # What messages, and the verbs that they propose, begin with.
  sys.argv = [f'{commands.NAME} {verb}', *arguments]
  program.run(importlib.import_module(f'{_VERBS}.{verb}'))


if __name__ == '__main__':
  main()
