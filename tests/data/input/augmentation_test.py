# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the augmentation: where a crop lies, and what it shows."""

import dataclasses
import io
import itertools
from typing import Any

import numpy as np
from PIL import Image
import pytest
import tensorflow as tf

from auto_deeplab.configs import InputConfig
from auto_deeplab.data.input import augmentation

CONFIG = InputConfig(crop_size=(17, 24), batch_size=4, shuffle_buffer=5)
PLAIN = dataclasses.replace(
  CONFIG, min_scale=1.0, max_scale=1.0, flip_probability=0.0
)
PLAIN_LARGE = dataclasses.replace(PLAIN, crop_size=(50, 70))


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


def _draws(scale=0.0, top=0.0, left=0.0, flip=0.9, **others):
  """Returns draws; the others come from the middle, where nothing changes."""
  values = dict.fromkeys(augmentation.Draws._fields, 0.5) | others
  values |= {'scale': scale, 'top': top, 'left': left, 'flip': flip}
  constants = {k: tf.constant(v, tf.float32) for k, v in values.items()}
  return augmentation.Draws(**constants)


def _augment(random, config, image=IMAGE, label=LABEL, **others):
  draws = _draws(*random, **others)
  result = augmentation.augment(_example(image, label), draws, config)
  return result['image'].numpy(), result['label'].numpy()


def test_halves_are_augmented_independently():
  start = tf.constant(0, tf.int64)
  draws = [augmentation.draw(stream, start) for stream in range(6)]
  assert len({tuple(map(float, d)) for d in draws}) == 6


def test_later_draws_leave_the_first_ones_as_they_were():
  # Crops of runs under way rest on these very numbers.
  draws = augmentation.draw(3, tf.constant(17, tf.int64))
  first = tf.random.stateless_uniform([4], [3, 17], alg='philox')
  np.testing.assert_array_equal(tf.stack(draws[:4]), first)


def test_without_augmentation_a_crop_is_a_part_of_the_picture():
  image, label = _augment([0.9, 0.5, 0.25, 0.9], PLAIN)
  top, left = 24 // 2, 37 // 4
  part = slice(top, top + 17), slice(left, left + 24)
  np.testing.assert_array_equal(label, LABEL[part])
  np.testing.assert_array_equal(image, IMAGE[part])


def test_all_places_are_reached():
  config = dataclasses.replace(PLAIN, crop_size=(38, 60))
  offsets = {
    tuple(
      augmentation.choose_view(
        tf.constant([40, 60]), _draws(0.0, u, 0.5, 0.0), config
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
  whole = tf.image.resize(IMAGE, (80, 120)).numpy()
  nearest = LABEL.repeat(2, 0).repeat(2, 1)
  top, left = 2 * (26 // 2), 2 * (39 // 2)
  part = slice(top, top + 30), slice(left, left + 44)
  np.testing.assert_array_equal(label, nearest[part])
  inner = slice(1, -1), slice(1, -1)
  # Half a unit of rounding.
  np.testing.assert_allclose(image[inner], whole[part][inner], atol=0.501)


@pytest.mark.parametrize('is_flipped', [False, True])
def test_where_the_scaled_picture_ends_the_crop_is_padded(is_flipped):
  config = dataclasses.replace(
    CONFIG, crop_size=(25, 40), min_scale=0.5, max_scale=0.5
  )
  flip = 0.0 if is_flipped else 0.9
  image, label = _augment([0, 0.7, 0.7, flip], config)
  if is_flipped:
    image, label = image[:, ::-1], label[:, ::-1]
  whole = tf.image.resize(IMAGE, (20, 30)).numpy()
  np.testing.assert_allclose(image[:20, :30], whole, atol=0.501)
  np.testing.assert_array_equal(label[:20, :30], LABEL[1::2, 1::2])
  assert np.all(image[20:] == augmentation.MEAN_PIXEL)
  assert np.all(image[:, 30:] == augmentation.MEAN_PIXEL)
  assert np.all(label[20:] == 255)
  assert np.all(label[:, 30:] == 255)


@pytest.mark.parametrize('scale', [0.0, 0.3, 0.7, 0.99])
def test_a_flip_mirrors_image_and_label(scale):
  image, label = _augment([scale, 0.3, 0.6, 0.9], CONFIG)
  mirrored_image, mirrored_label = _augment([scale, 0.3, 0.6, 0.1], CONFIG)
  # A half may fall to either side.
  np.testing.assert_allclose(mirrored_image.astype(int), image[:, ::-1], atol=1)
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
    padding = augmentation.MEAN_PIXEL
    expected = np.where(labels == 255, padding, 50 * labels.astype(int))
    agrees = pixels[..., 0] == expected
    # Blocks are 10 pixels at least, and resizing blurs one on each side.
    assert agrees.mean() > 0.8


@pytest.mark.parametrize('crop_size', [(4, 4), (17, 24), (40, 60), (99, 65)])
@pytest.mark.parametrize('step', [0.0, 0.25])
def test_views_lie_within_picture_and_crop(crop_size, step):
  config = dataclasses.replace(CONFIG, crop_size=crop_size, scale_step=step)
  size = tf.constant([40, 60])
  for random in itertools.product((0.0, 0.37, 1 - 2**-24), repeat=3):
    view = augmentation.choose_view(size, _draws(*random), config)
    offset, window, scaled = (np.array(x) for x in view[:3])
    assert np.all(offset >= 0)
    assert np.all(window >= 1)
    assert np.all(offset + window <= (40, 60))
    assert np.all((scaled >= 1) & (scaled <= crop_size))
    # Where the window does not end at the picture's border, no padding.
    assert np.all((scaled == crop_size) | (window == (40, 60)))


@pytest.mark.parametrize('size', [(40, 60), (120, 80), (30, 13)])
def test_the_longer_side_decides_what_a_crop_shows(size):
  config = dataclasses.replace(PLAIN, crop_size=(20, 20), long_side=30)
  view = augmentation.choose_view(
    tf.constant(size), _draws(0.0, 0.0, 0.0), config
  )
  source_pixels = max(size) / 30
  expected = np.minimum(np.round(20 * source_pixels), size)
  np.testing.assert_array_equal(view.window, expected)
  np.testing.assert_array_equal(view.scaled, np.round(expected / source_pixels))


def test_scales_are_drawn_evenly_from_the_steps():
  draws = np.linspace(0, 1, 700, endpoint=False, dtype=np.float32)
  scales = [
    float(augmentation._choose_scale(tf.constant(u), CONFIG)) for u in draws
  ]
  values, counts = np.unique(scales, return_counts=True)
  assert values.tolist() == [0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]
  assert counts.tolist() == [100] * 7
  smooth = dataclasses.replace(CONFIG, scale_step=0.0)
  assert augmentation._choose_scale(0.25, smooth) == 0.875


@pytest.mark.parametrize('size', [(1, 1), (7, 50), (40, 60)])
@pytest.mark.parametrize('scaled', [(1, 2), (17, 24), (39, 61), (80, 97)])
def test_labels_are_resized_as_tensorflow_does(size, scaled):
  label = LABEL[: size[0], : size[1]]
  view = augmentation.View(
    tf.constant([0, 0]),
    tf.constant(size),
    tf.constant(scaled),
    tf.constant(False),
  )
  expected = tf.image.resize(label[..., np.newaxis], scaled, 'nearest')[..., 0]
  result = augmentation.render_label(tf.constant(label), view, scaled)
  np.testing.assert_array_equal(result, expected)


def test_the_window_of_a_jpeg_is_that_of_the_whole_but_its_border():
  file = io.BytesIO()
  Image.fromarray(IMAGE).save(file, 'JPEG')
  encoded = tf.constant(file.getvalue())
  whole = augmentation.decode_image(encoded).numpy()
  np.testing.assert_array_equal(whole, np.asarray(Image.open(file)))
  for top, left, height, width in (
    (0, 0, 40, 60),
    (3, 9, 21, 30),
    (17, 1, 8, 9),
  ):
    window = augmentation._decode_window(
      encoded,
      augmentation.View(
        tf.constant([top, left]), tf.constant([height, width]), None, None
      ),
    ).numpy()
    expected = whole[top : top + height, left : left + width]
    inner = slice(1, -1), slice(1, -1)
    np.testing.assert_array_equal(window[inner], expected[inner])


# What is off by default ------------------------------------------------------


def test_a_rotation_turns_image_and_label_and_pads_the_corners():
  config = dataclasses.replace(PLAIN, crop_size=(41, 41), max_rotation=90.0)
  label = RNG.integers(0, 5, (41, 41), np.uint8)
  image = np.repeat(50 * label[:, :, np.newaxis], 3, axis=2)
  # A quarter turn, counterclockwise, moves pixels onto pixels.
  pixels, labels = _augment([], config, image, label, rotation=1.0)
  np.testing.assert_array_equal(labels[1:-1, 1:-1], np.rot90(label)[1:-1, 1:-1])
  inner = pixels[1:-1, 1:-1, 0].astype(int)
  np.testing.assert_allclose(inner, 50 * labels[1:-1, 1:-1], atol=1)
  # An eighth turn brings in the outside.
  pixels, labels = _augment([], config, image, label, rotation=0.75)
  for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
    assert labels[corner] == 255
    assert np.all(pixels[corner] == augmentation.MEAN_PIXEL)


@pytest.mark.parametrize('draw', ['hue', 'saturation', 'brightness'])
def test_jitter_changes_colours_and_neither_label_nor_padding(draw):
  jitter: Any = {f'{draw}_jitter': 1.0}
  config = dataclasses.replace(PLAIN_LARGE, **jitter)
  image, label = _augment([], config, **{draw: 0.9})
  plain, plain_label = _augment([], PLAIN_LARGE)
  np.testing.assert_array_equal(label, plain_label)
  assert np.all(image[40:] == augmentation.MEAN_PIXEL)
  assert np.any(image[:40, :60] != plain[:40, :60])
  # In the middle of what is drawn from nothing changes, but for a rounding.
  same, _ = _augment([], config, **{draw: 0.5})
  np.testing.assert_allclose(same.astype(int), plain, atol=1)


def test_brightness_is_a_factor_that_is_clipped():
  config = dataclasses.replace(PLAIN, brightness_jitter=0.5)
  # The crop sees the first rows: from white downwards.
  grey = np.repeat(np.arange(256, dtype=np.uint8)[::-1], 9).reshape(48, 48)
  image = np.repeat(grey[:, :, np.newaxis], 3, axis=2)
  bright, _ = _augment([], config, image, grey, brightness=0.9)
  expected = np.minimum(1.4 * image[:17, :24], 255)
  np.testing.assert_allclose(bright, expected, atol=1.5)


@pytest.mark.parametrize('scale', [0.0, 0.5, 0.99])
def test_a_balanced_crop_shows_the_class_that_is_drawn(scale):
  config = dataclasses.replace(CONFIG, class_balance=1.0)
  label = np.full((40, 60), 255, np.uint8)
  label[:, 20:] = 3
  label[33, 57] = 7  # One pixel of 2400.
  for place in (0.0, 0.4, 0.99):
    draws = _draws(
      scale, place, 1 - place, 0.9, target_class=0.5, target_pixel=place
    )
    target = augmentation.choose_target(tf.constant(label), draws, config)
    assert target.numpy().tolist() == [33, 57]
    view = augmentation.choose_view(
      tf.constant([40, 60]), draws, config, target
    )
    top, left = view.offset.numpy()
    height, width = view.window.numpy()
    assert 0 <= top <= 33 < top + height <= 40
    assert 0 <= left <= 57 < left + width <= 60


def test_each_pixel_of_a_class_is_as_likely():
  config = dataclasses.replace(CONFIG, class_balance=1.0)
  label = np.zeros((4, 5), np.uint8)
  label[[0, 2, 2, 3], [4, 0, 3, 1]] = 1
  found = [
    tuple(
      augmentation.choose_target(
        tf.constant(label),
        _draws(target_class=0.6, target_pixel=u),
        config,
      ).numpy()
    )
    for u in (0.0, 0.3, 0.5, 0.75)
  ]
  assert found == [(0, 4), (2, 0), (2, 3), (3, 1)]


@pytest.mark.parametrize('value, balance', [(255, 0.0), (0, 0.5)])
def test_any_crop_will_do_without_a_class_or_a_draw(value, balance):
  config = dataclasses.replace(CONFIG, class_balance=0.5)
  target = augmentation.choose_target(
    tf.fill([4, 5], tf.constant(value, tf.uint8)),
    _draws(balance=balance),
    config,
  )
  assert target.numpy().tolist() == [-1, -1]
  size = tf.constant([40, 60])
  draws = _draws(0.9, 0.3, 0.7, 0.9)
  bound = augmentation.choose_view(size, draws, config, target)
  free = augmentation.choose_view(size, draws, config)
  for a, b in zip(bound, free):
    np.testing.assert_array_equal(a, b)
