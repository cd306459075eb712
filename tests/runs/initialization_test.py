# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A training begins with another's weights, or says why it cannot."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.architecture.genotype import Genotype
from auto_deeplab.data import datasets, palette
from auto_deeplab.data.records import info_file, tfrecord
from auto_deeplab.runs import initialization, run_folder
from auto_deeplab.training import networks, optimizers, variable_paths
from tests import tiny


def _info(*names):
  return datasets.DatasetInfo(
    'things', names, palette.default_colors(len(names))
  )


INFO = _info('a', 'b', 'c')
SKIPS = (((0, 'skip_connect'), (1, 'skip_connect')),)
RULE = 'genotype and widths (`SegmenterConfig`) must be the same.'


def _make(info=INFO, genotype=tiny.GENOTYPE, seed=0, **segmenter):
  tf.keras.utils.set_random_seed(seed)
  config = tiny.train_config(segmenter=segmenter)
  model = networks.make_segmenter(config, genotype, info)
  networks.build(model, config.input, step=tf.constant(0))
  return model


def _write(run_dir, ema_momentum=0.0):
  """Writes a run folder of a training of 3 steps; returns its prefix."""
  model = _make(seed=1)
  optimizer = optimizers.make_optimizer(
    tiny.train_config().weight_optimizer, 10, ema_momentum
  )
  optimizer.build(model.trainable_variables)
  for variable in model.trainable_variables:
    variable.assign_add(tf.ones_like(variable))
  for variable in model.non_trainable_variables:
    variable.assign_add(tf.fill(variable.shape, 2.0))
  checkpoint = tf.train.Checkpoint(
    global_step=tf.Variable(3, dtype=tf.int64),
    **networks.checkpointed(model, optimizer),
  )
  folder = run_folder.RunFolder(run_dir)
  folder.checkpoints.mkdir(parents=True)
  (run_dir / 'dataset.json').write_text(info_file.to_text(INFO))
  return model, checkpoint.write(str(folder.checkpoints / 'ckpt-3'))


@pytest.fixture(scope='module')
def source(tmp_path_factory):
  """The network of a training, and its run folder."""
  run_dir = tmp_path_factory.mktemp('source')
  model, _ = _write(run_dir)
  return model, run_dir


def _find(start, run_dir, info=INFO):
  return initialization.find(start, run_folder.RunFolder(run_dir), info)


def _error(start, tmp_path, info=INFO):
  with pytest.raises((ValueError, FileNotFoundError)) as error:
    _find(start, tmp_path / 'new', info)
  assert len(str(error.value).splitlines()) == 1
  return str(error.value)


def test_the_default_is_random_weights(tmp_path):
  assert _find(initialization.Start(), tmp_path) is None


@pytest.mark.parametrize('is_folder', [True, False])
def test_every_variable_is_taken(source, tmp_path, is_folder):
  trained, run_dir = source
  path = str(run_dir / 'checkpoints' / 'ckpt-3')
  start = initialization.Start(checkpoint=path)
  if is_folder:
    start = initialization.Start(run_dir=str(run_dir))
  assert _find(start, tmp_path) == path
  # What is frozen or not is of no matter to what is taken.
  model = _make(freeze_batch_norm=True)
  initialization.initialize(start, path, model)
  expected = variable_paths.by_path(trained)
  found = variable_paths.by_path(model)
  assert found.keys() == expected.keys()
  for name, variable in found.items():
    np.testing.assert_array_equal(variable, expected[name], err_msg=name)


def test_averages_are_taken_where_there_are_any(tmp_path):
  trained, path = _write(tmp_path / 'run', ema_momentum=0.5)
  model = _make()
  start = initialization.Start(run_dir=str(tmp_path / 'run'))
  initialization.initialize(start, path, model)
  # The averages stayed where they began, one less than the weights.
  np.testing.assert_allclose(
    model.logits.kernel, trained.logits.kernel - 1.0, atol=1e-6
  )
  norm, trained_norm = model.stem.convs[0].bn, trained.stem.convs[0].bn
  np.testing.assert_array_equal(norm.moving_mean, trained_norm.moving_mean)


def test_other_classes_need_new_logits(source, tmp_path):
  trained, run_dir = source
  path = run_dir / 'checkpoints' / 'ckpt-3'
  more = _info('a', 'b', 'c', 'd')
  start = initialization.Start(run_dir=str(run_dir))
  assert _error(start, tmp_path, more) == (
    f'checkpoint {path} has 3 classes, the data set things 4; '
    '--reinitialize_logits begins with all of its weights but those of the '
    'logits.'
  )
  assert _error(start, tmp_path, _info('a', 'b', 'x')) == (
    f"checkpoint {path} has the classes ('a', 'b', 'c'), the data set things "
    "('a', 'b', 'x'); --reinitialize_logits begins with all of its weights but "
    'those of the logits.'
  )
  start = initialization.Start(str(run_dir), reinitialize_logits=True)
  assert _find(start, tmp_path, more) == str(path)
  model, fresh = _make(more), _make(more)
  initialization.initialize(start, str(path), model)
  np.testing.assert_array_equal(model.logits.kernel, fresh.logits.kernel)
  np.testing.assert_array_equal(model.logits.bias, fresh.logits.bias)
  expected = variable_paths.by_path(trained)
  for name, variable in variable_paths.by_path(model).items():
    if not name.startswith('logits/'):
      np.testing.assert_array_equal(variable, expected[name], err_msg=name)


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (
      {'filter_multiplier': 4},
      'has decoder/low_level/conv/kernel of shape [1, 1, 2, 4], this network '
      'of [1, 1, 4, 4]',
    ),
    (
      {'genotype': Genotype(tiny.GENOTYPE.cell, (0, 1, 1))},
      'lacks cells/2/previous_projection/conv/kernel of this network',
    ),
    (
      {'genotype': Genotype(SKIPS, (0, 1))},
      'has cells/0/operations/0/0/bns/0/beta, which this network lacks',
    ),
  ],
)
def test_another_network_is_refused_by_its_first_variable(
  source, change, message
):
  path = str(source[1] / 'checkpoints' / 'ckpt-3')
  with pytest.raises(ValueError) as error:
    initialization.initialize(
      initialization.Start(checkpoint=path), path, _make(**change)
    )
  assert str(error.value) == f'checkpoint {path} {message}; {RULE}'


def test_a_value_that_is_not_finite_is_refused(tmp_path):
  model, path = _write(tmp_path / 'run')
  model.logits.bias.assign([0.0, np.inf, 0.0])
  path = tf.train.Checkpoint(model=model).write(str(tmp_path / 'bad'))
  start = initialization.Start(checkpoint=path)
  with pytest.raises(ValueError) as error:
    initialization.initialize(start, path, _make())
  assert str(error.value) == (
    f'checkpoint {path} has a value in logits/bias that is not finite.'
  )


def test_missing_and_empty_folders_are_named(source, tmp_path):
  nowhere = str(tmp_path / 'nowhere')
  assert _error(initialization.Start(run_dir=nowhere), tmp_path) == (
    f'--init_run_dir ({nowhere}) does not exist.'
  )
  assert _error(initialization.Start(checkpoint=nowhere), tmp_path) == (
    f'{nowhere} is no checkpoint: {nowhere}.index does not exist.'
  )
  empty = tmp_path / 'empty'
  empty.mkdir()
  message = (
    f'--init_run_dir ({empty}) has no checkpoint: {empty}/checkpoints is '
    'missing or empty.'
  )
  start = initialization.Start(run_dir=str(empty))
  assert _error(start, tmp_path) == message
  (empty / 'checkpoints').mkdir()
  assert _error(start, tmp_path) == message


def test_a_damaged_checkpoint_is_named(source, tmp_path):
  run_dir = shutil.copytree(source[1], tmp_path / 'run')
  index = run_dir / 'checkpoints/ckpt-3.index'
  index.write_bytes(index.read_bytes()[:-20])
  assert _error(
    initialization.Start(run_dir=str(run_dir)), tmp_path
  ).startswith(f'checkpoint {run_dir}/checkpoints/ckpt-3 does not fit')


def test_a_checkpoint_of_something_else_is_named(tmp_path):
  path = tf.train.Checkpoint(model=tf.Module()).write(str(tmp_path / 'x'))
  assert _error(initialization.Start(checkpoint=path), tmp_path) == (
    f'checkpoint {path} holds no network of a training: it has no '
    '`model/logits/bias`.'
  )


def test_flags_that_do_not_go_together_are_refused():
  with pytest.raises(ValueError) as error:
    initialization.Start('run', 'ckpt')
  assert str(error.value) == (
    'of --init_run_dir (run) and --init_checkpoint (ckpt) only one can be what '
    'a training begins with.'
  )
  with pytest.raises(ValueError) as error:
    initialization.Start(reinitialize_logits=True)
  assert str(error.value) == (
    '--reinitialize_logits needs --init_run_dir or --init_checkpoint: without '
    'one all weights are random.'
  )


def test_a_run_that_goes_on_finds_what_it_began_with(source, tmp_path):
  run_dir = shutil.copytree(source[1], tmp_path / 'source')
  start = initialization.Start(run_dir=str(run_dir))
  path = _find(start, tmp_path / 'new')
  new = run_folder.RunFolder(tmp_path / 'new')
  new.path.mkdir()
  (text,) = initialization.record(start, path, 'train').values()
  (new.path / 'start.json').write_text(text)
  # The other training goes on, and then is deleted.
  for file in list((run_dir / 'checkpoints').glob('ckpt-3.*')):
    shutil.copy(file, str(file).replace('ckpt-3', 'ckpt-4'))
  assert _find(start, tmp_path / 'other') == path.replace('ckpt-3', 'ckpt-4')
  assert _find(start, new.path) == path
  shutil.copytree(run_dir / 'checkpoints', new.checkpoints)
  shutil.rmtree(run_dir)
  assert _find(start, new.path) == path
  newer = json.loads(text) | {'version': 2}
  for bad, reason in (
    ('{}', "is damaged: KeyError('format')"),
    (
      json.dumps(newer),
      "has {'format': 'auto_deeplab.start', 'version': 2}, which must be "
      "{'format': 'auto_deeplab.start', 'version': 1}.",
    ),
  ):
    (new.path / 'start.json').write_text(bad)
    with pytest.raises(ValueError) as error:
      _find(start, new.path)
    assert str(error.value) == f'{new.path}/start.json {reason}'


def test_a_run_with_a_past_of_its_own_is_not_begun_anew(source, tmp_path):
  run_dir = shutil.copytree(source[1], tmp_path / 'run')
  path = str(source[1] / 'checkpoints' / 'ckpt-3')
  with pytest.raises(ValueError) as error:
    _find(initialization.Start(checkpoint=path), run_dir)
  assert str(error.value) == (
    f'{run_dir} goes on from its own checkpoint and did not begin with {path}; '
    'take another run folder.'
  )
