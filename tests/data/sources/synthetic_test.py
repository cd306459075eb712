# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the drawn data set."""

import pathlib
import re

import numpy as np
import pytest

from auto_deeplab.data.sources import landscape, layouts, pictures, synthetic


def _arrays(*args):
  return [np.asarray(image) for image in synthetic.draw(*args)]


def test_a_picture_is_a_function_of_seed_split_and_index():
  image, label = _arrays(3, 'train', 5)
  again = _arrays(3, 'train', 5)
  np.testing.assert_array_equal(image, again[0])
  np.testing.assert_array_equal(label, again[1])
  for other in ((4, 'train', 5), (3, 'val', 5), (3, 'train', 6)):
    assert np.mean(_arrays(*other)[0] != image) > 0.5


def test_sizes_and_types():
  image, label = synthetic.draw(0, 'train', 0, (97, 130))
  assert (image.mode, image.size) == ('RGB', (130, 97))
  assert (label.mode, label.size) == ('L', (130, 97))


def test_every_class_has_its_share_and_many_scales():
  labels = np.stack([_arrays(0, 'train', index)[1] for index in range(24)])
  shares = np.bincount(labels.ravel(), minlength=7) / labels.size
  assert shares.shape == (len(landscape.CLASSES),)
  assert shares.min() > 0.01
  # Of what is painted in one piece, the widest and the narrowest run of pixels.
  for label in (landscape.TREE, landscape.HOUSE):
    heights = np.sum(labels == label, axis=1)
    assert heights.max() > 90
    assert 0 < heights[heights > 0].min() < 8


def test_labels_are_exact():
  # Balloons are cloth in the picture where they are balloons in the label: no
  # colour of the sky within, save the averaged outline.
  scene = landscape._Scene(np.random.default_rng(0), (64, 64))
  scene.paint(landscape.SKY, (0, 0, 255), ('rectangle', (0, 0, 128, 128)))
  scene.paint(
    landscape.BALLOON, (255, 0, 0), ('polygon', [(20, 20), (99, 40), (50, 90)])
  )
  image, label = (np.asarray(x) for x in scene.finish())
  red = image[..., 0]
  assert np.all(red[label == landscape.SKY] < 255)
  assert np.all(red[label == landscape.BALLOON] > 0)
  pure = (red == 0) | (red == 255)
  np.testing.assert_array_equal(
    (label == landscape.BALLOON)[pure], (red == 255)[pure]
  )


def test_the_folder_reads_like_any_other(tmp_path):
  seen = []
  synthetic.draw_folder(
    tmp_path / 'pictures',
    seed=1,
    num_examples={'train': 2, 'val': 1},
    image_size=(64, 80),
    on_example=lambda *args: seen.append(args),
  )
  assert seen == [('train', 1, 2), ('train', 2, 2), ('val', 1, 1)]
  source = layouts.open_source('synthetic', tmp_path / 'pictures')
  assert source.name == 'synthetic'
  assert source.class_names == tuple(landscape.CLASSES)
  assert source.colors == tuple(landscape.CLASSES.values())
  pair = source.splits['val'][0]
  assert isinstance(pair.label, pathlib.Path)
  label, _ = pictures.read_label(pair.label, source.label_values)
  assert label.data == pair.label.read_bytes()
  assert pictures.read_image(pair.image).size == (64, 80)


def test_a_folder_that_was_drawn_is_replaced_as_a_whole(tmp_path):
  for count in (3, 1):
    synthetic.draw_folder(
      tmp_path / 'x', num_examples={'train': count}, image_size=(64, 64)
    )
  assert [p.name for p in (tmp_path / 'x/images/train').iterdir()] == [
    'train_00000.jpg'
  ]
  assert [p.name for p in tmp_path.iterdir()] == ['x']


def test_a_failure_leaves_the_drawn_folder_as_it_was(tmp_path):
  path = tmp_path / 'x'
  synthetic.draw_folder(path, num_examples={'train': 1}, image_size=(64, 64))

  def stop(*_):
    raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    synthetic.draw_folder(
      path, num_examples={'val': 2}, image_size=(64, 64), on_example=stop
    )
  assert [p.name for p in tmp_path.iterdir()] == ['x']
  assert (path / 'images/train/train_00000.jpg').exists()


def test_a_folder_of_the_user_is_never_replaced(tmp_path, folder):
  folder.fill()
  with pytest.raises(ValueError, match='exists and was not drawn by this tool'):
    synthetic.draw_folder(folder.path, num_examples={'train': 1})
  assert folder.image('train', 'train_0.jpg').exists()


@pytest.mark.parametrize(
  'num_examples, image_size, message',
  [
    ({'train': 0}, (64, 64), '`num_train` (0) must be at least 1'),
    ({'train': 1}, (64, 63), '`image_size` (64, 63) must be at least 64 each'),
  ],
)
def test_bad_arguments_are_named(tmp_path, num_examples, image_size, message):
  with pytest.raises(ValueError, match=re.escape(message)):
    synthetic.draw_folder(
      tmp_path / 'x', num_examples=num_examples, image_size=image_size
    )
