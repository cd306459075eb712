# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Every endpoint of the published network equals a plain second writing of it.

The recorded numbers of the authors' network are of one width and one size;
they prove the second writing, and that proves the rest.
"""

import numpy as np
import pytest

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.interop import tf1_names
from auto_deeplab.model import segmenter as segmenter_lib
from tests.model import reference_network

# Of the largest value; a wrong network is off by 1e-2 at least.
TOLERANCE = 5e-4
FILTERS = 20
SIZE = (97, 129)
MOMENTUM = 0.5


def assert_close(actual, expected):
  assert actual.keys() == expected.keys()
  for name, value in expected.items():
    assert actual[name].shape == value.shape, name
    error = np.abs(actual[name] - value).max() / np.abs(value).max()
    assert error < TOLERANCE, (name, error)


def random_variables(model):
  """Outputs of order 1 on every level, and statistics as of a training.

  Offsets lean to the open side of the ReLUs: around 0, what rounding leaves
  grows 1.6-fold a cell by batch statistics, to 1e-3, and could hide a mistake.
  """
  generator = np.random.default_rng(5)

  def draw(name, shape):
    if name.endswith('weights'):
      fan_in = np.prod(shape[: 2 if 'depthwise' in name else 3])
      return generator.normal(scale=np.sqrt(2 / fan_in), size=shape)
    if name.endswith(('gamma', 'moving_variance')):
      return generator.uniform(0.5, 1.5, shape)
    return generator.uniform(0 if name.endswith('beta') else -0.5, 1, shape)

  return {
    name: draw(name, variable.shape).astype(np.float32)
    for name, variable in tf1_names.variables_by_name(model).items()
  }


@pytest.fixture(scope='module')
def network():
  """Auto-DeepLab-S of random weights, its variables, and pictures.

  Of a few large blobs: batch norm of the pooled features divides by how much
  pictures differ, and so magnifies errors where they are alike.
  """
  config = configs.SegmenterConfig(
    filter_multiplier=FILTERS, dropout_rate=0.0, batch_norm_momentum=MOMENTUM
  )
  model = segmenter_lib.Segmenter(genotype_lib.PUBLISHED, config, 19)
  blobs = np.random.default_rng(1).uniform(0, 255, [4, 9, 12, 3])
  images = reference_network.resize(blobs, *SIZE)
  scaled = (images * 2 / 255 - 1).astype(np.float32)
  model(scaled)
  return model, random_variables(model), images, scaled


def test_the_second_writing_gives_the_authors_numbers(shared_dir):
  folder = shared_dir / 'reference'
  with (
    np.load(folder / 'F4_vars.npz') as variables,
    np.load(folder / 'F4_65x65_io.npz') as recorded,
  ):
    actual = reference_network.ReferenceNetwork(variables).run(
      recorded['input']
    )
    assert_close(
      {f'out/{k}': v for k, v in actual.items()},
      {name: recorded[name] for name in recorded if name != 'input'},
    )


def test_every_endpoint_agrees_in_inference(network):
  model, variables, images, scaled = network
  tf1_names.assign(model, variables)
  expected = reference_network.ReferenceNetwork(variables).run(images)
  assert_close(model.endpoints(scaled, training=False), expected)


def test_every_endpoint_and_statistic_agrees_in_training(network):
  model, variables, images, scaled = network
  tf1_names.assign(model, variables)
  reference = reference_network.ReferenceNetwork(
    variables, training=True, decay=MOMENTUM
  )
  expected = reference.run(images)
  assert_close(model.endpoints(scaled, training=True), expected)
  after = tf1_names.variables_by_name(model)
  assert len(reference.moved) == 480
  assert_close({name: after[name] for name in reference.moved}, reference.moved)
  for name in after.keys() - reference.moved:
    np.testing.assert_array_equal(after[name], variables[name], err_msg=name)
