# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Decodes a search: writes the genotype that it found, and draws it.

Takes the latest snapshot of alphas and betas of a run and writes into
--output_dir (RUN/decoded unless you say otherwise):

  genotype.json   the cell and the backbone; tools/train.py takes it
  lattice.png     the transition probabilities and the chosen path
  cell.png        the cell as a graph

Example:
  python tools/decode.py --run_dir=runs/search

With --random_seed=N no search is needed: it draws a genotype at random, the
baseline that a search has to beat, and writes no lattice.png.

  python tools/decode.py --random_seed=0 --output_dir=runs/random0
"""

import os

from absl import flags
import cli
import numpy as np

from auto_deeplab.architecture import decode
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.reporting import decoded

_RUN_DIR = flags.DEFINE_string(
  'run_dir', None, 'Folder of a search; its latest snapshot is decoded.'
)
_SNAPSHOT = flags.DEFINE_string(
  'snapshot',
  None,
  'One snapshot (RUN/architecture/step-*.npz), in place of --run_dir.',
)
_RANDOM_SEED = flags.DEFINE_integer(
  'random_seed', None, 'Draw a random genotype with this seed instead.'
)
_NUM_LAYERS = flags.DEFINE_integer(
  'num_layers', 12, 'Layers of a random genotype.'
)
_NUM_BLOCKS = flags.DEFINE_integer(
  'num_blocks', 5, 'Blocks of the cell of a random genotype.'
)
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', None, 'Folder to write to; RUN/decoded if not given.'
)


def main() -> None:
  """Writes a decoded or a random genotype, and says what comes next."""
  sources = (_RUN_DIR.value, _SNAPSHOT.value, _RANDOM_SEED.value)
  if sum(source is not None for source in sources) != 1:
    raise ValueError('give one of --run_dir, --snapshot and --random_seed.')
  if _RANDOM_SEED.value is not None:
    output_dir = draw_random(_RANDOM_SEED.value)
  else:
    path = _SNAPSHOT.value or decode.latest_snapshot(_RUN_DIR.value)
    output_dir = decode_snapshot(path)
  print(
    f'Wrote genotype.json and its pictures to {output_dir}. '
    f'Next: python tools/train.py --genotype={output_dir}/genotype.json '
    '--gin_file=RECIPE.gin --data_dir=DATA --run_dir=NEW_RUN'
  )


def draw_random(seed: int) -> str:
  """Draws a genotype at random and returns the folder that it is in."""
  if _OUTPUT_DIR.value is None:
    raise ValueError('a random genotype needs --output_dir.')
  genotype = genotype_lib.random_genotype(
    np.random.default_rng(seed),
    num_layers=_NUM_LAYERS.value,
    num_blocks=_NUM_BLOCKS.value,
  )
  print(f'Drew a genotype with seed {seed}.\n{decoded.describe(genotype)}')
  decoded.write(genotype, _OUTPUT_DIR.value, searched={'random_seed': seed})
  return _OUTPUT_DIR.value


def decode_snapshot(path: str) -> str:
  """Decodes a snapshot and returns the folder that the genotype is in."""
  snapshot = decode.load_snapshot(path)
  run_dir, output_dir = decoded.run_folder(path), _OUTPUT_DIR.value
  if output_dir is None:
    if run_dir is None:
      raise ValueError(f'{path} lies in no run; it needs --output_dir.')
    output_dir = os.path.join(run_dir, 'decoded')
  genotype = decode.decode(snapshot.alphas, snapshot.betas)
  print(f'Decoded step {snapshot.step} ({path}).')
  print(decoded.describe(genotype))
  print(decoded.describe_certainty(snapshot))
  decoded.write(
    genotype,
    output_dir,
    searched=decoded.origin(run_dir, snapshot.step),
    betas=snapshot.betas,
  )
  return output_dir


if __name__ == '__main__':
  cli.run(main)
