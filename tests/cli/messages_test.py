# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""An error of the user is said in words that are for a user."""

import types

import pytest

from auto_deeplab.cli import program


def _said(error, monkeypatch, capsys):
  """Returns what a verb that raises an error says on standard error."""

  def fail():
    raise error

  monkeypatch.setattr('sys.argv', ['decode'])
  monkeypatch.setattr(program.app, 'run', lambda main, **_: main(['decode']))
  monkeypatch.setattr(program, '_quieten', lambda: None)
  monkeypatch.setattr(
    program.flags, 'FLAGS', {'verbosity': types.SimpleNamespace(present=False)}
  )
  with pytest.raises(SystemExit):
    program.run(types.SimpleNamespace(main=fail))  # type: ignore[arg-type]
  return capsys.readouterr().err


@pytest.mark.parametrize(
  'error, message',
  [
    (FileNotFoundError(2, 'No such file', 'a.npz'), 'a.npz does not exist.'),
    (
      PermissionError(13, 'Permission denied', 'a.npz'),
      'a.npz: Permission denied.',
    ),
    (OSError(28, 'No space left on device'), 'No space left on device.'),
    (OSError("cannot write 'a': [Errno 28] No space"), "cannot write 'a': No"),
    (OSError('a: [Errno -2] Name or service'), 'a: Name or service'),
    (OSError('The folder x is missing.'), 'The folder x is missing.'),
    (
      ValueError(
        'x: {{function_node __wrapped__DecodePng_device_/job:localhost}} '
        'Invalid PNG data, size 9'
      ),
      'x: Invalid PNG data, size 9',
    ),
  ],
)
def test_only_what_a_user_knows_is_said(error, message, monkeypatch, capsys):
  said = _said(error, monkeypatch, capsys)
  assert said.startswith(f'decode: {message}')
  assert said.count('\n') == 1
