# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""From TFRecord shards to batches: read, augment or decode, batch.

The stream of training examples is a pure function of the data set, the
configuration and the seed: the example at position p (0, 1, 2, ... across
epochs) is the same picture (`sampling`), cropped and flipped the same way
(`augmentation`), in every run and for every number of workers. Hence a run that
resumes needs no iterator checkpoint: it starts the stream at position
`start_step * batch_size`.

Pictures leave it as bytes, which networks normalize (`model/pixels.py`) on the
device: that is four times less to copy, to batch and to send there than floats.
"""

import os

import numpy as np
import tensorflow as tf

from auto_deeplab.configs import InputConfig
from auto_deeplab.data import datasets
from auto_deeplab.data.input import augmentation, sampling
from auto_deeplab.data.records import tfrecord


def train_dataset(
  data_dir: str | os.PathLike[str],
  split: str,
  config: InputConfig,
  *,
  seed: int,
  half: str | None = None,
  start_step: int = 0,
  input_context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
  """Returns endless batches of augmented crops.

  Args:
    data_dir: folder of a converted data set; see `data.records.tfrecord`.
    split: its split, such as 'train'.
    config: augmentation and batching.
    seed: decides the halves, the order and the augmentation; not negative.
    half: 'A' or 'B' for the examples of that half only, None for all. With the
      same seed the halves are disjoint and together complete, of equal size
      (A has one more of an odd number), and their order and augmentation are
      independent.
    start_step: the number of batches to leave out at the start. They are
      skipped without decoding, whole epochs without reading.
    input_context: as `tf.distribute` passes it to a `dataset_fn`. Batches then
      have the size of one replica, and the input pipelines share out the
      examples that one pipeline would give.

  Returns:
    A data set of {'image': uint8 [batch, height, width, 3], 'label': uint8
    [batch, height, width]}, where padded pixels are `augmentation.MEAN_PIXEL`
    and the ignore label. All dimensions are static.

  Raises:
    FileNotFoundError: `data_dir` holds no data set, or not all of it.
    ValueError: it is damaged; there is no such split or half; it has fewer
      examples than a batch, or no labelled pixel; or the batch cannot be shared
      out evenly.
  """
  if seed < 0 or start_step < 0:
    raise ValueError(
      f'`seed` ({seed}) and `start_step` ({start_step}) must not be negative.'
    )
  shards, is_kept = _open_half(data_dir, split, half, seed, config.batch_size)
  batch_size = _replica_batch_size(config.batch_size, input_context)
  stream = sampling.stream_number(seed, half)
  dataset = sampling.numbered_records(
    shards,
    is_kept,
    stream,
    config.shuffle_buffer,
    first=start_step * config.batch_size,
  )
  if input_context and input_context.num_input_pipelines > 1:
    dataset = dataset.shard(
      input_context.num_input_pipelines, input_context.input_pipeline_id
    )
  dataset = _cropped(dataset, stream, config)
  dataset = dataset.batch(batch_size, drop_remainder=True)
  # tf.data does not know that of a stream that is filtered. Several workers
  # would agree before each batch on whether all of them have one.
  return _with_options(dataset, tf.data.INFINITE_CARDINALITY)


def _cropped(
  records: tf.data.Dataset, stream: int, config: InputConfig
) -> tf.data.Dataset:
  """Returns the crops of numbered records, as the stream draws them."""

  def crop(position: tf.Tensor, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    draws = augmentation.draw(stream, position)
    example = tfrecord.parse_example(serialized)
    return augmentation.augment(example, draws, config)

  return records.map(crop, tf.data.AUTOTUNE, deterministic=config.deterministic)


def eval_dataset(
  data_dir: str | os.PathLike[str],
  split: str,
  *,
  batch_size: int = 1,
) -> tf.data.Dataset:
  """Returns each picture of a split once, whole, in a fixed order.

  Args:
    data_dir: folder of a converted data set; see `data.records.tfrecord`.
    split: its split, such as 'val'.
    batch_size: pictures a batch; the last batch may have fewer.

  Returns:
    A data set of {'image': uint8 [batch, height, width, 3], 'label': uint8
    [batch, height, width], 'filename': string [batch]}. Smaller pictures are
    padded to the largest of their batch, at the right and the lower border,
    with `augmentation.MEAN_PIXEL` and the ignore label. Height and width are
    static if all pictures of the split have one size.

  Raises:
    FileNotFoundError: `data_dir` holds no data set, or not all of it.
    ValueError: it is damaged, or there is no such split.
  """
  if batch_size < 1:
    raise ValueError(f'`batch_size` ({batch_size}) must be at least 1.')
  shards, info = _open_split(data_dir, split)
  has_one_size = info.min_size == info.max_size
  size = info.max_size if has_one_size else (None, None)

  def decode(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    example = tfrecord.parse_example(serialized)
    image = augmentation.decode_image(example['image'])
    label = augmentation.decode_label(example['label'])
    return {
      'image': tf.ensure_shape(image, (*size, 3)),
      'label': tf.ensure_shape(label, size),
      'filename': example['filename'],
    }

  dataset = tf.data.TFRecordDataset(shards).map(decode, tf.data.AUTOTUNE)
  dataset = dataset.padded_batch(
    batch_size,
    padded_shapes={'image': (*size, 3), 'label': size, 'filename': ()},
    padding_values={
      'image': np.uint8(augmentation.MEAN_PIXEL),
      'label': np.uint8(datasets.IGNORE_LABEL),
      'filename': '',
    },
  )
  return _with_options(dataset, -(-info.num_examples // batch_size))


# Reading ---------------------------------------------------------------------


def _open_split(
  data_dir: str | os.PathLike[str], split: str
) -> tuple[list[str], datasets.SplitInfo]:
  """Returns the shards of a split, checked, and what is known of it."""
  # A store behind a URL would have to send everything for its checksum. There,
  # and for damage from here on, those of the single records hold.
  is_local = '://' not in os.fspath(data_dir)
  tfrecord.verify(data_dir, split, with_checksums=is_local)
  info = tfrecord.load_info(data_dir).split(split)
  return [tfrecord.shard_path(data_dir, s) for s in info.shards], info


def _open_half(
  data_dir: str | os.PathLike[str],
  split: str,
  half: str | None,
  seed: int,
  batch_size: int,
) -> tuple[list[str], np.ndarray]:
  """Returns the shards, and which of their examples are of the half.

  Raises:
    ValueError: as of `train_dataset`.
  """
  if half is not None and half not in sampling.HALVES:
    raise ValueError(f"`half` ({half}) must be 'A', 'B' or None.")
  shards, info = _open_split(data_dir, split)
  is_kept = sampling.half_mask(info.num_examples, seed, half)
  num_kept = np.count_nonzero(is_kept)
  where = f'half {half} of the split {split}' if half else f'the split {split}'
  if num_kept < batch_size:
    raise ValueError(
      f'`batch_size` ({batch_size}) is larger than {where} of {data_dir}, '
      f'which has {num_kept} examples.'
    )
  if not _has_labels(data_dir, shards, is_kept):
    remedy = ' Another `RuntimeConfig.seed` makes other halves.' if half else ''
    raise ValueError(
      f'{where} of {data_dir} has no labelled pixel to learn from.{remedy}'
    )
  return shards, is_kept


def _has_labels(
  data_dir: str | os.PathLike[str], shards: list[str], is_kept: np.ndarray
) -> bool:
  """Tells whether a pixel of the examples has a class.

  Reads up to the first one, which as a rule is in the first picture.
  """

  def is_member(record: tf.Tensor) -> tf.Tensor:
    return tf.gather(tf.constant(is_kept), tfrecord.parse_index(record))

  def is_labelled(record: tf.Tensor) -> tf.Tensor:
    label = augmentation.decode_label(tfrecord.parse_example(record)['label'])
    return tf.reduce_any(label != datasets.IGNORE_LABEL)

  records = tf.data.TFRecordDataset(shards)
  with tfrecord.naming_damaged_shards(data_dir):
    labelled = records.filter(is_member).filter(is_labelled)
    return any(True for _ in labelled.take(1))


def _replica_batch_size(
  batch_size: int, context: tf.distribute.InputContext | None
) -> int:
  if context is None:
    return batch_size
  num_replicas = context.num_replicas_in_sync
  if batch_size % num_replicas:
    raise ValueError(
      f'`batch_size` ({batch_size}) must be a multiple of the number of '
      f'replicas ({num_replicas}).'
    )
  return batch_size // num_replicas


def _with_options(
  dataset: tf.data.Dataset, num_batches: int
) -> tf.data.Dataset:
  """Returns batches of a stated number, made ahead and in order."""
  options = tf.data.Options()
  # As many calls at once as there are cores. The thread that would tune their
  # number often misses that it is to end, and its iterator, and so the process,
  # then waits up to a minute for it.
  options.autotune.enabled = False
  options.deterministic = True
  # `train_dataset` shares out the examples itself.
  options.experimental_distribute.auto_shard_policy = (
    tf.data.experimental.AutoShardPolicy.OFF
  )
  counted = tf.data.experimental.assert_cardinality(num_batches)
  dataset = dataset.apply(counted).with_options(options)
  return dataset.prefetch(tf.data.AUTOTUNE)
