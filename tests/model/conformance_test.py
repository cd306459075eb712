# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What every layer of the model room can do, from one table of all of them."""

from collections.abc import Callable
import dataclasses
import importlib
import inspect
import pkgutil
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs, model
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import lattice
from auto_deeplab.model import cells, deeplab, nodes, segmenter, supernet
from auto_deeplab.model.ops import layers, normalization
from auto_deeplab.model.primitives import atrous, pooling, separable, skip
from auto_deeplab.model.search import search_cell
from auto_deeplab.training import distribution

pytestmark = pytest.mark.slow

MODULES = [
  importlib.import_module(found.name)
  for found in pkgutil.walk_packages(model.__path__, 'auto_deeplab.model.')
]
NORM = normalization.NormSettings(momentum=0.5)
FILTERS, BATCH, SIZE = 4, 4, 6
STEM = (4, 4, 8)
BLOCKS = (((0, 'sep_conv_3x3'), (1, 'atrous_conv_3x3')),)


@dataclasses.dataclass(frozen=True)
class Case:
  """How one layer is built and called.

  Attributes:
    make: builds it.
    maps: (height, width, channels) of each feature map that it takes.
    constants: further arguments.
    has_training: whether it behaves otherwise in training.
    in_float32: whether it gives float32 under every policy, as logits must.
    takes_list: whether the first argument is the list of all maps but the last.
  """

  make: Callable[[], tf.keras.layers.Layer]
  maps: tuple[tuple[int, int, int], ...] = ((SIZE, SIZE, FILTERS),)
  constants: tuple[Any, ...] = ()
  has_training: bool = True
  in_float32: bool = False
  takes_list: bool = False

  def inputs(self) -> list[tf.Tensor]:
    return [
      tf.random.stateless_uniform([BATCH, *shape], [i, 7], -1, 1)
      for i, shape in enumerate(self.maps)
    ]

  def call(self, layer, inputs, training=False) -> list[tf.Tensor]:
    """Calls the layer; a list also where it gives one tensor."""
    if self.takes_list:
      inputs = [inputs[:-1], inputs[-1]]
    keywords = {'training': training} if self.has_training else {}
    return tf.nest.flatten(layer(*inputs, *self.constants, **keywords))

  def built(self) -> tf.keras.layers.Layer:
    """A layer with statistics and offsets that training could have left."""
    tf.keras.utils.set_random_seed(1)
    layer = self.make()
    self.call(layer, self.inputs())
    for i, variable in enumerate(layer.variables):
      if variable.shape.rank == 1:
        is_factor = 'gamma' in variable.name or 'variance' in variable.name
        low = 0.5 if is_factor else -0.5
        values = tf.random.stateless_uniform(
          variable.shape, [i, 3], low, low + 1
        )
        variable.assign(values)
    return layer


MAP = (SIZE, SIZE, FILTERS)
PICTURE = (17, 18, 3)
# Dyadic numbers are the same in bfloat16.
ALPHA = search_cell.Architecture(tf.fill([2, 8], 1 / 8))


SUPERNET = configs.SupernetConfig(
  num_layers=2, num_blocks=1, filter_multiplier=2, stem_filters=STEM
)


def _segmenter():
  config = configs.SegmenterConfig(
    filter_multiplier=2,
    stem_filters=STEM,
    aspp_filters=8,
    low_level_filters=4,
    decoder_filters=8,
    dropout_rate=0.0,
    batch_norm_momentum=0.5,
  )
  return segmenter.Segmenter(genotype_lib.Genotype(BLOCKS, (0, 1)), config, 3)


TABLE: dict[type, Case] = {
  layers.Conv2D: Case(
    lambda: layers.Conv2D(FILTERS, 3, strides=2), has_training=False
  ),
  normalization.BatchNorm: Case(NORM.layer, in_float32=True),
  layers.ConvBn: Case(lambda: layers.ConvBn(FILTERS, 3, NORM)),
  layers.SeparableConv2D: Case(
    lambda: layers.SeparableConv2D(FILTERS, 3, strides=2),
    has_training=False,
  ),
  separable.SeparableLayer: Case(
    lambda: separable.SeparableLayer(FILTERS, 3, NORM)
  ),
  atrous.AtrousLayer: Case(
    lambda: atrous.AtrousLayer(FILTERS, 3, 2, NORM, strides=2)
  ),
  pooling.PoolLayer: Case(lambda: pooling.PoolLayer(tf.nn.avg_pool2d, 3, 2)),
  skip.SkipLayer: Case(lambda: skip.SkipLayer(2)),
  cells.Cell: Case(
    lambda: cells.Cell(BLOCKS, FILTERS, lattice.DOWN, NORM), (MAP, (4, 4, 5))
  ),
  search_cell.SearchCell: Case(
    lambda: search_cell.SearchCell(1, FILTERS, NORM), (MAP, MAP), (ALPHA,)
  ),
  deeplab.Stem: Case(lambda: deeplab.Stem(STEM, NORM), (PICTURE,)),
  deeplab.ImagePooling: Case(lambda: deeplab.ImagePooling(FILTERS, NORM)),
  deeplab.Aspp: Case(lambda: deeplab.Aspp(FILTERS, (1, 2, 3), NORM)),
  deeplab.Decoder: Case(
    lambda: deeplab.Decoder(FILTERS, 5, NORM), ((3, 3, FILTERS), MAP)
  ),
  deeplab.SearchHead: Case(
    lambda: deeplab.SearchHead(3, FILTERS, 3, NORM), in_float32=True
  ),
  nodes.Projection: Case(
    lambda: nodes.Projection(lattice.UP, FILTERS, NORM),
    ((3, 3, FILTERS),),
    ((SIZE, SIZE),),
  ),
  nodes.Node: Case(
    lambda: nodes.Node([lattice.SAME, lattice.UP], SUPERNET, FILTERS, NORM),
    (MAP, (3, 3, 8), (12, 12, FILTERS)),
    (ALPHA, np.array([0.75, 0.25], np.float32), (SIZE, SIZE)),
    takes_list=True,
  ),
  nodes.PathNode: Case(
    lambda: nodes.PathNode(1, 0, SUPERNET, NORM),
    ((3, 3, FILTERS), (12, 12, 5)),
    ((1, 0), ALPHA, 1.0, (SIZE, SIZE)),
  ),
  supernet.Supernet: Case(
    lambda: supernet.Supernet(SUPERNET, 3), (PICTURE,), in_float32=True
  ),
  segmenter.Segmenter: Case(_segmenter, (PICTURE,), in_float32=True),
}

each_layer = pytest.mark.parametrize(
  'case', TABLE.values(), ids=[layer.__name__ for layer in TABLE]
)


def assert_equal(actual, expected, tolerance=1e-5):
  assert len(actual) == len(expected) > 0
  for a, e in zip(actual, expected):
    a, e = (tf.cast(x, tf.float32).numpy() for x in (a, e))
    assert a.shape == e.shape
    assert np.isfinite(a).all()
    assert np.abs(a - e).max() <= tolerance * np.abs(e).max()


@pytest.fixture(scope='module')
def answers():
  """Each layer built once, its inputs, and what it gives: only read."""
  found = {}

  def answer(case):
    if case.make not in found:
      layer, inputs = case.built(), case.inputs()
      found[case.make] = layer, inputs, case.call(layer, inputs)
    return found[case.make]

  return answer


def test_the_table_holds_every_layer():
  layers = {
    value
    for module in MODULES
    for value in vars(module).values()
    if inspect.isclass(value)
    and issubclass(value, tf.keras.layers.Layer)
    and value.__module__ == module.__name__
    # A base of models has nothing to compute.
    and getattr(value, 'call', None) is not tf.keras.Model.call
  }
  assert layers == TABLE.keys()


@each_layer
def test_function_equals_eager(case, answers):
  layer, inputs, expected = answers(case)
  function = tf.function(lambda inputs: case.call(layer, inputs))
  assert_equal(function(inputs), expected)


@each_layer
def test_a_checkpoint_brings_back_the_outputs(case, answers, tmp_path):
  layer, inputs, expected = answers(case)
  path = tf.train.Checkpoint(layer=layer).save(tmp_path / 'checkpoint')
  tf.keras.utils.set_random_seed(2)
  other = case.make()
  fresh = case.call(other, inputs)
  status = tf.train.Checkpoint(layer=other).restore(path)
  status.assert_consumed()
  assert_equal(case.call(other, inputs), expected)
  if layer.variables:
    assert not np.allclose(fresh[0], expected[0])


@each_layer
def test_a_saved_model_gives_the_outputs(case, answers, tmp_path):
  layer, inputs, expected = answers(case)
  module = tf.Module()
  # The closure holds the layer: as an attribute Keras would trace it again.
  module.call = tf.function(lambda inputs: case.call(layer, inputs))
  specs = [tf.TensorSpec([None, *x.shape[1:]]) for x in inputs]
  graph = module.call.get_concrete_function(specs).graph
  module.kept = list(graph.variables)
  tf.saved_model.save(module, str(tmp_path))
  loaded = tf.saved_model.load(str(tmp_path))
  assert_equal(loaded.call(inputs), expected)


@each_layer
def test_two_replicas_share_a_batch_and_average_statistics(case, answers):
  layer, inputs, expected = answers(case)
  strategy = distribution.make_strategy('mirrored')
  halves = [tf.split(x, 2) for x in inputs]
  distributed = [
    strategy.experimental_distribute_values_from_function(
      lambda context, half=half: half[context.replica_id_in_sync_group]
    )
    for half in halves
  ]
  with strategy.scope():
    mirrored = case.make()
    strategy.run(lambda *x: case.call(mirrored, x), distributed)
    mirrored.set_weights(layer.get_weights())

  @tf.function
  def run(training):
    return strategy.run(
      lambda *x: case.call(mirrored, x, training=training), distributed
    )

  results = [
    tf.concat(strategy.experimental_local_results(y), axis=0)
    for y in run(False)
  ]
  assert_equal(results, expected)
  run(True)
  assert_statistics_are_averaged(case, layer, mirrored, halves)


def assert_statistics_are_averaged(case, layer, mirrored, halves):
  """Each replica trained on its half; what it moved is averaged."""
  before = layer.get_weights()
  moved = []
  for replica in range(2):
    case.call(layer, [half[replica] for half in halves], training=True)
    moved.append(layer.get_weights())
    layer.set_weights(before)
  for actual, *expected in zip(mirrored.get_weights(), *moved):
    np.testing.assert_allclose(actual, np.mean(expected, axis=0), atol=1e-5)


@pytest.fixture
def bfloat16():
  tf.keras.mixed_precision.set_global_policy('mixed_bfloat16')
  yield
  tf.keras.mixed_precision.set_global_policy('float32')


@each_layer
def test_float32_is_the_default(case, answers):
  layer, _, outputs = answers(case)
  assert {y.dtype for y in outputs} == {tf.float32}
  assert {v.dtype for v in layer.variables} <= {tf.float32}


@each_layer
@pytest.mark.parametrize('training', [False, True])
def test_bfloat16_is_close_to_float32(case, training, answers, bfloat16):
  layer, inputs, expected = answers(case)
  mixed = case.make()
  case.call(mixed, inputs)
  weights = layer.get_weights()
  mixed.set_weights(weights)
  assert {v.dtype for v in mixed.variables} <= {tf.float32}
  if training:
    expected = case.call(layer, inputs, training=True)
    layer.set_weights(weights)
  outputs = case.call(mixed, inputs, training=training)
  dtype = tf.float32 if case.in_float32 else tf.bfloat16
  assert {y.dtype for y in outputs} == {dtype}
  # Eight bits of mantissa, through a few layers.
  assert_equal(outputs, expected, 0.1)
