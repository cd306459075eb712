# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests for tools/build_tfrecords.py as a user runs it."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from auto_deeplab.data.input import input_pipeline
from auto_deeplab.data.records import tfrecord
from auto_deeplab.data.sources import synthetic

REPOSITORY = pathlib.Path(__file__).parents[2]


def run_tool(*flags):
  return subprocess.run(
    [sys.executable, str(REPOSITORY / 'tools' / 'build_tfrecords.py'), *flags],
    env={**os.environ, 'PYTHONPATH': str(REPOSITORY)},
    capture_output=True,
    text=True,
    check=False,
  )


def last_line(text):
  return text.strip().splitlines()[-1]


def test_pictures_are_drawn_and_converted(tmp_path):
  data_dir = tmp_path / 'data'
  result = run_tool(
    '--dataset=synthetic',
    f'--output_dir={data_dir}',
    '--num_train=3',
    '--num_val=2',
    '--image_size=64,96',
    '--num_shards=2',
    '--seed=4',
  )
  assert result.returncode == 0, result.stderr
  assert result.stdout.splitlines() == [
    'Drawing train: 3/3 pictures',
    'Drawing val: 2/2 pictures',
    'Converting: 5/5 pictures',
    f'Wrote 3 train, 2 val examples of 7 classes to {data_dir}. Next:',
    f'  python tools/search.py --data_dir={data_dir} '
    '--run_dir=NEW_RUN --gin_file=demo_search',
  ]
  assert tfrecord.load_info(data_dir).name == 'synthetic'
  (batch,) = input_pipeline.eval_dataset(data_dir, 'val', batch_size=2)
  names = [name.decode() for name in batch['filename'].numpy()]
  for name, label in zip(names, batch['label'].numpy(), strict=True):
    index = int(pathlib.Path(name).stem.split('_')[1])
    assert (label == synthetic.draw(4, 'val', index, (64, 96))[1]).all()
  assert (data_dir / 'pictures' / 'images' / 'val' / names[0]).exists()


def test_a_split_is_converted_at_half_its_size(tmp_path):
  pictures = tmp_path / 'pictures'
  synthetic.draw_folder(
    pictures, num_examples={'train': 1, 'val': 2}, image_size=(64, 96)
  )
  result = run_tool(
    '--dataset=folder',
    f'--data_dir={pictures}',
    f'--output_dir={tmp_path / "data"}',
    '--split=val',
    '--reduction=2',
  )
  assert result.returncode == 0, result.stderr
  info = tfrecord.load_info(tmp_path / 'data')
  assert list(info.splits) == ['val']
  assert info.split('val').max_size == (32, 48)


@pytest.mark.parametrize(
  'flags, message',
  [
    (['--dataset=kitti'], '--dataset (kitti) is not one of ade20k, camvid, c'),
    (
      ['--dataset=synthetic', '--image_size=64'],
      '--image_size (64) must be height,width.',
    ),
  ],
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, flags, message):
  result = run_tool(*flags, f'--output_dir={tmp_path / "data"}')
  assert result.returncode == 1
  assert last_line(result.stderr).startswith(f'build_tfrecords: {message}')
  assert not (tmp_path / 'data').exists()


def test_a_bad_picture_stops_or_is_left_out(tmp_path):
  pictures, data_dir = tmp_path / 'pictures', tmp_path / 'data'
  synthetic.draw_folder(
    pictures, num_examples={'train': 4, 'val': 1}, image_size=(64, 64)
  )
  bad = pictures / 'images' / 'train' / 'train_00002.jpg'
  bad.write_bytes(b'')
  flags = [
    '--dataset=folder',
    f'--data_dir={pictures}',
    f'--output_dir={data_dir}',
  ]
  result = run_tool(*flags)
  assert result.returncode == 1
  assert last_line(result.stderr) == (
    f'build_tfrecords: {bad} is empty. --skip_invalid leaves such pictures out.'
  )
  assert not (data_dir / 'dataset.json').exists()
  result = run_tool(*flags, '--skip_invalid', '--num_workers=2')
  assert result.returncode == 0, result.stderr
  assert (
    'Pictures left out, as they cannot be used: 1, see '
    f'{data_dir}/skipped.json. The first: {bad} is empty.'
  ) in result.stdout.splitlines()
  assert tfrecord.load_info(data_dir).split('train').num_examples == 3


def test_labels_are_found_by_suffix_and_pictures_set_aside(tmp_path):
  pictures, data_dir = tmp_path / 'pictures', tmp_path / 'data'
  synthetic.draw_folder(
    pictures, num_examples={'train': 4}, image_size=(64, 64)
  )
  for path in (pictures / 'labels').rglob('*.png'):
    path.rename(path.with_name(f'{path.stem}_mask.png'))
  flags = [
    '--dataset=folder',
    f'--data_dir={pictures}',
    f'--output_dir={data_dir}',
    '--label_suffix=_mask.png',
  ]
  result = run_tool(*flags, '--group_separator=_')
  assert last_line(result.stderr) == (
    'build_tfrecords: --group_separator needs --val_fraction.'
  )
  result = run_tool(*flags)
  assert result.returncode == 0, result.stderr
  warnings = [x for x in result.stdout.splitlines() if x.startswith('Warning')]
  assert warnings == [
    'Warning: There is no split val, on which a training is evaluated: '
    '--val_fraction=0.2 sets a fifth of the pictures aside.'
  ]
  assert last_line(result.stdout) == (
    f'  python tools/plan.py --data_dir={data_dir} --output_dir=RECIPES '
    '--hours=2'
  )
  result = run_tool(*flags, '--val_fraction=0.5')
  assert result.returncode == 0, result.stderr
  assert f'Wrote 2 train, 2 val examples of 7 classes to {data_dir}' in (
    result.stdout
  )


def test_help_is_a_page_with_examples():
  result = run_tool('--help')
  for text in (
    'voc_aug',
    '--dataset=folder',
    'classes.json',
    '--split',
    'ignore_',
  ):
    assert text in result.stdout


@pytest.mark.parametrize('seconds', [0, 1])
def test_ctrl_c_ends_all_processes_after_one_line(tmp_path, seconds):
  process = subprocess.Popen(
    [
      sys.executable,
      str(REPOSITORY / 'tools' / 'build_tfrecords.py'),
      '--dataset=synthetic',
      f'--output_dir={tmp_path}',
      '--num_train=200',
      '--num_val=1',
      '--image_size=64,64',
      '--num_workers=2',
    ],
    env={**os.environ, 'PYTHONPATH': str(REPOSITORY)},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    start_new_session=True,
  )
  assert process.stdout is not None
  while not process.stdout.readline().startswith('Drawing val: 1/1'):
    assert process.poll() is None
  # The workers are about to start, or import what they need.
  time.sleep(seconds)
  os.killpg(process.pid, signal.SIGINT)
  _, stderr = process.communicate(timeout=100)
  assert stderr == 'build_tfrecords: interrupted.\n'
  assert process.returncode == -signal.SIGINT
