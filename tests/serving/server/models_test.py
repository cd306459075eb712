# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which folder is served, and by which name."""

import re
import shutil

import pytest

from auto_deeplab.serving import client
from auto_deeplab.serving.server import models


@pytest.fixture
def make(tmp_path):
  """Makes what passes for a SavedModel until it is loaded."""

  def make(path):
    for name in ('saved_model.pb', client.METADATA_PATH):
      (tmp_path / path / name).parent.mkdir(parents=True, exist_ok=True)
      (tmp_path / path / name).write_text('')
    return tmp_path / path

  return make


def test_a_saved_model_is_served_under_its_folders_name(make):
  folder = make('demo')
  assert models.find(folder) == models.Place(folder, 'demo', 1)
  assert models.find(folder, 'city').name == 'city'


def test_a_numbered_one_is_of_that_version_of_the_folder_above(make):
  folder = make('demo/7')
  assert models.find(folder) == models.Place(folder, 'demo', 7)


def test_a_number_that_no_request_can_name_is_no_version(make):
  folder = make(f'demo/{2**63}')
  assert models.find(folder) == models.Place(folder, str(2**63), 1)


def test_of_versions_the_newest_whole_one_is_served(make, tmp_path):
  make('demo/9')
  newest = make('demo/10')
  (make('demo/11') / 'saved_model.pb').unlink()
  make('demo/12.tmp')
  make(f'demo/{2**63}')  # No number to gRPC.
  assert models.find(tmp_path / 'demo') == models.Place(newest, 'demo', 10)


def test_a_missing_folder_is_named(tmp_path):
  with pytest.raises(
    FileNotFoundError, match=r"^the model folder '.*/none' does not exist\.$"
  ):
    models.find(tmp_path / 'none')


def test_a_name_that_is_none_is_refused(make):
  with pytest.raises(ValueError, match=r"^the name of the model \('a/b'\) mus"):
    models.find(make('demo'), 'a/b')


def test_a_damaged_model_is_named(model_dir, tmp_path):
  folder = tmp_path / 'demo'
  shutil.copytree(model_dir, folder)
  (folder / 'saved_model.pb').write_bytes(b'\xff')
  message = f'the SavedModel in {str(folder)!r} is damaged: '
  with pytest.raises(ValueError, match=f'^{re.escape(message)}'):
    models.ServedModel(models.find(folder))


def test_a_folder_of_something_else_is_refused(tmp_path):
  with pytest.raises(ValueError, match='is not a SavedModel that Auto-DeepLab'):
    models.ServedModel(models.find(tmp_path))
