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
from tests.training import tiny

PATIENCE_SECONDS = 900


def free_addresses(count):
  """Addresses on loopback that are free now, no two alike."""
  sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
  addresses = [f'127.0.0.1:{s.getsockname()[1]}' for s in sockets]
  for s in sockets:
    s.close()
  return addresses


def start_worker(repository, folder, workers, index):
  task = {'type': 'worker', 'index': index}
  cluster = {'cluster': {'worker': workers}, 'task': task}
  return subprocess.Popen(
    [
      sys.executable,
      str(repository / 'tools' / 'train.py'),
      '--distribution=multi_worker',
      '--gin_file=train.gin',
      '--genotype=genotype.json',
      '--data_dir=data',
      '--run_dir=run',
    ],
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


def start_workers(repository, folder, **schedule):
  tiny.write_data(folder)
  tiny.GENOTYPE.save(folder / 'genotype.json')
  config = configs.to_gin(tiny.train_config(schedule=schedule))
  (folder / 'train.gin').write_text(config)
  addresses = free_addresses(2)
  return [start_worker(repository, folder, addresses, i) for i in range(2)]


@pytest.mark.chain
def test_two_workers_train_and_evaluate_together(repository, tmp_path):
  workers = start_workers(repository, tmp_path)
  outputs = [w.communicate(timeout=PATIENCE_SECONDS)[0] for w in workers]
  assert [w.returncode for w in workers] == [0, 0], outputs

  run = tmp_path / 'run'
  rows = [
    (folder / 'metrics.jsonl').read_text().splitlines()
    for folder in (run, run / 'worker-1')
  ]
  # Losses and scores are of all workers, so each reports the same.
  assert rows[0] == rows[1]
  assert [json.loads(row)['step'] for row in rows[0]] == [1, 2, 3, 4, 4]
  # Both take part in a save, each in a folder of its own.
  for folder in (run, run / 'worker-1'):
    assert (folder / 'checkpoints' / 'ckpt-4.index').exists()


@pytest.mark.chain
def test_the_end_of_one_worker_is_the_end_of_both(repository, tmp_path):
  workers = start_workers(repository, tmp_path, train_steps=10_000)
  run = tmp_path / 'run'
  while not (run / 'checkpoints' / 'ckpt-2.index').exists():
    assert [w.poll() for w in workers] == [None, None]
    time.sleep(0.1)
  workers[1].send_signal(signal.SIGTERM)
  outputs = [w.communicate(timeout=PATIENCE_SECONDS)[0] for w in workers]
  assert [w.returncode for w in workers] == [75, 75], outputs
  newest = [
    (folder / 'checkpoints' / 'checkpoint').read_text().splitlines()[0]
    for folder in (run, run / 'worker-1')
  ]
  assert newest[0] == newest[1]
  for output in outputs:
    assert output.splitlines()[-1].startswith('train: asked to end; run/')
