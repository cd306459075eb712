# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""`tools/import_checkpoint.py` as a user runs it."""

import numpy as np
import pytest

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.data.records import tfrecord
from tests import tiny
from tests.interop import tf1_checkpoints
from tests.tools import tool_runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A data set, a recipe, a genotype and a TF1 checkpoint of step 1."""
  path = tmp_path_factory.mktemp('import_tool')
  tiny.write_data(path)
  config = tiny.train_config(schedule={'train_steps': 2})
  (path / 'recipe.gin').write_text(configs.to_gin(config))
  tiny.GENOTYPE.save(path / 'genotype.json')
  arrays = tf1_checkpoints.random_variables(
    tiny.GENOTYPE,
    config.segmenter,
    tfrecord.load_info(path / 'data').num_classes,
  )
  extra = {'b/Momentum': np.zeros(2), 'a': np.zeros(1)}
  step = {'global_step': np.array(1, np.int64)}
  tf1_checkpoints.write(path, arrays | extra | step)
  return path


def _import(folder, **flags):
  defaults = {'data_dir': 'data', 'genotype': 'genotype.json'}
  return tool_runs.run('import_checkpoint', cwd=folder, **(defaults | flags))


def test_lists_what_it_did_not_use_and_a_training_goes_on(folder):
  result = _import(
    folder,
    gin_file='recipe.gin',
    tf1_checkpoint='model.ckpt',
    output_dir='imported',
  )
  assert result.returncode == 0, result.stderr
  assert result.stderr == ''
  assert result.stdout.splitlines() == [
    'not used: a',
    'not used: b/Momentum',
    'Wrote imported/checkpoints/ckpt-1: 106 variables of step 1; 2 '
    'more of the checkpoint were not used. F is 2; the 7 classes are named as '
    'of folder, sky to balloon. Momentum starts from zero. Next:',
    '  python tools/evaluate.py --data_dir=data --run_dir=imported',
  ]
  # As `--help` says.
  trained = tool_runs.run(
    'train',
    cwd=folder,
    gin_file='imported/config.gin',
    genotype='imported/genotype.json',
    data_dir='data',
    run_dir='imported',
  )
  assert trained.returncode == 0, trained.stderr
  _, begun, step, _ = trained.stderr.splitlines()
  assert begun == (
    'train: goes on from step 1 (imported/checkpoints/ckpt-1), 1 to go'
  )
  assert step.startswith('train 2/2 | ')


def test_two_flags_will_do(tmp_path):
  arrays = tf1_checkpoints.random_variables(
    genotype_lib.PUBLISHED, configs.SegmenterConfig(filter_multiplier=3), 19
  )
  tf1_checkpoints.write(tmp_path, arrays)
  result = tool_runs.run(
    'import_checkpoint',
    cwd=tmp_path,
    tf1_checkpoint='model.ckpt',
    output_dir='imported',
  )
  assert result.returncode == 0, result.stderr
  assert result.stdout.splitlines() == [
    'Wrote imported/checkpoints/ckpt-0: 1370 variables of step 0; 0 more of '
    'the checkpoint were not used. F is 3; the 19 classes are named as of '
    'cityscapes, road to bicycle. Momentum starts from zero. Next:',
    '  python tools/evaluate.py --data_dir=DATA --run_dir=imported',
  ]
  assert tfrecord.load_info(tmp_path / 'imported').splits == {}


def test_a_path_that_is_no_checkpoint_is_refused(folder):
  result = _import(folder, tf1_checkpoint='no.ckpt', output_dir='new')
  message = (
    'import_checkpoint: no.ckpt is no checkpoint: no.ckpt.index does not exist.'
  )
  tool_runs.assert_refused(result, message, folder / 'new')


def test_another_width_is_refused(folder):
  result = _import(
    folder,
    tf1_checkpoint='model.ckpt',
    output_dir='new',
    gin_bindings='SegmenterConfig.filter_multiplier = 3',
  )
  message = (
    'import_checkpoint: `SegmenterConfig.filter_multiplier` (3) must be 2: '
    "'hnasnet/cell_0/1x1/weights' has the shape (1, 1, 8, 2)."
  )
  tool_runs.assert_refused(result, message, folder / 'new')
