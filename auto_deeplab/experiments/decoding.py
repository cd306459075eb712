# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Decoding a search by more than its alphas and betas: with its weights.

Networks are computed within the supernet and judged on half B of the train
split, which takes forward passes and no training. How well that ranks what
trainings would score depends on the search; `docs/studies.md` has what it was
seen to be worth.
"""

from collections.abc import Callable, Sequence
import dataclasses
import pathlib

import tensorflow as tf
import tqdm

from auto_deeplab import configs
from auto_deeplab.architecture import candidates as candidates_lib
from auto_deeplab.architecture import decode, discretization, perturbation
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.data.records import tfrecord
from auto_deeplab.evaluation import one_shot
from auto_deeplab.experiments import parts, search
from auto_deeplab.model import supernet as supernet_lib
from auto_deeplab.runs import checkpoints, run_folder
from auto_deeplab.runs import run as run_lib


@dataclasses.dataclass(frozen=True)
class Candidate:
  """A genotype and how it did.

  Attributes:
    name: where it comes from.
    genotype: the network.
    loss: of its pixels on half B, computed alone within the supernet.
    mean_iou: likewise.
  """

  name: str
  genotype: genotype_lib.Genotype
  loss: float
  mean_iou: float


def evaluate(
  place: run_lib.Place,
  *,
  num_likeliest: int = 16,
  num_random: int = 16,
  num_batches: int = 8,
) -> list[Candidate]:
  """Judges the candidates of a search; the run stays as it is.

  Args:
    place: of the search, and of the data set that it read.
    num_likeliest: genotypes of the last snapshot, the decoded one first.
    num_random: genotypes drawn from its space, with the seeds 0, 1, ...
    num_batches: of half B, the same for all.

  Returns:
    The candidates, that of the smallest loss first; those of earlier snapshots
    are among them.

  Raises:
    FileNotFoundError: there is no such search, or no data set.
    ValueError: the search has no checkpoint, or read another data set.
  """
  config = _load_config(place)
  last = decode.load_snapshot(decode.latest_snapshot(place.run_dir))
  genotypes = {
    **candidates_lib.named_likeliest(last, num_likeliest),
    **_of_snapshots(place.run_dir),
    **candidates_lib.named_random(
      range(num_random),
      num_layers=config.supernet.num_layers,
      num_blocks=config.supernet.num_blocks,
      names=config.supernet.primitives,
    ),
  }
  *_, probe = _open(config, place, num_batches)
  found: list[Candidate] = []
  seen: set[genotype_lib.Genotype] = set()
  for name, genotype in tqdm.tqdm(genotypes.items(), 'decode', unit='genotype'):
    if genotype not in seen:
      seen.add(genotype)
      weights = discretization.weights(genotype, config.supernet.primitives)
      found.append(Candidate(name, genotype, **probe.score(weights)))
  return sorted(found, key=lambda candidate: candidate.loss)


def _of_snapshots(run_dir: str) -> dict[str, genotype_lib.Genotype]:
  """Returns what earlier snapshots decode to, from the newest on."""
  folder = pathlib.Path(decode.latest_snapshot(run_dir)).parent
  paths = sorted(folder.glob('step-*.npz'), reverse=True)[1:]
  return {path.stem: decode.load_snapshot(path).decode() for path in paths}


def perturb(
  place: run_lib.Place,
  *,
  num_batches: int = 8,
  tuning_steps: int = 2,
  seed: int = 0,
) -> genotype_lib.Genotype:
  """Decides by what the supernet would miss most (`perturbation`).

  Args:
    place: of the search, and of the data set that it read.
    num_batches: of half B, the same for all.
    tuning_steps: of the weights after each decision, on half A, by the search's
      optimizer from its beginning; in memory, the run stays as it is.
    seed: of the order of decisions.

  Raises:
    FileNotFoundError, ValueError: as of `evaluate`; or the search draws paths,
      so that it has no mixture to leave something out of.
  """
  config = _load_config(place)
  if config.supernet.draw_path:
    raise ValueError(
      f'{place.run_dir} is a search that draws paths '
      '(`SupernetConfig.draw_path`): there is no mixture to leave one out of.'
    )
  snapshot = decode.load_snapshot(decode.latest_snapshot(place.run_dir))
  supernet, strategy, probe = _open(config, place, num_batches)
  num_losses = perturbation.num_losses(snapshot)
  with tqdm.tqdm(total=num_losses, desc='decode', unit='loss') as bar:

    def loss(weights: perturbation.Weights) -> float:
      bar.update()
      return probe.score(weights)['loss']

    tune = _make_tuning(
      config,
      place,
      strategy,
      supernet,
      tuning_steps,
      perturbation.num_decisions(snapshot),
    )
    asked = perturbation.Supernet(loss, tune)
    return perturbation.choose(snapshot, asked, seed)


def _make_tuning(
  config: configs.SearchExperiment,
  place: run_lib.Place,
  strategy: tf.distribute.Strategy,
  supernet: supernet_lib.Supernet,
  num_steps: int,
  num_decisions: int,
) -> Callable[[perturbation.Weights], None]:
  """Returns what moves the weights so many steps after each decision."""
  if not num_steps:
    return lambda weights: None
  batches = iter(parts.distribute(strategy, config, place, 0, half='A'))
  with strategy.scope():
    fixed = [
      tf.Variable(tf.zeros(v.shape), trainable=False)
      for v in supernet.arch_variables
    ]
    step = parts.make_step(
      strategy,
      lambda images: supernet(
        images, training=True, moved='weights', weights=tuple(fixed)
      ),
      supernet.weight_variables,
      config.weight_optimizer,
      num_steps * num_decisions,
    )

  def tune(weights: perturbation.Weights) -> None:
    for variable, value in zip(fixed, weights):
      variable.assign(value)
    for _ in range(num_steps):
      step(next(batches))

  return tune


def _load_config(place: run_lib.Place) -> configs.SearchExperiment:
  folder = run_folder.RunFolder(place.run_dir)
  return folder.load_config(configs.SearchExperiment)


def _open(
  config: configs.SearchExperiment, place: run_lib.Place, num_batches: int
) -> tuple[supernet_lib.Supernet, tf.distribute.Strategy, one_shot.OneShot]:
  """Restores the supernet of a search, and takes batches of its half B."""
  info = tfrecord.load_info(place.data_dir)
  # Looks whether this is its data set, and writes nothing.
  path = run_lib.open_search(place, config, info).checkpoint
  if path is None:
    raise ValueError(
      f'{place.run_dir} has no checkpoint, and the weights of the search are '
      'needed.'
    )
  strategy = parts.start(config.runtime, place)
  with strategy.scope():
    supernet = search.make_supernet(config, info, strategy)
  checkpoints.restore(tf.train.Checkpoint(model=supernet), path)
  probe = search.make_probe(
    config, info, place, strategy, supernet, num_batches
  )
  return supernet, strategy, probe


def table(found: Sequence[Candidate], number: int = 10) -> str:
  """Returns the best candidates, and the decoded one, a line each."""
  rows = [*enumerate(found, 1)]
  shown = rows[:number]
  shown += [row for row in rows[number:] if row[1].name == 'decoded']
  return '\n'.join(
    f'{rank:3d}. {each.name:14} loss {each.loss:.4f}  mIoU {each.mean_iou:.3f}'
    for rank, each in shown
  )
