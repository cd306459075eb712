# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs end as they would have ended unbroken; what is refused leaves nothing.

A run is broken here by an error in the middle of a loop; tests/tools/chain_test
kills processes.
"""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab.architecture import decode
from auto_deeplab.architecture.genotype import PUBLISHED
from auto_deeplab.data import conversion, layouts, synthetic, tfrecord
from auto_deeplab.training import (
  evaluation,
  experiment,
  initialization,
  networks,
  run_folder,
)
from tests.training import tiny

pytestmark = pytest.mark.slow


class Broken(Exception):
  """In the place of a power cut."""


@pytest.fixture(autouse=True)
def seeds_and_policy():
  """What a run sets for its whole process."""
  yield
  tf.keras.mixed_precision.set_global_policy('float32')
  tf.config.optimizer.set_experimental_options(
    {'disable_meta_optimizer': False}
  )


@pytest.fixture
def break_after(monkeypatch):
  """Breaks the run when it has written the metrics of a step."""

  def arm(step):
    append = run_folder.RunFolder.append_metrics

    def append_and_break(self, at, values):
      append(self, at, values)
      if at == step:
        raise Broken

    monkeypatch.setattr(
      run_folder.RunFolder, 'append_metrics', append_and_break
    )
    return monkeypatch.undo

  return arm


def _search(data_dir, run_dir, **parts):
  place = experiment.Place(str(data_dir), str(run_dir))
  return experiment.run_search(tiny.search_config(**parts), place)


def _train(data_dir, run_dir, distribution='one_device', start=None, **parts):
  place = experiment.Place(
    str(data_dir),
    str(run_dir),
    distribution,
    start=start or initialization.Start(),
  )
  return experiment.run_training(
    tiny.train_config(**parts), tiny.GENOTYPE, place
  )


def _checkpoint(run_dir, step):
  """Returns every value of a checkpoint by its key."""
  reader = tf.train.load_checkpoint(str(run_dir / f'checkpoints/ckpt-{step}'))
  keys = reader.get_variable_to_shape_map()
  ours = {'_CHECKPOINTABLE_OBJECT_GRAPH'}  # Text, in no certain order.
  # How often was saved: one more where the broken run had saved too.
  ours |= {key for key in keys if key.startswith('save_counter/')}
  return {key: reader.get_tensor(key) for key in keys if key not in ours}


def _assert_equal_checkpoints(run_dir, other_dir, step):
  values, others = _checkpoint(run_dir, step), _checkpoint(other_dir, step)
  assert set(values) == set(others)
  for key, value in values.items():
    np.testing.assert_array_equal(value, others[key], err_msg=key)
  return values


def _metrics(run_dir):
  rows = (run_dir / 'metrics.jsonl').read_text().splitlines()
  return [json.loads(row) for row in rows]


# Resume ----------------------------------------------------------------------


def test_a_broken_search_ends_as_the_unbroken_one(
  data_dir, tmp_path, break_after
):
  whole, broken = tmp_path / 'whole', tmp_path / 'broken'
  path = _search(data_dir, whole)
  assert path == str(whole / 'architecture' / 'step-00000004.npz')
  mend = break_after(step=3)
  with pytest.raises(Broken):
    _search(data_dir, broken)
  mend()
  *_, last = (r for r in _metrics(broken) if 'weights/loss' in r)
  assert last['step'] == 3
  # The snapshots of a search that is not done are there to be decoded.
  snapshot = decode.load_snapshot(decode.latest_snapshot(broken))
  assert snapshot.step == 2
  logged = {'step': 2, **decode.describe(snapshot)}
  assert [r for r in _metrics(broken) if 'genotype' in r][-1] == logged
  assert [p.name for p in broken.glob('checkpoints/*.index')] == [
    'ckpt-2.index'
  ]
  _search(data_dir, broken)
  values = _assert_equal_checkpoints(whole, broken, 4)
  for part in (
    'model/alphas/',
    'model/betas/',
    'weight_optimizer/',
    'architecture_optimizer/',
    'global_step/',
  ):
    assert any(key.startswith(part) for key in values), part
  assert _metrics(broken) == _metrics(whole)
  snapshots = [
    decode.load_snapshot(decode.latest_snapshot(d)) for d in (whole, broken)
  ]
  np.testing.assert_array_equal(snapshots[0].alphas, snapshots[1].alphas)
  np.testing.assert_array_equal(snapshots[0].betas, snapshots[1].betas)


def test_a_broken_training_ends_as_the_unbroken_one(
  data_dir, tmp_path, break_after
):
  whole, broken = tmp_path / 'whole', tmp_path / 'broken'
  scores = _train(data_dir, whole)
  mend = break_after(step=3)
  with pytest.raises(Broken):
    _train(data_dir, broken)
  mend()
  assert _train(data_dir, broken) == scores
  values = _assert_equal_checkpoints(whole, broken, 4)
  assert any(key.startswith('optimizer/') for key in values)
  assert _metrics(broken) == _metrics(whole)
  assert [row['step'] for row in _metrics(whole)] == [1, 2, 3, 4, 4]
  assert _metrics(whole)[-1]['eval/mean_iou'] == scores['mean_iou']


_EVERY_OPTION = {
  'segmenter': {'freeze_batch_norm': True},
  'loss': {
    'hard_pixel_fraction': 0.5,
    'hard_pixel_warmup_steps': 3,
    'class_weights': 'median_frequency',
  },
  'schedule': {'accumulation_steps': 2, 'ema_momentum': 0.3},
}


@pytest.mark.parametrize('precision', ['float32', 'mixed_float16'])
def test_a_broken_training_with_every_option_ends_as_the_unbroken_one(
  data_dir, tmp_path, break_after, precision
):
  parts = {**_EVERY_OPTION, 'runtime': {'precision': precision}}
  whole, broken = tmp_path / 'whole', tmp_path / 'broken'
  scores = _train(data_dir, whole, **parts)
  mend = break_after(step=3)
  with pytest.raises(Broken):
    _train(data_dir, broken, **parts)
  mend()
  assert _train(data_dir, broken, **parts) == scores
  values = _assert_equal_checkpoints(whole, broken, 4)
  assert _metrics(broken) == _metrics(whole)

  # What is evaluated and exported are the averages.
  average = values['averages/logits.Skernel/.ATTRIBUTES/VARIABLE_VALUE']
  last = values['model/logits/kernel/.ATTRIBUTES/VARIABLE_VALUE']
  assert (average != last).any()
  kernel = networks.load_segmenter(whole).model.logits.kernel
  np.testing.assert_array_equal(kernel, average)
  if precision == 'float32':  # In which all networks are evaluated later.
    found = evaluation.run(experiment.Place(str(data_dir), str(whole)))
    assert found.scores == scores


def test_a_run_that_is_done_stays_as_it_is(data_dir, tmp_path):
  scores = _train(data_dir, tmp_path, schedule={'train_steps': 1})
  before, rows = _checkpoint(tmp_path, 1), _metrics(tmp_path)
  assert _train(data_dir, tmp_path, schedule={'train_steps': 1}) == scores
  assert _metrics(tmp_path) == rows
  for key, value in _checkpoint(tmp_path, 1).items():
    np.testing.assert_array_equal(value, before[key])


def test_xla_and_recomputation_change_no_result(data_dir, tmp_path):
  runs = {
    'plain': {},
    'recomputed': {'segmenter': {'recompute': True}},
    'xla': {'runtime': {'use_xla': True}},
  }
  losses = {}
  for name, parts in runs.items():
    _train(data_dir, tmp_path / name, schedule={'train_steps': 2}, **parts)
    rows = _metrics(tmp_path / name)
    losses[name] = [r['train/loss'] for r in rows if 'train/loss' in r]
  assert len(losses['plain']) == 2
  np.testing.assert_allclose(losses['recomputed'], losses['plain'], rtol=1e-5)
  np.testing.assert_allclose(losses['xla'], losses['plain'], rtol=1e-4)


def test_hard_pixels_and_class_weights_arrive_in_the_loss(data_dir, tmp_path):
  parts = {
    'plain': {},
    'hard': {'hard_pixel_fraction': 0.25},
    'weighted': {'class_weights': 'median_frequency'},
  }
  first = {}
  for name, loss in parts.items():
    _train(data_dir, tmp_path / name, loss=loss, schedule={'train_steps': 1})
    first[name] = _metrics(tmp_path / name)[0]['train/loss']
  # Both alter little where the network is new, and all losses are alike.
  assert first['hard'] > 1.005 * first['plain']
  assert first['weighted'] != pytest.approx(first['plain'], rel=1e-3)


def test_accumulation_changes_no_result_where_batch_norm_is_frozen(
  data_dir, tmp_path
):
  parts = {
    'input': {'batch_size': 4},
    'segmenter': {
      'freeze_batch_norm': True,
      'drop_path_keep_prob': 1.0,
      'dropout_rate': 0.0,
    },
  }
  for name, accumulation_steps in (('whole', 1), ('accumulated', 2)):
    schedule = {'train_steps': 2, 'accumulation_steps': accumulation_steps}
    _train(data_dir, tmp_path / name, schedule=schedule, **parts)
  whole, accumulated = (
    _checkpoint(tmp_path / name, 2) for name in ('whole', 'accumulated')
  )
  assert set(whole) == set(accumulated)
  for key, value in whole.items():
    np.testing.assert_allclose(
      accumulated[key], value, rtol=1e-4, atol=1e-6, err_msg=key
    )
  assert any('moving_mean' in key for key in whole)
  for key, value in whole.items():
    if 'moving_mean' in key:
      assert not value.any(), key


# Another training's weights --------------------------------------------------


def test_a_training_begins_with_another_s_weights_once(
  data_dir, tmp_path, break_after
):
  source = tmp_path / 'source'
  _train(data_dir, source, schedule={'train_steps': 2, 'ema_momentum': 0.1})
  start = initialization.Start(run_dir=str(source))
  # No step is large enough to hide where they came from.
  parts = {
    'weight_optimizer': {'learning_rate': 1e-9, 'schedule': 'constant'},
    'schedule': {'train_steps': 4, 'ema_momentum': 0.1},
  }
  whole, broken = tmp_path / 'whole', tmp_path / 'broken'
  _train(data_dir, whole, start=start, **parts)
  first = _checkpoint(whole, 2)
  key = 'averages/logits.Skernel/.ATTRIBUTES/VARIABLE_VALUE'
  expected = _checkpoint(source, 2)[key]
  weight = first['model/logits/kernel/.ATTRIBUTES/VARIABLE_VALUE']
  for value in (weight, first[key]):
    np.testing.assert_allclose(value, expected, atol=1e-6)

  mend = break_after(step=3)
  with pytest.raises(Broken):
    _train(data_dir, broken, start=start, **parts)
  mend()
  shutil.rmtree(source)  # It is needed no more.
  _train(data_dir, broken, start=start, **parts)
  _assert_equal_checkpoints(whole, broken, 4)
  with pytest.raises(ValueError, match=r'start\.json differs from what'):
    _train(data_dir, broken, **parts)


# Replicas --------------------------------------------------------------------


def test_two_replicas_train_and_evaluate_as_one(data_dir, tmp_path):
  # Drop path and dropout draw other numbers on each replica.
  parts = {
    'runtime': {'synchronized_batch_norm': True},
    'input': {'batch_size': 4},
    'segmenter': {'drop_path_keep_prob': 1.0, 'dropout_rate': 0.0},
    'schedule': {'train_steps': 3},
  }
  curves = []
  for name in ('one_device', 'mirrored'):
    _train(data_dir, tmp_path / name, name, **parts)
    rows = _metrics(tmp_path / name)
    curves.append([r['train/loss'] for r in rows if 'train/loss' in r])
  assert len(curves[0]) == 3
  np.testing.assert_allclose(curves[1], curves[0], rtol=1e-4)
  one, two = (
    evaluation.run(
      experiment.Place(str(data_dir), str(tmp_path / 'mirrored'), name)
    )
    for name in ('one_device', 'mirrored')
  )
  # Three pictures, so that the last step leaves one replica without any.
  np.testing.assert_array_equal(one.confusion_matrix, two.confusion_matrix)
  assert one.confusion_matrix.sum() > 0
  assert one.scores == two.scores
  assert one.step == two.step == 3


# Refusals --------------------------------------------------------------------


def _copy_data(data_dir, tmp_path):
  return shutil.copytree(data_dir, tmp_path / 'data')


def test_a_split_of_fewer_images_than_a_batch_is_refused(data_dir, tmp_path):
  with pytest.raises(ValueError) as error:
    _train(data_dir, tmp_path / 'run', input={'batch_size': 9})
  assert str(error.value) == (
    f'`batch_size` (9) is larger than the split train of {data_dir}, which has '
    '8 examples.'
  )
  # So that the mended command is not refused as another configuration.
  assert not (tmp_path / 'run').exists()


def test_halves_of_fewer_images_than_a_batch_are_refused(data_dir, tmp_path):
  with pytest.raises(ValueError) as error:
    _search(data_dir, tmp_path / 'run', input={'batch_size': 5})
  assert str(error.value) == (
    '`batch_size` (5) is larger than half A of the split train of '
    f'{data_dir}, which has 4 examples.'
  )
  assert not (tmp_path / 'run').exists()


def test_an_empty_half_is_refused(tmp_path):
  synthetic.draw_folder(
    tmp_path / 'pictures',
    num_examples={'train': 1, 'val': 1},
    image_size=(64, 64),
  )
  source = layouts.open_source('folder', tmp_path / 'pictures')
  conversion.write_dataset(source, tmp_path / 'data', num_shards=1)
  with pytest.raises(ValueError) as error:
    _search(tmp_path / 'data', tmp_path / 'run', input={'batch_size': 1})
  assert str(error.value) == (
    '`batch_size` (1) is larger than half B of the split train of '
    f'{tmp_path}/data, which has 0 examples.'
  )
  assert not (tmp_path / 'run').exists()


def test_a_pooling_window_beyond_the_crop_is_refused(data_dir, tmp_path):
  with pytest.raises(ValueError) as error:
    _train(data_dir, tmp_path / 'run', segmenter={'pooling_size': (5, 6)})
  assert str(error.value) == (
    '`SegmenterConfig.pooling_size` ((5, 6)) must not be larger than the '
    'feature map (5, 5) of an `InputConfig.crop_size` of (33, 33).'
  )
  assert not (tmp_path / 'run').exists()


def test_a_batch_that_replicas_do_not_divide_is_refused(data_dir, tmp_path):
  with pytest.raises(ValueError) as error:
    _train(data_dir, tmp_path / 'run', 'mirrored', input={'batch_size': 3})
  assert str(error.value) == (
    '`InputConfig.batch_size` (3) must be a multiple of the number of replicas '
    '(2).'
  )
  assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('splits', [('test', 'val'), ('train', 'test')])
def test_a_missing_split_is_refused(data_dir, tmp_path, splits):
  train_split, eval_split = splits
  place = experiment.Place(
    str(data_dir),
    str(tmp_path / 'run'),
    train_split=train_split,
    eval_split=eval_split,
  )
  with pytest.raises(ValueError, match='test') as error:
    experiment.run_training(tiny.train_config(), tiny.GENOTYPE, place)
  assert len(str(error.value).splitlines()) == 1
  assert not (tmp_path / 'run').exists()


def test_a_missing_data_set_is_refused(tmp_path):
  with pytest.raises(FileNotFoundError, match=r'dataset\.json does not exist'):
    _search(tmp_path / 'nowhere', tmp_path / 'run')
  assert not (tmp_path / 'run').exists()


def test_a_corrupt_shard_is_named(data_dir, tmp_path):
  copy = _copy_data(data_dir, tmp_path)
  shard = copy / 'train-00001-of-00002.tfrecord'
  data = bytearray(shard.read_bytes())
  data[len(data) // 2] ^= 1
  shard.write_bytes(data)
  with pytest.raises(ValueError, match=f'^{shard} is damaged: '):
    _train(copy, tmp_path / 'run')
  assert not (tmp_path / 'run').exists()


def test_a_shard_that_a_disk_damages_during_a_run_is_named(
  data_dir, tmp_path, monkeypatch
):
  copy = _copy_data(data_dir, tmp_path)
  verify = tfrecord.verify

  def verify_then_damage(*args, **kwargs):
    verify(*args, **kwargs)
    shard = copy / 'train-00000-of-00002.tfrecord'
    shard.write_bytes(shard.read_bytes()[:-9] + b'\0' * 9)
    monkeypatch.setattr(tfrecord, 'verify', verify)

  monkeypatch.setattr(tfrecord, 'verify', verify_then_damage)
  shard = copy / 'train-00000-of-00002.tfrecord'
  with pytest.raises(ValueError, match=f'^{shard} is damaged: '):
    _train(copy, tmp_path / 'run')


def test_a_run_goes_on_with_its_own_data_genotype_and_values(
  data_dir, tmp_path
):
  run_dir = tmp_path / 'run'
  _train(data_dir, run_dir, schedule={'train_steps': 1})
  with pytest.raises(ValueError, match=r'`TrainConfig\.train_steps = 4`'):
    _train(data_dir, run_dir)
  place = experiment.Place(str(data_dir), str(run_dir))
  config = tiny.train_config(schedule={'train_steps': 1})
  with pytest.raises(ValueError, match=r'genotype\.json differs from what'):
    experiment.run_training(config, PUBLISHED, place)


# Loading ---------------------------------------------------------------------


@pytest.fixture(scope='module')
def trained(data_dir, tmp_path_factory):
  run_dir = tmp_path_factory.mktemp('trained')
  _train(data_dir, run_dir, schedule={'train_steps': 1})
  return run_dir


@pytest.fixture
def run_dir(trained, tmp_path):
  """A copy of a training, to be damaged."""
  return shutil.copytree(trained, tmp_path / 'run')


def _load_error(run_dir, error_type=ValueError, **kwargs):
  with pytest.raises(error_type) as error:
    networks.load_segmenter(run_dir, **kwargs)
  assert len(str(error.value).splitlines()) == 1
  return str(error.value)


def test_the_network_comes_back_with_its_weights(trained):
  loaded = networks.load_segmenter(trained)
  assert (loaded.step, loaded.genotype) == (1, tiny.GENOTYPE)
  values = _checkpoint(trained, 1)
  kernel = loaded.model.logits.kernel
  key = 'model/logits/kernel/.ATTRIBUTES/VARIABLE_VALUE'
  np.testing.assert_array_equal(kernel, values[key])
  assert networks.load_segmenter(trained, checkpoint='best').step == 1


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
  loaded = networks.load_segmenter(run_dir)
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
  copy = _copy_data(data_dir, tmp_path)
  info = (copy / 'dataset.json').read_text()
  (copy / 'dataset.json').write_text(info.replace('"sky"', '"heaven"'))
  place = experiment.Place(str(copy), str(run_dir))
  with pytest.raises(ValueError, match=r"heaven.* was trained on \('sky', "):
    evaluation.run(place)
