# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Evaluation: counts over a split, spread on replicas, and their scores."""

from collections.abc import Callable, Iterator, Sequence
import dataclasses
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
from auto_deeplab.training import distribution


@dataclasses.dataclass(frozen=True)
class Picture:
  """What became of one picture.

  Attributes:
    name: as in its Example.
    image: uint8 [h, w, 3].
    label: uint8 [h, w].
    prediction: classes, uint8 [h, w].
    confusion_matrix: int64 `[num_classes, num_classes]`, rows are labels.
  """

  name: str
  image: np.ndarray
  label: np.ndarray
  prediction: np.ndarray
  confusion_matrix: np.ndarray


OnPicture = Callable[[Picture], None]


class Evaluator(orbit.StandardEvaluator):
  """Counts right and wrong pixels of whole pictures.

  Attributes:
    confusion_matrix: int64 `[num_classes, num_classes]` of the last
      evaluation, rows are labels; zeros before the first.
    worker: which of the workers this one is; 0 where there is but one.
  """

  def __init__(
    self,
    strategy: tf.distribute.Strategy,
    forward: inference.Forward,
    dataset: distribution.Batches,
    class_names: Sequence[str],
    config: configs.EvalConfig | None = None,
    on_picture: OnPicture | None = None,
    needs_labels: bool = True,
    before: Callable[[], None] | None = None,
  ):
    """Initializes the evaluator.

    Args:
      strategy: on whose replicas the pictures are spread.
      forward: the network.
      dataset: batches of `image`, `label` and `filename`, its bytes; all of
        them uint8, of any sizes. With `on_picture` of one picture a replica.
      class_names: in the order of the logits.
      config: how to predict, and what counts as near a boundary.
      on_picture: called with each picture of this worker's replicas, a step
        later than it was computed.
      needs_labels: whether scores are an error where no pixel has a label, and
        not merely absent.
      before: called before each evaluation, to set the network's weights.
    """
    super().__init__(dataset)
    self._strategy = strategy
    self.worker = distribution.worker_index(strategy)
    self._forward = forward
    self._class_names = tuple(class_names)
    self._config = config or configs.EvalConfig()
    self._on_picture = on_picture
    self._needs_labels = needs_labels
    self._before = before
    self._pending: Any = ()
    self.confusion_matrix = self._zeros()[: len(class_names)]

  def evaluate(self, num_steps: tf.Tensor) -> dict[str, float]:
    if self._before is not None:
      self._before()
    return super().evaluate(num_steps)

  def eval_begin(self) -> np.ndarray:
    """Returns zeros: the confusion matrix, and below it the boundary counts."""
    self._pending = ()
    return self._zeros()

  def _zeros(self) -> np.ndarray:
    num_classes = len(self._class_names)
    return np.zeros([num_classes + 3, num_classes], np.int64)

  def eval_step(self, iterator: Iterator) -> tuple[tf.Tensor, Any]:
    """Returns the counts of all replicas, and the pictures of each here."""
    batch = next(iterator)
    counts, predictions = self._strategy.run(self._replica_step, args=(batch,))
    total = self._strategy.reduce(tf.distribute.ReduceOp.SUM, counts, axis=None)
    if self._on_picture is None:
      return total, ()
    local = self._strategy.experimental_local_results
    return total, (
      local(batch['filename']),
      local(batch['image']),
      local(batch['label']),
      local(predictions),
      local(counts),
    )

  def _replica_step(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
    num_images = tf.shape(batch['image'])[0]
    # The last step may leave a replica without pictures, which no layer likes.
    return tf.cond(
      num_images > 0,
      lambda: self._predict_and_count(batch),
      lambda: (
        tf.constant(self._zeros()),
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
    counts, pictures = step_outputs
    self._tell_pending()  # While this step is computed.
    self._pending = pictures
    return tf.add(state, counts)

  def _tell_pending(self) -> None:
    """Tells of the pictures of the last step."""
    if self._on_picture is None:
      return
    for replica in zip(*self._pending, strict=True):
      names, *arrays, counts = (tensor.numpy() for tensor in replica)
      if not len(names):
        continue
      (name,), (image,), (label,), (prediction,) = names, *arrays
      matrix = counts[: len(self._class_names)]
      self._on_picture(
        Picture(name.tobytes().decode(), image, label, prediction, matrix)
      )

  def eval_end(self, *args: Any) -> dict[str, float]:
    self._tell_pending()
    self.confusion_matrix, boundaries = np.split(
      np.asarray(args[0]), [len(self._class_names)]
    )
    if not self._needs_labels and not self.confusion_matrix.any():
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
  on_picture: OnPicture | None = None,
  needs_labels: bool = True,
  before: Callable[[], None] | None = None,
) -> Evaluator:
  """Makes the evaluator of a split: one picture a replica and step.

  Args:
    strategy: that the segmenter was built for.
    segmenter: the network.
    data_dir: folder of a converted data set.
    split: its split.
    config: of the evaluation; see `Evaluator`.
    on_picture: see `Evaluator`.
    needs_labels: see `Evaluator`.
    before: see `Evaluator`.

  Raises:
    FileNotFoundError: `data_dir` holds no data set, or not all of it.
    ValueError: it is damaged, there is no such split, or the split has no
      labels though they are asked for.
  """
  info = tfrecord.load_info(data_dir)
  if needs_labels:
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
    distribution.distribute(strategy, make_dataset),
    info.class_names,
    config,
    on_picture,
    needs_labels,
    before,
  )


def require_labels(info: datasets.DatasetInfo, split: str) -> None:
  """Raises a ValueError if no pixel of a split has a class."""
  if info.split(split).ignored_pixel_share == 1:
    raise ValueError(
      f'`split` ({split}) of the data set {info.name} has no labels to compare '
      'with; its predictions can be written (evaluate.py --write_predictions).'
    )
