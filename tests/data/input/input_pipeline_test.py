# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the batches: their order, their types, who gets which."""

import dataclasses
import re
import shutil

import numpy as np
from PIL import Image
import pytest
import tensorflow as tf

from auto_deeplab.configs import InputConfig
from auto_deeplab.data.input import augmentation, input_pipeline, sampling
from auto_deeplab.data.records import tfrecord

CONFIG = InputConfig(crop_size=(17, 24), batch_size=4, shuffle_buffer=5)
EVERYTHING = dataclasses.replace(
  CONFIG,
  hue_jitter=20.0,
  saturation_jitter=0.5,
  brightness_jitter=0.3,
  max_rotation=15.0,
  class_balance=0.5,
)


def _batches(dataset, count):
  return [
    {key: value.numpy() for key, value in batch.items()}
    for batch in dataset.take(count)
  ]


def _assert_equal(first, second):
  assert len(first) == len(second)
  for a, b in zip(first, second, strict=True):
    for key in ('image', 'label'):
      np.testing.assert_array_equal(a[key], b[key])


# The stream of examples ------------------------------------------------------


def test_batches_have_static_shapes_and_legal_values(converted):
  dataset = input_pipeline.train_dataset(converted, 'train', CONFIG, seed=0)
  assert dataset.element_spec == {
    'image': tf.TensorSpec((4, 17, 24, 3), tf.uint8),
    'label': tf.TensorSpec((4, 17, 24), tf.uint8),
  }
  for batch in _batches(dataset, 8):
    assert set(np.unique(batch['label'])) <= {0, 1, 2, 255}


def test_no_thread_tunes_what_an_iterator_would_wait_for(converted):
  dataset = input_pipeline.train_dataset(converted, 'train', CONFIG, seed=0)
  assert dataset.options().autotune.enabled is False


@pytest.mark.parametrize('half', [None, 'A'])
@pytest.mark.parametrize('num_pipelines', [1, 2])
def test_the_stream_is_known_to_be_endless(converted, half, num_pipelines):
  dataset = input_pipeline.train_dataset(
    converted,
    'train',
    CONFIG,
    seed=0,
    half=half,
    input_context=tf.distribute.InputContext(num_pipelines, 0, num_pipelines),
  )
  assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY


@pytest.mark.parametrize(
  'config, half',
  [(CONFIG, None), (CONFIG, 'A'), (CONFIG, 'B'), (EVERYTHING, 'B')],
)
def test_a_resumed_stream_is_that_of_the_unbroken_run(converted, config, half):
  def start(step):
    return input_pipeline.train_dataset(
      converted, 'train', config, seed=3, half=half, start_step=step
    )

  # Step 5 is in the second epoch of the whole, and in the fourth of a half.
  _assert_equal(_batches(start(0), 8)[5:], _batches(start(5), 3))


@pytest.mark.parametrize(
  'num_pipelines, num_replicas, half', [(2, 2, 'B'), (2, 4, None)]
)
def test_workers_share_out_the_examples_of_one(
  converted, num_pipelines, num_replicas, half
):
  def dataset(context=None):
    return input_pipeline.train_dataset(
      converted,
      'train',
      CONFIG,
      seed=1,
      half=half,
      start_step=2,
      input_context=context,
    )

  workers = [
    dataset(tf.distribute.InputContext(num_pipelines, worker, num_replicas))
    for worker in range(num_pipelines)
  ]
  replicas_a_worker = num_replicas // num_pipelines
  num_steps = 3
  shares = [_batches(w, num_steps * replicas_a_worker) for w in workers]
  assert shares[0][0]['label'].shape == (4 // num_replicas, 17, 24)
  for step, whole in enumerate(_batches(dataset(), num_steps)):
    mine = slice(step * replicas_a_worker, (step + 1) * replicas_a_worker)
    images = np.concatenate([b['image'] for s in shares for b in s[mine]])
    assert sorted(x.tobytes() for x in images) == sorted(
      x.tobytes() for x in whole['image']
    )


def test_without_determinism_the_examples_are_the_same(converted):
  # Two batches of 13 are two epochs: whatever the order, no more and no less.
  config = dataclasses.replace(CONFIG, batch_size=13, deterministic=False)
  exact = dataclasses.replace(config, deterministic=True)
  found, expected = (
    _batches(input_pipeline.train_dataset(converted, 'train', c, seed=1), 1)
    for c in (config, exact)
  )
  assert sorted(x.tobytes() for x in found[0]['image']) == sorted(
    x.tobytes() for x in expected[0]['image']
  )


def test_replicas_of_one_worker_get_its_batches_in_turns(converted):
  context = tf.distribute.InputContext(1, 0, 2)
  split = input_pipeline.train_dataset(
    converted, 'train', CONFIG, seed=1, input_context=context
  )
  whole = input_pipeline.train_dataset(converted, 'train', CONFIG, seed=1)
  halves = _batches(split, 2)
  np.testing.assert_array_equal(
    np.concatenate([b['image'] for b in halves]), _batches(whole, 1)[0]['image']
  )


@pytest.mark.parametrize('config', [CONFIG, EVERYTHING])
def test_the_pipeline_augments_as_the_eager_functions_do(converted, config):
  shards, info = input_pipeline._open_split(converted, 'train')
  records = sampling.numbered_records(
    shards,
    sampling.half_mask(info.num_examples, 2),
    6,
    config.shuffle_buffer,
    first=0,
  )
  eager = [
    augmentation.augment(
      tfrecord.parse_example(record), augmentation.draw(6, position), config
    )
    for position, record in records.take(8)
  ]
  dataset = input_pipeline.train_dataset(converted, 'train', config, seed=2)
  for key in ('image', 'label'):
    batched = np.concatenate([b[key] for b in _batches(dataset, 2)])
    np.testing.assert_array_equal(batched, np.stack([e[key] for e in eager]))


# Evaluation ------------------------------------------------------------------


def test_evaluation_gives_each_whole_picture_once(converted):
  dataset = input_pipeline.eval_dataset(converted, 'val')
  batches = _batches(dataset, -1)
  assert len(batches) == len(dataset) == 3
  pictures_dir = converted.parent / 'pictures'
  names = set()
  for batch in batches:
    name = batch['filename'][0].decode()
    names.add(name)
    image = np.asarray(Image.open(pictures_dir / 'images/val' / name))
    label_name = name.replace('.jpg', '.png')
    label = np.asarray(Image.open(pictures_dir / 'labels/val' / label_name))
    np.testing.assert_array_equal(batch['label'][0], label)
    np.testing.assert_array_equal(batch['image'][0], image)
  assert names == {'00.jpg', '01.jpg', '02.jpg'}


def test_evaluation_pads_within_a_batch(converted):
  dataset = input_pipeline.eval_dataset(converted, 'val', batch_size=2)
  assert dataset.element_spec['image'].shape == (None, None, None, 3)
  first, last = _batches(dataset, -1)
  assert len(first['filename']) == 2
  assert len(last['filename']) == 1
  for image, label, name in zip(
    first['image'], first['label'], first['filename'], strict=True
  ):
    height, width = 20 + int(name[:2]), 30 - int(name[:2])
    assert np.all(label[height:] == 255)
    assert np.all(label[:, width:] == 255)
    assert np.all(label[:height, :width] < 3)
    assert np.all(image[height:] == augmentation.MEAN_PIXEL)
    assert np.all(image[:, width:] == augmentation.MEAN_PIXEL)


def test_pictures_of_one_size_have_static_shapes(folder, tmp_path):
  folder.fill().convert(tmp_path)
  dataset = input_pipeline.eval_dataset(tmp_path, 'val', batch_size=2)
  assert dataset.element_spec['image'].shape == (None, 24, 32, 3)
  assert dataset.element_spec['label'].shape == (None, 24, 32)


# Refusals --------------------------------------------------------------------


@pytest.mark.parametrize(
  'changes, message',
  [
    ({'half': 'C'}, "`half` (C) must be 'A', 'B' or None"),
    ({'seed': -1}, '`seed` (-1) and `start_step` (0) must not be negative'),
    ({'start_step': -1}, '`start_step` (-1) must not be negative'),
    ({'split': 'test'}, '`split` (test) is not one of train, val'),
    (
      {'split': 'val'},
      '`batch_size` (4) is larger than the split val of',
    ),
    ({'split': 'val'}, ', which has 3 examples.'),
    (
      {'half': 'B', 'config': dataclasses.replace(CONFIG, batch_size=7)},
      '`batch_size` (7) is larger than half B of the split train of',
    ),
    (
      {'input_context': tf.distribute.InputContext(1, 0, 3)},
      '`batch_size` (4) must be a multiple of the number of replicas (3)',
    ),
  ],
)
def test_bad_arguments_are_refused_by_name(converted, changes, message):
  arguments = {'split': 'train', 'config': CONFIG, 'seed': 0, **changes}
  with pytest.raises(ValueError, match=re.escape(message)):
    input_pipeline.train_dataset(converted, **arguments)


def test_bad_arguments_of_evaluation_are_refused_by_name(converted):
  with pytest.raises(ValueError, match=r'`batch_size` \(0\) must be at least'):
    input_pipeline.eval_dataset(converted, 'val', batch_size=0)
  with pytest.raises(ValueError, match=r'`split` \(test\) is not one of'):
    input_pipeline.eval_dataset(converted, 'test')


@pytest.mark.parametrize('split', ['train', 'val'])
def test_missing_and_damaged_shards_are_named_at_the_start(
  converted, tmp_path, split
):
  data_dir = tmp_path / 'copy'
  shutil.copytree(converted, data_dir)
  shard = data_dir / f'{split}-00001-of-00003.tfrecord'

  def open_it():
    if split == 'train':
      input_pipeline.train_dataset(data_dir, split, CONFIG, seed=0)
    else:
      input_pipeline.eval_dataset(data_dir, split)

  data = bytearray(shard.read_bytes())
  data[-20] ^= 1
  shard.write_bytes(data)
  with pytest.raises(ValueError, match=f'{shard} is damaged'):
    open_it()
  shard.unlink()
  with pytest.raises(FileNotFoundError, match=f'{shard} is missing'):
    open_it()
