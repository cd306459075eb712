# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is exported says what the model says, and holds nothing else."""

import dataclasses
import os
from pathlib import Path
import sys
from unittest import mock

from absl import logging
import numpy as np
from PIL import Image
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from auto_deeplab import configs
from auto_deeplab.architecture.genotype import PUBLISHED, Genotype
from auto_deeplab.model.pixels import normalize
from auto_deeplab.serving import client, exporter, module
from tests.serving import tiny_segmenter


@pytest.fixture(scope='module')
def loaded(model_dir):
  return tf.saved_model.load(str(model_dir))


@pytest.fixture(scope='module')
def real_signature(real_model_dir):
  # `loaded` in the closure keeps the variables alive.
  loaded = tf.saved_model.load(str(real_model_dir))

  def call(images: np.ndarray) -> dict[str, tf.Tensor]:
    outputs: dict[str, tf.Tensor] = {}
    for name in ('serving_default', 'probabilities'):
      outputs |= loaded.signatures[name](images=tf.constant(images))
    return outputs

  return call


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


def assert_most_probable(labels, probabilities):
  # Not by argmax: unlike logits may have equal probabilities.
  chosen = np.take_along_axis(
    np.asarray(probabilities), np.asarray(labels)[..., np.newaxis], axis=-1
  )
  np.testing.assert_array_equal(chosen[..., 0], np.max(probabilities, axis=-1))


@pytest.fixture(scope='module')
def segment(loaded):
  def call(*files: bytes, signature: str = 'segment') -> dict[str, np.ndarray]:
    outputs = loaded.signatures[signature](
      image_bytes=tf.constant(files, tf.string, [len(files)])
    )
    return {name: value.numpy() for name, value in outputs.items()}

  return call


def png(pixels: np.ndarray) -> bytes:
  return tf.io.encode_png(pixels).numpy()


class TestImages:
  @pytest.mark.parametrize(
    'shape', [(1, 1, 1), (1, 2, 7), (1, 33, 65), (3, 32, 47)]
  )
  def test_each_signature_says_what_the_model_says(
    self, loaded, segmenter, shape
  ):
    images = random_images(*shape)
    outputs = {
      name: loaded.signatures[name](images=tf.constant(images))
      for name in (
        'serving_default',
        'probabilities',
        'quantized_probabilities',
      )
    }
    (labels,) = outputs['serving_default'].values()
    (probabilities,) = outputs['probabilities'].values()
    (quantized,) = outputs['quantized_probabilities'].values()
    logits = segmenter(normalize(images), training=False)
    assert labels.dtype == quantized.dtype == tf.uint8
    assert probabilities.dtype == tf.float32
    assert_most_probable(labels, probabilities)
    np.testing.assert_allclose(probabilities, tf.nn.softmax(logits), atol=1e-5)
    np.testing.assert_array_equal(quantized, np.round(255 * probabilities))

  def test_each_signature_has_outputs_of_its_own_name(self, loaded):
    assert {
      name: sorted(function.structured_outputs)
      for name, function in loaded.signatures.items()
    } == {
      'serving_default': ['labels'],
      'probabilities': ['probabilities'],
      'quantized_probabilities': ['probabilities'],
      'segment': FILE_OUTPUTS,
      'segment_with_confidence': sorted(
        [*FILE_OUTPUTS, 'confidence_png_bytes']
      ),
    }


FILE_OUTPUTS = [
  'class_names',
  'class_pixels',
  'colors',
  'error',
  'label_png_bytes',
]


class TestFiles:
  def test_unlike_sizes_are_labelled_as_alone(self, loaded, segment):
    pictures = [random_images(*size) for size in ((21, 34), (1, 1), (40, 7))]
    outputs = segment(*map(png, pictures))
    assert sorted(outputs) == FILE_OUTPUTS
    for index, picture in enumerate(pictures):
      labels = tf.io.decode_png(outputs['label_png_bytes'][index])[..., 0]
      expected = loaded.signatures['serving_default'](
        images=tf.constant(picture[np.newaxis])
      )
      np.testing.assert_array_equal(labels, expected['labels'][0])
      np.testing.assert_array_equal(
        outputs['class_pixels'][index], np.bincount(np.ravel(labels), None, 4)
      )
    assert outputs['error'].tolist() == [b''] * 3

  def test_a_bad_file_fails_none_beside_it(self, segment):
    good = [png(random_images(8, 9)), png(random_images(5, 5))]
    bad = [b'hello', good[0][:-30]]
    outputs = segment(good[0], *bad, good[1])
    alone = [segment(data) for data in good]
    assert outputs['error'].tolist() == [
      b'',
      b'neither a JPEG nor a PNG.',
      b'damaged or cut off.',
      b'',
    ]
    for index, expected in zip((0, 3), alone, strict=True):
      for name in FILE_OUTPUTS:
        np.testing.assert_array_equal(outputs[name][index], expected[name][0])
    for index in (1, 2):
      assert outputs['label_png_bytes'][index] == b''
      assert outputs['class_pixels'][index].tolist() == [0] * 4

  def test_names_and_colors_come_with_each_picture(self, segment, dataset_info):
    outputs = segment(png(random_images(3, 4)), b'')
    for names, colors in zip(outputs['class_names'], outputs['colors']):
      assert [n.decode() for n in names] == list(dataset_info.class_names)
      np.testing.assert_array_equal(colors, dataset_info.colors)

  def test_confidence_is_the_probability_of_the_label(self, loaded, segment):
    picture = random_images(12, 9)
    outputs = segment(png(picture), b'', signature='segment_with_confidence')
    confidence = tf.io.decode_png(outputs['confidence_png_bytes'][0])[..., 0]
    quantized = loaded.signatures['quantized_probabilities'](
      images=tf.constant(picture[np.newaxis])
    )
    np.testing.assert_array_equal(
      confidence, np.max(quantized['probabilities'][0], axis=-1)
    )
    assert outputs['confidence_png_bytes'][1] == b''
    without = segment(png(picture), b'')
    for name, value in without.items():
      np.testing.assert_array_equal(value, outputs[name])

  @pytest.mark.parametrize('mode', ['RGB', 'L'])
  @pytest.mark.parametrize('orientation', [1, 6])
  def test_a_jpeg_is_labelled_as_the_client_reads_it(
    self, loaded, segment, tmp_path, mode, orientation
  ):
    path = tmp_path / 'picture.jpg'
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(random_images(40, 31)).convert(mode)
    picture.save(path, exif=exif)
    pixels = tf.constant(client.load_image(path)[np.newaxis])
    found = segment(path.read_bytes())['label_png_bytes'][0]
    expected = loaded.signatures['serving_default'](images=pixels)['labels']
    np.testing.assert_array_equal(tf.io.decode_png(found)[..., 0], expected[0])

  def test_no_files_are_no_pictures(self, segment):
    assert {len(value) for value in segment().values()} == {0}

  def test_rest_rows_fit(self, loaded):
    # TensorFlow Serving's REST rows: {"instances": [{"b64": ...}]} needs one
    # input, and one first dimension for it and all outputs. Vertex AI besides
    # knows binary inputs by `_bytes`.
    signature = loaded.signatures['segment']
    (name,) = signature.structured_input_signature[1]
    assert name.endswith('_bytes')
    outputs = signature(image_bytes=tf.fill([2], png(random_images(4, 5))))
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
    # Two convolutions: one graph is behind all signatures.
    assert [node.op for node in nodes].count('Conv2D') == 2
    assert not [node.op for node in nodes if 'Random' in node.op]  # Dropout.

  def test_loading_warns_of_no_gradient(self, model_dir, caplog):
    loaded = tf.saved_model.load(str(model_dir))
    assert not [record for record in caplog.records if record.levelno >= 30]
    images = tf.zeros([1, 9, 9, 3], tf.uint8)
    assert loaded.signatures['serving_default'](images=images)

  def test_metadata(self, model_dir, segmenter, dataset_info):
    metadata = client.read_metadata(model_dir)
    layers = segmenter.conv, segmenter.norm, segmenter.logits
    assert metadata['dataset'] == 'tiny'
    assert metadata['class_names'] == list(dataset_info.class_names)
    assert metadata['colors'] == [list(c) for c in dataset_info.colors]
    assert metadata['values'] == list(dataset_info.own_values)
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
      assert {len(value) for value in outputs.values()} == {1}
    assert sorted(names) == sorted(loaded.signatures)

  def test_each_canvas_is_warmed_up(self, real_model_dir):
    log_pb2 = pytest.importorskip(
      'tensorflow_serving.apis.prediction_log_pb2',
      reason='the extra `serving` is not installed',
    )
    records = tf.data.TFRecordDataset(
      str(real_model_dir / 'assets.extra' / 'tf_serving_warmup_requests')
    )
    sides = []
    for record in records.as_numpy_iterator():
      request = log_pb2.PredictionLog.FromString(record).predict_log.request
      if request.model_spec.signature_name == 'segment':
        (data,) = request.inputs['image_bytes'].string_val
        sides.append(tf.io.decode_png(data).shape[0])
    expected = module.canvas_sides(16, configs.ServingConfig())
    assert sorted(sides) == [side for side in expected if side <= 1025]

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

  def test_what_a_killed_export_left_is_removed(
    self, segmenter, dataset_info, tmp_path
  ):
    own = f'.out.{os.getppid()}.tmp'  # Of a process that is there.
    for name in ('.out.99999999.tmp', '.other.99999999.tmp', own):
      (tmp_path / name).mkdir()
      (tmp_path / name / 'saved_model.pb').touch()
    target = export_to(tmp_path / 'out', segmenter, dataset_info)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == sorted(['.other.99999999.tmp', own, target.name])

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

  @pytest.mark.parametrize('name', ['', '2', '10'])
  def test_where_versions_are_the_next_is_proposed(self, tmp_path, name):
    for version in ('2', '10', '10.old'):
      (tmp_path / version / 'variables').mkdir(parents=True)
    with pytest.raises(ValueError, match=f"not empty; take '{tmp_path}/11'"):
      exporter.require_free(tmp_path / name)
    assert exporter.require_free(tmp_path / '11') == tmp_path / '11'

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

  def test_what_is_not_accepted_is_not_there(
    self, segmenter, dataset_info, tmp_path
  ):
    asked = []

    def refuse(model):
      asked.append(model.class_names)
      raise ValueError('too bad')

    with pytest.raises(ValueError, match='too bad'):
      export_to(tmp_path / 'out', segmenter, dataset_info, accept=refuse)
    assert asked == [dataset_info.class_names]
    assert list(tmp_path.iterdir()) == []

  def test_a_lack_of_memory_is_no_failure_to_write(
    self, segmenter, dataset_info, tmp_path, monkeypatch
  ):
    error = tf.errors.ResourceExhaustedError(None, None, 'OOM')
    monkeypatch.setattr(exporter, '_compare', mock.Mock(side_effect=error))
    with pytest.raises(tf.errors.ResourceExhaustedError, match='OOM'):
      export_to(tmp_path / 'out', segmenter, dataset_info, pictures=['any'])
    assert list(tmp_path.iterdir()) == []


class TestRefusals:
  def test_other_number_of_classes(self, segmenter, dataset_info, tmp_path):
    info = dataclasses.replace(
      dataset_info,
      class_names=dataset_info.class_names[:3],
      colors=dataset_info.colors[:3],
      values=dataset_info.values[:3],
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
    model_client = client.SavedModelClient(path)
    prediction = model_client.predict(image, probabilities=True)
    assert prediction.probabilities is not None
    logits = tf.cast(model(normalize(image[np.newaxis])), tf.float32)
    assert client.read_metadata(path)['compute_dtype'] == 'bfloat16'
    np.testing.assert_allclose(
      prediction.probabilities,
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
