# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Evaluations of a training: of one checkpoint, or of each as it is saved.

    RUN/evaluation-val-800.json  of split and step: settings, scores, confusion
                                 matrix
    RUN/pictures-val-800.jsonl   a row of scores a picture, the worst first
    RUN/evaluation-val.jsonl     of a training that is followed: a row of scores
                                 for each checkpoint

Settings other than the default ones are part of the names, such as
`evaluation-val-800-scales=0.5,1.0-use_flip=True.json`, and so is the path of a
checkpoint that is not the run's own: no scores take the place of others. Of
several workers, each writes the pictures that it saw, and its number into the
name.
"""

from collections.abc import Iterator, Mapping
import dataclasses
import json
import os
import pathlib

import numpy as np
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import artifact
from auto_deeplab.data import datasets
from auto_deeplab.data.records import tfrecord
from auto_deeplab.evaluation import evaluator, picture_scores, predictions
from auto_deeplab.runs import run as run_lib
from auto_deeplab.runs import run_folder, trained_network
from auto_deeplab.training import distribution

# Settings that change no score.
_SCORELESS = ('patience_seconds',)


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """What an evaluation found.

  Attributes:
    step: of the checkpoint.
    split: that was evaluated.
    config: how.
    scores: as of `metrics.summarize`; empty of a split without labels, whose
      predictions were written.
    confusion_matrix: int64 `[num_classes, num_classes]`, rows are labels.
    num_predictions: how many were written.
    foreign: path prefix of the checkpoint, if it is not of the run itself.
    pictures: the scores of each picture that this worker evaluated.
    worst: those of the worst that were asked for.
    best: as many of the best.
    worker: the number of this worker.
  """

  step: int
  split: str
  config: configs.EvalConfig
  scores: dict[str, float]
  confusion_matrix: np.ndarray
  num_predictions: int = 0
  foreign: pathlib.Path | None = None
  pictures: tuple[picture_scores.PictureScores, ...] = ()
  worst: tuple[picture_scores.Example, ...] = ()
  best: tuple[picture_scores.Example, ...] = ()
  worker: int = 0


def run(
  place: run_lib.Place,
  config: configs.EvalConfig | None = None,
  *,
  checkpoint: str | None = None,
  predictions_dir: str | os.PathLike[str] | None = None,
  num_examples: int = 0,
) -> Evaluation:
  """Evaluates a trained network on a split.

  Args:
    place: `run_dir` of a training; `data_dir` and `eval_split` to evaluate on.
    config: how to predict.
    checkpoint: path prefix of a checkpoint, or 'best'; the newest by default.
    predictions_dir: where to write the predictions, if anywhere; see
      `evaluation.predictions`.
    num_examples: how many of the worst pictures, and of the best, to keep.

  Raises:
    ValueError: if the data set has other classes than the network, or the split
      no labels while no predictions are written.
    FileNotFoundError: no data set, no run, no checkpoint.
  """
  config = config or configs.EvalConfig()
  info = tfrecord.load_info(place.data_dir)
  writer = None
  if predictions_dir is not None:
    writer = predictions.Writer(info, predictions_dir)
  collector = picture_scores.Collector(info.class_names, num_examples)

  def on_picture(picture: evaluator.Picture) -> None:
    collector.add(picture)
    if writer:
      writer.write(picture.name, picture.prediction)

  loaded, evaluate = _open(
    place, config, checkpoint, on_picture, needs_labels=writer is None
  )
  found = _evaluate(place, config, evaluate, loaded.step)
  return dataclasses.replace(
    found,
    num_predictions=writer.count if writer else 0,
    foreign=_foreign(place.run_dir, checkpoint),
    pictures=collector.scores,
    worst=collector.worst,
    best=collector.best,
    worker=evaluate.worker,
  )


def _foreign(
  run_dir: str | os.PathLike[str], checkpoint: str | None
) -> pathlib.Path | None:
  """Returns the path prefix of a checkpoint that lies outside of the run."""
  if not checkpoint or checkpoint == 'best':
    return None
  folder = run_folder.RunFolder(run_dir)
  path = pathlib.Path(checkpoint).resolve()
  own = (folder.checkpoints.resolve(), folder.best.resolve())
  return None if path.parent in own else path


def follow(
  place: run_lib.Place, config: configs.EvalConfig
) -> Iterator[Evaluation]:
  """Evaluates the newest checkpoint of a training, whenever there is a new one.

  Ends after the last step of the training. One that saves faster than this
  evaluates has some of its checkpoints left out.

  Raises:
    TimeoutError: there was none for `config.patience_seconds`.
    ValueError: as `run`.
    FileNotFoundError: no data set.
  """
  _require_split(place, needs_labels=True)
  folder = run_folder.RunFolder(place.run_dir)
  # A training saves its first checkpoint after all that defines it.
  paths = tf.train.checkpoints_iterator(
    os.fspath(folder.checkpoints), timeout=config.patience_seconds
  )
  opened = None
  for path in paths:
    opened = opened or _open(place, config, path)
    loaded, evaluate = opened
    step = trained_network.restore(loaded.model, path)
    yield _evaluate(place, config, evaluate, step)
    if step >= folder.load_config(configs.TrainExperiment).schedule.train_steps:
      return
  raise TimeoutError(
    f'{folder.checkpoints} got no new checkpoint for '
    f'{config.patience_seconds:g} seconds (`EvalConfig.patience_seconds`).'
  )


def _require_split(
  place: run_lib.Place, needs_labels: bool
) -> datasets.DatasetInfo:
  info = tfrecord.load_info(place.data_dir)
  info.split(place.eval_split)
  if needs_labels:
    evaluator.require_labels(info, place.eval_split)
  return info


def _open(
  place: run_lib.Place,
  config: configs.EvalConfig,
  checkpoint: str | None,
  on_picture: evaluator.OnPicture | None = None,
  needs_labels: bool = True,
) -> tuple[trained_network.LoadedSegmenter, evaluator.Evaluator]:
  """Loads the network and the split; what cannot be used is refused first."""
  info = _require_split(place, needs_labels=needs_labels)
  strategy = distribution.make_strategy(place.distribution, place.tpu_address)
  distribution.leave_graphs_to_cpu_kernels()  # As a training evaluates.
  with strategy.scope():
    loaded = trained_network.load_segmenter(place.run_dir, checkpoint)
  classes = loaded.dataset_info.class_names
  if not datasets.are_same_classes(info.class_names, classes):
    raise ValueError(
      f'{place.data_dir} has the classes {info.class_names}, the network of '
      f'{place.run_dir} was trained on {classes}.'
    )
  evaluate = evaluator.make_evaluator(
    strategy,
    loaded.model,
    place.data_dir,
    place.eval_split,
    config,
    on_picture,
    needs_labels,
  )
  return loaded, evaluate


def _evaluate(
  place: run_lib.Place,
  config: configs.EvalConfig,
  evaluate: evaluator.Evaluator,
  step: int,
) -> Evaluation:
  with tfrecord.naming_damaged_shards(place.data_dir):
    scores = evaluate.evaluate(tf.constant(-1))
  return Evaluation(
    step, place.eval_split, config, scores, evaluate.confusion_matrix
  )


# Reports ---------------------------------------------------------------------


def write(found: Evaluation, run_dir: str | os.PathLike[str]) -> pathlib.Path:
  """Writes `evaluation-SPLIT-STEP.json`, and the scores of pictures beside it.

  Returns:
    The path of the former.
  """
  report = {
    'step': found.step,
    'split': found.split,
    'config': dataclasses.asdict(found.config),
    **found.scores,
    'confusion_matrix': found.confusion_matrix.tolist(),
  }
  folder = pathlib.Path(run_dir)
  if found.pictures:
    name = f'pictures-{_name(found)}{_worker(found)}.jsonl'
    picture_scores.write(folder / name, found.pictures)
  path = folder / f'evaluation-{_name(found)}.json'
  with artifact.writing(path) as file:
    file.write(json.dumps(report, indent=1).encode())
  return path


def examples_dir(
  found: Evaluation, run_dir: str | os.PathLike[str]
) -> pathlib.Path:
  """Returns where examples of an evaluation go: `examples-SPLIT-STEP`."""
  return pathlib.Path(run_dir) / f'examples-{_name(found)}{_worker(found)}'


def _name(found: Evaluation) -> str:
  """Returns what the names of an evaluation's files have in common."""
  name = f'{found.split}-{found.step}{_settings(found.config)}'
  if found.foreign:
    name += f'-checkpoint={"_".join(found.foreign.parts[1:])}'
  return name


def _worker(found: Evaluation) -> str:
  return f'-worker={found.worker}' if found.worker else ''


def append(found: Evaluation, run_dir: str | os.PathLike[str]) -> None:
  """Adds a row to `evaluation-SPLIT.jsonl`."""
  name = f'evaluation-{found.split}{_settings(found.config)}.jsonl'
  path = pathlib.Path(run_dir) / name
  with path.open('a', encoding='utf-8') as file:
    file.write(json.dumps({'step': found.step, **found.scores}) + '\n')


def _settings(config: configs.EvalConfig) -> str:
  """Returns what a file's name tells of settings that change the scores."""
  default, text = configs.EvalConfig(), ''
  for field in dataclasses.fields(config):
    value = getattr(config, field.name)
    if value == getattr(default, field.name) or field.name in _SCORELESS:
      continue
    parts = value if isinstance(value, tuple) else (value,)
    text += f'-{field.name}={",".join(map(str, parts))}'
  return text


def table(scores: Mapping[str, float]) -> str:
  """Returns the scores as lines: those of all classes, then a line a class."""
  lines = [f'{k:24s} {v:.4f}' for k, v in scores.items() if '/' not in k]
  classes = [k[len('iou/') :] for k in scores if k.startswith('iou/')]
  lines.append(f'{"class":24s} iou    boundary_iou')
  for name in classes:
    cells = (scores.get(f'{kind}/{name}') for kind in ('iou', 'boundary_iou'))
    shown = ('-' if cell is None else f'{cell:.4f}' for cell in cells)
    lines.append(
      ' '.join([f'{name:24s}', *(f'{s:6s}' for s in shown)]).rstrip()
    )
  return '\n'.join(lines)
