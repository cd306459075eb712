# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The tools one after the other, as a user runs them, two of them killed."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

from auto_deeplab.architecture.genotype import Genotype

RECIPE = """
RuntimeConfig.steps_per_loop = 1
RuntimeConfig.checkpoint_interval = 1
InputConfig.crop_size = (33, 33)
InputConfig.batch_size = 2
"""
SEARCH = """
SupernetConfig.num_layers = 3
SupernetConfig.num_blocks = 1
SupernetConfig.filter_multiplier = 2
SupernetConfig.stem_filters = (4, 4, 8)
SearchConfig.train_steps = 6
SearchConfig.arch_start_step = 2
SearchConfig.snapshot_interval = 2
"""
TRAIN = """
SegmenterConfig.filter_multiplier = 2
SegmenterConfig.stem_filters = (4, 4, 8)
SegmenterConfig.aspp_filters = 8
SegmenterConfig.low_level_filters = 4
SegmenterConfig.decoder_filters = 8
SegmenterConfig.batch_norm_momentum = 0.85
TrainConfig.train_steps = 40
"""
PATIENCE_SECONDS = 600


class Chain:
  """A folder to work in, and the tools with paths relative to it."""

  def __init__(self, repository: pathlib.Path, folder: pathlib.Path):
    self.folder = folder
    self._repository = repository
    for name, text in (('search', SEARCH), ('train', TRAIN)):
      (folder / f'{name}.gin').write_text(RECIPE + text)

  def start(self, tool, **flags):
    arguments = [f'--{name}={value}' for name, value in flags.items()]
    return subprocess.Popen(
      [sys.executable, str(self._repository / f'tools/{tool}.py'), *arguments],
      cwd=self.folder,
      env={**os.environ, 'PYTHONPATH': str(self._repository)},
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )

  def run(self, tool, **flags):
    """Returns what the tool printed on standard output, by lines."""
    process = self.start(tool, **flags)
    stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, stderr
    return stdout.splitlines()

  def run_killed(self, tool, **flags):
    """Kills a run after its first checkpoint; returns the lines of the next."""
    checkpoints = self.folder / flags['run_dir'] / 'checkpoints'
    process = self.start(tool, **flags)
    end = time.monotonic() + PATIENCE_SECONDS
    while not (checkpoints / 'checkpoint').exists():
      assert process.poll() is None, process.communicate()
      assert time.monotonic() < end
      time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    self.assert_steps(flags['run_dir'], is_whole=False)
    lines = self.run(tool, **flags)
    self.assert_steps(flags['run_dir'], is_whole=True)
    return lines

  def assert_steps(self, run_dir, *, is_whole):
    """Looks for one row of losses a step, all of them or not yet."""
    rows = (self.folder / run_dir / 'metrics.jsonl').read_text().splitlines()
    loss = 'weights/loss' if run_dir == 'search' else 'train/loss'
    steps = [r['step'] for r in map(json.loads, rows) if loss in r]
    assert steps == list(range(1, len(steps) + 1))
    num_steps = 6 if run_dir == 'search' else 40
    assert (len(steps) == num_steps) == is_whole


@pytest.mark.chain
def test_from_pictures_to_predictions(repository, tmp_path):
  chain = Chain(repository, tmp_path)
  lines = chain.run(
    'build_tfrecords',
    dataset='synthetic',
    output_dir='data',
    num_train=8,
    num_val=3,
    image_size='64,64',
  )
  assert lines[-2:] == [
    'Wrote 8 train, 3 val examples of 7 classes to data. Next:',
    '  python tools/search.py --data_dir=data --run_dir=NEW_RUN '
    '--gin_file=demo_search',
  ]

  lines = chain.run_killed(
    'search', gin_file='search.gin', data_dir='data', run_dir='search'
  )
  assert lines == [
    'Wrote search/architecture/step-00000006.npz. Next:',
    '  python tools/decode.py --run_dir=search',
  ]

  lines = chain.run('decode', run_dir='search')
  assert lines[-1].startswith(
    'Wrote genotype.json and its pictures to search/decoded. Next: python '
    'tools/train.py --genotype=search/decoded/genotype.json'
  )
  genotype = Genotype.load(tmp_path / 'search/decoded/genotype.json')
  assert (genotype.num_layers, genotype.num_blocks) == (3, 1)

  lines = chain.run_killed(
    'train',
    gin_file='train.gin',
    genotype='search/decoded/genotype.json',
    data_dir='data',
    run_dir='train',
  )
  assert lines[0].startswith('Wrote train/checkpoints; mIoU on val is 0.')
  assert lines[1:] == [
    '  python tools/export.py --run_dir=train --output_dir=train/saved_model'
  ]
  assert Genotype.load(tmp_path / 'train/genotype.json') == genotype

  lines = chain.run('evaluate', data_dir='data', run_dir='train')
  report = json.loads((tmp_path / 'train/evaluation-val-40.json').read_text())
  assert report['step'] == 40
  assert lines[0] == f'mean_iou                 {report["mean_iou"]:.4f}'
  assert sum(map(sum, report['confusion_matrix'])) <= 3 * 64 * 64
  assert lines[-2:] == [
    'Wrote train/evaluation-val-40.json. Next:',
    '  python tools/export.py --run_dir=train --output_dir=train/saved_model',
  ]

  lines = chain.run('export', run_dir='train', output_dir='train/saved_model')
  assert lines[-1].startswith(
    'Wrote the SavedModel of step 40 to train/saved_model. Next: python '
    'tools/predict.py --model_dir=train/saved_model'
  )

  lines = chain.run(
    'predict',
    model_dir='train/saved_model',
    input='data/pictures/images/val',
    output_dir='predictions',
  )
  assert re.fullmatch(
    r'Wrote label maps and overlays of 3 pictures to predictions \(.* pictures '
    r'a second; the network alone .*\); legend\.png has their colours\.',
    lines[-1],
  )
  assert len(list((tmp_path / 'predictions').iterdir())) == 2 * 3 + 1
