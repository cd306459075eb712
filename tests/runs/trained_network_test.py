# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A training's network is loaded whole, or refused."""

import dataclasses
import shutil

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.data.records import info_file, tfrecord
from auto_deeplab.evaluation import evaluation
from auto_deeplab.runs import run as run_lib
from auto_deeplab.runs import trained_network
from tests import tiny
from tests.experiments import runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def trained(data_dir, tmp_path_factory):
  run_dir = tmp_path_factory.mktemp('trained')
  runs.train(data_dir, run_dir, schedule={'train_steps': 1})
  return run_dir


@pytest.fixture
def run_dir(trained, tmp_path):
  """A copy of a training, to be damaged."""
  return shutil.copytree(trained, tmp_path / 'run')


def _load_error(run_dir, error_type=ValueError, **kwargs):
  with pytest.raises(error_type) as error:
    trained_network.load_segmenter(run_dir, **kwargs)
  assert len(str(error.value).splitlines()) == 1
  return str(error.value)


def test_the_network_comes_back_with_its_weights(trained):
  loaded = trained_network.load_segmenter(trained)
  assert (loaded.step, loaded.genotype) == (1, tiny.GENOTYPE)
  values = runs.checkpoint(trained, 1)
  kernel = loaded.model.logits.kernel
  key = 'model/logits/kernel/.ATTRIBUTES/VARIABLE_VALUE'
  np.testing.assert_array_equal(kernel, values[key])
  assert trained_network.load_segmenter(trained, checkpoint='best').step == 1


@pytest.mark.parametrize('suffix', ['.index', '.data-00000-of-00001'])
def test_a_truncated_checkpoint_is_named(run_dir, suffix):
  file = run_dir / f'checkpoints/ckpt-1{suffix}'
  file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
  message = _load_error(run_dir)
  assert message.startswith(
    f'checkpoint {run_dir}/checkpoints/ckpt-1 does not fit this configuration, '
    'or is damaged: '
  )


def test_a_checkpoint_of_another_configuration_is_named(run_dir):
  config = run_dir / 'config.gin'
  text = config.read_text()
  changed = text.replace('decoder_filters = 8', 'decoder_filters = 16')
  assert changed != text
  config.write_text(changed)
  assert 'ckpt-1 does not fit this configuration' in _load_error(run_dir)


def test_a_checkpoint_that_is_not_finite_is_named(run_dir):
  loaded = trained_network.load_segmenter(run_dir)
  loaded.model.logits.kernel.assign(
    loaded.model.logits.kernel * tf.constant(np.nan)
  )
  checkpoint = tf.train.Checkpoint(
    model=loaded.model, global_step=tf.Variable(7, dtype=tf.int64)
  )
  path = checkpoint.write(str(run_dir / 'checkpoints' / 'nan'))
  message = _load_error(run_dir, checkpoint=path)
  assert message.startswith(f'checkpoint {path} has nan in ')
  assert message.endswith('kernel:0, which is not finite.')


def test_folders_that_hold_no_training_are_named(run_dir, tmp_path):
  assert _load_error(tmp_path, FileNotFoundError) == (
    f"{tmp_path}/config.gin does not exist; is '{tmp_path}' the folder of a "
    'run?'
  )
  path = run_dir / 'checkpoints' / 'ckpt-9'
  assert _load_error(run_dir, FileNotFoundError, checkpoint=str(path)) == (
    f'{path} holds no checkpoint; has the training saved one yet?'
  )
  shutil.rmtree(run_dir / 'checkpoints')
  assert _load_error(run_dir, FileNotFoundError) == (
    f'{run_dir}/checkpoints holds no checkpoint; has the training saved one '
    'yet?'
  )
  (run_dir / 'genotype.json').unlink()
  assert _load_error(run_dir, FileNotFoundError) == (
    f"{run_dir}/genotype.json does not exist; is '{run_dir}' the folder of a "
    'training?'
  )


def test_a_network_of_other_classes_is_not_evaluated(
  data_dir, run_dir, tmp_path
):
  copy = shutil.copytree(data_dir, tmp_path / 'data')
  info = tfrecord.load_info(copy)
  names = ('heaven', *info.class_names[1:])
  digest = info_file.class_digest(names)
  other = dataclasses.replace(info, class_names=names, class_digest=digest)
  (copy / 'dataset.json').write_text(info_file.to_text(other))
  place = run_lib.Place(str(copy), str(run_dir))
  with pytest.raises(ValueError, match=r"heaven.* was trained on \('sky', "):
    evaluation.run(place)
