# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is counted over a split is what scikit-learn counts, on any replicas."""

import dataclasses
import json
from typing import Any

import numpy as np
from PIL import Image
import pytest
import sklearn.metrics
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.data.input import input_pipeline
from auto_deeplab.data.records import conversion
from auto_deeplab.data.sources import layouts
from auto_deeplab.evaluation import evaluator
from auto_deeplab.training import distribution

SIZES = ((8, 12), (16, 9), (21, 30))


class Stripes:
  """In the place of a network; its logits need neighbours."""

  def __call__(self, images, training):
    assert not training
    mean = tf.nn.avg_pool2d(images, 3, 1, 'SAME')
    return tf.concat([mean, -mean[..., :1]], axis=-1)


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
  """Three pictures of three sizes, one of them without a label."""
  root = tmp_path_factory.mktemp('evaluator')
  generator = np.random.default_rng(0)
  for kind in ('images', 'labels'):
    (root / f'pictures/{kind}/val').mkdir(parents=True)
  for index, size in enumerate(SIZES):
    image = generator.integers(0, 256, [*size, 3], np.uint8)
    label = generator.integers(0, 4, size, np.uint8)
    label[generator.random(size) < 0.1] = 255
    if index == 1:
      label[:] = 255
    Image.fromarray(image).save(root / f'pictures/images/val/{index}.png')
    Image.fromarray(label).save(root / f'pictures/labels/val/{index}.png')
  classes = {'classes': ['a', 'b', 'c', 'd']}
  (root / 'pictures/classes.json').write_text(json.dumps(classes))
  source = layouts.open_source('folder', root / 'pictures')
  conversion.write_dataset(source, root / 'data', num_shards=1)
  return root / 'data'


def _run(strategy, data_dir, with_pictures=False, config=None):
  found: dict[str, evaluator.Picture] = {}

  def on_picture(picture):
    assert picture.name not in found
    found[picture.name] = picture

  segmenter: Any = Stripes()
  evaluate = evaluator.make_evaluator(
    strategy,
    segmenter,
    data_dir,
    'val',
    config,
    on_picture=on_picture if with_pictures else None,
  )
  return evaluate, evaluate.evaluate(tf.constant(-1)), found


def test_replicas_count_as_one_device_and_as_scikit_learn(data_dir, mirrored):
  one = distribution.make_strategy('one_device')
  evaluate, scores, found = _run(one, data_dir, with_pictures=True)
  assert {k: v.prediction.shape for k, v in found.items()} == {
    f'{i}.png': size for i, size in enumerate(SIZES)
  }
  labels, predictions = [], []
  for picture in input_pipeline.eval_dataset(data_dir, 'val'):
    (name,), (label,) = picture['filename'].numpy(), picture['label'].numpy()
    told = found[name.decode()]
    np.testing.assert_array_equal(told.image, picture['image'].numpy()[0])
    np.testing.assert_array_equal(told.label, label)
    labels.append(label[label != 255])
    predictions.append(told.prediction[label != 255])
    np.testing.assert_array_equal(
      told.confusion_matrix, _confusion(labels[-1], predictions[-1])
    )
  expected = _confusion(np.concatenate(labels), np.concatenate(predictions))
  assert len(np.unique(np.concatenate(predictions))) == 4
  np.testing.assert_array_equal(evaluate.confusion_matrix, expected)
  assert evaluate.confusion_matrix.dtype == np.int64

  # Three pictures on two replicas: none is padded, and one replica gets none.
  on_two, scores_of_two, found_by_two = _run(
    mirrored, data_dir, with_pictures=True
  )
  np.testing.assert_array_equal(on_two.confusion_matrix, expected)
  assert scores_of_two == scores
  _assert_equal(found, found_by_two)


def _confusion(labels, predictions):
  if not labels.size:
    return np.zeros([4, 4], int)
  return sklearn.metrics.confusion_matrix(labels, predictions, labels=range(4))


def _assert_equal(found, others):
  assert found.keys() == others.keys()
  for name, picture in found.items():
    for field in dataclasses.fields(picture):
      np.testing.assert_array_equal(
        getattr(picture, field.name), getattr(others[name], field.name)
      )


def test_pictures_are_told_apart_at_several_scales(data_dir, mirrored):
  config = configs.EvalConfig(scales=(0.5, 1.0), use_flip=True)
  one = distribution.make_strategy('one_device')
  (evaluate, _, found), (_, _, found_by_two) = (
    _run(strategy, data_dir, with_pictures=True, config=config)
    for strategy in (one, mirrored)
  )
  _assert_equal(found, found_by_two)
  total = sum(picture.confusion_matrix for picture in found.values())
  np.testing.assert_array_equal(total, evaluate.confusion_matrix)
  for name, picture in found.items():
    assert picture.label.shape == SIZES[int(name[0])]


def test_an_evaluation_starts_from_zero(data_dir):
  strategy = distribution.make_strategy('one_device')
  evaluate, scores, _ = _run(strategy, data_dir)
  total = evaluate.confusion_matrix.sum()
  assert evaluate.evaluate(tf.constant(-1)) == scores
  assert evaluate.confusion_matrix.sum() == total > 0


def test_the_host_waits_for_no_picture_s_counts(data_dir):
  strategy = distribution.make_strategy('one_device')
  evaluate, _, _ = _run(strategy, data_dir)
  state, steps = evaluate.eval_begin(), []
  iterator = iter(evaluate.eval_dataset)
  for _ in range(2):
    steps.append(evaluate.eval_step(iterator))
    state = evaluate.eval_reduce(state, steps[-1])
    # Neither the sum nor what is added to it comes to the host.
    assert isinstance(state, tf.Tensor)
    assert state.dtype == tf.int64
  np.testing.assert_array_equal(state, sum(counts for counts, _ in steps))


def test_the_configuration_arrives(data_dir):
  strategy = distribution.make_strategy('one_device')
  plain, scores, _ = _run(strategy, data_dir)
  config = configs.EvalConfig(use_flip=True, boundary_ratio=0.1)
  flipped, scores_of_flipped, _ = _run(strategy, data_dir, config=config)
  assert (plain.confusion_matrix != flipped.confusion_matrix).any()
  assert scores['mean_boundary_iou'] != scores_of_flipped['mean_boundary_iou']
