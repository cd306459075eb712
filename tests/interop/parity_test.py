# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The comparison finds equal networks equal and names what is wrong."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.interop import parity, tf1_names
from auto_deeplab.model import segmenter as segmenter_lib

pytestmark = pytest.mark.slow

FILTERS = 2


@pytest.fixture(scope='module')
def recorded():
  """Variables and endpoints of a random network, by the authors' names."""
  segmenter = segmenter_lib.Segmenter(
    genotype_lib.PUBLISHED,
    configs.SegmenterConfig(filter_multiplier=FILTERS),
    num_classes=3,
  )
  images = np.random.default_rng(0).uniform(0, 255, [1, 33, 49, 3])
  scaled = tf.constant(images * 2 / 255 - 1, tf.float32)
  outputs = segmenter.endpoints(scaled)
  segmenter(scaled)
  variables = {
    name: variable.numpy()
    for name, variable in tf1_names.variables_by_name(segmenter).items()
  }
  reference = {
    f'out/{name}': outputs[name].numpy() for name in ('Stem', 'logits')
  }
  return variables, {'input': images.astype(np.float32), **reference}


def test_the_same_variables_give_the_same_endpoints(recorded):
  variables, reference = recorded
  errors = parity.endpoint_errors(variables, reference, FILTERS)
  assert set(errors) == {'Stem', 'logits'}
  assert max(errors.values()) < 1e-4


def test_an_endpoint_that_differs_is_reported_with_its_error(recorded):
  variables, reference = recorded
  changed = reference | {'out/Stem': reference['out/Stem'] * 2}
  errors = parity.endpoint_errors(variables, changed, FILTERS)
  assert errors['Stem'] == pytest.approx(0.5, abs=1e-4)
  assert errors['logits'] < 1e-4


def test_the_authors_network_is_reproduced(shared_dir):
  errors = parity.endpoint_errors(
    parity.load_arrays(shared_dir / 'reference' / 'F4_vars.npz'),
    parity.load_arrays(shared_dir / 'reference' / 'F4_65x65_io.npz'),
    4,
  )
  assert len(errors) == 25
  assert max(errors.values()) < 1e-4


def test_bad_variables_are_named(recorded):
  variables, reference = recorded
  name = 'hnasnet/conv0/weights'

  def check(changed, message):
    with pytest.raises(ValueError, match=message):
      parity.endpoint_errors(changed, reference, FILTERS)

  check(
    {k: v for k, v in variables.items() if k != name}, f"{name}' is missing."
  )
  check(variables | {'conv9': np.zeros(1)}, "no variable 'conv9'")
  check(variables | {name: np.zeros([1, 2])}, rf'{name}.*shape \(1, 2\)')
  nan = np.full_like(variables[name], np.nan)
  check(variables | {name: nan}, rf"'{name}' is nan at \[0, 0, 0, 0\]\.")
  two = variables | {name: nan, 'conv9': np.zeros(1)}
  check(two, r"'conv9' \(1 more do not fit\)\.")


def test_a_bad_reference_is_named(recorded, tmp_path):
  variables, reference = recorded
  with pytest.raises(ValueError, match='lacks `input`'):
    parity.endpoint_errors(variables, {}, FILTERS)
  with pytest.raises(ValueError, match="no endpoint 'Cell_99'"):
    unknown = reference | {'out/Cell_99': np.zeros(1)}
    parity.endpoint_errors(variables, unknown, FILTERS)
  path = tmp_path / 'x.npz'
  path.write_text('no archive')
  with pytest.raises(ValueError, match=r'x\.npz is no \.npz file'):
    parity.load_arrays(path)
