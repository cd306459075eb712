# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Every endpoint of the published network equals a plain second writing of it.

The recorded arrays of the authors' network are of one width and one size; they
prove the second writing, and that proves the rest. Where they are absent, a
file of numbers stands for them that the second writing gave when they proved it
(`reference_endpoints.py`).
"""

import re

import numpy as np
import pytest

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.interop import tf1_names
from auto_deeplab.model import segmenter as segmenter_lib
from tests.model import reference_endpoints, reference_network

# Of the largest value; a wrong network is off by 1e-2 at least.
TOLERANCE = 5e-4
# The same, of the numbers of an endpoint; the network is within 1e-5.
NUMBERS_TOLERANCE = 1e-4
FILTERS = 20
SIZE = (97, 129)
MOMENTUM = 0.5


def assert_close(actual, expected):
  assert actual.keys() == expected.keys()
  for name, value in expected.items():
    assert actual[name].shape == value.shape, name
    error = np.abs(actual[name] - value).max() / np.abs(value).max()
    assert error < TOLERANCE, (name, error)


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
  return model, reference_endpoints.variables_of(model), images, scaled


def test_the_authors_arrays_vouch_for_the_second_writing(shared_dir):
  reference_endpoints.prove(shared_dir / 'reference')


@pytest.fixture(scope='module')
def recorded():
  """The published network as in the file, its variables assigned, and those."""
  model = reference_endpoints.network()
  variables = reference_endpoints.variables_of(model)
  tf1_names.assign(model, variables)
  return model, variables


def test_the_network_gives_the_numbers_that_the_authors_vouch_for(recorded):
  model, _ = recorded
  endpoints = model.endpoints(reference_endpoints.picture())
  assert len(endpoints) == 25
  actual = reference_endpoints.summaries(endpoints)
  expected = reference_endpoints.load()
  errors = reference_endpoints.errors(actual, expected)
  assert max(errors.values()) < NUMBERS_TOLERANCE, errors


def test_the_second_writing_still_gives_these_numbers(recorded):
  _, variables = recorded
  numbers = reference_endpoints.make(variables)
  errors = reference_endpoints.errors(numbers, reference_endpoints.load())
  # In float64, and the file has eight digits.
  assert max(errors.values()) < 1e-6, errors


BLOCKS = reference_network.BLOCKS


@pytest.mark.parametrize(
  'rule, mistake',
  [
    ('HEAD_EPSILON', 1e-3),
    ('ASPP_RATES', (12, 24, 35)),
    ('BLOCKS', ((('atrous', 5, 0), ('separable', 3, 1)), *BLOCKS[1:])),
  ],
)
def test_a_mistake_shows_in_the_numbers(recorded, monkeypatch, rule, mistake):
  monkeypatch.setattr(reference_network, rule, mistake)
  numbers = reference_endpoints.make(recorded[1])
  errors = reference_endpoints.errors(numbers, reference_endpoints.load())
  assert max(errors.values()) > 10 * NUMBERS_TOLERANCE


def test_arrays_that_differ_vouch_for_nothing(recorded, tmp_path):
  _, variables = recorded
  picture = reference_endpoints.picture()[:, :33, :33]
  endpoints = reference_network.ReferenceNetwork(variables).run(picture)
  arrays = {f'out/{name}': values for name, values in endpoints.items()}
  np.savez(tmp_path / 'F4_vars.npz', **variables)

  def prove(**changed):
    np.savez(tmp_path / 'F4_65x65_io.npz', input=picture, **arrays | changed)
    reference_endpoints.prove(tmp_path)

  prove()
  with pytest.raises(ValueError, match=r'^endpoint Cell_3 is off by 0\.091\.$'):
    prove(**{'out/Cell_3': arrays['out/Cell_3'] * 1.1})
  with pytest.raises(ValueError, match=r"^endpoints are .*, not .*'Cell_12'"):
    prove(**{'out/Cell_12': arrays['out/Cell_3']})


def test_endpoints_of_other_shapes_are_named():
  expected = reference_endpoints.summaries({'Stem': np.zeros([1, 2])})
  actual = reference_endpoints.summaries({'Stem': np.zeros([2, 1])})
  message = re.escape("shapes are {'Stem': [2, 1]}, not {'Stem': [1, 2]}.")
  with pytest.raises(ValueError, match=message):
    reference_endpoints.errors(actual, expected)


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
