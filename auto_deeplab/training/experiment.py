# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The composition root: builds a search, a training, an evaluation, runs it.

The order of start-up is the same for all: claim the run folder, set seeds and
precision, build everything under the strategy's scope, restore the newest
checkpoint, then make the data set that goes on from the restored step. Data
order, augmentation and all randomness of the model follow from the seed and
the step, so nothing else needs to be saved.
"""

from collections.abc import Callable
import contextlib
import dataclasses
import io
import json
import os
from typing import Any

import numpy as np
import orbit
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import decode
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.data import datasets, input_pipeline, tfrecord
from auto_deeplab.model import segmenter as segmenter_lib
from auto_deeplab.model import supernet as supernet_lib
from auto_deeplab.training import (
  distribution,
  evaluator,
  gradient_step,
  optimizers,
  run_folder,
  searcher,
  trainer,
)


@dataclasses.dataclass(frozen=True)
class Place:
  """Where a run reads, writes and computes.

  Attributes:
    data_dir: folder of a data set's TFRecords.
    run_dir: folder of the run.
    distribution: one of `distribution.STRATEGIES`.
    tpu_address: of the TPU, for 'tpu' alone.
    train_split: split that is trained on.
    eval_split: split that a training is evaluated on; never seen by a search.
  """

  data_dir: str
  run_dir: str
  distribution: str = 'one_device'
  tpu_address: str | None = None
  train_split: str = 'train'
  eval_split: str = 'val'


@dataclasses.dataclass(frozen=True)
class LoadedSegmenter:
  """A trained network with what is needed to use it.

  Attributes:
    model: built, weights restored.
    genotype: what it was built from.
    dataset_info: classes and colours.
    step: of the checkpoint.
    run_dir: where it was trained.
  """

  model: segmenter_lib.Segmenter
  genotype: genotype_lib.Genotype
  dataset_info: datasets.DatasetInfo
  step: int
  run_dir: str


def run_search(config: configs.SearchExperiment, place: Place) -> str:
  """Searches, or goes on with the search in the run folder.

  Returns:
    The path of the last snapshot of alphas and betas.

  Raises:
    ValueError: bad data or configuration, another run's folder, or a
      non-finite loss.
    FileNotFoundError: no data set.
  """
  info = tfrecord.load_info(place.data_dir)
  folder = run_folder.RunFolder(place.run_dir)
  strategy = _start(config, folder, place)
  steps = config.schedule.train_steps
  with strategy.scope():
    supernet = supernet_lib.Supernet(
      config.supernet,
      info.num_classes,
      synchronized_batch_norm=config.runtime.synchronized_batch_norm,
      seed=config.runtime.seed,
    )
    _build(supernet, config.input, strategy)
    # In training mode for both steps, as in the paper's alternation.
    forward = lambda images: supernet(images, training=True)  # noqa: E731
    weight_optimizer = optimizers.make_optimizer(config.weight_optimizer, steps)
    weight_step = gradient_step.GradientStep(
      strategy,
      forward,
      supernet.weight_variables,
      weight_optimizer,
      optimizers.coupled_weight_decay(config.weight_optimizer),
    )
    architecture_optimizer = optimizers.make_optimizer(
      config.architecture_optimizer, steps
    )
    architecture_step = gradient_step.GradientStep(
      strategy,
      forward,
      supernet.arch_variables,
      architecture_optimizer,
      optimizers.coupled_weight_decay(config.architecture_optimizer),
    )
    global_step = orbit.utils.create_global_step()
  manager = _restore(
    config.runtime,
    folder,
    global_step,
    model=supernet,
    weight_optimizer=weight_optimizer,
    architecture_optimizer=architecture_optimizer,
  )
  dataset = distribution.distribute(
    strategy,
    _halves(config, place, int(global_step.numpy())),
    config.input.batch_size,
  )
  search = searcher.Searcher(
    supernet,
    weight_step,
    architecture_step,
    dataset,
    global_step,
    config.schedule.arch_start_step,
  )

  def save_snapshot(_: Any = None) -> None:
    step = int(global_step.numpy())
    if step % config.schedule.snapshot_interval == 0 or step == steps:
      alphas, betas = (v.numpy() for v in supernet.arch_variables)
      decode.save_snapshot(
        folder.path, decode.Snapshot(step, alphas=alphas, betas=betas)
      )

  if int(global_step.numpy()) < steps:
    search.rehearse(
      [
        *supernet.variables,
        *_variables_of(weight_optimizer),
        *_variables_of(architecture_optimizer),
      ]
    )
  _train(
    'search',
    config.runtime,
    folder,
    strategy,
    search,
    manager,
    steps,
    [save_snapshot],
  )
  return decode.latest_snapshot(folder.path)


def run_training(
  config: configs.TrainExperiment,
  genotype: genotype_lib.Genotype,
  place: Place,
) -> dict[str, float]:
  """Trains a genotype from scratch, or goes on in the run folder.

  Returns:
    The scores on `place.eval_split` at the end (`evaluator.summarize`).

  Raises:
    ValueError: bad data or configuration, another run's folder, or a
      non-finite loss.
    FileNotFoundError: no data set.
  """
  info = tfrecord.load_info(place.data_dir)
  info.split(place.eval_split)
  folder = run_folder.RunFolder(place.run_dir)
  strategy = _start(config, folder, place)
  folder.claim_copy('dataset.json', tfrecord.info_to_text(info))
  folder.claim_copy('genotype.json', json.dumps(genotype.to_json(), indent=1))
  steps = config.schedule.train_steps
  with strategy.scope():
    global_step = orbit.utils.create_global_step()
    model = _make_segmenter(config, genotype, info)
    _build(model, config.input, strategy)
    optimizer = optimizers.make_optimizer(config.weight_optimizer, steps)
    step = gradient_step.GradientStep(
      strategy,
      lambda images: model(images, training=True, step=global_step),
      model.trainable_variables,
      optimizer,
      optimizers.coupled_weight_decay(config.weight_optimizer),
    )
  manager = _restore(
    config.runtime, folder, global_step, model=model, optimizer=optimizer
  )
  first_step = int(global_step.numpy())

  def make_dataset(context: tf.distribute.InputContext) -> tf.data.Dataset:
    return input_pipeline.train_dataset(
      place.data_dir,
      place.train_split,
      config.input,
      seed=config.runtime.seed,
      start_step=first_step,
      input_context=context,
    )

  dataset = distribution.distribute(
    strategy, make_dataset, config.input.batch_size
  )
  evaluate = _make_evaluator(strategy, model, place, info)
  scores = _train(
    'train',
    config.runtime,
    folder,
    strategy,
    trainer.Trainer(step, dataset, global_step),
    manager,
    steps,
    evaluate=evaluate,
    eval_interval=config.schedule.eval_interval,
  )
  return scores


def run_evaluation(
  place: Place, checkpoint: str | None = None
) -> tuple[LoadedSegmenter, evaluator.Evaluator, dict[str, float]]:
  """Evaluates a trained network on a split.

  Args:
    place: `run_dir` of a training; `data_dir` and `eval_split` to evaluate on.
    checkpoint: path prefix of a checkpoint; the newest by default.

  Returns:
    The network, the evaluator with its confusion matrix, and the scores.

  Raises:
    ValueError: if the data set has other classes than the network.
    FileNotFoundError: no data set, no run, no checkpoint.
  """
  info = tfrecord.load_info(place.data_dir)
  info.split(place.eval_split)
  strategy = distribution.make_strategy(place.distribution, place.tpu_address)
  with strategy.scope():
    loaded = load_segmenter(place.run_dir, checkpoint)
  if info.class_names != loaded.dataset_info.class_names:
    raise ValueError(
      f'{place.data_dir} has the classes {info.class_names}, the network of '
      f'{place.run_dir} was trained on {loaded.dataset_info.class_names}.'
    )
  evaluate = _make_evaluator(strategy, loaded.model, place, info)
  scores = evaluate.evaluate(tf.constant(-1))
  return loaded, evaluate, scores


def load_segmenter(
  run_dir: str | os.PathLike[str], checkpoint: str | None = None
) -> LoadedSegmenter:
  """Builds the network of a training's folder and restores its weights.

  The network computes in float32, whatever it was trained in.

  Args:
    run_dir: folder of a training.
    checkpoint: path prefix of a checkpoint; the newest by default.

  Raises:
    FileNotFoundError: if the folder holds no training, or no checkpoint.
    ValueError: if the checkpoint does not fit the configuration.
  """
  folder = run_folder.RunFolder(run_dir)
  config = folder.load_config(configs.TrainExperiment)
  genotype = genotype_lib.Genotype.load(folder.genotype)
  info = tfrecord.load_info(folder.path)
  tf.keras.mixed_precision.set_global_policy('float32')
  model = _make_segmenter(config, genotype, info)
  _build(model, config.input, tf.distribute.get_strategy())
  path = checkpoint or tf.train.latest_checkpoint(str(folder.checkpoints))
  if path is None or not tf.io.gfile.glob(f'{path}.index'):
    raise FileNotFoundError(
      f'{path or folder.checkpoints} holds no checkpoint; has the training '
      'saved one yet?'
    )
  step = tf.Variable(0, dtype=tf.int64)
  reader = tf.train.Checkpoint(model=model, global_step=step)
  _restore_checkpoint(reader, path)
  return LoadedSegmenter(
    model, genotype, info, int(step.numpy()), str(folder.path)
  )


def _start(
  config: configs.SearchExperiment | configs.TrainExperiment,
  folder: run_folder.RunFolder,
  place: Place,
) -> tf.distribute.Strategy:
  """Claims the folder, sets seeds and precision, makes the strategy."""
  # First: multi-worker collectives must start before any other op.
  strategy = distribution.make_strategy(place.distribution, place.tpu_address)
  if not tf.config.list_logical_devices('GPU'):
    # Grappler's rewrites only cost on a CPU, where oneDNN fuses by itself: a
    # search's first step takes 19 s instead of 27, each further one 0.8.
    tf.config.optimizer.set_experimental_options(
      {'disable_meta_optimizer': True}
    )
  folder.claim(config)
  tf.keras.utils.set_random_seed(config.runtime.seed)
  tf.keras.mixed_precision.set_global_policy(config.runtime.precision)
  return strategy


def _make_segmenter(
  config: configs.TrainExperiment,
  genotype: genotype_lib.Genotype,
  info: datasets.DatasetInfo,
) -> segmenter_lib.Segmenter:
  return segmenter_lib.Segmenter(
    genotype,
    config.segmenter,
    info.num_classes,
    synchronized_batch_norm=config.runtime.synchronized_batch_norm,
    seed=config.runtime.seed,
    drop_path_steps=config.schedule.train_steps,
  )


def _build(
  model: tf.keras.Model,
  config: configs.InputConfig,
  strategy: tf.distribute.Strategy,
) -> None:
  """Creates the variables.

  In a graph, so that nothing is computed: an eager call would run the whole
  network once. With the shapes of training, so that what the supernet's cells
  share is traced here once for all.
  """
  batch = max(1, config.batch_size // strategy.num_replicas_in_sync)
  images = tf.TensorSpec([batch, *config.crop_size, 3], tf.float32)
  step = tf.constant(0)
  is_random = isinstance(model, segmenter_lib.Segmenter)
  settings = {'step': step} if is_random else {}
  tf.function(
    lambda x: model(x, training=True, **settings)
  ).get_concrete_function(images)


def _variables_of(
  optimizer: tf.keras.optimizers.Optimizer,
) -> list[tf.Variable]:
  variables = optimizer.variables
  return list(variables() if callable(variables) else variables)


def _halves(
  config: configs.SearchExperiment, place: Place, first_step: int
) -> Callable[[tf.distribute.InputContext], tf.data.Dataset]:
  """Returns what makes pairs of a batch of trainA and one of trainB."""

  def make_dataset(context: tf.distribute.InputContext) -> tf.data.Dataset:
    return tf.data.Dataset.zip(
      tuple(
        input_pipeline.train_dataset(
          place.data_dir,
          place.train_split,
          config.input,
          seed=config.runtime.seed,
          half=half,
          start_step=first_step,
          input_context=context,
        )
        for half in ('A', 'B')
      )
    )

  return make_dataset


def _restore(
  runtime: configs.RuntimeConfig,
  folder: run_folder.RunFolder,
  global_step: tf.Variable,
  **objects: Any,
) -> tf.train.CheckpointManager:
  """Restores the newest checkpoint, if any; returns the manager."""
  checkpoint = tf.train.Checkpoint(global_step=global_step, **objects)
  manager = tf.train.CheckpointManager(
    checkpoint,
    str(folder.checkpoints),
    max_to_keep=runtime.checkpoints_to_keep,
    step_counter=global_step,
    # Orbit saves nothing, in silence, where this is None.
    checkpoint_interval=runtime.checkpoint_interval,
  )
  if manager.latest_checkpoint:
    _restore_checkpoint(checkpoint, manager.latest_checkpoint)
  folder.forget_metrics_after(int(global_step.numpy()))
  return manager


def _restore_checkpoint(checkpoint: tf.train.Checkpoint, path: str) -> None:
  """Restores every object of `checkpoint`.

  Raises:
    ValueError: if the file is damaged or holds something else.
  """
  try:
    status = checkpoint.read(path)
    status.assert_existing_objects_matched()
    status.expect_partial()
  except (AssertionError, ValueError, tf.errors.OpError) as e:
    reason = str(e).strip().splitlines()[0]
    raise ValueError(
      f'checkpoint {path} does not fit this configuration, or is damaged: '
      f'{reason}'
    ) from e


def _make_evaluator(
  strategy: tf.distribute.Strategy,
  model: tf.keras.Model,
  place: Place,
  info: datasets.DatasetInfo,
) -> evaluator.Evaluator:
  """One picture a replica and step, of whatever size."""
  dataset = input_pipeline.eval_dataset(
    place.data_dir, place.eval_split, batch_size=strategy.num_replicas_in_sync
  )
  dataset = dataset.map(lambda x: {k: x[k] for k in ('image', 'label')})
  return evaluator.Evaluator(
    strategy,
    model,
    strategy.experimental_distribute_dataset(dataset),
    info.class_names,
  )


def _train(
  label: str,
  runtime: configs.RuntimeConfig,
  folder: run_folder.RunFolder,
  strategy: tf.distribute.Strategy,
  steps_trainer: orbit.StandardTrainer,
  manager: tf.train.CheckpointManager,
  num_steps: int,
  actions: Any = (),
  evaluate: evaluator.Evaluator | None = None,
  eval_interval: int = 0,
) -> dict[str, float]:
  """Runs the outer loop to `num_steps`; returns the last scores."""
  global_step = steps_trainer.global_step
  progress = run_folder.Progress(label, int(global_step.numpy()), num_steps)
  scores: dict[str, float] = {}

  def record(output: dict[str, Any]) -> None:
    step = int(global_step.numpy())
    folder.append_metrics(step, output)
    progress.update(step, output)

  def record_scores(output: dict[str, Any]) -> None:
    scores.update(output)
    folder.append_metrics(
      int(global_step.numpy()), {f'eval/{k}': v for k, v in output.items()}
    )

  controller = orbit.Controller(
    global_step=global_step,
    trainer=steps_trainer,
    evaluator=evaluate,
    strategy=strategy,
    steps_per_loop=runtime.steps_per_loop,
    checkpoint_manager=manager,
    summary_dir=str(folder.summaries),
    eval_summary_dir=str(folder.summaries / 'eval'),
    train_actions=[record, *actions],
    eval_actions=[record_scores],
  )
  # Orbit prints each loop on standard output; `progress` says it better.
  with contextlib.redirect_stdout(io.StringIO()):
    if evaluate is None or not eval_interval:
      controller.train(num_steps)
    else:
      controller.train_and_evaluate(num_steps, eval_interval=eval_interval)
    if evaluate is not None and not scores:
      controller.evaluate()
  progress.close()
  return {key: float(np.asarray(value)) for key, value in scores.items()}
