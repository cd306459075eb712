# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What cannot be run is refused, and leaves no folder behind."""

import shutil

import numpy as np
from PIL import Image
import pytest

from auto_deeplab.architecture.genotype import PUBLISHED
from auto_deeplab.data import datasets
from auto_deeplab.data.input import sampling
from auto_deeplab.data.records import conversion, tfrecord
from auto_deeplab.data.sources import layouts, synthetic
from auto_deeplab.experiments import train
from auto_deeplab.runs import run as run_lib
from auto_deeplab.runs import trained_network
from tests import tiny
from tests.experiments import runs

pytestmark = pytest.mark.slow


def test_a_split_of_fewer_images_than_a_batch_is_refused(data_dir, tmp_path):
  with pytest.raises(ValueError) as error:
    runs.train(data_dir, tmp_path / 'run', input={'batch_size': 9})
  assert str(error.value) == (
    f'`batch_size` (9) is larger than the split train of {data_dir}, which has '
    '8 examples.'
  )
  # So that the mended command is not refused as another configuration.
  assert not (tmp_path / 'run').exists()


def test_halves_of_fewer_images_than_a_batch_are_refused(data_dir, tmp_path):
  with pytest.raises(ValueError) as error:
    runs.search(data_dir, tmp_path / 'run', input={'batch_size': 5})
  assert str(error.value) == (
    '`batch_size` (5) is larger than half A of the split train of '
    f'{data_dir}, which has 4 examples.'
  )
  assert not (tmp_path / 'run').exists()


def test_an_empty_half_is_refused(tmp_path):
  synthetic.draw_folder(
    tmp_path / 'pictures',
    num_examples={'train': 1, 'val': 1},
    image_size=(64, 64),
  )
  source = layouts.open_source('folder', tmp_path / 'pictures')
  conversion.write_dataset(source, tmp_path / 'data', num_shards=1)
  with pytest.raises(ValueError) as error:
    runs.search(tmp_path / 'data', tmp_path / 'run', input={'batch_size': 1})
  assert str(error.value) == (
    '`batch_size` (1) is larger than half B of the split train of '
    f'{tmp_path}/data, which has 0 examples.'
  )
  assert not (tmp_path / 'run').exists()


def write_unlabelled(root, names):
  """Two pictures to train on, of which those have no labels."""
  synthetic.draw_folder(
    root / 'pictures',
    num_examples={'train': 2, 'val': 1},
    image_size=(64, 64),
  )
  paths = sorted((root / 'pictures/labels/train').iterdir())
  for index in names:
    label = np.full((64, 64), datasets.IGNORE_LABEL, np.uint8)
    Image.fromarray(label).save(paths[index])
  source = layouts.open_source('folder', root / 'pictures')
  conversion.write_dataset(source, root / 'data', num_shards=1)
  return root / 'data'


@pytest.mark.parametrize('index', [0, 1])
def test_a_half_without_labels_is_refused(tmp_path, index):
  data_dir = write_unlabelled(tmp_path, [index])
  in_b = sampling.half_mask(2, seed=0, half='B')[index]
  with pytest.raises(ValueError) as error:
    runs.search(data_dir, tmp_path / 'run', input={'batch_size': 1})
  assert str(error.value) == (
    f'half {"B" if in_b else "A"} of the split train of {data_dir} has no '
    'labelled pixel to learn from. Another `RuntimeConfig.seed` makes other '
    'halves.'
  )
  assert not (tmp_path / 'run').exists()


def test_a_split_without_labels_is_refused(tmp_path, monkeypatch):
  # As a data set of before conversions refused it.
  monkeypatch.setattr(conversion.soundness, 'examine', lambda *_: ())
  data_dir = write_unlabelled(tmp_path, [0, 1])
  with pytest.raises(ValueError) as error:
    runs.train(data_dir, tmp_path / 'run')
  assert str(error.value) == (
    f'the split train of {data_dir} has no labelled pixel to learn from.'
  )
  assert not (tmp_path / 'run').exists()


def test_a_pooling_window_beyond_the_crop_is_refused(data_dir, tmp_path):
  with pytest.raises(ValueError) as error:
    runs.train(data_dir, tmp_path / 'run', segmenter={'pooling_size': (5, 6)})
  assert str(error.value) == (
    '`SegmenterConfig.pooling_size` ((5, 6)) must not be larger than the '
    'feature map (5, 5) of an `InputConfig.crop_size` of (33, 33).'
  )
  assert not (tmp_path / 'run').exists()


def test_a_batch_that_replicas_do_not_divide_is_refused(data_dir, tmp_path):
  with pytest.raises(ValueError) as error:
    runs.train(
      data_dir,
      tmp_path / 'run',
      {'distribution': 'mirrored'},
      input={'batch_size': 3},
    )
  assert str(error.value) == (
    '`InputConfig.batch_size` (3) must be a multiple of the number of replicas '
    '(2).'
  )
  assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('splits', [('test', 'val'), ('train', 'test')])
def test_a_missing_split_is_refused(data_dir, tmp_path, splits):
  train_split, eval_split = splits
  place = run_lib.Place(
    str(data_dir),
    str(tmp_path / 'run'),
    train_split=train_split,
    eval_split=eval_split,
  )
  with pytest.raises(ValueError, match='test') as error:
    train.run(tiny.train_config(), tiny.GENOTYPE, place)
  assert len(str(error.value).splitlines()) == 1
  assert not (tmp_path / 'run').exists()


def test_a_missing_data_set_is_refused(tmp_path):
  with pytest.raises(FileNotFoundError, match=r'dataset\.json does not exist'):
    runs.search(tmp_path / 'nowhere', tmp_path / 'run')
  assert not (tmp_path / 'run').exists()


def test_a_corrupt_shard_is_named(data_dir, tmp_path):
  copy = shutil.copytree(data_dir, tmp_path / 'data')
  shard = copy / 'train-00001-of-00002.tfrecord'
  data = bytearray(shard.read_bytes())
  data[len(data) // 2] ^= 1
  shard.write_bytes(data)
  with pytest.raises(ValueError, match=f'^{shard} is damaged: '):
    runs.train(copy, tmp_path / 'run')
  assert not (tmp_path / 'run').exists()


def test_a_shard_that_a_disk_damages_during_a_run_is_named(
  data_dir, tmp_path, monkeypatch
):
  copy = shutil.copytree(data_dir, tmp_path / 'data')
  verify = tfrecord.verify

  def verify_then_damage(*args, **kwargs):
    verify(*args, **kwargs)
    shard = copy / 'train-00000-of-00002.tfrecord'
    shard.write_bytes(shard.read_bytes()[:-9] + b'\0' * 9)
    monkeypatch.setattr(tfrecord, 'verify', verify)

  monkeypatch.setattr(tfrecord, 'verify', verify_then_damage)
  shard = copy / 'train-00000-of-00002.tfrecord'
  with pytest.raises(ValueError, match=f'^{shard} is damaged: '):
    runs.train(copy, tmp_path / 'run')


def test_a_run_goes_on_with_its_own_data_genotype_and_values(
  data_dir, tmp_path
):
  run_dir = tmp_path / 'run'
  runs.train(data_dir, run_dir, schedule={'train_steps': 1})
  with pytest.raises(ValueError, match=r'`TrainConfig\.train_steps = 4`'):
    runs.train(data_dir, run_dir)
  place = run_lib.Place(str(data_dir), str(run_dir))
  config = tiny.train_config(schedule={'train_steps': 1})
  with pytest.raises(ValueError, match=r'genotype\.json differs from what'):
    train.run(config, PUBLISHED, place)


def test_statistics_that_keep_their_beginning_are_refused_before_a_run(
  data_dir, tmp_path
):
  run_dir, parts = tmp_path / 'run', {'batch_norm_momentum': 0.9}
  with pytest.raises(ValueError, match=r'batch_norm_momentum` \(0\.9\) must'):
    runs.train(data_dir, run_dir, segmenter=parts)
  assert not run_dir.exists()
  # What was trained so before it was refused can be used and goes on.
  runs.train(data_dir, run_dir, schedule={'train_steps': 1})
  config = run_dir / 'config.gin'
  line = 'SegmenterConfig.batch_norm_momentum = {}'.format
  config.write_text(config.read_text().replace(line(0.01), line(0.9)))
  trained_network.load_segmenter(run_dir)
  runs.train(data_dir, run_dir, segmenter=parts, schedule={'train_steps': 1})
