# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a TF1 checkpoint holds arrives; what does not fit is named."""

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.data import datasets, palette
from auto_deeplab.data.records import tfrecord
from auto_deeplab.data.sources import cityscapes, pascal
from auto_deeplab.evaluation import evaluation
from auto_deeplab.experiments import train
from auto_deeplab.interop import tf1_import, tf1_names
from auto_deeplab.runs import run as run_lib
from auto_deeplab.runs import trained_network
from auto_deeplab.serving import client, exporter
from tests import tiny
from tests.interop import tf1_checkpoints

pytestmark = pytest.mark.slow

STEP = 7
GOES_ON = tiny.train_config(schedule={'train_steps': STEP + 2})


def _run(data_dir, tmp_path, arrays, config=None, genotype=tiny.GENOTYPE):
  return tf1_import.run(
    config or tiny.train_config(),
    genotype,
    tf1_checkpoint=tf1_checkpoints.write(tmp_path, arrays),
    data_dir=data_dir,
    run_dir=tmp_path / 'run',
  )


@pytest.fixture(scope='module')
def variables(data_dir):
  """Of the tiny network."""
  return tf1_checkpoints.random_variables(
    tiny.GENOTYPE,
    tiny.train_config().segmenter,
    tfrecord.load_info(data_dir).num_classes,
  )


# What arrives ----------------------------------------------------------------


def test_the_published_network_arrives(data_dir, tmp_path):
  config = tiny.train_config()
  num_classes = tfrecord.load_info(data_dir).num_classes
  arrays = tf1_checkpoints.random_variables(
    genotype_lib.PUBLISHED, config.segmenter, num_classes
  )
  state = tf1_checkpoints.training_state(arrays, STEP)
  imported = _run(data_dir, tmp_path, state, config, genotype_lib.PUBLISHED)
  assert imported.path == str(tmp_path / f'run/checkpoints/ckpt-{STEP}')
  assert (imported.num_variables, imported.step) == (1370, STEP)
  slots = [name for name in state if name.endswith('/Momentum')]
  assert len(slots) == 890
  assert list(imported.unused) == sorted(slots)
  loaded = trained_network.load_segmenter(tmp_path / 'run')
  assert (loaded.step, loaded.genotype) == (STEP, genotype_lib.PUBLISHED)
  found = tf1_names.variables_by_name(loaded.model)
  assert found.keys() == arrays.keys()
  for name, value in arrays.items():
    np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.fixture
def run_dir(data_dir, tmp_path, variables):
  """The tiny network, imported."""
  state = tf1_checkpoints.training_state(variables, STEP)
  _run(data_dir, tmp_path, state, GOES_ON)
  return tmp_path / 'run'


def test_evaluation_and_export_take_the_folder(run_dir, data_dir, tmp_path):
  place = run_lib.Place(str(data_dir), str(run_dir))
  assert evaluation.run(place).step == STEP
  loaded = trained_network.load_segmenter(run_dir)
  exporter.export(
    loaded.model,
    dataset_info=loaded.dataset_info,
    genotype=loaded.genotype,
    output_dir=tmp_path / 'saved_model',
    step=loaded.step,
  )
  image = np.zeros([33, 41, 3], np.uint8)
  prediction = client.SavedModelClient(tmp_path / 'saved_model').predict(image)
  assert prediction.labels.shape == (33, 41)


def test_a_training_goes_on_from_the_step(run_dir, data_dir):
  place = run_lib.Place(str(data_dir), str(run_dir))
  train.run(GOES_ON, tiny.GENOTYPE, place)
  reader = tf.train.load_checkpoint(str(run_dir / 'checkpoints'))
  keys = reader.get_variable_to_shape_map()
  # The learning rate follows from the optimizer's own count.
  (count,) = [key for key in keys if key.startswith('optimizer/_iterations/')]
  assert reader.get_tensor(count) == STEP + 2
  rows = (run_dir / 'metrics.jsonl').read_text().splitlines()
  assert rows[0].startswith(f'{{"step": {STEP + 1}, ')


def test_without_a_step_the_training_begins_at_0(data_dir, tmp_path, variables):
  # As a recipe for another precision has it: one more optimizer around ours.
  config = tiny.train_config(
    runtime={'precision': 'mixed_float16'}, schedule={'ema_momentum': 0.3}
  )
  extra = {'ema/decay': np.array(0.5, np.float32)}
  imported = _run(data_dir, tmp_path, variables | extra, config)
  assert (imported.step, imported.unused) == (0, ('ema/decay',))
  loaded = trained_network.load_segmenter(tmp_path / 'run')
  assert loaded.step == 0
  # Averages begin with the weights that were imported.
  np.testing.assert_array_equal(
    loaded.model.logits.bias, variables[tf1_names.LOGITS_BIAS]
  )


# Without a data set ---------------------------------------------------------


def _with_classes(variables, num_classes):
  """The same network, with logits of so many classes."""
  shape = variables['logits/semantic/weights'].shape[:-1]
  return variables | {
    'logits/semantic/weights': np.zeros([*shape, num_classes], np.float32),
    'logits/semantic/biases': np.zeros(num_classes, np.float32),
  }


@pytest.mark.parametrize(
  ('num_classes', 'name', 'table'),
  [(19, 'cityscapes', cityscapes), (21, 'voc', pascal)],
)
def test_the_number_of_classes_tells_which(
  tmp_path, variables, num_classes, name, table
):
  _run(None, tmp_path, _with_classes(variables, num_classes))
  info = trained_network.load_segmenter(tmp_path / 'run').dataset_info
  assert (info.name, info.splits) == (name, {})
  assert (info.class_names, info.colors) == (table.CLASS_NAMES, table.COLORS)


@pytest.fixture
def unnamed_dir(tmp_path, variables):
  """The tiny network, imported without a data set."""
  imported = _run(None, tmp_path, variables, GOES_ON)
  names = tuple(f'class_{i}' for i in range(7))
  assert imported.dataset_info == datasets.DatasetInfo(
    'tf1_checkpoint', names, palette.default_colors(7)
  )
  return tmp_path / 'run'


def test_the_training_s_data_set_takes_the_place_of_the_table(
  unnamed_dir, data_dir
):
  place = run_lib.Place(str(data_dir), str(unnamed_dir))
  assert evaluation.run(place).scores['pixel_accuracy'] < 1
  train.run(GOES_ON, tiny.GENOTYPE, place)
  table = (unnamed_dir / 'dataset.json').read_text()
  assert table == (data_dir / 'dataset.json').read_text()


def test_a_training_with_other_classes_than_the_table_s_is_refused(
  tmp_path, data_dir, variables
):
  _run(None, tmp_path, _with_classes(variables, 21), GOES_ON)
  table = (tmp_path / 'run/dataset.json').read_text()
  place = run_lib.Place(str(data_dir), str(tmp_path / 'run'))
  with pytest.raises(ValueError, match=r'dataset\.json differs from what'):
    train.run(GOES_ON, tiny.GENOTYPE, place)
  assert (tmp_path / 'run/dataset.json').read_text() == table


def test_the_checkpoint_tells_its_width(tmp_path, variables):
  path = tf1_checkpoints.write(tmp_path, variables)
  assert tf1_import.settings(path, tiny.GENOTYPE) == (
    'SegmenterConfig.filter_multiplier = 2',
  )


# Refusals --------------------------------------------------------------------

NAME = 'hnasnet/conv0/weights'


def _refusal(data_dir, tmp_path, arrays, config=None):
  with pytest.raises(ValueError) as error:
    _run(data_dir, tmp_path, arrays, config)
  assert not (tmp_path / 'run').exists()
  return str(error.value)


def test_missing_variables_are_named_and_counted(data_dir, tmp_path, variables):
  arrays = {k: v for k, v in variables.items() if 'aspp1/' not in k}
  assert _refusal(data_dir, tmp_path, arrays) == (
    "the variable 'aspp1/weights' is missing (4 more do not fit)."
  )


def test_without_logits_and_data_set_the_classes_are_unknown(
  tmp_path, variables
):
  arrays = {k: v for k, v in variables.items() if 'logits/' not in k}
  assert _refusal(None, tmp_path, arrays) == (
    "the variable 'logits/semantic/biases' is missing, which tells the number "
    'of classes.'
  )


def test_a_misshaped_variable_is_named(data_dir, tmp_path, variables):
  arrays = variables | {NAME: np.zeros([3, 3, 3, 5], np.float32)}
  assert _refusal(data_dir, tmp_path, arrays) == (
    f"the variable '{NAME}' has the shape (3, 3, 3, 5), the network's has "
    '(3, 3, 3, 4).'
  )


def test_nan_is_refused_by_name_and_place(data_dir, tmp_path, variables):
  value = variables[NAME].copy()
  value[0, 2, 1, 3] = np.nan
  assert _refusal(data_dir, tmp_path, variables | {NAME: value}) == (
    f"the variable '{NAME}' is nan at [0, 2, 1, 3]."
  )


def test_another_width_is_refused_as_the_setting(data_dir, tmp_path, variables):
  config = tiny.train_config(segmenter={'filter_multiplier': 3})
  assert _refusal(data_dir, tmp_path, variables, config) == (
    '`SegmenterConfig.filter_multiplier` (3) must be 2: '
    "'hnasnet/cell_0/1x1/weights' has the shape (1, 1, 8, 2)."
  )


def test_other_classes_are_refused(data_dir, tmp_path, variables):
  info = tfrecord.load_info(data_dir)
  bias = {'logits/semantic/biases': np.zeros(19, np.float32)}
  assert _refusal(data_dir, tmp_path, variables | bias) == (
    f'the data set {info.name} has {info.num_classes} classes, the checkpoint '
    "19 ('logits/semantic/biases')."
  )


def test_a_folder_that_is_in_use_is_refused(data_dir, tmp_path):
  (tmp_path / 'notes.txt').touch()
  with pytest.raises(ValueError) as error:
    tf1_import.run(
      tiny.train_config(),
      tiny.GENOTYPE,
      tf1_checkpoint='none',
      data_dir=data_dir,
      run_dir=tmp_path,
    )
  assert str(error.value) == f'{tmp_path} already exists and is not empty.'


@pytest.mark.parametrize('content', [None, b'', b'no checkpoint' * 100])
def test_a_path_that_is_no_checkpoint_is_named(data_dir, tmp_path, content):
  path = tmp_path / 'model.ckpt'
  if content is not None:
    path.with_suffix('.ckpt.index').write_bytes(content)
  with pytest.raises((FileNotFoundError, ValueError)) as error:
    tf1_import.run(
      tiny.train_config(),
      tiny.GENOTYPE,
      tf1_checkpoint=str(path),
      data_dir=data_dir,
      run_dir=tmp_path / 'run',
    )
  if content is None:
    assert str(error.value) == (
      f'{path} is no checkpoint: {path}.index does not exist.'
    )
  assert str(path) in str(error.value)
  assert 'damaged' in str(error.value) or content is None
  assert not (tmp_path / 'run').exists()


def test_a_damaged_checkpoint_is_named(data_dir, tmp_path, variables):
  path = tf1_checkpoints.write(tmp_path, variables)
  data = tmp_path / 'model.ckpt.data-00000-of-00001'
  data.write_bytes(data.read_bytes()[:100])
  with pytest.raises(ValueError, match=f'{path} does not fit .* damaged'):
    tf1_import.run(
      tiny.train_config(),
      tiny.GENOTYPE,
      tf1_checkpoint=path,
      data_dir=data_dir,
      run_dir=tmp_path / 'run',
    )
