# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which pictures are meant, and where what is found of them goes."""

import os
from pathlib import Path
import re

import pytest

from auto_deeplab.serving import client


@pytest.fixture
def folder(tmp_path, monkeypatch):
  for name in ('deep/er', '.git'):
    (tmp_path / name).mkdir(parents=True)
  for name in (
    *('b.JPG', 'a.png', 'a[1].png', 'notes.txt', '._b.JPG', 'README'),
    *('deep/c.png', 'deep/er/d.tif', '.git/e.png'),
  ):
    (tmp_path / name).touch()
  monkeypatch.chdir(tmp_path)
  return tmp_path


@pytest.mark.parametrize(
  'entries, expected',
  [
    (
      ['b.JPG', 'deep'],
      [('b.JPG', 'b'), ('deep/c.png', 'c'), ('deep/er/d.tif', 'er/d')],
    ),
    (['a[1].png'], [('a[1].png', 'a[1]')]),
    (['notes.txt'], [('notes.txt', 'notes')]),
    (['*.png'], [('a.png', 'a'), ('a[1].png', 'a[1]')]),
    (['**/*.png'], [('a.png', 'a'), ('a[1].png', 'a[1]'), ('deep/c.png', 'c')]),
  ],
)
@pytest.mark.usefixtures('folder')
def test_finds(entries, expected):
  found, skipped = client.find_pictures(entries)
  assert found == expected
  assert not skipped


def test_a_folder_comes_with_its_subfolders_and_what_was_skipped(folder):
  (folder / 'link').symlink_to(folder / 'deep')
  found, skipped = client.find_pictures(['.', 'a.png'])
  names = ['a', 'a[1]', 'b', 'deep/c', 'deep/er/d']
  assert [name for _, name in found] == names
  assert skipped == {
    'hidden': 2,
    'link to a folder': 1,
    'no picture (.txt)': 1,
    'no picture (without suffix)': 1,
    'given twice': 1,
  }


def test_what_was_written_below_the_folder_is_not_predicted(folder):
  (folder / 'out').mkdir()
  (folder / 'out' / 'a.png').touch()
  found, _ = client.find_pictures([str(folder)], folder / 'out')
  assert not any('out' in name for _, name in found)
  assert len(found) == 5


@pytest.mark.parametrize('entry', ['missing.png', '*.gif', 'empty'])
def test_nothing_is_named(folder, entry):
  (folder / 'empty').mkdir()
  path = str(folder / entry)
  with pytest.raises(
    ValueError, match=re.escape(f'{path!r} matches no picture')
  ):
    client.find_pictures([str(folder), path])


@pytest.mark.usefixtures('folder')
def test_a_folder_that_cannot_be_read_ends_it(monkeypatch):
  scan = os.scandir

  def refuse(path):
    if str(path).endswith('er'):
      raise PermissionError(13, 'Permission denied', path)
    return scan(path)

  monkeypatch.setattr(os, 'scandir', refuse)
  with pytest.raises(PermissionError, match=r'\./deep/er'):
    client.find_pictures(['.'])


def found(*names: str) -> list[client.Found]:
  return [client.Found(f'in/{name}', Path(name).stem) for name in names]


def test_jobs_are_named_as_the_pictures():
  pictures = [client.Found('in/s/a.b.jpg', 's/a.b'), client.Found('c.png', 'c')]
  assert client.jobs(pictures, 'out') == [
    ('in/s/a.b.jpg', 'out/s/a.b'),
    ('c.png', 'out/c'),
  ]


def test_one_name_twice_is_refused():
  with pytest.raises(
    ValueError,
    match=r"'in/a.jpg' and 'in/a.png' would both be written to 'out/a.png'",
  ):
    client.jobs(found('a.jpg', 'b.jpg', 'a.png'), 'out')


@pytest.mark.parametrize('output_dir', ['in', 'in/../in', './in/'])
def test_the_folder_of_an_input_is_refused(output_dir):
  with pytest.raises(
    ValueError, match=f"folder '{output_dir}' holds the input 'in/a.jpg'"
  ):
    client.jobs(found('a.jpg'), output_dir)
