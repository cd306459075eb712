# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A decoded architecture: in words, and as the folder that holds it.

FOLDER/lattice.png     transition probabilities and the path; of a search
FOLDER/cell.png        the cell as a graph
FOLDER/genotype.json   what `tools/train.py` takes; written last
"""

from collections.abc import Mapping
import hashlib
import os
from typing import Any

import numpy as np

from auto_deeplab.architecture import decode, lattice
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.reporting import drawings

# Twice that of the initial logits. One step of Adam makes it three times.
_LARGEST_INITIAL_STDDEV = 2e-3


def run_folder(snapshot_path: str) -> str | None:
  """The folder of the run that a snapshot belongs to.

  Returns:
    The folder, or None if the snapshot lies outside of a run.
  """
  folder = os.path.dirname(snapshot_path)
  if os.path.basename(os.path.abspath(folder)) != decode.SNAPSHOT_FOLDER:
    return None
  return os.path.normpath(os.path.join(folder, os.pardir))


def origin(run_dir: str | None, step: int) -> dict[str, Any]:
  """What genotype.json says of the search: its run, step and configuration.

  Args:
    run_dir: Folder of the search, if there is one.
    step: Of the snapshot.
  """
  described: dict[str, Any] = {'run': run_dir, 'step': step}
  config_path = os.path.join(run_dir or '', 'config.gin')
  if run_dir is not None and os.path.exists(config_path):
    with open(config_path, 'rb') as file:
      described['config_sha256'] = hashlib.sha256(file.read()).hexdigest()
  return described


def write(
  genotype: genotype_lib.Genotype,
  output_dir: str,
  *,
  searched: Mapping[str, Any],
  betas: np.ndarray | None = None,
) -> None:
  """Writes the pictures and the genotype, each atomically.

  Args:
    genotype: What to write.
    output_dir: Folder to write to.
    searched: Where it comes from.
    betas: `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]` logits to draw the
      lattice of, if the genotype comes from a search.
  """
  if betas is not None:
    lattice_path = os.path.join(output_dir, 'lattice.png')
    drawings.draw_lattice(betas, genotype.backbone, lattice_path)
  drawings.draw_cell(genotype, os.path.join(output_dir, 'cell.png'))
  genotype.save(os.path.join(output_dir, 'genotype.json'), searched=searched)


def describe(genotype: genotype_lib.Genotype) -> str:
  """A genotype in words, one line a block and one for the backbone."""
  states = [*genotype_lib.INPUTS]
  states += [f'block {block}' for block in range(genotype.num_blocks)]
  lines = ['Cell:']
  for block, edges in enumerate(genotype.cell):
    terms = [f'{operation}({states[state]})' for state, operation in edges]
    lines.append(f'  block {block} = {" + ".join(terms)}')
  strides = [lattice.OUTPUT_STRIDES[level] for level in genotype.backbone]
  lines.append(f'Backbone (output strides): {" ".join(map(str, strides))}')
  return '\n'.join(lines)


def describe_certainty(snapshot: decode.Snapshot) -> str:
  """How far a search has made up its mind, in two lines."""
  betas = snapshot.betas
  probability = decode.path_probability(betas, decode.decode_backbone(betas))
  alphas_entropy = _entropy_of_largest(
    decode.operation_probabilities, snapshot.alphas
  )
  betas_entropy = _entropy_of_largest(decode.transition_probabilities, betas)
  return (
    f'Path probability: {probability:.3g}, the largest of '
    f'{lattice.num_paths(len(betas)):,} paths.\n'
    f'Mean entropy: alphas {alphas_entropy} bits, betas {betas_entropy} bits '
    '(0 is decided).'
  )


def describe_start(
  snapshot: decode.Snapshot, arch_start_step: int | None
) -> str | None:
  """A line on a snapshot whose logits are still the random initial ones.

  Args:
    snapshot: Of a search.
    arch_start_step: Of its configuration; None if that is not known, and the
      logits have to tell.

  Returns:
    The line, or None if they have moved.
  """
  if arch_start_step is not None:
    has_moved = snapshot.step > arch_start_step
    when = f' (architecture steps begin at step {arch_start_step})'
  else:
    logits = np.concatenate([snapshot.alphas.ravel(), snapshot.betas.ravel()])
    has_moved = float(logits.std()) > _LARGEST_INITIAL_STDDEV
    when = f' (their standard deviation is {logits.std():.1g})'
  if has_moved:
    return None
  return (
    f'alpha and beta have not moved yet{when}: this genotype is as good as a '
    'random one.'
  )


def _entropy_of_largest(probabilities_fn: Any, logits: np.ndarray) -> str:
  """The mean entropy, and that of equal logits, which is the largest."""
  entropy, largest = (
    decode.mean_entropy(probabilities_fn(values))
    for values in (logits, np.zeros_like(logits))
  )
  return f'{entropy:.3f} of {largest:.3f}'
