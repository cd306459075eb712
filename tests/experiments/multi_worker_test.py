# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Two worker processes on this machine train one network."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from auto_deeplab import configs
from tests import tiny

PATIENCE_SECONDS = 900


def free_addresses(count):
  """Addresses on loopback that are free now, no two alike."""
  sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
  addresses = [f'127.0.0.1:{s.getsockname()[1]}' for s in sockets]
  for s in sockets:
    s.close()
  return addresses


def start_worker(repository, folder, workers, index, *arguments):
  task = {'type': 'worker', 'index': index}
  cluster = {'cluster': {'worker': workers}, 'task': task}
  return subprocess.Popen(
    [sys.executable, *arguments],
    cwd=folder,
    env={
      **os.environ,
      'PYTHONPATH': str(repository),
      'TF_CONFIG': json.dumps(cluster),
    },
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )


def start_both(repository, folder, flags=((), ())):
  addresses = free_addresses(2)
  command = [
    str(repository / 'tools' / 'train.py'),
    '--distribution=multi_worker',
    '--gin_file=train.gin',
    '--genotype=genotype.json',
    '--data_dir=data',
    '--run_dir=run',
  ]
  return [
    start_worker(repository, folder, addresses, index, *command, *flags[index])
    for index in range(2)
  ]


def outputs_of(workers):
  return [w.communicate(timeout=PATIENCE_SECONDS)[0] for w in workers]


@pytest.fixture
def folder(tmp_path):
  """What both workers read."""
  tiny.write_data(tmp_path)
  tiny.GENOTYPE.save(tmp_path / 'genotype.json')
  config = configs.to_gin(tiny.train_config())
  (tmp_path / 'train.gin').write_text(config)
  return tmp_path


@pytest.mark.chain
def test_two_workers_train_and_evaluate_together(repository, folder):
  workers = start_both(repository, folder)
  outputs = outputs_of(workers)
  assert [w.returncode for w in workers] == [0, 0], outputs

  run = folder / 'run'
  rows = [
    (path / 'metrics.jsonl').read_text().splitlines()
    for path in (run, run / 'worker-1')
  ]
  # Losses and scores are of all workers, so each reports the same.
  assert rows[0] == rows[1]
  assert [json.loads(row)['step'] for row in rows[0]] == [1, 2, 3, 4, 4]
  # Both take part in a save, each in a folder of its own.
  for path in (run, run / 'worker-1'):
    assert (path / 'checkpoints' / 'ckpt-4.index').exists()


@pytest.mark.chain
def test_all_do_what_the_first_worker_answers(repository, tmp_path):
  program = '; '.join(
    [
      'import sys',
      'from auto_deeplab.training import cluster, distribution',
      'strategy = distribution.make_strategy("multi_worker")',
      'index = int(sys.argv[1])',
      'print([cluster.first_workers(strategy, index == i) for i in (0, 1)])',
    ]
  )
  addresses = free_addresses(2)
  workers = [
    start_worker(repository, tmp_path, addresses, i, '-c', program, str(i))
    for i in range(2)
  ]
  for output in outputs_of(workers):
    assert output.splitlines()[-1] == '[True, False]', output


@pytest.mark.chain
def test_workers_of_different_configurations_are_refused(repository, folder):
  other = ['--gin_bindings=WeightOptimizerConfig.learning_rate = 0.5']
  workers = start_both(repository, folder, flags=((), other))
  for output in outputs_of(workers):
    assert (
      'train: the workers differ in their config.gin: worker 1 from worker 0'
    ) in output
  assert [w.returncode for w in workers] == [1, 1]
  assert not (folder / 'run' / 'config.gin').exists()


@pytest.mark.chain
def test_a_killed_worker_ends_the_others_and_all_go_on(repository, folder):
  steps = 60
  long = [[f'--gin_bindings=TrainConfig.train_steps = {steps}']] * 2
  workers = start_both(repository, folder, long)
  saved = folder / 'run' / 'checkpoints' / 'checkpoint'
  end = time.monotonic() + PATIENCE_SECONDS
  while not saved.exists():
    assert time.monotonic() < end
    assert workers[1].poll() is None, workers[1].communicate()
    time.sleep(0.1)
  workers[1].send_signal(signal.SIGKILL)
  left, _ = outputs_of(workers)
  assert workers[0].returncode == 1, left
  assert 'train: another worker is gone, and this one ends: start' in left

  workers = start_both(repository, folder, long)
  outputs = outputs_of(workers)
  assert [w.returncode for w in workers] == [0, 0], outputs
  rows = (folder / 'run' / 'metrics.jsonl').read_text().splitlines()
  numbers = [json.loads(row)['step'] for row in rows]
  assert numbers == [*range(1, steps + 1), steps]


@pytest.mark.chain
def test_the_end_of_one_worker_is_the_end_of_both(repository, folder):
  long = ['--gin_bindings=TrainConfig.train_steps = 10_000']
  workers = start_both(repository, folder, flags=(long, long))
  run = folder / 'run'
  while not (run / 'checkpoints' / 'ckpt-2.index').exists():
    assert [w.poll() for w in workers] == [None, None]
    time.sleep(0.1)
  workers[1].send_signal(signal.SIGTERM)
  outputs = outputs_of(workers)
  assert [w.returncode for w in workers] == [75, 75], outputs
  newest = [
    (path / 'checkpoints' / 'checkpoint').read_text().splitlines()[0]
    for path in (run, run / 'worker-1')
  ]
  assert newest[0] == newest[1]
  for output in outputs:
    assert output.splitlines()[-1].startswith('train: asked to end; run/')
