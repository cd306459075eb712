# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of conversions: whole, refused, stopped and gone on with."""

import dataclasses
import errno
import fcntl
import io
import json
import os
import pathlib
import re
import shutil

import numpy as np
from PIL import Image
import pytest
import tensorflow as tf

from auto_deeplab.data.records import conversion, shards, tfrecord
from auto_deeplab.data.sources import layouts


def _examples(data_dir, split):
  info = tfrecord.load_info(data_dir).split(split)
  paths = [tfrecord.shard_path(data_dir, shard) for shard in info.shards]
  records = tf.data.TFRecordDataset(paths)
  return [
    {key: value.numpy() for key, value in tfrecord.parse_example(r).items()}
    for r in records
  ]


def _contents(path):
  return {p.name: p.read_bytes() for p in path.iterdir() if p.is_file()}


def test_every_pair_is_written_once_with_its_bytes(folder, tmp_path):
  folder.fill(num_train=7)
  info = folder.convert(tmp_path / 'data', num_shards=3)
  assert [s.name for s in info.split('train').shards] == [
    f'train-0000{i}-of-00003.tfrecord' for i in range(3)
  ]
  assert [s.num_examples for s in info.split('train').shards] == [3, 2, 2]
  examples = _examples(tmp_path / 'data', 'train')
  assert sorted(e['index'] for e in examples) == list(range(7))
  for example in examples:
    name = f'train_{example["index"]}'
    assert example['filename'].decode() == f'{name}.jpg'
    image = folder.image('train', f'{name}.jpg').read_bytes()
    label = folder.label('train', f'{name}.png').read_bytes()
    assert example['image'] == image
    assert example['label'] == label


def test_dataset_json_tells_what_is_there(folder, tmp_path):
  folder.add('train', 'a', (10, 40))
  folder.add('train', 'b', (20, 30))
  label = np.full((20, 30), 255, np.uint8)
  label[:, :3] = 2
  Image.fromarray(label).save(folder.label('train', 'b.png'))
  written = folder.convert(tmp_path / 'data')
  assert tfrecord.load_info(tmp_path / 'data') == written
  split = written.split('train')
  assert (split.min_size, split.max_size) == ((10, 30), (20, 40))
  # Of 1000 pixels: a has 140, 130, 130 of the classes, b has 60 of class 2.
  assert split.class_pixel_shares == (0.14, 0.13, 0.19)
  assert split.ignored_pixel_share == 0.54
  assert written.class_names == ('sky', 'road', 'car')
  document = json.loads((tmp_path / 'data/dataset.json').read_text())
  assert document['format'] == 'auto_deeplab.dataset'
  assert document['version'] == 1
  tfrecord.verify(tmp_path / 'data')


def test_the_values_of_the_labels_are_kept(folder, tmp_path):
  folder.fill(num_train=1, num_val=1)
  assert folder.convert(tmp_path / 'data').values == ()
  classes = [
    {'name': 'sky', 'value': [2, 0]},
    {'name': 'road', 'value': 1, 'color': [1, 2, 3]},
  ]
  folder.write_classes({'classes': classes})
  folder.convert(tmp_path / 'data')
  info = tfrecord.load_info(tmp_path / 'data')
  assert info.own_values == info.values == (2, 1)


def test_the_bytes_depend_on_pictures_shards_and_seed_alone(folder, tmp_path):
  folder.fill(num_train=9)
  for name, seed in (('a', 0), ('b', 0), ('c', 1)):
    folder.convert(tmp_path / name, num_shards=2, seed=seed)
  assert _contents(tmp_path / 'a') == _contents(tmp_path / 'b')
  assert _contents(tmp_path / 'a') != _contents(tmp_path / 'c')


def test_a_split_has_no_more_shards_than_pictures(folder, tmp_path):
  info = folder.fill(num_train=5, num_val=2).convert(tmp_path, num_shards=4)
  assert len(info.split('train').shards) == 4
  assert len(info.split('val').shards) == 2


def test_no_shards_and_no_workers_are_refused(folder, tmp_path):
  folder.fill()
  for name in ('num_shards', 'num_workers'):
    with pytest.raises(ValueError, match=rf'`{name}` \(0\) must be at least 1'):
      folder.convert(tmp_path / 'data', **{name: 0})
  assert not (tmp_path / 'data').exists()


def test_two_workers_write_the_same_bytes_as_one(folder, tmp_path):
  folder.fill(num_train=9)
  seen = []
  for count in (1, 2):
    folder.convert(
      tmp_path / str(count),
      num_workers=count,
      on_progress=lambda *counts: seen.append(counts),
    )
    assert seen[-1] == (11, 11)
  assert _contents(tmp_path / '1') == _contents(tmp_path / '2')


def test_progress_is_told_for_each_example(folder, tmp_path):
  seen = []
  folder.fill(num_train=2, num_val=1).convert(
    tmp_path, on_progress=lambda *counts: seen.append(counts)
  )
  assert seen == [(1, 3), (2, 3), (3, 3)]


def test_camvid_is_copied_and_its_void_ignored(camvid_dir, tmp_path):
  source = layouts.open_source('camvid', camvid_dir)
  pairs = source.splits['val'][:12]
  source = dataclasses.replace(source, splits={'val': pairs})
  info = conversion.write_dataset(source, tmp_path, num_shards=2)
  assert info.num_classes == 11
  split = info.split('val')
  assert (split.min_size, split.max_size) == ((360, 480), (360, 480))
  for example in _examples(tmp_path, 'val'):
    pair = pairs[example['index']]
    assert example['image'] == pair.image.read_bytes()
    raw = np.asarray(Image.open(pair.label))
    expected = np.where(raw == 11, 255, raw)
    label = tf.io.decode_png(example['label'], 1).numpy()[:, :, 0]
    np.testing.assert_array_equal(label, expected)


# Failing ---------------------------------------------------------------------


def _break_last_picture(folder):
  folder.image('val', 'val_1.jpg').write_bytes(b'')


def test_a_failure_before_the_first_shard_leaves_nothing(folder, tmp_path):
  folder.fill()
  folder.image('train', 'train_1.jpg').write_bytes(b'')
  with pytest.raises(ValueError, match=r'train_1\.jpg is empty'):
    folder.convert(tmp_path / 'data', num_shards=1)
  assert not (tmp_path / 'data').exists()


@pytest.mark.parametrize('removed', ['all', 'half'])
def test_ctrl_c_after_the_last_file_leaves_the_data_set(
  folder, tmp_path, monkeypatch, removed
):
  folder.fill(num_train=2)
  rmtree = shutil.rmtree

  def interrupted(path, **kwargs):
    monkeypatch.setattr(shutil, 'rmtree', rmtree)
    (path / 'lock').unlink()
    if removed == 'all':
      rmtree(path)
    raise KeyboardInterrupt

  monkeypatch.setattr(shutil, 'rmtree', interrupted)
  with pytest.raises(KeyboardInterrupt):
    folder.convert(tmp_path / 'data')
  assert not (tmp_path / 'data' / '.incomplete').exists()
  assert len(_examples(tmp_path / 'data', 'train')) == 2


def test_bad_pictures_are_counted_within_their_shard(folder, tmp_path):
  folder.fill()
  for index in (1, 2, 4):
    folder.image('train', f'train_{index}.jpg').write_bytes(b'')
  with pytest.raises(
    ValueError,
    match=r'train_\d\.jpg is empty\. 2 more pictures of its shard cannot be '
    r'used\. `skip_invalid` leaves such pictures out\.$',
  ):
    folder.convert(tmp_path / 'data', num_shards=1)


def test_a_failure_leaves_the_old_data_set_as_it_was(folder, tmp_path):
  folder.fill()
  folder.convert(tmp_path / 'data')
  old = _contents(tmp_path / 'data')
  _break_last_picture(folder)
  folder.add('train', 'one_more')
  with pytest.raises(ValueError, match=r'val_1\.jpg is empty'):
    folder.convert(tmp_path / 'data')
  assert _contents(tmp_path / 'data') == old
  tfrecord.verify(tmp_path / 'data')


def test_a_second_conversion_replaces_the_first_and_nothing_else(
  folder, tmp_path
):
  folder.fill()
  folder.convert(tmp_path / 'data', num_shards=5)
  (tmp_path / 'data' / 'notes.txt').write_text('mine')
  # What a killed run leaves.
  (tmp_path / 'data' / '.incomplete').mkdir()
  (tmp_path / 'data' / '.incomplete' / 'x.part').write_text('x')
  folder.convert(tmp_path / 'data', num_shards=1)
  assert sorted(p.name for p in (tmp_path / 'data').iterdir()) == [
    'dataset.json',
    'notes.txt',
    'train-00000-of-00001.tfrecord',
    'val-00000-of-00001.tfrecord',
  ]
  tfrecord.verify(tmp_path / 'data')


def test_an_image_and_a_label_of_unlike_size_are_named(folder, tmp_path):
  folder.fill()
  label = np.zeros((32, 24), np.uint8)
  Image.fromarray(label).save(folder.label('val', 'val_0.png'))
  with pytest.raises(
    ValueError,
    match=r'val_0\.jpg has 32x24 pixels, its label .*val_0\.png has 24x32',
  ):
    folder.convert(tmp_path / 'data')


def test_a_label_value_outside_the_classes_is_named(folder, tmp_path):
  folder.fill()
  label = np.full((24, 32), 3, np.uint8)
  Image.fromarray(label).save(folder.label('train', 'train_2.png'))
  with pytest.raises(
    ValueError, match=r'train_2\.png has the label value 3 in 768 pixels'
  ):
    folder.convert(tmp_path / 'data')


def test_a_picture_that_vanished_is_named(folder, tmp_path):
  source = folder.fill().source()
  folder.image('train', 'train_1.jpg').unlink()
  with pytest.raises(ValueError, match=r'train_1\.jpg does not exist'):
    conversion.write_dataset(source, tmp_path / 'data')


# Going on --------------------------------------------------------------------


@pytest.fixture
def converted_names(monkeypatch):
  """Names of the pictures that were read, in order."""
  names = []

  def read_pair(pair, rule, read=shards.read_pair):
    names.append(pair.name)
    return read(pair, rule)

  monkeypatch.setattr(shards, 'read_pair', read_pair)
  return names


@pytest.fixture
def stopped(folder, tmp_path):
  """A conversion of five shards of train and one of val, val has failed."""
  folder.fill(num_val=1)
  good = folder.image('val', 'val_0.jpg').read_bytes()
  folder.image('val', 'val_0.jpg').write_bytes(b'')
  with pytest.raises(ValueError, match=r'val_0\.jpg is empty'):
    folder.convert(tmp_path / 'data')
  staging = tmp_path / 'data' / '.incomplete'
  assert len(list(staging.glob('train-*.tfrecord'))) == 5
  assert not list(staging.glob('*.part'))
  assert not list(staging.glob('val-*'))
  assert not (tmp_path / 'data' / 'dataset.json').exists()
  folder.image('val', 'val_0.jpg').write_bytes(good)
  return folder, tmp_path / 'data', staging


def _assert_as_if_never_stopped(folder, data_dir, **kwargs):
  folder.convert(data_dir, **kwargs)
  folder.convert(data_dir.with_name('fresh'), **kwargs)
  assert _contents(data_dir) == _contents(data_dir.with_name('fresh'))
  assert not (data_dir / '.incomplete').exists()


def test_finished_shards_are_kept(stopped, converted_names):
  folder, data_dir, _ = stopped
  seen = []
  folder.convert(data_dir, on_progress=lambda *counts: seen.append(counts))
  assert converted_names == ['val_0.jpg']
  assert seen[-1] == (6, 6)
  _assert_as_if_never_stopped(*stopped[:2])


def _flip_a_bit(path):
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 1
  path.write_bytes(data)


@pytest.mark.parametrize('change', ['shard', 'receipt', 'no_receipt'])
def test_a_shard_that_is_not_whole_is_written_again(
  stopped, converted_names, change
):
  folder, data_dir, staging = stopped
  if change == 'shard':
    _flip_a_bit(staging / 'train-00003-of-00005.tfrecord')
  elif change == 'receipt':
    (staging / 'train-00003-of-00005.tfrecord.json').write_text('{')
  else:
    (staging / 'train-00003-of-00005.tfrecord.json').unlink()
  folder.convert(data_dir)
  assert len(converted_names) == 2
  _assert_as_if_never_stopped(folder, data_dir)


def test_a_picture_that_changed_is_read_again(stopped, converted_names):
  folder, data_dir, _ = stopped
  folder.add('train', 'train_2', seed=77)
  folder.convert(data_dir)
  assert sorted(converted_names) == ['train_2.jpg', 'val_0.jpg']
  _assert_as_if_never_stopped(folder, data_dir)


def test_another_order_is_another_conversion(stopped):
  _assert_as_if_never_stopped(*stopped[:2], seed=1)


def test_another_label_rule_keeps_nothing(stopped, converted_names):
  folder, data_dir, _ = stopped
  classes = ['sky', {'name': 'road', 'value': 2}, {'name': 'car', 'value': 1}]
  folder.write_classes({'classes': classes})
  folder.convert(data_dir)
  assert len(converted_names) == 6
  _assert_as_if_never_stopped(folder, data_dir)


def test_two_conversions_into_one_folder_are_refused(stopped):
  folder, data_dir, staging = stopped
  with (
    open(staging / 'lock', 'w') as file,
    pytest.raises(OSError, match=r'Another conversion is writing to .*data\.$'),
  ):
    fcntl.flock(file, fcntl.LOCK_EX)
    folder.convert(data_dir)
  folder.convert(data_dir)


# Full disk -------------------------------------------------------------------


class _FullDisk:
  """A writer of records on a disk that has room for so many of them."""

  def __init__(self, monkeypatch, num_records):
    self.num_records = num_records
    self._write = tf.io.TFRecordWriter.write
    monkeypatch.setattr(
      tf.io.TFRecordWriter, 'write', lambda *args: self.write(*args)
    )

  def write(self, writer, record):
    if self.num_records == 0:
      raise tf.errors.ResourceExhaustedError(
        None, None, 'x.part; No space left on device'
      )
    self.num_records -= 1
    self._write(writer, record)


def test_a_full_disk_loses_nothing_and_leaves_no_half(
  folder, tmp_path, monkeypatch
):
  folder.fill(num_train=6)
  data_dir = tmp_path / 'data'
  folder.convert(data_dir, num_shards=1)
  old = _contents(data_dir)
  with monkeypatch.context() as patch:
    _FullDisk(patch, num_records=5)
    with pytest.raises(
      OSError, match=r'train-00002-.* cannot be written: .*No space left on dev'
    ):
      folder.convert(data_dir, num_shards=3)
  assert _contents(data_dir) == old
  assert sorted(p.name for p in (data_dir / '.incomplete').iterdir()) == [
    'lock',
    'train-00000-of-00003.tfrecord',
    'train-00000-of-00003.tfrecord.json',
    'train-00001-of-00003.tfrecord',
    'train-00001-of-00003.tfrecord.json',
  ]
  _assert_as_if_never_stopped(folder, data_dir, num_shards=3)


def test_a_text_that_finds_no_room_is_named(tmp_path, monkeypatch):
  def write_text(path, text, **_):
    path.touch()
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

  monkeypatch.setattr(pathlib.Path, 'write_text', write_text)
  with pytest.raises(
    OSError, match=r'/a\.json cannot be written: No space lef'
  ):
    shards.write_text(tmp_path / 'a.json', 'x')
  assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_not_utf_8_is_named_and_can_be_left_out(
  folder, tmp_path
):
  folder.fill(num_train=2)
  for kind, suffix in (('images', b'.jpg'), ('labels', b'.png')):
    path = os.fsencode(folder.path / kind / 'train')
    os.rename(
      os.path.join(path, b'train_0' + suffix),
      os.path.join(path, b'fl\xe4che' + suffix),
    )
  message = r"images/train/fl\\xe4che\.jpg' is not UTF-8; rename the picture"
  with pytest.raises(ValueError, match=message):
    folder.convert(tmp_path / 'data')
  folder.convert(tmp_path / 'data', skip_invalid=True)
  (skipped,) = conversion.load_skipped(tmp_path / 'data')
  assert re.search(message, skipped.reason)
  assert skipped.reason.isascii()


# Leaving out -----------------------------------------------------------------


def test_what_is_left_out_leaves_no_trace_but_a_list(folder, tmp_path):
  folder.fill(num_train=7)
  folder.convert(tmp_path / 'whole', num_shards=2, skip_invalid=True)
  assert not (tmp_path / 'whole' / 'skipped.json').exists()
  assert conversion.load_skipped(tmp_path / 'whole') == ()
  folder.image('train', 'train_1.jpg').write_bytes(b'')
  Image.fromarray(np.full((24, 32), 9, np.uint8)).save(
    folder.label('train', 'train_5.png')
  )
  info = folder.convert(tmp_path / 'a', num_shards=2, skip_invalid=True)
  assert info.split('train').num_examples == 5
  skipped = conversion.load_skipped(tmp_path / 'a')
  assert [(f.split, f.name) for f in skipped] == [
    ('train', 'train_1.jpg'),
    ('train', 'train_5.jpg'),
  ]
  assert skipped[0].reason.endswith('train_1.jpg is empty.')
  assert 'train_5.png has the label value 9' in skipped[1].reason
  document = json.loads((tmp_path / 'a' / 'skipped.json').read_text())
  assert document['num_skipped'] == 2
  for index in (1, 5):
    folder.image('train', f'train_{index}.jpg').unlink()
    folder.label('train', f'train_{index}.png').unlink()
  folder.convert(tmp_path / 'b', num_shards=2)
  left = _contents(tmp_path / 'a')
  del left['skipped.json']
  assert left == _contents(tmp_path / 'b')
  # A conversion that leaves nothing out takes the list away.
  folder.convert(tmp_path / 'a', num_shards=2)
  assert _contents(tmp_path / 'a') == _contents(tmp_path / 'b')


def _save(path, pixels, mode=None, **kwargs):
  image = Image.fromarray(pixels)
  (image.convert(mode) if mode else image).save(path, **kwargs)


def test_every_kind_of_bad_picture_is_named_and_counted(folder, tmp_path):
  rgb = np.zeros((24, 32, 3), np.uint8)
  classes = np.zeros((24, 32), np.uint8)
  upside_down = Image.Exif()
  upside_down[0x0112] = 3
  shown = rgb + np.array([0, 1, 2], np.uint8)
  huge = io.BytesIO()
  Image.new('1', (30_000, 30_000)).save(huge, 'PNG')

  def add(name, reason, image=rgb, label=classes, suffix='.jpg', **kwargs):
    _save(folder.image('train', name + suffix), image, **kwargs)
    _save(folder.label('train', f'{name}.png'), label)
    reasons[name + suffix] = reason

  reasons: dict[str, str] = {}
  folder.fill()
  add('sizes', '32x24 pixels, its label', label=classes[:12])
  add('value', 'has the label value 9 in 768 pixels', label=classes + 9)
  add('rgb_label', 'has several channels (RGB)', label=shown)
  add('wide_label', 'has 16 bits', label=classes.astype(np.uint16))
  add('cmyk', 'of the kind CMYK', mode='CMYK')
  add('turned', 'EXIF orientation (3)', exif=upside_down)
  add('alpha', 'transparent', np.zeros((24, 32, 4), np.uint8), suffix='.png')
  add('misnamed', 'holds a JPEG', suffix='.png', format='JPEG')
  add('empty', 'is empty')
  folder.image('train', 'empty.jpg').write_bytes(b'')
  add('cut', 'truncated or damaged')
  whole = folder.image('train', 'cut.jpg').read_bytes()
  folder.image('train', 'cut.jpg').write_bytes(whole[:-9])
  add('huge', 'the limit of 67108864 pixels', suffix='.png')
  folder.image('train', 'huge.png').write_bytes(huge.getvalue())
  info = folder.convert(tmp_path / 'data', skip_invalid=True)
  assert info.split('train').num_examples == 5
  skipped = conversion.load_skipped(tmp_path / 'data')
  assert [fault.name for fault in skipped] == sorted(reasons)
  for fault in skipped:
    assert reasons[fault.name] in fault.reason


def test_leaving_out_goes_on_where_it_was_stopped(
  folder, tmp_path, monkeypatch, converted_names
):
  folder.fill(num_train=6, num_val=1)
  folder.image('train', 'train_2.jpg').write_bytes(b'')
  with monkeypatch.context() as patch:
    # Room for all but the bad one, and for the first of two shards without it.
    _FullDisk(patch, num_records=6 + 3)
    with pytest.raises(OSError, match='No space left'):
      folder.convert(tmp_path / 'data', num_shards=2, skip_invalid=True)
  converted_names.clear()
  folder.convert(tmp_path / 'data', num_shards=2, skip_invalid=True)
  assert converted_names[0] == 'train_2.jpg'
  assert len(converted_names) == 1 + 2
  (fault,) = conversion.load_skipped(tmp_path / 'data')
  assert fault.name == 'train_2.jpg'


def test_a_split_of_which_nothing_is_left_is_refused(folder, tmp_path):
  folder.fill(num_val=1)
  folder.image('val', 'val_0.jpg').write_bytes(b'')
  with pytest.raises(
    ValueError,
    match=r'No picture of the split val can be used; of the first: .*'
    r'val_0\.jpg is empty\.$',
  ):
    folder.convert(tmp_path / 'data', skip_invalid=True)


def test_a_list_that_cannot_be_read_is_refused(tmp_path):
  for text in ('{', '[]', '{"format": "x", "version": 1}'):
    (tmp_path / 'skipped.json').write_text(text)
    with pytest.raises(ValueError, match=r'skipped\.json cannot be read: '):
      conversion.load_skipped(tmp_path)
