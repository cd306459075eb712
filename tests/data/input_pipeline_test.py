# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the augmentation, of the order of examples and of the halves."""

import dataclasses
import io
import itertools
import re
import shutil

import numpy as np
from PIL import Image
import pytest
import tensorflow as tf

from auto_deeplab.configs import InputConfig
from auto_deeplab.data import input_pipeline, tfrecord

CONFIG = InputConfig(crop_size=(17, 24), batch_size=4, shuffle_buffer=5)
PLAIN = dataclasses.replace(
  CONFIG, min_scale=1.0, max_scale=1.0, flip_probability=0.0
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


def _indices(data_dir, count, *, half=None, seed=0, stream=0, first=0):
  """Returns the first `count` image/index of the stream of records."""
  shards, info = input_pipeline._open_split(data_dir, 'train')
  records = input_pipeline._numbered_records(
    shards,
    input_pipeline.half_mask(info.num_examples, seed, half),
    stream,
    5,
    first=first,
  )
  pairs = [
    (int(position), int(tfrecord.parse_index(record)))
    for position, record in records.take(count)
  ]
  assert [p for p, _ in pairs] == list(range(first, first + count))
  return [index for _, index in pairs]


# The stream of examples ------------------------------------------------------


def test_batches_have_static_shapes_and_legal_values(converted):
  dataset = input_pipeline.train_dataset(converted, 'train', CONFIG, seed=0)
  assert dataset.element_spec == {
    'image': tf.TensorSpec((4, 17, 24, 3), tf.float32),
    'label': tf.TensorSpec((4, 17, 24), tf.int32),
  }
  for batch in _batches(dataset, 8):
    assert np.abs(batch['image']).max() <= 1
    assert set(np.unique(batch['label'])) <= {0, 1, 2, 255}


def test_each_epoch_holds_each_example_once_in_another_order(converted):
  indices = _indices(converted, 39)
  epochs = [indices[i : i + 13] for i in (0, 13, 26)]
  assert all(sorted(epoch) == list(range(13)) for epoch in epochs)
  assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_the_order_depends_on_the_stream_alone(converted):
  tf.random.set_seed(1)
  first = _indices(converted, 20)
  tf.random.set_seed(2)
  assert _indices(converted, 20) == first
  assert _indices(converted, 20, stream=1) != first


@pytest.mark.parametrize('first', [0, 4, 12, 13, 30])
def test_a_stream_may_start_anywhere(converted, first):
  assert (
    _indices(converted, 15, first=first)
    == _indices(converted, 45)[first : first + 15]
  )


@pytest.mark.parametrize('half', [None, 'A', 'B'])
def test_a_resumed_stream_is_that_of_the_unbroken_run(converted, half):
  def start(step):
    return input_pipeline.train_dataset(
      converted, 'train', CONFIG, seed=3, half=half, start_step=step
    )

  # Step 5 is in the second epoch of the whole, and in the fourth of a half.
  _assert_equal(_batches(start(0), 8)[5:], _batches(start(5), 3))


@pytest.mark.parametrize('num_examples', [2, 7, 100])
@pytest.mark.parametrize('seed', [0, 1])
def test_halves_are_disjoint_complete_and_of_equal_size(num_examples, seed):
  a = input_pipeline.half_mask(num_examples, seed, 'A')
  b = input_pipeline.half_mask(num_examples, seed, 'B')
  np.testing.assert_array_equal(a, ~b)
  assert 0 <= a.sum() - b.sum() <= 1
  assert input_pipeline.half_mask(num_examples, seed).all()


def test_halves_depend_on_the_seed_and_stay_for_ever():
  def members(seed):
    return np.flatnonzero(input_pipeline.half_mask(10, seed, 'A')).tolist()

  # Runs under way rest on these very numbers.
  assert members(0) == [0, 1, 7, 8, 9]
  assert members(0) != members(1)


def test_the_halves_that_are_read_do_not_depend_on_the_shards(folder, tmp_path):
  folder.fill(num_train=9)
  read = []
  for num_shards in (1, 4):
    folder.convert(tmp_path / str(num_shards), num_shards=num_shards)
    for half in ('A', 'B'):
      count = 5 if half == 'A' else 4
      # Two epochs: nothing of the other half turns up later.
      indices = _indices(tmp_path / str(num_shards), 2 * count, half=half)
      assert sorted(indices[:count]) == sorted(indices[count:])
      read.append(set(indices))
  assert read[0] == read[2]
  assert read[1] == read[3]
  assert read[0] | read[1] == set(range(9))
  assert not read[0] & read[1]


def test_halves_are_augmented_independently():
  draws = [
    tuple(input_pipeline.uniforms(stream, tf.constant(0, tf.int64)).numpy())
    for stream in range(6)
  ]
  assert len(set(draws)) == 6


@pytest.mark.parametrize('num_pipelines, num_replicas', [(2, 2), (2, 4)])
def test_workers_share_out_the_examples_of_one(
  converted, num_pipelines, num_replicas
):
  def dataset(context=None):
    return input_pipeline.train_dataset(
      converted, 'train', CONFIG, seed=1, start_step=2, input_context=context
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


# Augmentation ----------------------------------------------------------------


def _png(array):
  file = io.BytesIO()
  Image.fromarray(array).save(file, 'PNG')
  return file.getvalue()


def _example(image, label):
  """Returns what `tfrecord.parse_example` would."""
  return {
    'image': tf.constant(_png(image)),
    'label': tf.constant(_png(label)),
    'size': tf.constant(label.shape, tf.int32),
  }


RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (40, 60, 3), np.uint8)
LABEL = RNG.integers(0, 5, (40, 60), np.uint8)


def _augment(random, config, image=IMAGE, label=LABEL):
  result = input_pipeline.augment(
    _example(image, label), tf.constant(random, tf.float32), config
  )
  return result['image'].numpy(), result['label'].numpy()


def test_normalize_maps_bytes_to_minus_one_to_one():
  values = tf.constant([0, 255, input_pipeline.MEAN_PIXEL])
  assert input_pipeline.normalize(values).numpy().tolist() == [-1, 1, 0]
  assert input_pipeline.normalize(
    tf.constant([0, 255], tf.uint8)
  ).numpy().tolist() == [-1, 1]


def test_the_pipeline_augments_as_the_eager_functions_do(converted):
  shards, info = input_pipeline._open_split(converted, 'train')
  records = input_pipeline._numbered_records(
    shards,
    input_pipeline.half_mask(info.num_examples, 2),
    6,
    CONFIG.shuffle_buffer,
    first=0,
  )
  eager = [
    input_pipeline.augment(
      tfrecord.parse_example(record),
      input_pipeline.uniforms(6, position),
      CONFIG,
    )
    for position, record in records.take(8)
  ]
  dataset = input_pipeline.train_dataset(converted, 'train', CONFIG, seed=2)
  for key in ('image', 'label'):
    batched = np.concatenate([b[key] for b in _batches(dataset, 2)])
    np.testing.assert_array_equal(batched, np.stack([e[key] for e in eager]))


def test_without_augmentation_a_crop_is_a_part_of_the_picture():
  image, label = _augment([0.9, 0.5, 0.25, 0.9], PLAIN)
  top, left = 24 // 2, 37 // 4
  part = slice(top, top + 17), slice(left, left + 24)
  np.testing.assert_array_equal(label, LABEL[part])
  np.testing.assert_allclose(image, IMAGE[part] * 2.0 / 255 - 1, atol=1e-6)


def test_all_places_are_reached():
  config = dataclasses.replace(PLAIN, crop_size=(38, 60))
  offsets = {
    tuple(
      input_pipeline.choose_view(
        tf.constant([40, 60]), tf.constant([0.0, u, 0.5, 0.0]), config
      ).offset.numpy()
    )
    for u in (0.0, 0.3, 0.4, 0.6, 0.7, np.nextafter(np.float32(1), 0))
  }
  assert offsets == {(0, 0), (1, 0), (2, 0)}


def test_a_crop_is_the_crop_of_the_scaled_picture():
  config = dataclasses.replace(
    PLAIN, crop_size=(30, 44), min_scale=2.0, max_scale=2.0
  )
  image, label = _augment([0, 0.5, 0.5, 0], config)
  whole = tf.image.resize(IMAGE, (80, 120)).numpy() * 2 / 255 - 1
  nearest = LABEL.repeat(2, 0).repeat(2, 1)
  top, left = 2 * (26 // 2), 2 * (39 // 2)
  part = slice(top, top + 30), slice(left, left + 44)
  np.testing.assert_array_equal(label, nearest[part])
  inner = slice(1, -1), slice(1, -1)
  np.testing.assert_allclose(image[inner], whole[part][inner], atol=1e-5)


@pytest.mark.parametrize('is_flipped', [False, True])
def test_where_the_scaled_picture_ends_the_crop_is_padded(is_flipped):
  config = dataclasses.replace(
    CONFIG, crop_size=(25, 40), min_scale=0.5, max_scale=0.5
  )
  flip = 0.0 if is_flipped else 0.9
  image, label = _augment([0, 0.7, 0.7, flip], config)
  if is_flipped:
    image, label = image[:, ::-1], label[:, ::-1]
  whole = tf.image.resize(IMAGE, (20, 30)).numpy() * 2 / 255 - 1
  np.testing.assert_allclose(image[:20, :30], whole, atol=1e-5)
  np.testing.assert_array_equal(label[:20, :30], LABEL[1::2, 1::2])
  assert np.all(image[20:] == 0)
  assert np.all(image[:, 30:] == 0)
  assert np.all(label[20:] == 255)
  assert np.all(label[:, 30:] == 255)


@pytest.mark.parametrize('scale', [0.0, 0.3, 0.7, 0.99])
def test_a_flip_mirrors_image_and_label(scale):
  image, label = _augment([scale, 0.3, 0.6, 0.9], CONFIG)
  mirrored_image, mirrored_label = _augment([scale, 0.3, 0.6, 0.1], CONFIG)
  np.testing.assert_allclose(mirrored_image, image[:, ::-1], atol=1e-5)
  np.testing.assert_array_equal(mirrored_label, label[:, ::-1])


def test_image_and_label_stay_aligned():
  # Blocks of one colour a class: away from edges the colour tells the label.
  label = np.kron(RNG.integers(0, 5, (10, 15)), np.ones((20, 20))).astype(
    np.uint8
  )
  image = np.repeat(50 * label[:, :, np.newaxis], 3, axis=2)
  for random in RNG.random((20, 4)):
    config = dataclasses.replace(CONFIG, crop_size=(97, 131))
    pixels, labels = _augment(random, config, image, label)
    expected = np.where(labels == 255, 0, 50 * labels * 2 / 255 - 1)
    agrees = np.abs(pixels[..., 0] - expected) < 1e-3
    # Blocks are 10 pixels at least, and resizing blurs one on each side.
    assert agrees.mean() > 0.8


@pytest.mark.parametrize('crop_size', [(4, 4), (17, 24), (40, 60), (99, 65)])
@pytest.mark.parametrize('step', [0.0, 0.25])
def test_views_lie_within_picture_and_crop(crop_size, step):
  config = dataclasses.replace(CONFIG, crop_size=crop_size, scale_step=step)
  size = tf.constant([40, 60])
  for random in itertools.product((0.0, 0.37, 1 - 2**-24), repeat=3):
    view = input_pipeline.choose_view(
      size, tf.constant([*random, 0.5], tf.float32), config
    )
    offset, window, scaled = (np.array(x) for x in view[:3])
    assert np.all(offset >= 0)
    assert np.all(window >= 1)
    assert np.all(offset + window <= (40, 60))
    assert np.all((scaled >= 1) & (scaled <= crop_size))
    # Where the window does not end at the picture's border, no padding.
    assert np.all((scaled == crop_size) | (window == (40, 60)))


def test_scales_are_drawn_evenly_from_the_steps():
  draws = np.linspace(0, 1, 700, endpoint=False, dtype=np.float32)
  scales = [float(input_pipeline._choose_scale(u, CONFIG)) for u in draws]
  values, counts = np.unique(scales, return_counts=True)
  assert values.tolist() == [0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]
  assert counts.tolist() == [100] * 7
  smooth = dataclasses.replace(CONFIG, scale_step=0.0)
  assert input_pipeline._choose_scale(0.25, smooth) == 0.875


@pytest.mark.parametrize('size', [(1, 1), (7, 50), (40, 60)])
@pytest.mark.parametrize('scaled', [(1, 2), (17, 24), (39, 61), (80, 97)])
def test_labels_are_resized_as_tensorflow_does(size, scaled):
  label = LABEL[: size[0], : size[1]]
  view = input_pipeline.View(
    tf.constant([0, 0]),
    tf.constant(size),
    tf.constant(scaled),
    tf.constant(False),
  )
  expected = tf.image.resize(label[..., np.newaxis], scaled, 'nearest')[..., 0]
  result = input_pipeline.render_label(tf.constant(label), view, scaled)
  np.testing.assert_array_equal(result, expected)


def test_the_window_of_a_jpeg_is_that_of_the_whole_but_its_border():
  file = io.BytesIO()
  Image.fromarray(IMAGE).save(file, 'JPEG')
  encoded = tf.constant(file.getvalue())
  whole = input_pipeline._decode_image(encoded).numpy()
  np.testing.assert_array_equal(whole, np.asarray(Image.open(file)))
  for top, left, height, width in (
    (0, 0, 40, 60),
    (3, 9, 21, 30),
    (17, 1, 8, 9),
  ):
    window = input_pipeline._decode_image_window(
      encoded,
      input_pipeline.View(
        tf.constant([top, left]), tf.constant([height, width]), None, None
      ),
    ).numpy()
    expected = whole[top : top + height, left : left + width]
    inner = slice(1, -1), slice(1, -1)
    np.testing.assert_array_equal(window[inner], expected[inner])


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
    np.testing.assert_allclose(
      batch['image'][0], image * 2.0 / 255 - 1, atol=1e-6
    )
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
    assert np.all(image[height:] == 0)
    assert np.all(image[:, width:] == 0)


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
