# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Evaluation: a confusion matrix over a split, and what follows from it."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orbit
import tensorflow as tf

from auto_deeplab.data import input_pipeline
from auto_deeplab.training import objectives


class Evaluator(orbit.StandardEvaluator):
  """Single-scale evaluation on whole pictures.

  Attributes:
    confusion_matrix: int64 `[num_classes, num_classes]` of the last
      evaluation, rows are labels; zeros before the first.
  """

  def __init__(
    self,
    strategy: tf.distribute.Strategy,
    segmenter: tf.keras.Model,
    dataset: tf.distribute.DistributedDataset,
    class_names: Sequence[str],
  ):
    """Initializes the evaluator.

    Args:
      strategy: on whose replicas the pictures are spread.
      segmenter: images -> logits.
      dataset: batches of `image` and `label`, both uint8; any sizes.
      class_names: in the order of the logits.
    """
    super().__init__(dataset)
    self._strategy = strategy
    self._segmenter = segmenter
    self._class_names = tuple(class_names)
    self.confusion_matrix = self.eval_begin()

  def eval_begin(self) -> np.ndarray:
    return np.zeros([len(self._class_names)] * 2, np.int64)

  def eval_step(self, iterator: Iterator) -> tf.Tensor:
    counts = self._strategy.run(self._replica_step, args=(next(iterator),))
    return self._strategy.reduce(tf.distribute.ReduceOp.SUM, counts, axis=None)

  def _replica_step(self, batch) -> tf.Tensor:
    num_images = tf.shape(batch['image'])[0]
    # The last batch may leave a replica without pictures, which no layer likes.
    return tf.cond(
      num_images > 0,
      lambda: self._count(batch),
      lambda: tf.zeros([len(self._class_names)] * 2, tf.int64),
    )

  def _count(self, batch) -> tf.Tensor:
    images = input_pipeline.normalize(batch['image'])
    logits = self._segmenter(images, training=False)
    predictions = tf.argmax(logits, axis=-1)
    return objectives.confusion_matrix(
      batch['label'], predictions, len(self._class_names)
    )

  def eval_reduce(self, state: Any = None, step_outputs: Any = None):
    return state + step_outputs.numpy()

  def eval_end(self, *args: Any) -> dict[str, float]:
    (self.confusion_matrix,) = args
    return summarize(self.confusion_matrix, self._class_names)


def summarize(
  matrix: np.ndarray, class_names: Sequence[str]
) -> dict[str, float]:
  """Returns `mean_iou`, `pixel_accuracy` and `iou/<class>`, in [0, 1].

  Args:
    matrix: `[num_classes, num_classes]` counts, rows are labels.
    class_names: in the matrix' order; a class without label or prediction
      has no IoU and is left out.
  """
  scores = {
    'mean_iou': objectives.mean_iou(matrix),
    'pixel_accuracy': objectives.pixel_accuracy(matrix),
  }
  for name, iou in zip(class_names, objectives.class_iou(matrix)):
    if not np.isnan(iou):
      scores[f'iou/{name}'] = float(iou)
  return scores
