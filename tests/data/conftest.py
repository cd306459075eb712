# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the tests of this room share: small folders of pictures."""

import json
import pathlib

import numpy as np
from PIL import Image
import pytest

from auto_deeplab.data import datasets
from auto_deeplab.data.records import conversion
from auto_deeplab.data.sources import layouts, sources


class Folder:
  """A folder of pictures, as a user would lay it out."""

  def __init__(self, path: pathlib.Path):
    self.path = path
    self.write_classes({'classes': ['sky', 'road', 'car']})

  def write_classes(self, table) -> None:
    self.path.mkdir(parents=True, exist_ok=True)
    (self.path / 'classes.json').write_text(json.dumps(table))

  def image(self, split: str, name: str) -> pathlib.Path:
    return self._file('images', split, name)

  def label(self, split: str, name: str) -> pathlib.Path:
    return self._file('labels', split, name)

  def add(self, split: str, name: str, size=(24, 32), seed=0) -> None:
    """Adds a JPEG of noise, and a label of which each column is one class."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (*size, 3), np.uint8)
    label = np.broadcast_to(np.arange(size[1]) % 3, size).astype(np.uint8)
    Image.fromarray(pixels).save(self.image(split, f'{name}.jpg'))
    Image.fromarray(label).save(self.label(split, f'{name}.png'))

  def fill(self, num_train=5, num_val=2) -> 'Folder':
    for split, count in (('train', num_train), ('val', num_val)):
      for index in range(count):
        self.add(split, f'{split}_{index}', seed=index)
    return self

  def source(self) -> sources.Source:
    return layouts.open_source('folder', self.path)

  def convert(self, output_dir, **kwargs) -> datasets.DatasetInfo:
    return conversion.write_dataset(self.source(), output_dir, **kwargs)

  def _file(self, kind: str, split: str, name: str) -> pathlib.Path:
    path = self.path / kind / split / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def folder(tmp_path) -> Folder:
  """A folder with a class table and no pictures."""
  return Folder(tmp_path / 'pictures')


@pytest.fixture(scope='session')
def converted(tmp_path_factory) -> pathlib.Path:
  """A data set of 13 and 3 pictures of various sizes. Not to be changed."""
  path = tmp_path_factory.mktemp('converted')
  source = Folder(path / 'pictures')
  for index in range(13):
    size = (20 + 3 * index, 61 - 2 * index)
    source.add('train', f'{index:02d}', size, seed=index)
  for index in range(3):
    source.add('val', f'{index:02d}', (20 + index, 30 - index), seed=99 + index)
  source.convert(path / 'data', num_shards=3)
  return path / 'data'


@pytest.fixture
def camvid_dir() -> pathlib.Path:
  """CamVid beside the repository."""
  path = pathlib.Path(__file__).parents[3] / 'shared' / 'data' / 'camvid'
  if not path.is_dir():
    pytest.skip(f'{path} is not here')
  return path
