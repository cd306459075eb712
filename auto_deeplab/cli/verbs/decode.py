# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Decodes a search: writes the genotype that it found, and draws it.

Takes the latest snapshot of alphas and betas of a run and writes into
--output_dir (RUN/decoded unless you say otherwise):

  genotype.json   the cell and the backbone; train takes it
  lattice.png     the transition probabilities and the chosen path
  cell.png        the cell as a graph

Example:
  auto-deeplab decode --run_dir=runs/search

--method=evaluation chooses among the likeliest genotypes, those of earlier
snapshots and random ones: the one that does best on half B with the weights of
the search, computed alone. --method=perturbation leaves out each primitive and
each transition in turn, and keeps those that the search would miss most. Both
take minutes.

  auto-deeplab decode --run_dir=runs/search --method=evaluation \
    --data_dir=DATA --output_dir=runs/evaluated

With --random_seed=N it does not decode but draws a genotype at random, the
baseline that a search has to beat: of the layers and blocks of the decoded one,
and of its multiply-adds within 2 %. Without a run it is compared with the
published one. There is no lattice.png then.

  auto-deeplab decode --run_dir=runs/search --random_seed=0 \
    --output_dir=runs/random0
"""

import os
import pathlib

from absl import flags

from auto_deeplab import configs
from auto_deeplab.architecture import (
  baseline,
  decode,
  primitives,
  within_cost,
)
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.cli import commands

_RUN_DIR = flags.DEFINE_string(
  'run_dir', None, 'Folder of a search; its latest snapshot is decoded.'
)
_SNAPSHOT = flags.DEFINE_string(
  'snapshot',
  None,
  'One snapshot (RUN/architecture/step-*.npz), in place of --run_dir.',
)
_RANDOM_SEED = flags.DEFINE_integer(
  'random_seed', None, 'Draw a random genotype of equal cost instead.'
)
_METHOD = flags.DEFINE_enum(
  'method',
  'magnitude',
  configs.DECODE_METHODS,
  'The largest alphas and betas, the best of many, or what is missed most.',
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'Data set of the search, for all methods but magnitude.'
)
_TRAIN_SPLIT = flags.DEFINE_string(
  'train_split', 'train', 'Split whose half B is evaluated on.'
)
_NUM_LIKELIEST = flags.DEFINE_integer(
  'num_likeliest', 16, 'Likeliest genotypes to evaluate.', lower_bound=1
)
_NUM_RANDOM = flags.DEFINE_integer(
  'num_random', 16, 'Random genotypes to evaluate.', lower_bound=0
)
_NUM_BATCHES = flags.DEFINE_integer(
  'num_batches', 8, 'Batches of half B to evaluate on.', lower_bound=1
)
_TUNING_STEPS = flags.DEFINE_integer(
  'tuning_steps',
  2,
  'Steps of the weights after each decision of --method=perturbation.',
  lower_bound=0,
)
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', None, 'Folder to write to; RUN/decoded if not given.'
)


def main() -> None:
  """Writes a decoded or a random genotype, and says what comes next."""
  path, seed = _SNAPSHOT.value, _RANDOM_SEED.value
  if path is not None and _RUN_DIR.value is not None:
    raise ValueError('give --run_dir or --snapshot, not both.')
  if _RUN_DIR.value is not None:
    path = decode.latest_snapshot(_RUN_DIR.value)
  if seed is not None:
    output_dir = draw_random(seed, path)
  elif _METHOD.value != 'magnitude':
    output_dir = decode_by_weights(_METHOD.value)
  elif path is not None:
    output_dir = decode_snapshot(path)
  else:
    raise ValueError('give --run_dir, --snapshot or --random_seed.')
  print(
    f'Wrote genotype.json and its pictures to {output_dir}. '
    f'Next: {commands.shown("train")} --genotype={output_dir}/genotype.json '
    '--gin_file=RECIPE.gin --data_dir=DATA --run_dir=NEW_RUN'
  )


def draw_random(seed: int, path: str | None) -> str:
  """Draws a genotype at random and returns the folder that it is in."""
  from auto_deeplab.reporting import decoded

  if _OUTPUT_DIR.value is None:
    raise ValueError('a random genotype needs --output_dir.')
  reference, searched = genotype_lib.PUBLISHED, {'random_seed': seed}
  names = primitives.PAPER
  if path is not None:
    snapshot = decode.load_snapshot(path)
    reference, names = snapshot.decode(), snapshot.primitives
    searched |= decoded.origin(decoded.run_folder(path), snapshot.step)
  genotype = baseline.draw(reference, seed, names)
  drawn, target = (
    baseline.multiply_adds(g) / 1e9 for g in (genotype, reference)
  )
  print(
    f'Drew a genotype with seed {seed}: {drawn:.2f} B multiply-adds for the '
    f'{target:.2f} B of {path or "the published one"} (F=20, 1025x2049).'
  )
  print(decoded.describe(genotype))
  decoded.write(genotype, _OUTPUT_DIR.value, searched=searched)
  return _OUTPUT_DIR.value


def decode_snapshot(path: str) -> str:
  """Decodes a snapshot and returns the folder that the genotype is in."""
  from auto_deeplab.reporting import decoded

  snapshot = decode.load_snapshot(path)
  run_dir, output_dir = decoded.run_folder(path), _OUTPUT_DIR.value
  if output_dir is None:
    if run_dir is None:
      raise ValueError(f'{path} lies in no run; it needs --output_dir.')
    output_dir = os.path.join(run_dir, 'decoded')
  genotype = snapshot.decode()
  print(f'Decoded step {snapshot.step} ({path}).')
  print(decoded.describe(genotype))
  print(decoded.describe_certainty(snapshot))
  start = decoded.describe_start(snapshot, _arch_start_step(run_dir))
  if start:
    print(start)
  if run_dir and (kept := pathlib.Path(run_dir, within_cost.FILE)).exists():
    print(
      f'The search has a target of cost, and this network may miss it: {kept} '
      'is the likeliest one that meets it, to be trained in its place.'
    )
  decoded.write(
    genotype,
    output_dir,
    searched=decoded.origin(run_dir, snapshot.step),
    betas=snapshot.betas,
  )
  return output_dir


def decode_by_weights(method: str) -> str:
  """Decodes with the weights of a search; returns the genotype's folder."""
  run_dir = _RUN_DIR.value
  for flag in (_RUN_DIR, _DATA_DIR):
    if flag.value is None:
      raise ValueError(f'--method={method} needs --{flag.name}.')
  from auto_deeplab.experiments import decoding
  from auto_deeplab.reporting import decoded
  from auto_deeplab.runs import run as run_lib

  place = run_lib.Place(
    _DATA_DIR.value, run_dir, train_split=_TRAIN_SPLIT.value
  )
  searched = {'method': method}
  if method == 'evaluation':
    found = decoding.evaluate(
      place,
      num_likeliest=_NUM_LIKELIEST.value,
      num_random=_NUM_RANDOM.value,
      num_batches=_NUM_BATCHES.value,
    )
    print(decoding.table(found))
    genotype = found[0].genotype
    searched['candidate'] = found[0].name
  else:
    genotype = decoding.perturb(
      place,
      num_batches=_NUM_BATCHES.value,
      tuning_steps=_TUNING_STEPS.value,
    )
  print(decoded.describe(genotype))
  snapshot = decode.load_snapshot(decode.latest_snapshot(run_dir))
  output_dir = _OUTPUT_DIR.value or os.path.join(run_dir, 'decoded')
  decoded.write(
    genotype,
    output_dir,
    searched=decoded.origin(run_dir, snapshot.step) | searched,
    betas=snapshot.betas,
  )
  return output_dir


def _arch_start_step(run_dir: str | None) -> int | None:
  path = os.path.join(run_dir or '', 'config.gin')
  if run_dir is None or not os.path.exists(path):
    return None
  config = configs.load(configs.SearchExperiment, [path])
  return config.schedule.arch_start_step
