# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests for atomic writing."""

import errno
import os

import pytest

from auto_deeplab.architecture import artifact


def test_the_file_appears_when_the_block_ends(tmp_path):
  path = tmp_path / 'new folder' / 'file.txt'
  with artifact.writing(path) as file:
    file.write(b'whole')
    assert not path.exists()
  assert path.read_bytes() == b'whole'
  assert os.listdir(path.parent) == ['file.txt']


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
  path = tmp_path / 'file.txt'
  path.write_bytes(b'old')
  with pytest.raises(RuntimeError), artifact.writing(path) as file:
    file.write(b'half')
    raise RuntimeError
  assert path.read_bytes() == b'old'
  assert os.listdir(tmp_path) == ['file.txt']


def test_the_file_is_as_readable_as_any_other(tmp_path):
  plain = tmp_path / 'plain.txt'
  plain.write_text('')
  with artifact.writing(tmp_path / 'written.txt'):
    pass
  written = tmp_path / 'written.txt'
  assert written.stat().st_mode == plain.stat().st_mode


def test_a_full_disk_is_named(tmp_path):
  path = tmp_path / 'file.txt'
  for message, filename in (('', None), (f": '{tmp_path}/other'", 'other')):
    with pytest.raises(OSError) as error, artifact.writing(path):
      named = [str(tmp_path / filename)] if filename else []
      raise OSError(errno.ENOSPC, 'No space left on device', *named)
    assert str(error.value) == (
      f'[Errno 28] No space left on device{message or f": {str(path)!r}"}'
    )
  with pytest.raises(OSError, match=r'^a message$'), artifact.writing(path):
    raise OSError('a message')
  assert os.listdir(tmp_path) == []
