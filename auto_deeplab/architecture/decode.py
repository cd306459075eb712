# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Decoding: from the continuous architecture to a genotype.

Alphas, `[num_edges, num_primitives]`, are the logits of the cell, in the order
of `genotype.edges` and of the primitives that were searched among, the paper's
eight by default. Betas, `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]`, are the
logits of the network, as `lattice` describes. The rules are those of section
4.3 of the paper (arXiv 1901.02985).

During a search the two are kept as snapshots, one file each time; one without
primitives is old and of the paper's:

    RUN/architecture/step-00012000.npz    step, alphas, betas, primitives
    RUN/stopped_early.json    of a search that ended before its last step:
                              where, and which snapshot is its result
"""

from collections.abc import Mapping, Sequence
import dataclasses
import json
import os
import pathlib
import re
from typing import Any
import zipfile

import numpy as np

from auto_deeplab.architecture import artifact, lattice
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import primitives as primitives_lib

FORMAT = 'auto_deeplab.architecture'
VERSION = 1
SNAPSHOT_FOLDER = 'architecture'
_STOPPED_EARLY = 'stopped_early.json'
_SNAPSHOT_NAME = re.compile(r'step-(\d+)\.npz')


@dataclasses.dataclass(frozen=True, eq=False)
class Snapshot:
  """The architecture variables at one step of a search.

  Attributes:
    step: Training step, 0 or more.
    alphas: float32 `[num_edges, num_primitives]`.
    betas: float32 `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]`.
    primitives: Names of those that were searched among, in the order of alphas.

  Raises:
    ValueError: If the step is negative, a shape is wrong, a value is not
      finite, or a primitive is unknown.
  """

  step: int
  alphas: np.ndarray
  betas: np.ndarray
  primitives: tuple[str, ...] = primitives_lib.PAPER

  def __post_init__(self) -> None:
    if self.step < 0:
      raise ValueError(f'`step` ({self.step}) must not be negative.')
    for name in self.primitives:
      primitives_lib.get(name)
    alphas = _checked_alphas(self.alphas, len(self.primitives))
    betas = _checked_betas(self.betas)
    object.__setattr__(self, 'alphas', alphas.astype(np.float32))
    object.__setattr__(self, 'betas', betas.astype(np.float32))

  def decode(self) -> genotype_lib.Genotype:
    """Decodes the cell and the backbone."""
    return decode(self.alphas, self.betas, self.primitives)


def decode(
  alphas: Any, betas: Any, names: Sequence[str] = primitives_lib.PAPER
) -> genotype_lib.Genotype:
  """Decodes the cell, as of `decode_cell`, and the backbone."""
  return genotype_lib.Genotype(
    decode_cell(alphas, names), decode_backbone(betas)
  )


def num_blocks(alphas: np.ndarray) -> int:
  """Number of blocks of the cell that `alphas` describes.

  Raises:
    ValueError: If no cell has as many edges.
  """
  num_edges, blocks = alphas.shape[0], 0
  while num_edges > 0:
    num_edges -= genotype_lib.num_states(blocks)
    blocks += 1
  if num_edges < 0 or blocks == 0:
    raise ValueError(
      f'`alphas` has {alphas.shape[0]} edges; a cell has 2, 5, 9, 14, 20, ..., '
      'B * (B + 3) / 2 of them.'
    )
  return blocks


def operation_probabilities(alphas: Any) -> np.ndarray:
  """Softmax over the primitives of each edge, `none` included.

  Args:
    alphas: `[num_edges, num_primitives]` logits.

  Returns:
    float64 `[num_edges, num_primitives]`.

  Raises:
    ValueError: If the shape is wrong or a value is not finite.
  """
  return np.exp(_log_softmax(_checked_alphas(alphas)))


def transition_probabilities(betas: Any) -> np.ndarray:
  """Softmax over the legal outgoing transitions of each source node.

  At the border levels two transitions are legal and share all of the
  probability. There is no other factor.

  Args:
    betas: `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]` logits.

  Returns:
    float64 of the same shape: 0 where there is no transition, and summing to 1
    over the last axis at each source that can be reached.

  Raises:
    ValueError: If the shape is wrong or a value is not finite.
  """
  return np.exp(_log_transition_probabilities(betas))


def decode_cell(
  alphas: Any, names: Sequence[str] = primitives_lib.PAPER
) -> tuple[genotype_lib.Block, ...]:
  """Keeps the two strongest predecessors of each block.

  The strength of an edge is its largest probability over the primitives other
  than `none` (the softmax is over all of them), and the edge keeps that
  primitive. Of equals the first in order wins.

  Args:
    alphas: `[num_edges, num_primitives]` logits.
    names: Of the primitives.

  Returns:
    The cell of a genotype; the edges of a block are sorted by state.

  Raises:
    ValueError: If the shape is wrong or a value is not finite.
  """
  alphas = _checked_alphas(alphas, len(names))
  probabilities = operation_probabilities(alphas)
  probabilities[:, [name == primitives_lib.NONE for name in names]] = -1.0
  strengths, best = probabilities.max(axis=1), probabilities.argmax(axis=1)

  cell, first = [], 0
  for block in range(num_blocks(alphas)):
    states = range(genotype_lib.num_states(block))
    strongest = sorted(states, key=lambda s: -strengths[first + s])
    left, right = sorted(strongest[: genotype_lib.EDGES_PER_BLOCK])
    cell.append(
      ((left, names[best[first + left]]), (right, names[best[first + right]]))
    )
    first += len(states)
  return tuple(cell)


def decode_backbone(betas: Any) -> tuple[int, ...]:
  """Finds the most probable path from the stem to the last layer.

  Viterbi on the product of transition probabilities, in the log domain, so that
  a long lattice does not underflow. Of equals the finer level wins.

  Args:
    betas: `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]` logits.

  Returns:
    The level of each layer.

  Raises:
    ValueError: If the shape is wrong or a value is not finite.
  """
  log_probabilities = _log_transition_probabilities(betas)
  num_layers = len(log_probabilities)
  # scores[level]: the best log probability of a path from the stem to it.
  scores = {0: 0.0}
  sources: list[dict[int, int]] = []
  for layer in range(num_layers):
    arriving, chosen = {}, {}
    for level in lattice.reachable_levels(layer):
      arriving[level], chosen[level] = _best_source(
        scores, log_probabilities[layer], lattice.incoming(layer, level)
      )
    scores = arriving
    sources.append(chosen)
  level = max(scores, key=lambda reached: scores[reached])
  return _trace_back(sources, level)


def _best_source(
  scores: dict[int, float],
  log_probabilities: np.ndarray,
  incoming: tuple[tuple[int, int], ...],
) -> tuple[float, int]:
  """Returns (score, source level) of the best way into a node."""
  candidates = [
    (scores[source] + float(log_probabilities[source, direction]), source)
    for source, direction in incoming
  ]
  return max(candidates, key=lambda candidate: candidate[0])


def _trace_back(sources: list[dict[int, int]], level: int) -> tuple[int, ...]:
  """Follows the chosen sources from the last layer to the first."""
  backbone = [level]
  for chosen in reversed(sources[1:]):
    backbone.append(chosen[backbone[-1]])
  return tuple(reversed(backbone))


def path_probability(betas: Any, backbone: Sequence[int]) -> float:
  """Product of the transition probabilities along a path.

  Args:
    betas: `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]` logits.
    backbone: The level of each layer.

  Raises:
    ValueError: If the backbone has another number of layers, or is no path.
  """
  probabilities = transition_probabilities(betas)
  if len(backbone) != len(probabilities):
    raise ValueError(
      f'`backbone` has {len(backbone)} layers, `betas` has '
      f'{len(probabilities)}.'
    )
  factors = [
    probabilities[t.column, t.source_level, t.direction]
    for t in lattice.path_transitions(backbone)
  ]
  return float(np.prod(factors))


def mean_entropy(probabilities: np.ndarray) -> float:
  """Mean entropy of the distributions along the last axis, in bits.

  It falls as a search makes up its mind. Rows that are all 0 (sources that
  cannot be reached) are left out.

  Args:
    probabilities: Float array; each row sums to 1 or is 0.
  """
  rows = probabilities.reshape(-1, probabilities.shape[-1])
  rows = rows[rows.sum(axis=-1) > 0]
  logs = np.log2(rows, out=np.zeros_like(rows), where=rows > 0)
  return float(-(rows * logs).sum(axis=-1).mean())


def entropies(alphas: Any, betas: Any) -> dict[str, float]:
  """Mean entropies of softmax alpha and softmax beta, in bits, by name."""
  return {
    'entropy/alpha': mean_entropy(operation_probabilities(alphas)),
    'entropy/beta': mean_entropy(transition_probabilities(betas)),
  }


def describe(snapshot: Snapshot) -> dict[str, Any]:
  """What a search logs with a snapshot, as JSON values.

  Returns:
    The decoded `genotype` as its JSON object, the `path_probability` of its
    backbone, and the `entropies`.
  """
  genotype = snapshot.decode()
  return {
    'genotype': genotype.to_json(),
    'path_probability': path_probability(snapshot.betas, genotype.backbone),
    **entropies(snapshot.alphas, snapshot.betas),
  }


def snapshot_path(run_dir: str | os.PathLike[str], step: int) -> pathlib.Path:
  """Returns where the snapshot of a step is kept, whether it is or not."""
  return pathlib.Path(run_dir) / SNAPSHOT_FOLDER / f'step-{step:08d}.npz'


def save_snapshot(run_dir: str | os.PathLike[str], snapshot: Snapshot) -> str:
  """Writes a snapshot into the folder of a run, atomically.

  Returns:
    The path of the file.
  """
  path = snapshot_path(run_dir, snapshot.step)
  with artifact.writing(path) as file:
    np.savez(
      file,
      format=np.array(FORMAT),
      version=np.array(VERSION),
      step=np.array(snapshot.step),
      alphas=snapshot.alphas,
      betas=snapshot.betas,
      primitives=np.array(snapshot.primitives),
    )
  return str(path)


def load_snapshot(path: str | os.PathLike[str]) -> Snapshot:
  """Reads a file that `save_snapshot` wrote.

  Raises:
    FileNotFoundError: If there is no such file.
    ValueError: If it is no snapshot of this version, or its values are not
      legal; the message names the file.
  """
  try:
    arrays = np.load(path, allow_pickle=False)
    if not isinstance(arrays, np.lib.npyio.NpzFile):
      raise ValueError('this is no .npz archive.')
    with arrays:
      return _snapshot_from(arrays)
  except (ValueError, EOFError, zipfile.BadZipFile) as error:
    raise ValueError(f'{os.fspath(path)}: {error}') from error


def _snapshot_from(arrays: Mapping[str, np.ndarray]) -> Snapshot:
  fixed = {'format': FORMAT, 'version': VERSION}
  for key in (*fixed, 'step', 'alphas', 'betas'):
    if key not in arrays:
      raise ValueError(f'the snapshot lacks the array {key!r}.')
    if key in fixed and (found := arrays[key].tolist()) != fixed[key]:
      raise ValueError(f'`{key}` ({found!r}) must be {fixed[key]!r}.')
  names = arrays.get('primitives', np.array(primitives_lib.PAPER)).tolist()
  alphas, betas = arrays['alphas'], arrays['betas']
  return Snapshot(int(arrays['step']), alphas, betas, tuple(names))


@dataclasses.dataclass(frozen=True)
class EarlyStop:
  """Where a search ended before its last step.

  Attributes:
    step: after which it made no more.
    snapshot: step of the snapshot that is its result.
  """

  step: int
  snapshot: int


def early_stop_path(run_dir: str | os.PathLike[str]) -> pathlib.Path:
  """Path of what a search that stopped early leaves."""
  return pathlib.Path(run_dir) / _STOPPED_EARLY


def save_early_stop(
  run_dir: str | os.PathLike[str], stop: EarlyStop
) -> pathlib.Path:
  """Writes where a search ended; returns the path."""
  path = early_stop_path(run_dir)
  with artifact.writing(path) as file:
    file.write(json.dumps(dataclasses.asdict(stop)).encode())
  return path


def load_early_stop(run_dir: str | os.PathLike[str]) -> EarlyStop | None:
  """Reads where a search ended early, if it did.

  Raises:
    ValueError: If the file is of another kind; the message names it.
  """
  path = early_stop_path(run_dir)
  try:
    stop = EarlyStop(**json.loads(path.read_text()))
  except FileNotFoundError:
    return None
  except (ValueError, TypeError) as e:
    raise ValueError(f'{path}: not where a search stopped early ({e}).') from e
  if not (isinstance(stop.step, int) and isinstance(stop.snapshot, int)):
    raise ValueError(f'{path}: `step` and `snapshot` must be whole numbers.')
  return stop


def latest_snapshot(run_dir: str | os.PathLike[str]) -> str:
  """Path of the snapshot that is the result of a run, so far.

  That of the highest step, or the one that an early stop goes back to.

  Raises:
    FileNotFoundError: If the run has none.
    ValueError: As of `load_early_stop`.
  """
  if stop := load_early_stop(run_dir):
    return str(snapshot_path(run_dir, stop.snapshot))
  folder = pathlib.Path(run_dir) / SNAPSHOT_FOLDER
  steps = {
    int(match.group(1)): path
    for path in folder.glob('step-*.npz')
    if (match := _SNAPSHOT_NAME.fullmatch(path.name))
  }
  if not steps:
    raise FileNotFoundError(
      f'{folder}: there is no snapshot (step-*.npz); is this the folder of a '
      'search?'
    )
  return str(steps[max(steps)])


def _checked_alphas(alphas: Any, width: int | None = None) -> np.ndarray:
  """Returns alphas, `[num_edges, width]`, as float64, or raises ValueError."""
  alphas = np.asarray(alphas, dtype=np.float64)
  if alphas.ndim != 2 or width not in (None, alphas.shape[1]):
    shape = f'[num_edges, {width or "num_primitives"}]'
    raise ValueError(f'`alphas` has shape {alphas.shape}; it must be {shape}.')
  num_blocks(alphas)
  _check_finite('alphas', alphas)
  return alphas


def _checked_betas(betas: Any) -> np.ndarray:
  """Returns betas as float64, or raises ValueError."""
  betas = np.asarray(betas, dtype=np.float64)
  node = (lattice.NUM_LEVELS, lattice.NUM_DIRECTIONS)
  if betas.ndim != 3 or betas.shape[1:] != node or not len(betas):
    raise ValueError(
      f'`betas` has shape {betas.shape}; it must be [num_layers, {node[0]}, '
      f'{node[1]}].'
    )
  _check_finite('betas', betas)
  return betas


def _check_finite(name: str, values: np.ndarray) -> None:
  bad = np.argwhere(~np.isfinite(values))
  if len(bad):
    index = tuple(bad[0].tolist())
    raise ValueError(f'`{name}` is {values[index]} at {list(index)}.')


def _log_softmax(logits: np.ndarray) -> np.ndarray:
  shifted = logits - logits.max(axis=-1, keepdims=True)
  return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _log_transition_probabilities(betas: Any) -> np.ndarray:
  """Log softmax over the legal transitions, -inf where there is none."""
  betas = _checked_betas(betas)
  mask = lattice.legal_mask(len(betas))
  logs = np.full(betas.shape, -np.inf)
  for column, level in np.argwhere(mask.any(axis=-1)):
    legal = mask[column, level]
    logs[column, level, legal] = _log_softmax(betas[column, level, legal])
  return logs
