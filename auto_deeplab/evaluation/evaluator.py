# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Evaluation: counts over a split, spread on replicas, and their scores."""

from collections.abc import Callable, Iterator, Sequence
import os
from typing import Any

import numpy as np
import orbit
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.data import datasets
from auto_deeplab.data.input import input_pipeline
from auto_deeplab.data.records import tfrecord
from auto_deeplab.evaluation import inference, metrics
from auto_deeplab.model import pixels
from auto_deeplab.model import segmenter as segmenter_lib

# A picture's name and the classes of its pixels, uint8 [h, w].
OnPrediction = Callable[[str, np.ndarray], None]


class Evaluator(orbit.StandardEvaluator):
  """Counts right and wrong pixels of whole pictures.

  Attributes:
    confusion_matrix: int64 `[num_classes, num_classes]` of the last
      evaluation, rows are labels; zeros before the first.
  """

  def __init__(
    self,
    strategy: tf.distribute.Strategy,
    forward: inference.Forward,
    dataset: tf.distribute.DistributedDataset,
    class_names: Sequence[str],
    config: configs.EvalConfig | None = None,
    on_prediction: OnPrediction | None = None,
    before: Callable[[], None] | None = None,
  ):
    """Initializes the evaluator.

    Args:
      strategy: on whose replicas the pictures are spread.
      forward: the network.
      dataset: batches of `image`, `label` and `filename`, its bytes; all of
        them uint8, of any sizes.
      class_names: in the order of the logits.
      config: how to predict, and what counts as near a boundary.
      on_prediction: called with each picture's prediction. A split without
        labels then has no scores.
      before: called before each evaluation, to set the network's weights.
    """
    super().__init__(dataset)
    self._strategy = strategy
    self._forward = forward
    self._class_names = tuple(class_names)
    self._config = config or configs.EvalConfig()
    self._on_prediction = on_prediction
    self._before = before
    self.confusion_matrix = self.eval_begin()[: len(class_names)]

  def evaluate(self, num_steps: tf.Tensor) -> dict[str, float]:
    if self._before is not None:
      self._before()
    return super().evaluate(num_steps)

  def eval_begin(self) -> np.ndarray:
    """Returns zeros: the confusion matrix, and below it the boundary counts."""
    num_classes = len(self._class_names)
    return np.zeros([num_classes + 3, num_classes], np.int64)

  def eval_step(self, iterator: Iterator) -> tuple[tf.Tensor, Any]:
    """Returns the counts of all replicas, and the predictions of each here."""
    batch = next(iterator)
    counts, predictions = self._strategy.run(self._replica_step, args=(batch,))
    counts = self._strategy.reduce(
      tf.distribute.ReduceOp.SUM, counts, axis=None
    )
    if self._on_prediction is None:
      return counts, ()
    local = self._strategy.experimental_local_results
    return counts, (local(batch['filename']), local(predictions))

  def _replica_step(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
    num_images = tf.shape(batch['image'])[0]
    # The last step may leave a replica without pictures, which no layer likes.
    return tf.cond(
      num_images > 0,
      lambda: self._predict_and_count(batch),
      lambda: (
        tf.constant(self.eval_begin()),
        tf.zeros([0, 0, 0], tf.uint8),
      ),
    )

  def _predict_and_count(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
    labels, num_classes = batch['label'], len(self._class_names)
    images = pixels.normalize(batch['image'])
    predictions = inference.predict(
      self._forward, images, num_classes, self._config
    )
    distance = metrics.boundary_distance(
      tf.shape(labels)[1:], self._config.boundary_ratio
    )
    counts = [
      metrics.confusion_matrix(labels, predictions, num_classes),
      metrics.boundary_counts(labels, predictions, num_classes, distance),
    ]
    # One tensor, for the workers to sum at once.
    return tf.concat(counts, axis=0), tf.cast(predictions, tf.uint8)

  def eval_reduce(
    self, state: Any = None, step_outputs: Any = None
  ) -> tf.Tensor:
    """Adds up the counts where they are: the host waits for none of them."""
    counts, predictions = step_outputs
    if self._on_prediction is not None:
      for names, pictures in zip(*predictions):
        for name, picture in zip(names.numpy(), pictures.numpy()):
          self._on_prediction(name.tobytes().decode(), picture)
    return tf.add(state, counts)

  def eval_end(self, *args: Any) -> dict[str, float]:
    self.confusion_matrix, boundaries = np.split(
      np.asarray(args[0]), [len(self._class_names)]
    )
    if self._on_prediction is not None and not self.confusion_matrix.any():
      return {}
    return metrics.summarize(
      self.confusion_matrix, boundaries, self._class_names
    )


def make_evaluator(
  strategy: tf.distribute.Strategy,
  segmenter: segmenter_lib.Segmenter,
  data_dir: str | os.PathLike[str],
  split: str,
  config: configs.EvalConfig | None = None,
  on_prediction: OnPrediction | None = None,
  before: Callable[[], None] | None = None,
) -> Evaluator:
  """Makes the evaluator of a split: one picture a replica and step.

  Args:
    strategy: that the segmenter was built for.
    segmenter: the network.
    data_dir: folder of a converted data set.
    split: its split.
    config: of the evaluation; see `Evaluator`.
    on_prediction: see `Evaluator`.
    before: see `Evaluator`.

  Raises:
    FileNotFoundError: `data_dir` holds no data set, or not all of it.
    ValueError: it is damaged, there is no such split, or the split has no
      labels though they are asked for.
  """
  info = tfrecord.load_info(data_dir)
  if on_prediction is None:
    require_labels(info, split)

  def make_dataset(context: tf.distribute.InputContext) -> tf.data.Dataset:
    # Of a replica, so that no picture is padded to the size of another's.
    dataset = input_pipeline.eval_dataset(data_dir, split, batch_size=1)
    dataset = dataset.shard(
      context.num_input_pipelines, context.input_pipeline_id
    )
    # No accelerator takes strings.
    return dataset.map(
      lambda x: x | {'filename': tf.io.decode_raw(x['filename'], tf.uint8)}
    )

  return Evaluator(
    strategy,
    lambda images: segmenter(images, training=False),
    strategy.distribute_datasets_from_function(make_dataset),
    info.class_names,
    config,
    on_prediction,
    before,
  )


def require_labels(info: datasets.DatasetInfo, split: str) -> None:
  """Raises a ValueError if no pixel of a split has a class."""
  if info.split(split).ignored_pixel_share == 1:
    raise ValueError(
      f'`split` ({split}) of the data set {info.name} has no labels to compare '
      'with; its predictions can be written (evaluate.py --write_predictions).'
    )
