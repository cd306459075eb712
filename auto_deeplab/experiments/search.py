# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A search, put together and run.

The order of start-up is that of a training as well: look whether the run folder
is this run's, make the strategy, set seeds and precision, lock the folder, open
the data set where the newest checkpoint ends, build everything under the
strategy's scope, restore the checkpoint, and only then claim the folder: what
is refused leaves nothing behind. Data order, augmentation and all randomness of
the model follow from the seed and the step, so nothing else needs to be saved.
"""

from collections.abc import Callable
import dataclasses
import functools
import resource
import sys
import time

import numpy as np
import orbit
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import (
  cost,
  cost_table,
  decode,
  lattice,
  milliseconds,
)
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.data import datasets
from auto_deeplab.data.records import tfrecord
from auto_deeplab.evaluation import one_shot
from auto_deeplab.experiments import opening, parts, snapshots
from auto_deeplab.model import supernet as supernet_lib
from auto_deeplab.runs import outer_loop
from auto_deeplab.runs import run as run_lib
from auto_deeplab.training import (
  architecture_loss,
  cost_target,
  curvature,
  distribution,
  gradient_step,
  networks,
  searcher,
  unrolled_step,
)


def run(config: configs.SearchExperiment, place: run_lib.Place) -> str:
  """Searches, or goes on with the search in the run folder.

  Returns:
    The path of the last snapshot of alphas and betas.

  Raises:
    ValueError: bad data or configuration, another run's folder, one that
      another process writes, or a non-finite loss.
    FileNotFoundError: no data set.
  """
  info = tfrecord.load_info(place.data_dir)
  run = run_lib.open_search(place, config, info)
  strategy = parts.start(config.runtime, place)
  with run.opened(strategy), tfrecord.naming_damaged_shards(place.data_dir):
    halves = distribute_halves(strategy, config, place, run.first_step)
    with strategy.scope():
      search = make_searcher(config, info, strategy, *halves)
    run.resume(
      search.global_step,
      # Of a search that began without a target.
      may_begin=list(search.target.checkpointed() if search.target else ()),
      **search.checkpointed(),
    )
    opening.say(
      'search',
      run,
      strategy,
      info,
      pictures=opening.pictures_of_halves(info, place.train_split),
      parameters=_parameters(search.supernet),
      num_steps=config.schedule.train_steps,
    )
    num_steps = _last_step(config.schedule, run)
    if run.step < num_steps:
      _rehearse(search)
    action = _make_snapshots(config, info, place, strategy, run, search)
    run.claim()
    if run.step < num_steps:
      decode.early_stop_path(run.path).unlink(missing_ok=True)
    outer_loop.run(
      'search', run, search, strategy, num_steps=num_steps, actions=[action]
    )
  return decode.latest_snapshot(run.path)


def distribute_halves(
  strategy: tf.distribute.Strategy,
  config: configs.SearchExperiment,
  place: run_lib.Place,
  first_step: int,
) -> tuple[distribution.Batches, distribution.Batches]:
  """Returns the batches of half A, and those of B from where they are needed.

  Step t takes batch t of each.
  """
  first_of_b = max(first_step, config.schedule.arch_start_step)
  return (
    parts.distribute(strategy, config, place, first_step, half='A'),
    parts.distribute(strategy, config, place, first_of_b, half='B'),
  )


def make_searcher(
  config: configs.SearchExperiment,
  info: datasets.DatasetInfo,
  strategy: tf.distribute.Strategy,
  dataset_a: distribution.Batches,
  dataset_b: distribution.Batches,
) -> searcher.Searcher:
  """Builds the supernet and both steps, within the strategy's scope.

  Args:
    config: of the search.
    info: of the data set; its classes are those of the supernet.
    strategy: that it computes with.
    dataset_a: as of `searcher.Searcher`.
    dataset_b: likewise.
  """
  supernet = make_supernet(config, info, strategy)
  global_step = orbit.utils.create_global_step()
  make_step = functools.partial(
    parts.make_step,
    strategy,
    train_steps=config.schedule.train_steps,
    use_xla=config.runtime.use_xla,
    is_compiled=not config.supernet.draw_path,
  )
  loss = architecture_loss.ArchitectureLoss(
    config.architecture_loss, config.schedule, supernet, global_step
  )
  target = _make_target(config, info, supernet)
  weight_step = make_step(
    _forward(supernet, loss, lambda: 2 * global_step, 'weights'),
    supernet.weight_variables,
    config.weight_optimizer,
  )
  # An unrolled step also takes the gradient by the weights.
  moved = None if config.schedule.unrolled else 'architecture'
  first_order = make_step(
    _forward(supernet, loss, lambda: 2 * global_step + 1, moved),
    supernet.arch_variables,
    config.architecture_optimizer,
    penalty=_penalty(loss, target),
  )
  architecture_step: searcher.ArchitectureStep = first_order
  if config.schedule.unrolled:
    architecture_step = unrolled_step.UnrolledStep(
      first_order, weight_step, supernet.non_trainable_variables
    )
  return searcher.Searcher(
    supernet,
    weight_step,
    architecture_step,
    dataset_a,
    dataset_b,
    global_step,
    config.schedule.arch_start_step,
    target,
  )


def make_supernet(
  config: configs.SearchExperiment,
  info: datasets.DatasetInfo,
  strategy: tf.distribute.Strategy,
) -> supernet_lib.Supernet:
  """Builds the supernet, within the strategy's scope."""
  supernet = supernet_lib.Supernet(
    config.supernet,
    info.num_classes,
    synchronized_batch_norm=config.runtime.synchronized_batch_norm,
    seed=config.runtime.seed,
  )
  if config.supernet.draw_path:
    supernet.make_path_variables()  # It has no graph.
  else:
    networks.build(supernet, config.input, strategy, moved='weights')
  return supernet


def _make_target(
  config: configs.SearchExperiment,
  info: datasets.DatasetInfo,
  supernet: supernet_lib.Supernet,
) -> cost_target.CostTarget | None:
  """Makes what steers to a cost, within the strategy's scope."""
  schedule = config.schedule
  asked = [name for name in schedule.TARGETS if getattr(schedule, name)]
  if not asked:
    return None
  (name,) = asked
  names = config.supernet.primitives
  network = target_network(config, info.num_classes)
  if name == 'target_milliseconds':
    path = config.target_network.milliseconds_file
    table = milliseconds.load(path, network, names)
  else:
    table = cost_table.make(network, names, name.removeprefix('target_'))
  return cost_target.CostTarget(supernet, table, getattr(schedule, name))


def target_network(
  config: configs.SearchExperiment, num_classes: int
) -> cost.Network:
  """Returns one of the networks whose cost a search may have in mind."""
  settings = dataclasses.asdict(config.target_network)
  del settings['milliseconds_file']
  return cost.Network(
    _any_genotype(config.supernet), num_classes=num_classes, **settings
  )


def _any_genotype(config: configs.SupernetConfig) -> genotype_lib.Genotype:
  """Returns one of the search space's size; which, does not matter."""
  return genotype_lib.random_genotype(
    np.random.default_rng(0),
    num_layers=config.num_layers,
    num_blocks=config.num_blocks,
    names=config.primitives,
  )


def _penalty(
  loss: architecture_loss.ArchitectureLoss,
  target: cost_target.CostTarget | None,
) -> Callable[[], tf.Tensor] | None:
  """Returns what is added to the loss of an architecture step, if any is."""
  terms: list[Callable[[], tf.Tensor]] = []
  if loss.is_on:
    terms.append(loss)
  if target is not None:
    terms.append(target)
  return (lambda: tf.add_n([term() for term in terms])) if terms else None


def _forward(
  supernet: supernet_lib.Supernet,
  loss: architecture_loss.ArchitectureLoss,
  draw: Callable[[], tf.Tensor],
  moved: str | None,
) -> Callable[[tf.Tensor], tf.Tensor]:
  """Returns a step's pass: in training mode for both, as in the paper.

  Args:
    supernet: built.
    loss: drops skip connections, if they are to be.
    draw: numbers what a step draws.
    moved: as of `Supernet.call`.
  """

  def forward(images: tf.Tensor) -> tf.Tensor:
    number = draw()
    return supernet(
      images,
      training=True,
      draw=number,
      moved=moved,
      weights=loss.weights(number),
    )

  return forward


def _parameters(supernet: supernet_lib.Supernet) -> dict[str, int]:
  return {
    'weights': parts.size(supernet.weight_variables),
    'alphas': parts.size([supernet.alphas]),
    'betas': int(lattice.legal_mask(supernet.config.num_layers).sum()),
  }


def _rehearse(search: searcher.Searcher) -> None:
  """Tries both steps, and says what they take before hours are spent."""
  print('search: tracing and trying both steps', file=sys.stderr, flush=True)
  start = time.monotonic()
  search.rehearse()
  seconds = time.monotonic() - start
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
  print(
    f'search: both ran once, in {seconds:.0f} s with tracing; the peak memory '
    f'of this process is {peak:.1f} GiB',
    file=sys.stderr,
    flush=True,
  )


def _last_step(schedule: configs.SearchConfig, run: run_lib.Run) -> int:
  """Returns the step to end at: the present one of a search that stopped early.

  What stopped it does not count where it goes on from an earlier checkpoint, or
  by another configuration.
  """
  stop = decode.load_early_stop(run.path)
  if stop is not None and schedule.early_stop and stop.step == run.step:
    return run.step
  return schedule.train_steps


def _make_snapshots(
  config: configs.SearchExperiment,
  info: datasets.DatasetInfo,
  place: run_lib.Place,
  strategy: tf.distribute.Strategy,
  run: run_lib.Run,
  search: searcher.Searcher,
) -> snapshots.Snapshots:
  """Makes what is done at snapshots, with what looks at the first of half B."""
  schedule, supernet = config.schedule, search.supernet
  probe, bending = None, None
  if schedule.probe_batches:
    batches = _first_of_b(config, place, strategy, schedule.probe_batches)
    probe = one_shot.OneShot(supernet, strategy, batches, info.num_classes)
    if schedule.hessian_products:
      bending = curvature.Curvature(supernet, strategy, batches)
  return snapshots.Snapshots(
    schedule, run, supernet, strategy, probe, search.target, bending
  )


def make_probe(
  config: configs.SearchExperiment,
  info: datasets.DatasetInfo,
  place: run_lib.Place,
  strategy: tf.distribute.Strategy,
  supernet: supernet_lib.Supernet,
  number: int,
) -> one_shot.OneShot:
  """Makes what scores a supernet on so many first batches of half B."""
  batches = _first_of_b(config, place, strategy, number)
  return one_shot.OneShot(supernet, strategy, batches, info.num_classes)


def _first_of_b(
  config: configs.SearchExperiment,
  place: run_lib.Place,
  strategy: tf.distribute.Strategy,
  number: int,
) -> list[gradient_step.Batch]:
  batches = iter(parts.distribute(strategy, config, place, 0, half='B'))
  return [next(batches) for _ in range(number)]
