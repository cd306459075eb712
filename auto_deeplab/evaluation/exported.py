# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Evaluations of what is known by what it says alone, as an exported file."""

from collections.abc import Callable, Sequence
import dataclasses
import os

import numpy as np
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.data import datasets
from auto_deeplab.data.input import input_pipeline
from auto_deeplab.data.records import tfrecord
from auto_deeplab.evaluation import evaluator, metrics, predictions

# uint8 [height, width, 3] -> labels, uint8 [height, width].
Label = Callable[[np.ndarray], np.ndarray]

# What is asked of the labels; all else says how they come about.
_OF_LABELS = ('boundary_ratio', 'patience_seconds')


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """What an evaluation found.

  Attributes:
    scores: as of `metrics.summarize`; empty of a split without labels.
    confusion_matrix: int64 `[num_classes, num_classes]`, rows are labels.
    num_predictions: how many were written.
  """

  scores: dict[str, float]
  confusion_matrix: np.ndarray
  num_predictions: int = 0


def evaluate(
  label: Label,
  class_names: Sequence[str],
  data_dir: str | os.PathLike[str],
  split: str,
  config: configs.EvalConfig | None = None,
  *,
  predictions_dir: str | os.PathLike[str] | None = None,
) -> Evaluation:
  """Evaluates on a split what says the labels of a picture.

  Args:
    label: which.
    class_names: in the order of its labels.
    data_dir: folder of a converted data set.
    split: its split.
    config: what counts as near a boundary.
    predictions_dir: where to write the predictions, if anywhere.

  Raises:
    ValueError: the data set has other classes, the split no labels while no
      predictions are written, or `config` asks for other labels.
    FileNotFoundError: no data set.
  """
  config = config or configs.EvalConfig()
  _require_as_it_is(config)
  info = tfrecord.load_info(data_dir)
  if not datasets.are_same_classes(info.class_names, class_names):
    raise ValueError(
      f'{data_dir} has the classes {info.class_names}, the network was trained '
      f'on {tuple(class_names)}.'
    )
  writer = None
  if predictions_dir is None:
    evaluator.require_labels(info, split)
  else:
    writer = predictions.Writer(info, predictions_dir)
  counts = np.zeros([info.num_classes + 3, info.num_classes], np.int64)
  with tfrecord.naming_damaged_shards(data_dir):
    for example in input_pipeline.eval_dataset(data_dir, split):
      prediction = label(example['image'][0].numpy())
      counts += _counts(example['label'], prediction, info.num_classes, config)
      if writer:
        writer.write(example['filename'][0].numpy().decode(), prediction)
  matrix, boundaries = np.split(counts, [info.num_classes])
  scores = {}
  if not writer or matrix.any():
    scores = metrics.summarize(matrix, boundaries, info.class_names)
  return Evaluation(scores, matrix, writer.count if writer else 0)


def _require_as_it_is(config: configs.EvalConfig) -> None:
  default = configs.EvalConfig()
  for field in dataclasses.fields(config):
    value = getattr(config, field.name)
    if field.name not in _OF_LABELS and value != getattr(default, field.name):
      raise ValueError(
        f'`EvalConfig.{field.name}` ({value!r}) is not for exported files, '
        'which are evaluated as they are.'
      )


def _counts(
  labels: tf.Tensor,
  prediction: np.ndarray,
  num_classes: int,
  config: configs.EvalConfig,
) -> np.ndarray:
  """Returns the confusion matrix, and below it the boundary counts."""
  both = labels, prediction[np.newaxis], num_classes
  distance = metrics.boundary_distance(
    tf.shape(labels)[1:], config.boundary_ratio
  )
  return np.concatenate(
    [metrics.confusion_matrix(*both), metrics.boundary_counts(*both, distance)]
  )
