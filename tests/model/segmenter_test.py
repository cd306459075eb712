# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The published networks by their numbers, and networks of other genotypes."""

import math
import re
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import auto_deeplab as adl
from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.interop import tf1_names
from auto_deeplab.model import deeplab, segmenter
from auto_deeplab.model.ops import normalization, sizes

PUBLISHED = genotype_lib.PUBLISHED
NARROW: dict[str, Any] = {
  'filter_multiplier': 2,
  'stem_filters': (4, 4, 8),
  'aspp_filters': 8,
  'low_level_filters': 4,
  'decoder_filters': 8,
}
CLASSES = 3
POOLS_AND_SKIPS = (
  ((0, 'max_pool_3x3'), (1, 'avg_pool_3x3')),
  ((0, 'skip_connect'), (1, 'skip_connect')),
  ((0, 'sep_conv_5x5'), (1, 'atrous_conv_3x3')),
  ((2, 'max_pool_3x3'), (3, 'skip_connect')),
)
SEPARABLE = (
  ((0, 'sep_conv_3x3'), (1, 'atrous_conv_5x5')),
  ((1, 'avg_pool_3x3'), (2, 'sep_conv_5x5')),
)
SMALL_CELL = POOLS_AND_SKIPS[2:3]


def make(
  backbone=(0, 1),
  cell=SMALL_CELL,
  seed=0,
  drop_path_steps=1,
  num_classes=CLASSES,
  **settings,
):
  tf.keras.utils.set_random_seed(1)
  return segmenter.Segmenter(
    genotype_lib.Genotype(cell, backbone),
    configs.SegmenterConfig(**(NARROW | settings)),
    num_classes,
    seed=seed,
    drop_path_steps=drop_path_steps,
  )


def pictures(height, width, batch=2, seed=0):
  shape = [batch, height, width, 3]
  return tf.random.stateless_uniform(shape, [seed, 1], -1, 1)


def endpoint_shapes(model, height, width):
  """Shapes without the batch, from the graph; nothing is computed."""
  function = tf.function(lambda images: model.endpoints(images))
  spec = tf.TensorSpec([1, height, width, 3])
  outputs = function.get_concrete_function(spec).structured_outputs
  return {name: tuple(y.shape[1:]) for name, y in outputs.items()}


@pytest.fixture(scope='module')
def small():
  """Auto-DeepLab-S; a trace of its endpoints builds it."""
  return adl.segmenter('s')


@pytest.mark.parametrize(
  'size, count', [('s', 10_147_427), ('m', 21_622_451), ('l', 44_424_691)]
)
def test_published_networks_have_the_published_parameters(size, count, small):
  model = small if size == 's' else adl.segmenter(size)
  endpoint_shapes(model, 65, 65)
  shapes = [v.shape for v in model.trainable_variables]
  assert sum(math.prod(shape) for shape in shapes) == count
  assert len(shapes) == 890


def test_one_class_is_refused():
  message = re.escape('`num_classes` (1) must be a whole number of at least 2.')
  with pytest.raises(ValueError, match=message):
    make(num_classes=1)


def test_images_of_less_than_four_pixels_are_refused_in_training():
  message = re.escape('the image size (3x65) must be at least 4 pixels')
  with pytest.raises(ValueError, match=message):
    make()(pictures(3, 65), training=True, step=0)


@pytest.mark.parametrize(
  'input_size, sizes',
  [
    ((65, 65), ((17, 17), (9, 9), (5, 5), (3, 3))),
    ((50, 66), ((13, 17), (7, 9), (4, 5), (2, 3))),
  ],
)
def test_endpoints_of_the_published_network(input_size, sizes, small):
  expected = {'Stem': (*sizes[0], 128)}
  for layer, level in enumerate(PUBLISHED.backbone):
    expected[f'Cell_{layer}'] = (*sizes[level], 5 * 20 * 2**level)
  expected |= {
    'features': (*sizes[1], 200),
    'image_pooling': (1, 1, 256),
    'aspp0': (*sizes[1], 256),
    'aspp1': (*sizes[1], 256),
    'aspp2': (*sizes[1], 256),
    'aspp3': (*sizes[1], 256),
    'concat_projection': (*sizes[1], 256),
    'decoder/feature_projection0': (*sizes[0], 48),
    'decoder/decoder_conv0_1': (*sizes[0], 256),
    'decoder/decoder_conv0_2': (*sizes[0], 256),
    'logits': (*sizes[0], 19),
    'logits_upsampled': (*input_size, 19),
  }
  assert endpoint_shapes(small, *input_size) == expected


@pytest.mark.parametrize(
  'input_size', [(1, 1), (3, 65), (0, 5), (4, 4), (33, 47), (50, 66)]
)
def test_any_size_gives_logits_of_its_size(input_size):
  model = make(PUBLISHED.backbone[:9])
  logits = model(pictures(*input_size))
  assert logits.shape == (2, *input_size, CLASSES)
  assert np.isfinite(logits).all()


@pytest.mark.parametrize(
  'backbone, size, padded',
  [
    ((0, 1, 2, 1), (50, 30), (65, 33)),
    ((0, 1, 2, 1), (16, 17), (17, 17)),
    ((0, 1, 2, 3), (34, 1), (65, 33)),
    ((0, 0, 0), (18, 31), (21, 33)),
  ],
)
def test_pictures_are_padded_to_where_all_maps_nest(backbone, size, padded):
  model = make(backbone)
  images = pictures(*size)
  logits = model(images)
  height, width = size
  whole = np.zeros([2, *padded, 3], np.float32)
  whole[:, :height, :width] = images
  endpoints = model.endpoints(tf.constant(whole), picture_size=size)
  for layer, level in enumerate(backbone):
    stride = 4 * 2**level
    assert endpoints[f'Cell_{layer}'].shape[1:3] == (
      (padded[0] - 1) // stride + 1,
      (padded[1] - 1) // stride + 1,
    )
    assert (padded[0] - 1) % stride == (padded[1] - 1) % stride == 0
  expected = endpoints['logits_upsampled'][:, :height, :width]
  np.testing.assert_array_equal(logits, expected)


def test_a_picture_that_nests_is_left_as_it_is():
  model = make((0, 1, 2, 1))
  images = pictures(33, 65)
  expected = model.endpoints(images)['logits_upsampled']
  np.testing.assert_allclose(model(images), expected, atol=1e-6)


@pytest.mark.parametrize('pooling_size', [None, (3, 3)])
@pytest.mark.parametrize(
  'backbone', [(0, 1), (0, 1, 2, 3), (0, 1, 2, 3, 2, 1, 0), (1, 2, 1, 1)]
)
@pytest.mark.parametrize('cell', [POOLS_AND_SKIPS, SEPARABLE])
def test_a_larger_canvas_changes_no_logit(backbone, cell, pooling_size):
  model = make(backbone, cell, pooling_size=pooling_size)
  images = pictures(40, 33)
  model(images)
  # Without an offset of batch norm, what is padded stays 0 by itself.
  for index, weight in enumerate(model.weights):
    if weight.shape.rank == 1:
      shape = weight.shape
      weight.assign(tf.random.stateless_uniform(shape, [index, 0], 0.5, 1.5))
  expected = model(images)
  stride = model.coarsest_stride
  for height, width in ((65, 129), (129, 33 + stride)):
    found = model(images, canvas_size=(height, width))
    np.testing.assert_allclose(found, expected, atol=1e-4)
  function = tf.function(
    lambda images, size: model(images, canvas_size=tf.unstack(size)),
    input_signature=[
      tf.TensorSpec([None, None, None, 3]),
      tf.TensorSpec([2], tf.int32),
    ],
  )
  np.testing.assert_allclose(
    function(images, tf.constant([129, 65])), expected, atol=1e-4
  )


@pytest.mark.parametrize('pooling_size', [None, (5, 6)])
def test_away_from_the_border_logits_do_not_depend_on_the_padding(pooling_size):
  model = make((0, 1), pooling_size=pooling_size)
  size, near = (150, 171), (slice(None), slice(0, 9), slice(0, 9))
  images = pictures(*size)
  model(images)
  # Their holes reach over 288 pixels, farther than these pictures do.
  for conv in model.aspp.convs[1:]:
    kernel = conv.conv.kernel
    center = np.zeros(kernel.shape, np.float32)
    center[1, 1] = 1
    kernel.assign(kernel * center)
  # Pooling is seen everywhere, and is of the picture's own part alone, whose
  # border sees a little of the padding.
  conv = model.aspp.image_pooling.conv.conv
  conv.kernel.assign(conv.kernel * 1000)

  def logits(height, width, picture_size):
    padded = sizes.pad_to(images, (height, width))
    endpoints = model.endpoints(padded, picture_size=picture_size)
    return endpoints['logits_upsampled'][near]

  expected = model(images)[near]
  scale = np.std(expected)
  for padded in [(153, 177), (161, 193), (257, 385)]:
    found = logits(*padded, picture_size=size)
    np.testing.assert_allclose(found, expected, atol=0.01 * scale)
  if pooling_size is None:  # A window at the corner sees no padding.
    with_padding = logits(257, 385, picture_size=None)
    assert np.abs(with_padding - expected).max() > 0.1 * scale


def test_a_pooling_window_slides_over_the_pictures_own_part():
  model = make((0, 1), pooling_size=(5, 6))
  images = sizes.pad_to(pictures(50, 50), (73, 89))
  endpoints = model.endpoints(images, picture_size=(50, 50))
  assert endpoints['features'].shape[1:3] == (10, 12)
  # Of 50 pixels, those at 0, 8 to 48 are the map's.
  pooled = endpoints['image_pooling']
  assert pooled.shape[1:3] == (7 - 5 + 1, 7 - 6 + 1)
  resized = model.aspp.image_pooling.resized(pooled, (10, 12), (7, 7))
  own = sizes.resize_aligned(pooled, (7, 7))
  np.testing.assert_array_equal(resized[:, :7, :7], own)
  np.testing.assert_array_equal(resized[:, 9, :7], own[:, 6])
  np.testing.assert_array_equal(resized[:, :7, 11], own[:, :, 6])


def test_sizes_that_are_unknown_while_tracing_give_the_same():
  model = make((0, 1, 2, 1))
  function = tf.function(
    lambda images: model(images),
    input_signature=[tf.TensorSpec([None, None, None, 3])],
  )
  for size in [(33, 33), (50, 30)]:
    images = pictures(*size)
    np.testing.assert_allclose(function(images), model(images), atol=1e-6)


@pytest.mark.parametrize(
  'backbone, low_level',
  [
    ((0, 0, 0), 'Stem'),  # Ends at stride 4.
    ((1, 1), 'Stem'),  # Never there.
    ((0, 0, 1), 'Cell_1'),
    ((0, 1, 0, 1, 2), 'Cell_2'),  # The last visit counts.
    ((1, 0, 1, 2, 3), 'Cell_1'),
    (PUBLISHED.backbone, 'Cell_2'),
  ],
)
def test_backbones_end_anywhere_and_the_low_level_feature_follows(
  backbone, low_level
):
  model = make(backbone)
  endpoints = model.endpoints(pictures(33, 33))
  level = backbone[-1]
  assert endpoints['features'].shape[1] == (9, 5, 3, 2)[level]
  rates = [conv.conv.atrous_rate for conv in model.aspp.convs]
  assert rates == [1, *(i * (24, 12, 6, 3)[level] for i in (1, 2, 3))]
  # What the decoder projects, by the decoder's own layer.
  expected = tf.nn.relu(model.decoder.low_level(endpoints[low_level]))
  np.testing.assert_allclose(
    endpoints['decoder/feature_projection0'], expected, atol=1e-6
  )
  assert endpoints['logits'].shape == (2, 9, 9, CLASSES)


@pytest.fixture(scope='module')
def reference(shared_dir):
  """The authors' network at F=4, run: its variables, input and endpoints."""
  folder = shared_dir / 'reference'
  if not folder.is_dir():
    pytest.skip(f'{folder} is absent: no reference numbers here.')
  with np.load(folder / 'F4_vars.npz') as variables:
    weights = dict(variables)
  with np.load(folder / 'F4_65x65_io.npz') as arrays:
    images = arrays['input'] * 2 / 255 - 1
    prefix = 'out/'
    outputs = {
      name.removeprefix(prefix): arrays[name]
      for name in arrays
      if name.startswith(prefix)
    }
  return weights, images.astype(np.float32), outputs


def test_every_endpoint_equals_the_authors(reference):
  weights, images, expected = reference
  config = configs.SegmenterConfig(filter_multiplier=4)
  model = segmenter.Segmenter(PUBLISHED, config, 19)
  model(images)
  variables = tf1_names.variables_by_name(model)
  assert variables.keys() == weights.keys()
  assert len({id(v) for v in variables.values()}) == len(model.variables)
  for name, variable in variables.items():
    assert variable.shape == weights[name].shape, name
    variable.assign(weights[name])
  actual = model.endpoints(images, training=False)
  assert actual.keys() == expected.keys()
  for name, value in expected.items():
    assert actual[name].shape == value.shape, name
    error = np.abs(actual[name] - value).max() / np.abs(value).max()
    assert error < 1e-3, name


def test_recomputation_changes_no_gradient_and_no_statistic():
  def step(recompute):
    model = make(
      drop_path_keep_prob=0.5,
      batch_norm_momentum=0.5,
      recompute=recompute,
    )
    images = pictures(33, 33)
    model(images)

    @tf.function
    def loss_and_gradients():
      with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(images, training=True, step=1) ** 2)
      return loss, tape.gradient(loss, model.trainable_variables)

    loss, gradients = loss_and_gradients()
    return [loss, *gradients, *model.non_trainable_variables]

  for recomputed, kept in zip(step(True), step(False), strict=True):
    np.testing.assert_allclose(recomputed, kept, atol=1e-6)


def test_names_of_a_network_that_is_not_built_are_refused():
  message = 'the segmenter must be called once before its variables'
  with pytest.raises(ValueError, match=message):
    tf1_names.variables_by_name(make())


@pytest.mark.parametrize('size', [(65, 65), (50, 66)])
def test_pools_and_skips_stride_with_their_cell(size):
  model = make((0, 1, 2, 3, 2), POOLS_AND_SKIPS)
  endpoints = model.endpoints(pictures(*size))
  maps = sizes.halved(sizes.halved(size))
  for layer in range(4):
    assert endpoints[f'Cell_{layer}'].shape[1:3] == maps
    maps = sizes.halved(maps)
  assert np.isfinite(endpoints['logits_upsampled']).all()


def test_a_pooling_window_of_the_map_is_the_mean_of_the_map():
  whole = make((0, 1))
  windowed = make((0, 1), pooling_size=(5, 6))
  images = pictures(33, 41)
  expected = whole.endpoints(images)
  windowed(images)
  windowed.set_weights(whole.get_weights())
  actual = windowed.endpoints(images)
  assert expected['features'].shape[1:3] == (5, 6)
  for name in ('image_pooling', 'logits_upsampled'):
    np.testing.assert_allclose(actual[name], expected[name], atol=1e-5)
  assert windowed.endpoints(pictures(65, 49))['image_pooling'].shape[1:3] == (
    9 - 5 + 1,
    7 - 6 + 1,
  )


def test_the_pooling_window_slides_without_padding():
  layer = deeplab.ImagePooling(4, normalization.NormSettings(), (3, 2))
  x = tf.random.stateless_normal([1, 5, 4, 3], [1, 2])
  means = np.array(
    [
      [np.mean(x[0, i : i + 3, j : j + 2], (0, 1)) for j in range(3)]
      for i in range(3)
    ]
  )
  actual = layer(x)
  expected = tf.nn.relu(layer.conv(means[None].astype(np.float32)))
  np.testing.assert_allclose(actual, expected, atol=1e-5)
  # Training averages over the whole map.
  assert layer(x, training=True).shape == (1, 1, 1, 4)


@pytest.mark.parametrize('size', [(4, 7), (2, 2), (5, 6)])
def test_a_pooling_window_ends_where_the_map_ends(size):
  window = (5, 6)
  settings = normalization.NormSettings()
  layer = deeplab.ImagePooling(4, settings, window)
  x = tf.random.stateless_normal([2, *size, 3], [1, 2])
  # Sizes unknown, as an exported network has them.
  function = tf.function(
    lambda x: layer(x), input_signature=[tf.TensorSpec([None, None, None, 3])]
  )
  actual = function(x)
  height, width = (min(pair) for pair in zip(size, window))
  pooled = tf.nn.avg_pool2d(x, (height, width), 1, 'VALID')
  np.testing.assert_allclose(actual, tf.nn.relu(layer.conv(pooled)), atol=1e-5)
  np.testing.assert_allclose(actual, layer(x), atol=1e-6)


@pytest.mark.parametrize(
  'settings', [{'dropout_rate': 0.5}, {'drop_path_keep_prob': 0.2}]
)
def test_without_a_step_each_call_draws_by_the_seed_of_tensorflow(settings):
  model = make(**({'dropout_rate': 0.0} | settings))
  images = pictures(17, 17, batch=8)
  model(images)

  def calls():
    tf.keras.utils.set_random_seed(3)
    train = tf.function(lambda images: model(images, training=True))
    return [train(images).numpy() for _ in range(2)]

  first, second = calls()
  assert (first != second).any()
  np.testing.assert_array_equal(calls(), [first, second])


def test_training_without_drops_needs_no_step():
  model = make(dropout_rate=0.0)
  images = pictures(17, 17)
  np.testing.assert_array_equal(
    model(images, training=True), model(images, training=True, step=5)
  )


def test_the_logits_have_a_channel_a_class():
  model = make(num_classes=7)
  assert model(pictures(17, 17)).shape == (2, 17, 17, 7)


# Nothing follows a skip, so a dropped sample is a zero in the cell's output.
SKIP_CELL = (((0, 'skip_connect'), (1, 'skip_connect')),) * 2
DROPS: dict[str, Any] = {'dropout_rate': 0.0, 'drop_path_keep_prob': 0.2}


@pytest.fixture(scope='module')
def dropping():
  return make((0, 0, 0), SKIP_CELL, drop_path_steps=10, **DROPS)


def dropped(model, layer, step, batch=64, **settings):
  """Which samples lost both operations of a cell's first block."""
  images = pictures(8, 8, batch)
  endpoints = model.endpoints(images, training=True, step=step, **settings)
  block = endpoints[f'Cell_{layer}'][..., :2].numpy()
  return (block == 0).all(axis=(1, 2, 3))


def test_drop_path_follows_its_schedule(dropping):
  assert not dropped(dropping, 2, step=0).any()
  # keep = 1 - t/T (c+1)/L (1-p), for each of two operations.
  for layer, step, keep in [(2, 10, 0.2), (2, 5, 0.6), (0, 10, 1 - 0.8 / 3)]:
    rate = dropped(dropping, layer, step, batch=600).mean()
    assert rate == pytest.approx((1 - keep) ** 2, abs=0.07)


def test_without_a_step_drop_path_is_at_full_strength(dropping):
  rate = dropped(dropping, 2, step=None, batch=600).mean()
  assert rate == pytest.approx(0.8**2, abs=0.07)


def test_drop_path_depends_on_seed_and_step_alone(dropping):
  same_seed = make((0, 0, 0), SKIP_CELL, drop_path_steps=10, **DROPS)
  other_seed = make((0, 0, 0), SKIP_CELL, 7, drop_path_steps=10, **DROPS)
  first = dropped(dropping, 2, step=10)
  np.testing.assert_array_equal(first, dropped(same_seed, 2, step=10))
  assert (first != dropped(other_seed, 2, step=10)).any()
  assert (first != dropped(dropping, 2, step=11)).any()
  assert (first != dropped(dropping, 1, step=10)).any()


def test_drop_path_draws_once_for_all_cells(dropping):
  train = tf.function(lambda images: dropping(images, training=True, step=5))
  graph = train.get_concrete_function(pictures(8, 8)).graph
  types = [op.type for op in graph.get_operations()]
  assert types.count('StatelessRandomUniformV2') == 1


def test_each_micro_batch_drops_others(dropping):
  first, again, second = (
    dropped(dropping, 2, step=10, micro_batch=tf.constant(i)) for i in (0, 0, 1)
  )
  np.testing.assert_array_equal(first, again)
  assert (first != second).any()
  assert (first != dropped(dropping, 2, step=10)).any()


def test_nothing_is_dropped_in_inference():
  images = pictures(17, 17)
  dropping = make(drop_path_keep_prob=0.2, dropout_rate=0.5)
  keeping = make(drop_path_keep_prob=1.0, dropout_rate=0.0)
  keeping(images)
  expected = dropping(images, step=10)
  keeping.set_weights(dropping.get_weights())
  np.testing.assert_array_equal(keeping(images), expected)


def test_the_same_seed_and_step_give_the_same_bits():
  model = make(drop_path_keep_prob=0.6, dropout_rate=0.3)
  train = tf.function(
    lambda images, step: model(images, training=True, step=step)
  )
  images = pictures(17, 17)
  first, again, later = (
    train(images, tf.constant(step, tf.int64)).numpy() for step in (3, 3, 4)
  )
  np.testing.assert_array_equal(first, again)
  assert (first != later).any()


def test_head_and_backbone_have_their_own_epsilon():
  model = make(batch_norm_momentum=0.5)
  assert model.stem.convs[0].bn.epsilon == 1e-3
  assert model.cells[0].projection.bn.epsilon == 1e-3
  assert model.aspp.projection.bn.epsilon == 1e-5
  assert model.decoder.low_level.bn.epsilon == 1e-5
  assert model.decoder.convs[0].bn.momentum == 0.5


def test_a_frozen_batch_norm_neither_moves_nor_is_trained():
  model = make(freeze_batch_norm=True, dropout_rate=0.0)
  images = pictures(17, 17)
  inferred = model(images)
  norms = [
    module
    for module in model.submodules
    if isinstance(module, tf.keras.layers.BatchNormalization)
  ]
  variables = [v for norm in norms for v in norm.variables]
  assert len(variables) == 4 * len(norms) > 40
  before = [v.numpy() for v in variables]
  # As in inference, where the statistics of this batch are others.
  np.testing.assert_allclose(model(images, training=True), inferred, atol=1e-6)
  for value, variable in zip(before, variables):
    np.testing.assert_array_equal(value, variable)
  trained = {v.ref() for v in model.trainable_variables}
  assert not trained & {v.ref() for v in variables}
  kinds = {v.name.rsplit('/', 1)[-1] for v in model.trainable_variables}
  assert not kinds & {'gamma:0', 'beta:0'}
  assert 'kernel:0' in kinds
