# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A run killed at random moments ends as the unbroken one, bit for bit.

`pytest tests/tools/kills_test.py --kills=20 -s` kills more often and shows how.
"""

import contextlib
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import decode
from tests import tiny
from tests.tools import tool_runs

pytestmark = pytest.mark.slow

# Of each kill, a run makes this many steps at most.
STEPS_A_KILL = 6
PATIENCE_SECONDS = 600
# Text, in no certain order.
GRAPH = '_CHECKPOINTABLE_OBJECT_GRAPH'


class Tool:
  """A search or a training, to be started again and again."""

  def __init__(self, name: str, folder: pathlib.Path, config):
    self.name = name
    self.folder = folder
    self.steps = config.schedule.train_steps
    (folder / f'{name}.gin').write_text(configs.to_gin(config))

  def run_dir(self, run: str) -> pathlib.Path:
    return self.folder / f'{self.name}-{run}'

  def start(self, run: str) -> subprocess.Popen:
    flags = [f'--gin_file={self.name}.gin', '--data_dir=data']
    if self.name == 'train':
      flags.append('--genotype=genotype.json')
    return subprocess.Popen(
      [
        sys.executable,
        str(tool_runs.REPOSITORY / f'tools/{self.name}.py'),
        *flags,
        f'--run_dir={self.run_dir(run)}',
      ],
      cwd=self.folder,
      env=tool_runs.environment(),
      stdout=subprocess.DEVNULL,
      stderr=subprocess.PIPE,
      text=True,
    )

  def finish(self, run: str) -> None:
    process = self.start(run)
    _, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, stderr

  def kill(self, run: str, moment: str, rng: random.Random) -> str:
    """Starts the run and kills it; returns what it was doing."""
    process = self.start(run)
    if moment != 'early':
      self._wait_for_lines(process, rng.randrange(1, STEPS_A_KILL // 2))
    if moment == 'saving':
      self._wait_for_save(run, process)
      time.sleep(rng.uniform(0, 0.004))
    else:
      time.sleep(rng.uniform(0, 5 if moment == 'early' else 0.3))
    is_asked = moment == 'asked'
    process.send_signal(signal.SIGTERM if is_asked else signal.SIGKILL)
    _, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    # Whether the run ended before.
    assert process.returncode == (75 if is_asked else -signal.SIGKILL), stderr
    is_cut = (self.run_dir(run) / 'checkpoints' / '.saving').exists()
    return f'{moment}{", a save was cut off" if is_cut else ""}'

  def _wait_for_lines(self, process: subprocess.Popen, count: int) -> None:
    """Waits until so many loops are done."""
    assert process.stderr is not None
    while count:
      line = process.stderr.readline()
      assert line, f'{self.name} ended: {process.wait()}'
      count -= line.startswith(self.name) and f'/{self.steps} |' in line

  def _wait_for_save(self, run: str, process: subprocess.Popen) -> None:
    saving = self.run_dir(run) / 'checkpoints' / '.saving'
    while not saving.exists():
      assert process.poll() is None
      time.sleep(0.0005)

  def values(self, run: str) -> dict[str, np.ndarray]:
    """Returns all of the last checkpoint: weights, slots, step."""
    path = self.run_dir(run) / 'checkpoints' / f'ckpt-{self.steps}'
    reader = tf.train.load_checkpoint(str(path))
    keys = set(reader.get_variable_to_shape_map()) - {GRAPH}
    return {key: reader.get_tensor(key) for key in keys}


def make_tool(name: str, folder: pathlib.Path, kills: int) -> Tool:
  parts = {
    'runtime': {'steps_per_loop': 2, 'checkpoint_interval': 2},
    'schedule': {'train_steps': (kills + 1) * STEPS_A_KILL},
  }
  if name == 'search':
    parts['schedule']['snapshot_interval'] = 2
    return Tool(name, folder, tiny.search_config(**parts))
  parts['schedule']['eval_interval'] = 5
  return Tool(name, folder, tiny.train_config(**parts))


@pytest.mark.parametrize('name', ['search', 'train'])
def test_kills_change_nothing(name, tmp_path, request):
  kills = request.config.getoption('--kills')
  tiny.write_data(tmp_path)
  tiny.GENOTYPE.save(tmp_path / 'genotype.json')
  tool = make_tool(name, tmp_path, kills)
  tool.finish('whole')
  rng = random.Random(kills)
  moments = ['saving', 'midst', 'asked', 'early']
  for number in range(kills):
    moment = moments[number] if number < 2 else rng.choice(moments)
    print(f'{name}, kill {number + 1}: {tool.kill("broken", moment, rng)}')
  tool.finish('broken')

  whole, broken = tool.values('whole'), tool.values('broken')
  assert set(whole) == set(broken)
  for key, value in whole.items():
    assert value.tobytes() == broken[key].tobytes(), key
  for file in ('metrics.jsonl', 'config.gin', 'best/best.json'):
    with contextlib.suppress(FileNotFoundError):  # A search has no best.
      text = (tool.run_dir('whole') / file).read_text()
      assert (tool.run_dir('broken') / file).read_text() == text
  if name == 'search':
    snapshots = [
      decode.load_snapshot(decode.latest_snapshot(tool.run_dir(run)))
      for run in ('whole', 'broken')
    ]
    assert snapshots[0].step == snapshots[1].step == tool.steps
    for field in ('alphas', 'betas'):
      np.testing.assert_array_equal(
        *(getattr(snapshot, field) for snapshot in snapshots)
      )
  else:
    assert (tool.run_dir('broken') / 'best' / 'best.json').exists()
