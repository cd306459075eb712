# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A chain that has done as much as a test writes."""

import json
import os
import pathlib

import numpy as np

from auto_deeplab.architecture import decode
from auto_deeplab.planning import chain as chain_lib

_SECONDS = {'search': 100.0, 'decode': 10.0, 'train': 200.0, 'export': 90.0}


def make(folder: pathlib.Path) -> chain_lib.Chain:
  """A chain whose pictures are a folder that is empty."""
  (folder / 'pictures').mkdir()
  return chain_lib.Chain(
    str(folder / 'pictures'), str(folder / 'out'), ('--val_fraction=0.2',)
  )


def write(path, text=''):
  os.makedirs(os.path.dirname(path), exist_ok=True)
  with open(path, 'w') as file:
    file.write(text)


def plan(chain, with_search=True):
  """Writes what the planner leaves."""
  stages = [{'verb': v, 'seconds': s} for v, s in _SECONDS.items()]
  document = {'plan': {'stages': stages}}
  write(f'{chain.out}/plan/plan.json', json.dumps(document))
  write(f'{chain.out}/plan/train.gin', 'TrainConfig.train_steps = 40\n')
  if with_search:
    settings = 'train_steps = 1000', 'arch_start_step = 400'
    text = ''.join(f'SearchConfig.{line}\n' for line in settings)
    write(f'{chain.out}/plan/search.gin', text)


def snapshot(chain, step):
  alphas, betas = np.zeros((2, 8)), np.zeros((5, 4, 3))
  searched = decode.Snapshot(step, alphas, betas)
  decode.save_snapshot(f'{chain.out}/search', searched)
