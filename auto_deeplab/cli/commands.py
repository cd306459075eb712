# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a user types to start a verb, which is as this one was started."""

import os
import sys

# The command that an installation brings.
NAME = 'auto-deeplab'


def _is_tool() -> bool:
  """Whether this was started as tools/VERB.py, from a clone."""
  return not os.path.basename(sys.argv[0]).startswith(NAME)


def shown(verb: str) -> str:
  """Returns what the user types: `auto-deeplab train` or the tool's path."""
  return f'python tools/{verb}.py' if _is_tool() else f'{NAME} {verb}'


def arguments(verb: str) -> list[str]:
  """Returns what starts the verb, as the first arguments of a process."""
  if _is_tool():
    folder = os.path.dirname(sys.argv[0])
    return [sys.executable, os.path.join(folder, f'{verb}.py')]
  # -P: what lies in the working folder is no module of ours.
  return [sys.executable, '-P', '-m', 'auto_deeplab.cli', verb]
