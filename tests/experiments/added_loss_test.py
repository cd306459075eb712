# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A loss that is added as docs/extending.md says."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.training import objectives
from tests import pages, tiny
from tests.experiments import runs


@pytest.fixture(autouse=True)
def added(monkeypatch):
  """The page's function and its line of the table, where it puts them."""
  page = pages.section(pages.read('docs/extending.md'), 'Add a loss')
  function, table = pages.blocks(page, 'python')
  names = dict(vars(objectives))
  exec(function, names)
  exec(table, names)
  assert names['KINDS'].keys() - objectives.KINDS.keys() == {'focal'}
  for kind, loss in names['KINDS'].items():
    monkeypatch.setitem(objectives.KINDS, kind, loss)


def test_it_is_what_its_name_says():
  probabilities = np.array([[[[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]]], np.float32)
  labels = np.array([[[0, 0, 255]]], np.int32)
  loss = objectives.PixelLoss(kind='focal')(labels, tf.math.log(probabilities))
  of_labels = np.array([0.9, 0.2])
  expected = np.mean((1 - of_labels) ** 2 * -np.log(of_labels))
  np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_its_hard_pixels_are_those_that_lose_most():
  probabilities = np.array([[[[0.9, 0.1], [0.2, 0.8]]]], np.float32)
  labels = np.zeros([1, 1, 2], np.int32)
  loss = objectives.PixelLoss(hard_pixel_fraction=0.5, kind='focal')
  np.testing.assert_allclose(
    loss(labels, tf.math.log(probabilities)), 0.8**2 * -np.log(0.2), rtol=1e-5
  )


def test_a_recipe_asks_for_it_and_the_run_records_it(data_dir, tmp_path):
  one_step = {'train_steps': 1}
  first = {}
  for kind in ('cross_entropy', 'focal'):
    run_dir = tmp_path / kind
    runs.train(data_dir, run_dir, loss={'kind': kind}, schedule=one_step)
    first[kind] = runs.metrics(run_dir)[0]['train/loss']
    assert f"LossConfig.kind = '{kind}'" in (run_dir / 'config.gin').read_text()
  # The same weights and pictures: (1 - p)^2 is below 1.
  assert 0 < first['focal'] < 0.9 * first['cross_entropy']


def test_a_recipe_that_asks_for_no_kind_gets_cross_entropy():
  assert tiny.train_config().loss.kind == configs.LossConfig().kind
  assert configs.LossConfig().kind == 'cross_entropy'


def test_an_unknown_kind_is_refused_before_anything_is_written(
  data_dir, tmp_path
):
  with pytest.raises(
    ValueError,
    match=r'^`kind` \(dice\) of the loss is not one of cross_entropy, ',
  ):
    runs.train(data_dir, tmp_path / 'run', loss={'kind': 'dice'})
  assert not (tmp_path / 'run/config.gin').exists()
