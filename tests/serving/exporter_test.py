# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is exported says what the model says, and holds nothing else."""

import dataclasses
from pathlib import Path
import sys

from absl import logging
import numpy as np
from PIL import Image
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from auto_deeplab.architecture.genotype import PUBLISHED, Genotype
from auto_deeplab.model.pixels import normalize
from auto_deeplab.serving import client, exporter
from tests.serving import tiny_segmenter


@pytest.fixture(scope='module')
def loaded(model_dir):
  return tf.saved_model.load(str(model_dir))


@pytest.fixture(scope='module')
def real_signature(real_model_dir):
  # `loaded` in the closure keeps the variables alive.
  loaded = tf.saved_model.load(str(real_model_dir))
  return lambda images: loaded.signatures['serving_default'](
    images=tf.constant(images)
  )


def random_images(*shape: int) -> np.ndarray:
  generator = np.random.default_rng(sum(shape))
  return generator.integers(0, 256, [*shape, 3], np.uint8)


def export_to(path, model, info, **options):
  return exporter.export(
    model,
    dataset_info=info,
    genotype=PUBLISHED,
    output_dir=path,
    step=1,
    **options,
  )


def assert_equal_outputs(actual, expected):
  assert set(actual) == set(expected) == {'labels', 'probabilities'}
  for name, value in expected.items():
    np.testing.assert_array_equal(actual[name], value)


def assert_most_probable(labels, probabilities):
  # Not by argmax: unlike logits may have equal probabilities.
  chosen = np.take_along_axis(
    np.asarray(probabilities), np.asarray(labels)[..., np.newaxis], axis=-1
  )
  np.testing.assert_array_equal(chosen[..., 0], np.max(probabilities, axis=-1))


class TestSignatures:
  @pytest.mark.parametrize(
    'shape', [(1, 1, 1), (1, 2, 7), (1, 33, 65), (3, 32, 47)]
  )
  def test_raw_equals_the_model(self, loaded, segmenter, shape):
    images = random_images(*shape)
    outputs = loaded.signatures['serving_default'](images=tf.constant(images))
    logits = segmenter(normalize(images), training=False)
    assert outputs['labels'].dtype == tf.uint8
    assert outputs['probabilities'].dtype == tf.float32
    assert_most_probable(outputs['labels'], outputs['probabilities'])
    np.testing.assert_allclose(
      outputs['probabilities'], tf.nn.softmax(logits), atol=1e-5
    )

  @pytest.mark.parametrize('batch', [1, 3])
  def test_encoded_png_equals_raw(self, loaded, batch):
    images = random_images(batch, 21, 34)
    encoded = tf.stack([tf.io.encode_png(image) for image in images])
    assert_equal_outputs(
      loaded.signatures['encoded'](image_bytes=encoded),
      loaded.signatures['serving_default'](images=tf.constant(images)),
    )

  @pytest.mark.parametrize('mode', ['RGB', 'L'])
  def test_encoded_jpeg_equals_raw_of_the_pixels_the_client_reads(
    self, loaded, tmp_path, mode
  ):
    path = tmp_path / 'picture.jpg'
    Image.fromarray(random_images(40, 31)).convert(mode).save(path)
    pixels = tf.constant(client.load_image(path)[np.newaxis])
    encoded = tf.constant([path.read_bytes()])
    assert_equal_outputs(
      loaded.signatures['encoded'](image_bytes=encoded),
      loaded.signatures['serving_default'](images=pixels),
    )

  def test_encoded_refuses_unlike_sizes_in_a_batch(self, loaded):
    encoded = [tf.io.encode_png(random_images(8, w)) for w in (8, 9)]
    with pytest.raises(tf.errors.InvalidArgumentError, match='shapes'):
      loaded.signatures['encoded'](image_bytes=tf.stack(encoded))

  def test_encoded_refuses_what_is_no_picture(self, loaded):
    with pytest.raises(
      tf.errors.InvalidArgumentError, match='neither a JPEG nor'
    ):
      loaded.signatures['encoded'](image_bytes=tf.constant([b'hello']))

  def test_rest_rows_fit(self, loaded):
    # TensorFlow Serving's REST rows: {"instances": [{"b64": ...}]} needs one
    # input, and one first dimension for it and all outputs. Vertex AI besides
    # knows binary inputs by `_bytes`.
    signature = loaded.signatures['encoded']
    (name,) = signature.structured_input_signature[1]
    assert name.endswith('_bytes')
    outputs = signature(
      image_bytes=tf.stack([tf.io.encode_png(random_images(4, 5))] * 2)
    )
    assert {len(value) for value in outputs.values()} == {2}


class TestRealSegmenter:
  @pytest.mark.parametrize(
    'shape', [(1, 4, 4), (1, 33, 65), (2, 40, 31), (3, 7, 18)]
  )
  def test_equals_the_model(self, real_segmenter, real_signature, shape):
    images = random_images(*shape)
    outputs = real_signature(images)
    logits = real_segmenter(normalize(images), training=False)
    np.testing.assert_allclose(
      outputs['probabilities'], tf.nn.softmax(logits), atol=1e-5
    )
    assert_most_probable(outputs['labels'], outputs['probabilities'])

  @pytest.mark.parametrize('shape', [(1, 1, 1), (2, 1, 3), (1, 2, 50)])
  def test_tiny_pictures(self, real_signature, shape):
    outputs = real_signature(random_images(*shape))
    assert outputs['labels'].shape == shape
    np.testing.assert_allclose(
      tf.reduce_sum(outputs['probabilities'], axis=-1), np.ones(shape), 1e-5
    )


class TestContents:
  def test_only_the_weights_of_inference(self, model_dir, segmenter):
    layers = segmenter.conv, segmenter.norm, segmenter.logits
    expected = [w.shape.as_list() for layer in layers for w in layer.weights]
    saved = [
      shape
      for name, shape in tf.train.list_variables(
        str(model_dir / 'variables' / 'variables')
      )
      if name != '_CHECKPOINTABLE_OBJECT_GRAPH'
    ]
    assert sorted(saved) == sorted(expected)

  def test_no_operation_of_training(self, model_dir):
    saved_model = saved_model_pb2.SavedModel.FromString(
      (model_dir / 'saved_model.pb').read_bytes()
    )
    (meta,) = saved_model.meta_graphs
    nodes = [
      node
      for function in meta.graph_def.library.function
      for node in function.node_def
    ]
    (norm,) = [node for node in nodes if node.op.startswith('FusedBatchNorm')]
    assert not norm.attr['is_training'].b
    # Two convolutions: one graph is behind both signatures.
    assert [node.op for node in nodes].count('Conv2D') == 2
    assert not [node.op for node in nodes if 'Random' in node.op]  # Dropout.

  def test_metadata(self, model_dir, segmenter, dataset_info):
    metadata = client.read_metadata(model_dir)
    layers = segmenter.conv, segmenter.norm, segmenter.logits
    assert metadata['dataset'] == 'tiny'
    assert metadata['class_names'] == list(dataset_info.class_names)
    assert metadata['colors'] == [list(c) for c in dataset_info.colors]
    assert metadata['ignore_label'] == 255
    assert metadata['step'] == tiny_segmenter.STEP
    assert metadata['compute_dtype'] == 'float32'
    assert Genotype.from_json(metadata['genotype']) == PUBLISHED
    assert metadata['num_weights'] == sum(x.count_params() for x in layers)

  def test_names_in_the_metadata_are_those_of_the_signatures(
    self, model_dir, loaded
  ):
    signatures = client.read_metadata(model_dir)['signatures']
    assert signatures == {
      name: next(iter(function.structured_input_signature[1]))
      for name, function in loaded.signatures.items()
    }

  def test_warmup_requests_run(self, model_dir, loaded):
    log_pb2 = pytest.importorskip(
      'tensorflow_serving.apis.prediction_log_pb2',
      reason='the extra `serving` is not installed',
    )
    records = tf.data.TFRecordDataset(
      str(model_dir / 'assets.extra' / 'tf_serving_warmup_requests')
    )
    names = []
    for record in records.as_numpy_iterator():
      request = log_pb2.PredictionLog.FromString(record).predict_log.request
      names.append(request.model_spec.signature_name)
      inputs = {
        name: tf.constant(tf.make_ndarray(value))
        for name, value in request.inputs.items()
      }
      outputs = loaded.signatures[names[-1]](**inputs)
      assert outputs['labels'].shape == [1, 65, 65]
    assert names == ['serving_default', 'encoded']

  def test_without_tensorflow_serving_the_log_says_so(
    self, segmenter, dataset_info, tmp_path, monkeypatch, caplog
  ):
    monkeypatch.setitem(sys.modules, 'tensorflow_serving', None)
    monkeypatch.setitem(sys.modules, 'tensorflow_serving.apis', None)
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.INFO)
    try:
      path = export_to(tmp_path / 'out', segmenter, dataset_info)
    finally:
      logging.set_verbosity(verbosity)
    extra = [file.name for file in (path / 'assets.extra').iterdir()]
    assert extra == ['metadata.json']
    assert 'No warm-up requests for TensorFlow Serving' in caplog.text


class TestOutputDir:
  def test_parents_are_made(self, segmenter, dataset_info, tmp_path):
    target = tmp_path / 'models' / 'demo' / '1'
    assert export_to(target, segmenter, dataset_info) == target
    assert client.read_metadata(target)['step'] == 1
    assert list(target.parent.iterdir()) == [target]

  def test_empty_one_is_filled(self, segmenter, dataset_info, tmp_path):
    export_to(tmp_path, segmenter, dataset_info)
    assert client.read_metadata(tmp_path)['step'] == 1

  def test_one_that_is_not_empty_is_refused_and_kept(
    self, segmenter, dataset_info, tmp_path
  ):
    kept = tmp_path / 'kept.txt'
    kept.write_text('kept')
    with pytest.raises(ValueError, match=f'{tmp_path}.*is not empty'):
      export_to(tmp_path, segmenter, dataset_info)
    assert list(tmp_path.iterdir()) == [kept]

  def test_file_is_refused(self, segmenter, dataset_info, tmp_path):
    path = tmp_path / 'file'
    path.write_text('kept')
    with pytest.raises(ValueError, match=f'{path}.*is not empty'):
      export_to(path, segmenter, dataset_info)

  @pytest.mark.parametrize(
    'error',
    [
      OSError('disk full'),
      tf.errors.ResourceExhaustedError(None, None, 'disk full'),
    ],
  )
  def test_failure_names_the_folder_and_leaves_nothing(
    self, segmenter, dataset_info, tmp_path, monkeypatch, error
  ):
    def fail(module, folder, **options):
      (Path(folder) / 'half').touch()
      raise error

    monkeypatch.setattr(tf.saved_model, 'save', fail)
    path = tmp_path / 'out'
    with pytest.raises(OSError, match=f"cannot write '{path}': disk full"):
      export_to(path, segmenter, dataset_info)
    assert list(tmp_path.iterdir()) == []


class TestRefusals:
  def test_other_number_of_classes(self, segmenter, dataset_info, tmp_path):
    info = dataclasses.replace(
      dataset_info,
      class_names=dataset_info.class_names[:3],
      colors=dataset_info.colors[:3],
    )
    with pytest.raises(
      ValueError, match='the model has 4 classes, the data set 3'
    ):
      export_to(tmp_path / 'out', segmenter, info)

  def test_layer_in_another_dtype(self, dataset_info, tmp_path):
    model = tf.keras.Sequential(
      [tf.keras.layers.Conv2D(4, 1, dtype='mixed_bfloat16', name='low')]
    )
    model.build([None, None, None, 3])
    with pytest.raises(
      ValueError,
      match="'low' computes in bfloat16, the export asks for float32",
    ):
      export_to(tmp_path / 'out', model, dataset_info)

  def test_bfloat16_on_request(self, dataset_info, tmp_path):
    tf.keras.utils.set_random_seed(3)
    model = tf.keras.Sequential(
      [tf.keras.layers.Conv2D(4, 1, dtype='mixed_bfloat16')]
    )
    model.build([None, None, None, 3])
    path = export_to(
      tmp_path / 'out', model, dataset_info, compute_dtype='bfloat16'
    )
    image = random_images(5, 6)
    probabilities = client.SavedModelClient(path).predict(image).probabilities
    logits = tf.cast(model(normalize(image[np.newaxis])), tf.float32)
    assert client.read_metadata(path)['compute_dtype'] == 'bfloat16'
    np.testing.assert_allclose(
      probabilities,
      tf.nn.softmax(logits)[0],
      atol=2e-2,  # bfloat16 has 8 bits.
    )

  def test_weights_that_are_not_finite(self, dataset_info, tmp_path):
    model = tf.keras.Sequential([tf.keras.layers.Conv2D(4, 1, name='broken')])
    model.build([None, None, None, 3])
    model.weights[1].assign([0.0, np.nan, 0.0, 0.0])
    with pytest.raises(ValueError, match="'broken/bias:0' is not finite"):
      export_to(tmp_path / 'out', model, dataset_info)

  def test_model_without_weights(self, dataset_info, tmp_path):
    model = tf.keras.Sequential([tf.keras.layers.Conv2D(4, 1)], name='empty')
    with pytest.raises(ValueError, match="'empty' is not built"):
      export_to(tmp_path / 'out', model, dataset_info)
