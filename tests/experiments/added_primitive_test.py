# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Primitives that are added as docs/extending.md says, from alpha on."""

import re

from matplotlib import figure as figure_lib
import numpy as np
import pytest
import tensorflow as tf

import auto_deeplab as adl
from auto_deeplab import configs
from auto_deeplab.architecture import cost, decode, primitives
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.interop import tf1_names
from auto_deeplab.model import segmenter
from auto_deeplab.model.ops import normalization
from auto_deeplab.model.primitives import base
from auto_deeplab.model.search import search_cell
from auto_deeplab.reporting import drawings
from auto_deeplab.runs import metrics_file
from tests import pages
from tests.architecture import cost_of_model_test
from tests.experiments import runs
from tests.model.search import plain_cell

SEPARABLE, GROUPED = NEW = 'sep_conv_7x7', 'group_conv_3x3'
NAMES = ('none', 'skip_connect', *NEW)
EDGES = genotype_lib.edges(2)
NORM = normalization.NormSettings(momentum=0.0)
GENOTYPE = genotype_lib.Genotype
CELL = (((0, SEPARABLE), (1, GROUPED)), ((1, GROUPED), (2, SEPARABLE)))


@pytest.fixture(scope='module', autouse=True)
def added():
  """What the page adds, until these tests are done."""
  page = pages.section(pages.read('docs/extending.md'), 'Add a primitive')
  blocks = pages.blocks(page, 'python')
  assert len(blocks) == 3
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(primitives, '_by_name', dict(primitives._by_name))
    patch.setattr(base, '_classes', dict(base._classes))
    names = {'__name__': __name__}
    for block in blocks:
      exec(block, names)
    yield


def make_cell(**settings):
  tf.keras.utils.set_random_seed(3)
  cell = search_cell.SearchCell(
    2, plain_cell.FILTERS, NORM, names=NAMES, **settings
  )
  cell.build([None, None, None, plain_cell.FILTERS])
  return cell


def grouped(x, kernels, position):
  """The convolution of each group by itself."""
  kernel = kernels[GROUPED][..., position, :]
  parts = zip(tf.split(tf.nn.relu(x), 4, -1), tf.split(kernel, 4, -1))
  convolved = [tf.nn.conv2d(part, k, 1, 'SAME') for part, k in parts]
  return plain_cell.norm(tf.concat(convolved, -1))


@pytest.mark.parametrize('recompute', [False, True])
def test_the_search_cell_equals_the_plain_one_and_moves_alpha(recompute):
  cell = make_cell(recompute=recompute)
  inputs, previous = plain_cell.random_map(), plain_cell.random_map(seed=2)
  logits = tf.random.stateless_normal([len(EDGES), len(NAMES)], [5, 5])
  alpha = tf.nn.softmax(logits)
  actual, gradients = plain_cell.gradients_of(
    lambda alpha: cell(
      inputs, previous, search_cell.Architecture(alpha), training=True
    ),
    cell.kernels,
    alpha,
  )
  expected, expected_gradients = plain_cell.gradients_of(
    lambda alpha: plain_cell.compute(
      cell.kernels,
      inputs,
      previous,
      alpha,
      names=NAMES,
      others={GROUPED: grouped},
    ),
    cell.kernels,
    alpha,
  )
  plain_cell.assert_close(actual, expected)
  for name, gradient in gradients.items():
    plain_cell.assert_close(gradient, expected_gradients[name], 1e-3)
  assert len(gradients) == 1 + 3
  assert np.all(np.abs(gradients['alpha'][:, 1:]) > 1e-3)


def test_a_drawn_cell_equals_the_mixed_one_with_one_hot_weights():
  mixed, drawn = make_cell(), make_cell(is_drawn=True)
  for name, kernel in mixed.kernels.items():
    drawn.kernels[name].assign(kernel)
  inputs, previous = plain_cell.random_map(), plain_cell.random_map(seed=2)
  one_hot = search_cell.Architecture(tf.one_hot([2, 3, 3, 2, 1], len(NAMES)))
  plain_cell.assert_close(
    drawn(inputs, previous, one_hot, training=True),
    mixed(inputs, previous, one_hot, training=True),
  )


def test_a_snapshot_decodes_to_them(tmp_path):
  alphas = np.zeros([len(EDGES), len(NAMES)])
  for block, edges in enumerate(CELL):
    for state, name in edges:
      alphas[EDGES.index((block, state)), NAMES.index(name)] = 9.0
  written = decode.Snapshot(3, alphas, np.zeros([2, 4, 3]), NAMES)
  read = decode.load_snapshot(decode.save_snapshot(tmp_path, written))
  assert read.decode().cell == CELL
  document = read.decode().to_json()
  assert GENOTYPE.from_json(document) == read.decode()


def test_python_decodes_a_supernet_of_them():
  net = adl.supernet(
    3, num_layers=2, num_blocks=2, filter_multiplier=4, primitives=NAMES
  )
  assert net.alphas.shape == (len(EDGES), len(NAMES))
  net.alphas.assign(tf.one_hot([2] * len(EDGES), len(NAMES)))
  cell = adl.decode(net).cell
  assert {name for block in cell for _, name in block} == {SEPARABLE}


# At stride 4 and, striding within the cell, at 8.
@pytest.mark.parametrize('backbone', [(0, 0), (0, 1)])
def test_their_network_trains_and_costs_what_is_counted(backbone):
  settings = cost_of_model_test.SETTINGS | {'filter_multiplier': 4}
  genotype = GENOTYPE(CELL, backbone)
  config = configs.SegmenterConfig(dropout_rate=0.0, **settings)
  model = segmenter.Segmenter(genotype, config, 4)
  function = tf.function(lambda images: model(images, training=False))
  graph = function.get_concrete_function(tf.TensorSpec([1, 33, 65, 3])).graph
  counted = cost.count(
    cost.Network(genotype, (33, 65), num_classes=4, **settings)
  )
  parameters = sum(w.shape.num_elements() for w in model.trainable_weights)
  assert counted.parameters == parameters
  assert counted.multiply_adds == cost_of_model_test.multiply_adds(graph)
  images = tf.random.stateless_uniform([2, 33, 65, 3], [0, 1], -1, 1)

  @tf.function
  def loss_and_gradients():
    with tf.GradientTape() as tape:
      loss = tf.reduce_mean(tf.square(model(images, training=True) - 1))
    return loss, tape.gradient(loss, model.trainable_variables)

  loss, gradients = loss_and_gradients()
  for variable, gradient in zip(model.trainable_variables, gradients):
    assert np.any(gradient), variable.name
    variable.assign_sub(0.01 * gradient)
  assert loss_and_gradients()[0] < loss


def test_their_cell_is_drawn(tmp_path, monkeypatch):
  texts: list[str] = []
  monkeypatch.setattr(
    figure_lib.Figure,
    'savefig',
    lambda figure, *_, **__: texts.extend(
      text.get_text() for text in figure.axes[0].texts
    ),
  )
  drawings.draw_cell(GENOTYPE(CELL, (0, 0)), tmp_path / 'cell.png')
  assert texts.count('sep 7×7') == texts.count('group 3×3') == 2


class Broken(Exception):
  """In the place of a power cut."""


@pytest.mark.slow
def test_a_search_among_them_resumes_bit_for_bit(
  data_dir, tmp_path, monkeypatch
):
  parts = {'supernet': {'primitives': NAMES, 'filter_multiplier': 4}}
  whole, broken = tmp_path / 'whole', tmp_path / 'broken'
  runs.search(data_dir, whole, **parts)
  append = metrics_file.MetricsFile.append_numbers

  def append_and_break(self, step, values):
    append(self, step, values)
    if step == 3:
      raise Broken

  with monkeypatch.context() as patch:
    patch.setattr(metrics_file.MetricsFile, 'append_numbers', append_and_break)
    with pytest.raises(Broken):
      runs.search(data_dir, broken, **parts)
  with pytest.raises(ValueError, match='primitives'):
    runs.search(data_dir, broken, supernet={'filter_multiplier': 4})
  runs.search(data_dir, broken, **parts)
  values, expected = (runs.checkpoint(run, 4) for run in (broken, whole))
  assert values.keys() == expected.keys()
  for key, value in values.items():
    np.testing.assert_array_equal(value, expected[key], err_msg=key)
  assert any(SEPARABLE in key for key in values)
  assert runs.metrics(broken) == runs.metrics(whole)
  snapshot = decode.load_snapshot(decode.latest_snapshot(broken))
  assert snapshot.primitives == NAMES
  assert snapshot.alphas.shape == (2, len(NAMES))


def test_what_nothing_computes_is_refused():
  class Swirl(primitives.Skip):
    """A kind with one half alone."""

  message = (
    "nothing computes the primitive 'swirl': no class is decorated by "
    '`base.computes(Swirl)`.'
  )
  with pytest.raises(ValueError, match=re.escape(message)):
    base.of(Swirl('swirl'))


def test_what_the_authors_do_not_have_gets_no_name_of_theirs():
  config = configs.SegmenterConfig(filter_multiplier=4)
  model = segmenter.Segmenter(GENOTYPE(CELL, (0, 0)), config, 3)
  model(tf.zeros([1, 33, 33, 3]))
  message = "the authors' code has no operation 'group_conv_3x3'."
  with pytest.raises(ValueError, match=message):
    tf1_names.variables_by_name(model)
