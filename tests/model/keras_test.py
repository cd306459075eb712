# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Both networks are Keras models as any other: fitted, saved, loaded."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture.genotype import Genotype
from auto_deeplab.model import pixels
from auto_deeplab.model import segmenter as segmenter_lib
from auto_deeplab.model import supernet as supernet_lib
from auto_deeplab.training import distribution

pytestmark = pytest.mark.slow

GENOTYPE = Genotype(
  cell=(((0, 'sep_conv_3x3'), (1, 'atrous_conv_3x3')),), backbone=(0, 1)
)
CLASSES = 3
IGNORED = 255


def make_segmenter(**settings) -> segmenter_lib.Segmenter:
  narrow: dict[str, Any] = {
    'filter_multiplier': 2,
    'stem_filters': (4, 4, 8),
    'aspp_filters': 8,
    'low_level_filters': 4,
    'decoder_filters': 8,
    'batch_norm_momentum': 0.5,
  }
  config = configs.SegmenterConfig(**(narrow | settings))
  return segmenter_lib.Segmenter(
    GENOTYPE, config, CLASSES, seed=3, drop_path_steps=7
  )


def make_supernet() -> supernet_lib.Supernet:
  config = configs.SupernetConfig(
    num_layers=2, num_blocks=1, filter_multiplier=2, stem_filters=(4, 4, 8)
  )
  return supernet_lib.Supernet(config, CLASSES, seed=3)


both = pytest.mark.parametrize('make', [make_segmenter, make_supernet])


def pictures(batch: int = 8, size: int = 17) -> tuple[np.ndarray, np.ndarray]:
  """Random bytes; labels are the brightest channel, and some are ignored."""
  generator = np.random.default_rng(0)
  blobs = generator.integers(0, 256, [batch, 1, 1, 3], np.uint8)
  images = blobs.repeat(size, axis=1).repeat(size, axis=2)
  labels = images.argmax(axis=-1).astype(np.uint8)
  labels[:, :5] = IGNORED
  return images, labels


def compiled(model: tf.keras.Model, **settings) -> tf.keras.Model:
  loss = tf.keras.losses.SparseCategoricalCrossentropy(
    from_logits=True, ignore_class=IGNORED
  )
  model.compile(tf.keras.optimizers.Adam(0.01), loss, **settings)
  return model


def randomized(model: tf.keras.Model) -> tf.keras.Model:
  """The model, built, with no variable as it was made."""
  model.build([None, None, None, 3])
  for i, variable in enumerate(model.variables):
    values = tf.random.stateless_uniform(variable.shape, [i, 1], 0.5, 1.5)
    variable.assign(values)
  return model


def assert_same(actual: tf.keras.Model, expected: tf.keras.Model) -> None:
  assert type(actual) is type(expected)
  configs_of_both = (m.get_config() | {'name': ''} for m in (actual, expected))
  assert next(configs_of_both) == next(configs_of_both)
  values = [v.numpy() for v in actual.variables]
  assert len(values) == len(expected.variables) > 40
  for value, variable in zip(values, expected.variables):
    np.testing.assert_array_equal(value, variable, err_msg=variable.name)


@pytest.fixture
def bfloat16():
  tf.keras.mixed_precision.set_global_policy('mixed_bfloat16')
  yield
  tf.keras.mixed_precision.set_global_policy('float32')


@both
def test_bytes_give_what_their_floats_give(make):
  images, _ = pictures()
  model = make()
  expected = model(pixels.normalize(images))
  np.testing.assert_array_equal(model(images), expected)
  np.testing.assert_array_equal(model(tf.constant(images)), expected)
  assert not np.allclose(model(images[::-1]), expected)


@both
def test_bytes_give_what_their_floats_give_in_bfloat16(make, bfloat16):
  images, _ = pictures()
  model = make()
  logits = model(images)
  assert logits.dtype == tf.float32
  np.testing.assert_array_equal(logits, model(pixels.normalize(images)))


@both
@pytest.mark.parametrize('images', [[0.0, 255.0], [0, 255]])
def test_unnormalized_images_are_refused(make, images):
  images = tf.reshape(tf.repeat(images, 8 * 8 * 3), [2, 8, 8, 3])
  with pytest.raises(ValueError, match=r'must be .*in \[-1, 1\]'):
    make()(images)


@both
@pytest.mark.parametrize('method', ['fit', 'evaluate', 'predict'])
def test_unnormalized_floats_are_refused_and_move_nothing(make, method):
  images, labels = pictures()
  model = compiled(make())
  model.fit(images, labels, verbose=0)
  variables = [*model.variables, *model.optimizer.variables]
  before = [v.numpy() for v in variables]
  arguments = [images.astype(np.float32), labels]
  if method == 'predict':
    arguments = arguments[:1]
  message = 'float images must be in'
  with pytest.raises(tf.errors.InvalidArgumentError, match=message):
    getattr(model, method)(*arguments, verbose=0)
  for variable, value in zip(variables, before, strict=True):
    np.testing.assert_array_equal(variable, value, err_msg=variable.name)


DROPPING = {'drop_path_keep_prob': 0.8, 'dropout_rate': 0.1}


@pytest.mark.parametrize('run_eagerly', [False, True])
def test_fit_learns_from_bytes(run_eagerly):
  tf.keras.utils.set_random_seed(1)
  images, labels = pictures()
  model = compiled(make_segmenter(**DROPPING), run_eagerly=run_eagerly)
  data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(4).repeat()
  history = model.fit(data, epochs=2, steps_per_epoch=10, verbose=0)
  first, last = history.history['loss']
  assert last < 0.9 * first
  logits = model.predict(images, verbose=0)
  is_counted = labels != IGNORED
  expected = tf.nn.sparse_softmax_cross_entropy_with_logits(
    labels[is_counted].astype(np.int32), logits[is_counted]
  )
  loss = model.evaluate(images, labels, verbose=0)
  assert loss == pytest.approx(float(tf.reduce_mean(expected)), rel=1e-4)


def test_fit_compiles_by_xla():
  images, labels = pictures()
  model = make_segmenter(**DROPPING)
  # Keras' `ignore_class` is nothing that XLA can compile.
  loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
  model.compile('sgd', loss, jit_compile=True)
  history = model.fit(images, labels % CLASSES, batch_size=4, verbose=0)
  assert np.isfinite(history.history['loss']).all()


def test_fit_trains_the_recomputed_network_alike():
  images, labels = pictures()

  def weights_after(recompute):
    tf.keras.utils.set_random_seed(1)
    model = compiled(make_segmenter(recompute=recompute, **DROPPING))
    model.fit(images, labels, batch_size=4, shuffle=False, verbose=0)
    return model.get_weights()

  for recomputed, kept in zip(weights_after(True), weights_after(False)):
    np.testing.assert_allclose(recomputed, kept, atol=1e-3)


@pytest.mark.parametrize('policy', ['mixed_bfloat16', 'mixed_float16'])
def test_fit_under_a_policy_moves_float32_variables(policy):
  images, labels = pictures()
  tf.keras.mixed_precision.set_global_policy(policy)
  try:
    model = compiled(make_segmenter(**DROPPING))
    model.fit(images, labels, batch_size=4, verbose=0)
    logits = model.predict(images, verbose=0)
  finally:
    tf.keras.mixed_precision.set_global_policy('float32')
  assert logits.dtype == np.float32
  assert {v.dtype for v in model.variables} == {tf.float32}
  assert np.isfinite(logits).all()


def test_replicas_are_fitted_alike_and_drop_other_samples():
  images, labels = pictures()
  strategy = distribution.make_strategy('mirrored')
  assert strategy.num_replicas_in_sync == 2
  with strategy.scope():
    model = compiled(make_segmenter(**DROPPING))
  history = model.fit(images, labels, batch_size=8, epochs=3, verbose=0)
  assert np.isfinite(history.history['loss']).all()
  for variable in model.trainable_variables:
    first, second = strategy.experimental_local_results(variable)
    np.testing.assert_array_equal(first, second)

  @tf.function
  def draws():
    return strategy.run(lambda: model._randomness(True, None, None).seed)

  first, second = strategy.experimental_local_results(draws())
  assert (first.numpy() != second.numpy()).any()


def save_and_load_keras(model, make, folder):
  del make
  model.save(folder / 'model.keras')
  return tf.keras.models.load_model(folder / 'model.keras')


def save_and_load_saved_model(model, make, folder):
  del make
  model(pictures()[0])  # A SavedModel knows the inputs it was called with.
  model.save(folder / 'model', save_format='tf')
  return tf.keras.models.load_model(folder / 'model')


def save_and_load_h5_weights(model, make, folder):
  model.save_weights(folder / 'model.weights.h5')
  other = make()
  other.build([None, None, None, 3])
  other.load_weights(folder / 'model.weights.h5')
  return other


def save_and_load_tf_weights(model, make, folder):
  model.save_weights(folder / 'weights', save_format='tf')
  other = make()
  other(pictures()[0])
  other.load_weights(folder / 'weights').assert_consumed()
  return other


@both
@pytest.mark.parametrize(
  'save_and_load',
  [save_and_load_keras, save_and_load_h5_weights, save_and_load_tf_weights],
)
def test_every_value_comes_back(make, save_and_load, tmp_path):
  model = randomized(make())
  assert_same(save_and_load(model, make, tmp_path), model)


def test_every_value_of_a_segmenter_comes_back_from_a_saved_model(tmp_path):
  model = randomized(make_segmenter())
  loaded = save_and_load_saved_model(model, make_segmenter, tmp_path)
  assert_same(loaded, model)


def test_a_fitted_model_is_loaded_with_its_optimizer_and_fitted_on(tmp_path):
  images, labels = pictures()
  model = compiled(make_segmenter(**DROPPING))
  model.fit(images, labels, batch_size=4, verbose=0)
  loaded = save_and_load_keras(model, make_segmenter, tmp_path)
  np.testing.assert_array_equal(
    loaded.predict(images, verbose=0), model.predict(images, verbose=0)
  )
  assert loaded.optimizer.iterations == 2
  moments = zip(model.optimizer.variables, loaded.optimizer.variables)
  for expected, actual in moments:
    np.testing.assert_array_equal(actual, expected, err_msg=expected.name)
  loaded.fit(images, labels, batch_size=4, verbose=0)
  assert loaded.optimizer.iterations == 4


def test_a_file_is_loaded_where_the_package_is_not_imported(tmp_path):
  model = randomized(make_segmenter())
  model.save(tmp_path / 'model.keras')
  program = f"""
import tensorflow as tf
model = tf.keras.models.load_model({str(tmp_path / 'model.keras')!r})
print(type(model).__module__, len(model.variables))
"""
  done = subprocess.run(
    [sys.executable, '-c', program], check=True, capture_output=True, text=True
  )
  expected = ['auto_deeplab.model.segmenter', str(len(model.variables))]
  assert done.stdout.split() == expected


def test_a_model_computes_in_the_policy_that_it_is_loaded_under(
  tmp_path, bfloat16
):
  model = randomized(make_segmenter())
  assert model.stem.compute_dtype == 'bfloat16'
  model.save(tmp_path / 'model.keras')
  tf.keras.mixed_precision.set_global_policy('float32')
  loaded = tf.keras.models.load_model(tmp_path / 'model.keras')
  assert loaded.compute_dtype == loaded.stem.compute_dtype == 'float32'


def test_a_supernet_is_trained_by_turns_in_a_loop():
  images, labels = pictures()
  model = make_supernet()
  model.build([None, None, None, 3])
  cross_entropy = tf.keras.losses.SparseCategoricalCrossentropy(
    from_logits=True, ignore_class=IGNORED
  )

  def step(variables, optimizer):
    with tf.GradientTape() as tape:
      loss = cross_entropy(labels, model(images, training=True))
    gradients = tape.gradient(loss, variables)
    optimizer.apply_gradients(zip(gradients, variables))
    return float(loss)

  weights, architecture = (
    (variables, tf.keras.optimizers.Adam(0.01))
    for variables in (model.weight_variables, model.arch_variables)
  )
  losses, moved = [], []
  for _ in range(5):
    alphas = model.alphas.numpy()
    losses.append(step(*weights))
    np.testing.assert_array_equal(alphas, model.alphas)
    kernel = model.stem.convs[0].conv.kernel.numpy()
    step(*architecture)
    np.testing.assert_array_equal(kernel, model.stem.convs[0].conv.kernel)
    moved.append(np.any(alphas != model.alphas))
  assert all(moved)
  assert losses[-1] < losses[0]
