# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The composition root: builds a search or a training and runs it.

The order of start-up is the same for all: look whether the run folder is this
run's, make the strategy, set seeds and precision, lock the folder, open the
data set where the newest checkpoint ends, build everything under the strategy's
scope, restore the checkpoint, and only then claim the folder: what is refused
leaves nothing behind. Data order, augmentation and all randomness of the model
follow from the seed and the step, so nothing else needs to be saved.
"""

from collections.abc import Callable, Sequence
import resource
import sys
import time
from typing import Any

import orbit
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import decode, lattice
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.data import datasets
from auto_deeplab.data.input import class_weights, input_pipeline
from auto_deeplab.data.records import tfrecord
from auto_deeplab.evaluation import (
  evaluator,
)
from auto_deeplab.experiments import (
  opening,
  outer_loop,
)
from auto_deeplab.model import segmenter as segmenter_lib
from auto_deeplab.model import supernet as supernet_lib
from auto_deeplab.runs import (
  checkpoints,
  initialization,
  places,
  resuming,
  run_folder,
  trained_network,
)
from auto_deeplab.training import (
  distribution,
  gradient_step,
  networks,
  objectives,
  optimizers,
  searcher,
  trainer,
  unrolled_step,
  weight_averages,
)

# Search ----------------------------------------------------------------------


def run_search(config: configs.SearchExperiment, place: places.Place) -> str:
  """Searches, or goes on with the search in the run folder.

  Returns:
    The path of the last snapshot of alphas and betas.

  Raises:
    ValueError: bad data or configuration, another run's folder, one that
      another process writes, or a non-finite loss.
    FileNotFoundError: no data set.
  """
  info = tfrecord.load_info(place.data_dir)
  folder = run_folder.RunFolder(
    place.run_dir, allows_change=place.allow_config_change
  )
  copies = {tfrecord.INFO_NAME: tfrecord.info_to_text(info)}
  folder.check(config, copies)
  strategy = _start(config.runtime, place)
  folder = folder.of_worker(distribution.worker_index(strategy))
  copies[folder.config.name] = configs.to_gin(config)
  with resuming.holding(
    folder, strategy, copies, place.skip_damaged_checkpoints
  ):
    _search(config, info, place, strategy, folder)
  return decode.latest_snapshot(folder.path)


def _search(
  config: configs.SearchExperiment,
  info: datasets.DatasetInfo,
  place: places.Place,
  strategy: tf.distribute.Strategy,
  folder: run_folder.RunFolder,
) -> None:
  first_step = checkpoints.newest_step(folder.checkpoints)
  halves = _distribute_halves(strategy, config, place, first_step)
  with strategy.scope():
    search = _make_searcher(config, info, strategy, *halves)
  manager = checkpoints.make_manager(
    config.runtime,
    folder.checkpoints,
    search.global_step,
    save_folder=folder.saves,
    model=search.supernet,
    weight_optimizer=search.weight_step.optimizer,
    architecture_optimizer=search.architecture_step.optimizer,
  )
  with tfrecord.naming_damaged_shards(place.data_dir):
    opening.say(
      'search',
      strategy,
      config.runtime,
      pictures=opening.pictures_of_halves(info, place.train_split),
      info=info,
      parameters=_search_parameters(search.supernet, config.supernet),
      step=first_step,
      num_steps=config.schedule.train_steps,
      checkpoint=checkpoints.newest(folder.checkpoints),
    )
    if first_step < config.schedule.train_steps:
      _rehearse(search)
    folder.claim(
      config, {tfrecord.INFO_NAME: tfrecord.info_to_text(info)}, first_step
    )
    outer_loop.run(
      'search',
      search,
      manager,
      strategy,
      runtime=config.runtime,
      folder=folder,
      num_steps=config.schedule.train_steps,
      actions=[_snapshot_action(config.schedule, folder, search)],
    )


def _search_parameters(
  supernet: supernet_lib.Supernet, config: configs.SupernetConfig
) -> dict[str, int]:
  return {
    'weights': _size(supernet.weight_variables),
    'alphas': _size([supernet.alphas]),
    'betas': int(lattice.legal_mask(config.num_layers).sum()),
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


def _make_searcher(
  config: configs.SearchExperiment,
  info: datasets.DatasetInfo,
  strategy: tf.distribute.Strategy,
  dataset_a: tf.distribute.DistributedDataset,
  dataset_b: tf.distribute.DistributedDataset,
) -> searcher.Searcher:
  supernet = supernet_lib.Supernet(
    config.supernet,
    info.num_classes,
    synchronized_batch_norm=config.runtime.synchronized_batch_norm,
    seed=config.runtime.seed,
  )
  global_step = orbit.utils.create_global_step()
  networks.build(supernet, config.input, strategy, moved='weights')

  def make_step(
    turn: int,
    moved: str | None,
    variables: Sequence[tf.Variable],
    optimizer: configs.OptimizerConfig,
  ) -> gradient_step.GradientStep:
    return _make_step(
      strategy,
      # In training mode for both steps, as in the paper's alternation. Each
      # draws by itself, where primitives are drawn.
      lambda images: supernet(
        input_pipeline.normalize(images),
        training=True,
        draw=2 * global_step + turn,
        moved=moved,
      ),
      variables,
      optimizer,
      train_steps=config.schedule.train_steps,
      use_xla=config.runtime.use_xla,
    )

  weight_step = make_step(
    0, 'weights', supernet.weight_variables, config.weight_optimizer
  )
  first_order = make_step(
    1,
    # An unrolled step also takes the gradient by the weights.
    None if config.schedule.unrolled else 'architecture',
    supernet.arch_variables,
    config.architecture_optimizer,
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
  )


def _snapshot_action(
  schedule: configs.SearchConfig,
  folder: run_folder.RunFolder,
  search: searcher.Searcher,
) -> outer_loop.Action:
  """Returns what writes and logs alphas and betas after a loop, if due."""

  def save_snapshot(_: dict[str, Any]) -> None:
    step = int(search.global_step.numpy())
    if step % schedule.snapshot_interval == 0 or step == schedule.train_steps:
      alphas, betas = (v.numpy() for v in search.supernet.arch_variables)
      snapshot = decode.Snapshot(step, alphas=alphas, betas=betas)
      decode.save_snapshot(folder.path, snapshot)
      folder.append_row(step, decode.describe(snapshot))

  return save_snapshot


# Training --------------------------------------------------------------------


def run_training(
  config: configs.TrainExperiment,
  genotype: genotype_lib.Genotype,
  place: places.Place,
) -> dict[str, float]:
  """Trains a genotype from `place.start`, or goes on in the run folder.

  Returns:
    The scores on `place.eval_split` at the end (`metrics.summarize`).

  Raises:
    ValueError: bad data or configuration, another run's folder, one that
      another process writes, or a non-finite loss.
    FileNotFoundError: no data set.
  """
  info = tfrecord.load_info(place.data_dir)
  evaluator.require_labels(info, place.eval_split)
  folder = run_folder.RunFolder(
    place.run_dir, allows_change=place.allow_config_change
  )
  checkpoint = initialization.find(place.start, folder, info)
  if not (checkpoint or checkpoints.newest(folder.checkpoints)):
    config.check_beginning()
  copies = _definition(genotype, info, place, checkpoint)
  folder.check(config, copies)
  strategy = _start(config.runtime, place)
  folder = folder.of_worker(distribution.worker_index(strategy))
  copies[folder.config.name] = configs.to_gin(config)
  with resuming.holding(
    folder, strategy, copies, place.skip_damaged_checkpoints
  ):
    return _train(config, genotype, info, place, checkpoint, strategy, folder)


def _definition(
  genotype: genotype_lib.Genotype,
  info: datasets.DatasetInfo,
  place: places.Place,
  checkpoint: str | None,
) -> dict[str, str]:
  """Returns what defines a training besides its configuration."""
  start = initialization.record(place.start, checkpoint, place.train_split)
  return trained_network.definition(genotype, info) | start


def _train(
  config: configs.TrainExperiment,
  genotype: genotype_lib.Genotype,
  info: datasets.DatasetInfo,
  place: places.Place,
  checkpoint: str | None,
  strategy: tf.distribute.Strategy,
  folder: run_folder.RunFolder,
) -> dict[str, float]:
  pixel_loss = _pixel_loss(config.loss, info, place.train_split)
  distribution.replica_batch_size(
    strategy, config.input.batch_size, config.schedule.accumulation_steps
  )
  first_step = checkpoints.newest_step(folder.checkpoints)
  dataset = _distribute(strategy, config, place, first_step)
  with strategy.scope():
    model = networks.make_segmenter(config, genotype, info)
    networks.warn_of_crop(config.input.crop_size, model.coarsest_stride)
    networks.build(model, config.input, strategy, step=tf.constant(0))
    if checkpoint and not checkpoints.newest(folder.checkpoints):
      initialization.initialize(place.start, checkpoint, model)
    train = _make_trainer(config, model, strategy, dataset, pixel_loss)
    evaluated = networks.make_evaluated(config, genotype, info)
  averages = weight_averages.of(train.step.optimizer, model)
  evaluate = evaluator.make_evaluator(
    strategy,
    evaluated,
    place.data_dir,
    place.eval_split,
    # As large as they are trained on.
    configs.EvalConfig(long_side=config.input.long_side),
    weights=lambda: weight_averages.lent(model, averages, evaluated),
  )
  manager = checkpoints.make_manager(
    config.runtime,
    folder.checkpoints,
    train.global_step,
    save_folder=folder.saves,
    **trained_network.checkpointed(model, train.step.optimizer),
  )
  first_step = int(train.global_step.numpy())
  opening.say(
    'train',
    strategy,
    config.runtime,
    pictures=opening.pictures_of(info, place.train_split),
    info=info,
    parameters={'parameters': _size(model.trainable_variables)},
    step=first_step,
    num_steps=config.schedule.train_steps,
    checkpoint=checkpoints.newest(folder.checkpoints),
    start=checkpoint,
  )
  definition = _definition(genotype, info, place, checkpoint)
  folder.claim(config, definition, first_step)
  with tfrecord.naming_damaged_shards(place.data_dir):
    return outer_loop.run(
      'train',
      train,
      manager,
      strategy,
      runtime=config.runtime,
      folder=folder,
      num_steps=config.schedule.train_steps,
      evaluator=evaluate,
      eval_interval=config.schedule.eval_interval,
    )


def _make_trainer(
  config: configs.TrainExperiment,
  model: segmenter_lib.Segmenter,
  strategy: tf.distribute.Strategy,
  dataset: tf.distribute.DistributedDataset,
  pixel_loss: objectives.PixelLoss,
) -> trainer.Trainer:
  global_step = orbit.utils.create_global_step()

  def forward(
    images: tf.Tensor, micro_batch: tf.Tensor | None = None
  ) -> tf.Tensor:
    return model(
      input_pipeline.normalize(images),
      training=True,
      step=global_step,
      micro_batch=micro_batch,
    )

  step = _make_step(
    strategy,
    forward,
    model.trainable_variables,
    config.weight_optimizer,
    train_steps=config.schedule.train_steps,
    use_xla=config.runtime.use_xla,
    pixel_loss=pixel_loss,
    accumulation_steps=config.schedule.accumulation_steps,
    ema_momentum=config.schedule.ema_momentum,
  )
  return trainer.Trainer(step, dataset, global_step)


def _pixel_loss(
  config: configs.LossConfig, info: datasets.DatasetInfo, split: str
) -> objectives.PixelLoss:
  weights = None
  if config.class_weights == 'median_frequency':
    weights = class_weights.median_frequency(info, split)
  return objectives.PixelLoss(
    weights, config.hard_pixel_fraction, config.hard_pixel_warmup_steps
  )


# Parts -----------------------------------------------------------------------


def _start(
  runtime: configs.RuntimeConfig, place: places.Place
) -> tf.distribute.Strategy:
  """Makes the strategy, sets seeds, determinism and precision."""
  # First: multi-worker collectives must start before any other op.
  strategy = distribution.make_strategy(place.distribution, place.tpu_address)
  distribution.leave_graphs_to_cpu_kernels()
  tf.keras.utils.set_random_seed(runtime.seed)
  if runtime.deterministic:
    tf.config.experimental.enable_op_determinism()
  distribution.set_precision(runtime.precision)
  return strategy


def _distribute_halves(
  strategy: tf.distribute.Strategy,
  config: configs.SearchExperiment,
  place: places.Place,
  first_step: int,
) -> tuple[tf.distribute.DistributedDataset, tf.distribute.DistributedDataset]:
  """Returns the batches of half A, and those of B from where they are needed.

  Step t takes batch t of each.
  """
  first_of_b = max(first_step, config.schedule.arch_start_step)
  return (
    _distribute(strategy, config, place, first_step, half='A'),
    _distribute(strategy, config, place, first_of_b, half='B'),
  )


def _distribute(
  strategy: tf.distribute.Strategy,
  config: configs.SearchExperiment | configs.TrainExperiment,
  place: places.Place,
  first_step: int,
  half: str | None = None,
) -> tf.distribute.DistributedDataset:
  """Returns the batches from a step on, of a half or of the whole split."""
  distribution.replica_batch_size(strategy, config.input.batch_size)

  def make_dataset(context: tf.distribute.InputContext) -> tf.data.Dataset:
    return input_pipeline.train_dataset(
      place.data_dir,
      place.train_split,
      config.input,
      seed=config.runtime.seed,
      half=half,
      start_step=first_step,
      input_context=context,
    )

  return strategy.distribute_datasets_from_function(make_dataset)


def _size(variables: Sequence[tf.Variable]) -> int:
  return sum(variable.shape.num_elements() for variable in variables)


def _make_step(
  strategy: tf.distribute.Strategy,
  forward: Callable[[tf.Tensor], tf.Tensor],
  variables: Sequence[tf.Variable],
  config: configs.OptimizerConfig,
  *,
  train_steps: int,
  use_xla: bool,
  pixel_loss: objectives.PixelLoss | None = None,
  accumulation_steps: int = 1,
  ema_momentum: float = 0.0,
) -> gradient_step.GradientStep:
  return gradient_step.GradientStep(
    strategy,
    forward,
    variables,
    optimizers.make_optimizer(config, train_steps, ema_momentum),
    optimizers.coupled_weight_decay(config),
    use_xla,
    pixel_loss,
    accumulation_steps,
    config.clip_norm,
  )
