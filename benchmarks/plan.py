# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Holds what a plan predicts against what a training then takes.

  python -m benchmarks.plan --folder=/tmp/plans [--kinds=few,aerial]

Draws folders unlike each other (`drawn_folders`), tries the network that is
chosen for each as the planner does, and then trains it by the command, with
its evaluation at the end. A line each: seconds, processor seconds and peak
memory, predicted and taken. Where other programs run beside it, the processor
seconds are those to go by.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

from auto_deeplab.data.records import conversion
from auto_deeplab.data.sources import layouts
from auto_deeplab.planning import (
  designs,
  fingerprint,
  machine,
  measuring,
  settings,
)
from auto_deeplab.planning import plan as plan_lib
from benchmarks import drawn_folders

_HOURS = 0.5


def compare(
  kind: drawn_folders.Kind, folder: pathlib.Path, num_steps: int
) -> dict[str, object]:
  """Returns predicted and taken (seconds, CPU-seconds, GiB)."""
  drawn_folders.draw(kind, folder / 'pictures')
  source = layouts.open_source('folder', folder / 'pictures')
  conversion.write_dataset(source, folder / 'data', num_shards=2)
  data, seen = fingerprint.read(folder / 'data'), machine.measure()
  design = designs.choose(data, seen, _HOURS * 3600)
  recipe, genotype = folder / 'train.gin', folder / 'genotype.json'
  recipe.write_text(
    settings.to_gin(plan_lib.draft(data, seen, design).train, 'A draft.')
  )
  design.genotype.save(genotype)
  tried = measuring.run(
    'train', str(folder / 'data'), str(recipe), str(genotype)
  )
  predicted = (
    *(
      tried[f'{clock}start']
      + num_steps * tried[f'{clock}step']
      + tried[f'{clock}evaluation']
      + data.num_val * tried[f'{clock}picture']
      for clock in ('', 'cpu_')
    ),
    tried['peak'] / 2**30,
  )
  taken = _train(folder, num_steps)
  return {
    'kind': kind.name,
    'crop': design.crop,
    'filters': design.filters,
    'predicted': [round(value, 2) for value in predicted],
    'taken': [round(value, 2) for value in taken],
    'ratios': [round(t / p, 2) for t, p in zip(taken, predicted, strict=True)],
  }


def _train(folder: pathlib.Path, num_steps: int) -> tuple[float, float, float]:
  """Trains by the command; returns seconds, CPU-seconds and GiB."""
  begin = time.monotonic()
  process = subprocess.Popen(
    [
      *(sys.executable, '-P', '-m', 'auto_deeplab.cli', 'train'),
      f'--gin_file={folder}/train.gin',
      f'--gin_bindings=TrainConfig.train_steps = {num_steps}',
      '--gin_bindings=SegmenterConfig.batch_norm_momentum = 0.5',
      '--gin_bindings=WeightOptimizerConfig.warmup_steps = 1',
      f'--genotype={folder}/genotype.json',
      f'--data_dir={folder}/data',
      f'--run_dir={folder}/train-{time.time():.0f}',
    ],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
  )
  _, status, usage = os.wait4(process.pid, 0)
  process.returncode = os.waitstatus_to_exitcode(status)
  if process.returncode:
    raise ValueError(f'train ended with status {process.returncode}.')
  cpu = usage.ru_utime + usage.ru_stime
  return time.monotonic() - begin, cpu, usage.ru_maxrss / 2**20


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__)
  names = ','.join(kind.name for kind in drawn_folders.KINDS)
  parser.add_argument('--folder', type=pathlib.Path, required=True)
  parser.add_argument('--kinds', default=names)
  parser.add_argument('--steps', type=int, default=100)
  arguments = parser.parse_args()
  for name in arguments.kinds.split(','):
    kind = drawn_folders.by_name(name)
    found = compare(kind, arguments.folder / name, arguments.steps)
    print(json.dumps(found), flush=True)


if __name__ == '__main__':
  main()
