# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""`tools/export.py` as a user runs it, on a training of one step."""

import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture.genotype import Genotype
from auto_deeplab.data.records import conversion
from auto_deeplab.data.sources import landscape, layouts, synthetic
from auto_deeplab.evaluation import evaluator, inference
from auto_deeplab.experiments import train
from auto_deeplab.model import pixels
from auto_deeplab.runs import run as run_lib
from auto_deeplab.runs import trained_network
from auto_deeplab.serving import client, engines, exporter
from auto_deeplab.training import distribution

pytestmark = pytest.mark.slow

GENOTYPE = Genotype(
  cell=(((0, 'sep_conv_3x3'), (1, 'skip_connect')),), backbone=(0, 1)
)


@pytest.fixture(scope='module')
def run_dir(tmp_path_factory):
  root = tmp_path_factory.mktemp('export_tool')
  synthetic.draw_folder(
    root / 'pictures', num_examples={'train': 2, 'val': 1}, image_size=(64, 64)
  )
  conversion.write_dataset(
    layouts.open_source('folder', root / 'pictures'), root / 'data'
  )
  config = configs.TrainExperiment(
    runtime=configs.RuntimeConfig(
      # Training in another dtype: the export is in float32 all the same.
      precision='mixed_bfloat16',
      steps_per_loop=1,
      checkpoint_interval=1,
    ),
    input=configs.InputConfig(crop_size=(33, 33), batch_size=2),
    segmenter=configs.SegmenterConfig(
      filter_multiplier=2,
      stem_filters=(4, 4, 8),
      aspp_filters=8,
      low_level_filters=4,
      decoder_filters=8,
      drop_path_keep_prob=0.5,
      batch_norm_momentum=0.01,
    ),
    loss=configs.LossConfig(),
    weight_optimizer=configs.WeightOptimizerConfig(),
    schedule=configs.TrainConfig(train_steps=1),
  )
  place = run_lib.Place(str(root / 'data'), str(root / 'run'))
  train.run(config, GENOTYPE, place)
  tf.keras.mixed_precision.set_global_policy('float32')
  return root / 'run'


@pytest.fixture
def run_export(repository):
  def run(**flags):
    return subprocess.run(
      [
        sys.executable,
        'tools/export.py',
        *(f'--{name}={value}' for name, value in flags.items()),
      ],
      cwd=repository,
      capture_output=True,
      text=True,
    )

  return run


def test_exports_what_was_trained(run_export, run_dir, tmp_path):
  output_dir = tmp_path / 'saved_model'
  result = run_export(
    run_dir=run_dir, output_dir=output_dir, max_pixels=2000, canvas_steps=1
  )
  assert result.returncode == 0, result.stderr
  assert result.stdout.splitlines()[-1] == (
    f'Wrote the SavedModel of step 1 to {output_dir}. Next: python '
    f'tools/predict.py --model_dir={output_dir} --input=PICTURES '
    '--output_dir=predictions'
  )
  model = client.SavedModelClient(output_dir)
  assert model.class_names == tuple(landscape.CLASSES)
  assert model.colors == tuple(landscape.CLASSES.values())
  assert Genotype.from_json(model.metadata['genotype']) == GENOTYPE
  assert model.metadata['step'] == 1
  assert model.max_pixels == 2000
  assert model.metadata['input']['canvas_steps'] == 1
  image = np.random.default_rng(0).integers(0, 256, [31, 46, 3], np.uint8)
  trained = trained_network.load_segmenter(run_dir).model
  logits = trained(image[np.newaxis], training=False)
  probabilities = model.predict(image, probabilities=True).probabilities
  assert probabilities is not None
  np.testing.assert_allclose(probabilities, tf.nn.softmax(logits)[0], atol=1e-5)


def test_the_saved_model_and_the_evaluator_label_alike_at_any_size(
  run_dir, tmp_path
):
  """Sizes whose maps do not nest, primes among them, down to one pixel."""
  loaded = trained_network.load_segmenter(run_dir)
  logits = loaded.model.logits
  logits.kernel.assign(
    tf.random.stateless_normal(logits.kernel.shape, [0, 1], stddev=100)
  )
  logits.bias.assign(tf.zeros_like(logits.bias))
  path = exporter.export(
    loaded.model,
    dataset_info=loaded.dataset_info,
    genotype=GENOTYPE,
    output_dir=tmp_path / 'saved_model',
    step=1,
  )
  served = client.SavedModelClient(path)
  evaluate = evaluator.make_evaluator(
    distribution.make_strategy('one_device'),
    loaded.model,
    run_dir.parent / 'data',
    'val',
    on_picture=lambda picture: found.append(picture.prediction),
  )
  sizes = [(1, 1), (2, 3), (7, 5), (13, 17), (16, 16)]
  sizes += [(31, 46), (37, 41), (64, 64), (65, 66), (97, 30)]
  generator = np.random.default_rng(0)
  images = [generator.integers(0, 256, [*s, 3], np.uint8) for s in sizes]
  found: list[np.ndarray] = []

  def batches():
    for image in images:
      label = np.zeros([1, *image.shape[:2]], np.uint8)
      name = np.frombuffer(b'picture', np.uint8)[np.newaxis]
      yield {'image': image[np.newaxis], 'label': label, 'filename': name}

  evaluate.eval_dataset = tf.data.Dataset.from_generator(
    batches,
    output_signature={
      'image': tf.TensorSpec([1, None, None, 3], tf.uint8),
      'label': tf.TensorSpec([1, None, None], tf.uint8),
      'filename': tf.TensorSpec([1, None], tf.uint8),
    },
  )
  evaluate.evaluate(tf.constant(-1))
  for image, labels in zip(images, found, strict=True):
    np.testing.assert_array_equal(served.predict(image).labels, labels)
  assert len(np.unique(np.concatenate([f.ravel() for f in found]))) > 1


def test_writes_files_of_other_runtimes_beside_it(
  run_export, run_dir, tmp_path
):
  flags = {
    'run_dir': run_dir,
    'data_dir': run_dir.parent / 'data',
    'output_dir': tmp_path / 'model',
    'format': 'saved_model,tflite',
  }
  result = run_export(**flags)
  assert result.returncode == 0, result.stderr
  assert re.fullmatch(
    f'Wrote {tmp_path}/model.tflite: its labels are those of the SavedModel on '
    r'(100|99\.9\d\d?)\.?0*% of the pixels of 1 pictures of the data set\.',
    result.stdout.splitlines()[0],
  )
  image = np.random.default_rng(0).integers(0, 256, [31, 46, 3], np.uint8)
  both = [engines.load(tmp_path / name) for name in ('model', 'model.tflite')]
  first, second = (
    each.predict(image, probabilities=True).probabilities for each in both
  )
  assert first is not None
  assert second is not None
  np.testing.assert_allclose(first, second, atol=1e-5)


def test_a_loss_of_integers_is_measured(run_export, run_dir, tmp_path):
  result = run_export(
    run_dir=run_dir,
    data_dir=run_dir.parent / 'data',
    output_dir=tmp_path / 'model',
    format='tflite',
    quantize='int8',
    calibration_pictures=2,
    size='65x65',
  )
  assert result.returncode == 0, result.stderr
  lines = result.stdout.splitlines()
  assert re.fullmatch(r'mIoU in int8 0\.\d{4}, in float32 0\.\d{4}\.', lines[0])
  assert lines[1].startswith(f'Wrote {tmp_path}/model-int8.tflite: ')
  model = engines.open_file(tmp_path / 'model-int8.tflite')
  assert (model.size, model.metadata['compute_dtype']) == ((65, 65), 'int8')


def test_a_saved_model_in_bfloat16_is_measured(run_export, run_dir, tmp_path):
  result = run_export(
    run_dir=run_dir,
    data_dir=run_dir.parent / 'data',
    output_dir=tmp_path / 'model',
    quantize='bfloat16',
  )
  assert result.returncode == 0, result.stderr
  line = r'mIoU in bfloat16 0\.\d{4}, in float32 0\.\d{4}\.'
  assert re.fullmatch(line, result.stdout.splitlines()[0])
  model = engines.load(tmp_path / 'model')
  assert model.metadata['compute_dtype'] == 'bfloat16'
  image = np.zeros([31, 46, 3], np.uint8)
  probabilities = model.predict(image, probabilities=True).probabilities
  assert probabilities is not None
  assert probabilities.dtype == np.float32
  assert list(tmp_path.iterdir()) == [tmp_path / 'model']


def test_views_are_those_of_an_evaluation(run_export, run_dir, tmp_path):
  result = run_export(
    run_dir=run_dir,
    output_dir=tmp_path / 'model',
    scales='0.5,1.5',
    flip='true',
    long_side=60,
  )
  assert result.returncode == 0, result.stderr
  model = client.SavedModelClient(tmp_path / 'model')
  assert model.metadata['views'] == {
    'scales': [0.5, 1.5],
    'use_flip': True,
    'long_side': 60,
  }
  trained = trained_network.load_segmenter(run_dir).model
  image = np.random.default_rng(0).integers(0, 256, [31, 46, 3], np.uint8)
  logits = inference.logits(
    lambda images: trained(images, training=False),
    pixels.normalize(image[np.newaxis]),
    len(model.class_names),
    configs.EvalConfig(scales=(0.5, 1.5), use_flip=True, long_side=60),
  )
  probabilities = model.predict(image, probabilities=True).probabilities
  assert probabilities is not None
  np.testing.assert_allclose(probabilities, tf.nn.softmax(logits)[0], atol=1e-5)


@pytest.mark.parametrize(
  ('wrong', 'message'),
  [
    ({'scales': '1,big'}, '--scales (1,big) must be numbers, such as 0.75,1'),
    (
      {'scales': '0.5', 'format': 'onnx'},
      '--scales, --flip and --long_side are for the SavedModel alone.',
    ),
    ({'format': 'torch'}, "--format ('torch') must be one of ["),
    ({'size': '513x513'}, '--size is for the files that --format asks for.'),
    (
      {'size': '513', 'format': 'onnx'},
      '--size (513) must be HEIGHTxWIDTH, such as 513x513.',
    ),
    ({'quantize': 'int8', 'format': 'tflite'}, '--quantize needs --data_dir'),
    ({'quantize': 'int8', 'data_dir': 'data'}, '--quantize needs --data_dir'),
    (
      {'quantize': 'bfloat16'},
      '--quantize needs --data_dir, and int8 --format',
    ),
  ],
)
def test_what_cannot_be_is_refused_at_once(
  run_export, tmp_path, wrong, message
):
  result = run_export(run_dir='no', output_dir=tmp_path / 'model', **wrong)
  assert result.returncode == 1
  assert f'export: {message}' in result.stderr.splitlines()[-1]


def test_folder_in_use_is_refused(run_export, tmp_path):
  (tmp_path / 'kept.txt').touch()
  result = run_export(run_dir='unread', output_dir=tmp_path)
  assert result.returncode == 1
  assert result.stderr.splitlines()[-1] == (
    f"export: the output folder '{tmp_path}' already exists and is not empty; "
    'take another.'
  )


def test_folder_without_a_run_is_refused(run_export, tmp_path):
  result = run_export(run_dir=tmp_path, output_dir=tmp_path / 'saved_model')
  assert result.returncode == 1
  message = result.stderr.splitlines()[-1]
  assert message.startswith('export: ')
  assert f'{tmp_path}/config.gin does not exist' in message
  assert list(tmp_path.iterdir()) == []
