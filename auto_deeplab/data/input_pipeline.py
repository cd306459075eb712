# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""From TFRecord shards to batches: parse, augment, normalise, batch.

The stream of training examples is a pure function of the data set, the
configuration and the seed: the example at position p (0, 1, 2, ... across
epochs) is the same picture, cropped and flipped the same way, in every run and
for every number of workers. Hence a run that resumes needs no iterator
checkpoint: it starts the stream at position `start_step * batch_size`.

Augmentation is DeepLab's (Chen et al., 2018): a random scale, a random crop
that is padded where the scaled picture ends (at the right and the lower
border), a random flip. The order of work is another one: the window that the
crop will show is cut out of the source first, so that only its pixels are
decoded (JPEG) and resized.
"""

import os
import sys
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from auto_deeplab.configs import InputConfig
from auto_deeplab.data import datasets, tfrecord

# trainA and trainB; None is the whole split.
HALVES = ('A', 'B')

# Padding of images; 0 once normalised.
MEAN_PIXEL = 127.5

# Shards that are read in turns, one example each. Part of the order of
# examples, so not left to tf.data to tune.
_SHARDS_IN_TURN = 16


class View(NamedTuple):
  """What a crop shows of its picture. All int32, (height, width) in pixels.

  Attributes:
    offset: upper left corner of the window in the source picture.
    window: size of the window, within the picture.
    scaled: size of the window once resized; at most the crop's size, and less
      where the crop shows padding.
    is_flipped: bool [], whether left and right change places.
  """

  offset: tf.Tensor
  window: tf.Tensor
  scaled: tf.Tensor
  is_flipped: tf.Tensor


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
    data_dir: folder of a converted data set; see `data.tfrecord`.
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
    A data set of {'image': float32 [batch, height, width, 3] in [-1, 1],
    'label': int32 [batch, height, width]}, where padded pixels are 0 and the
    ignore label. All dimensions are static.

  Raises:
    FileNotFoundError: `data_dir` holds no data set, or not all of it.
    ValueError: it is damaged; there is no such split or half; it has fewer
      examples than a batch; or the batch cannot be shared out evenly.
  """
  if half is not None and half not in HALVES:
    raise ValueError(f"`half` ({half}) must be 'A', 'B' or None.")
  if seed < 0 or start_step < 0:
    raise ValueError(
      f'`seed` ({seed}) and `start_step` ({start_step}) must not be negative.'
    )
  shards, info = _open_split(data_dir, split)
  is_kept = half_mask(info.num_examples, seed, half)
  num_kept = np.count_nonzero(is_kept)
  where = f'half {half} of the split {split}' if half else f'the split {split}'
  if num_kept < config.batch_size:
    raise ValueError(
      f'`batch_size` ({config.batch_size}) is larger than {where} of '
      f'{data_dir}, which has {num_kept} examples.'
    )
  batch_size = _replica_batch_size(config.batch_size, input_context)
  # Whole split, A and B draw from three streams of random numbers.
  stream = 3 * seed + (0 if half is None else 1 + HALVES.index(half))
  dataset = _numbered_records(
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

  def crop(position: tf.Tensor, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    random = uniforms(stream, position)
    return augment(tfrecord.parse_example(serialized), random, config)

  dataset = dataset.map(crop, tf.data.AUTOTUNE)
  dataset = dataset.batch(batch_size, drop_remainder=True)
  return dataset.with_options(_options()).prefetch(tf.data.AUTOTUNE)


def eval_dataset(
  data_dir: str | os.PathLike[str],
  split: str,
  *,
  batch_size: int = 1,
) -> tf.data.Dataset:
  """Returns each picture of a split once, whole, in a fixed order.

  Args:
    data_dir: folder of a converted data set; see `data.tfrecord`.
    split: its split, such as 'val'.
    batch_size: pictures a batch; the last batch may have fewer.

  Returns:
    A data set of {'image': float32 [batch, height, width, 3] in [-1, 1],
    'label': int32 [batch, height, width], 'filename': string [batch]}. Smaller
    pictures are padded to the largest of their batch, at the right and the
    lower border, with 0 and the ignore label. Height and width are static if
    all pictures of the split have one size.

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
    image = normalize(_decode_image(example['image']))
    label = tf.cast(_decode_label(example['label']), tf.int32)
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
      'image': 0.0,
      'label': datasets.IGNORE_LABEL,
      'filename': '',
    },
  )
  dataset = dataset.apply(
    tf.data.experimental.assert_cardinality(-(-info.num_examples // batch_size))
  )
  return dataset.with_options(_options()).prefetch(tf.data.AUTOTUNE)


def half_mask(
  num_examples: int, seed: int, half: str | None = None
) -> np.ndarray:
  """Tells by `image/index` which examples are of a half, bool [num_examples].

  A function of the arguments alone: not of shards, workers or library versions,
  so that a restart finds the halves of the start.
  """
  mask = np.full(num_examples, half is None)
  if half is not None:
    order = datasets.seeded_order(num_examples, seed, 'halves')
    mask[order[HALVES.index(half) :: len(HALVES)]] = True
  return mask


# Augmentation: pure functions ------------------------------------------------


def uniforms(stream: int, position: tf.Tensor) -> tf.Tensor:
  """Returns the random numbers of one example, float32 [4] in [0, 1).

  Args:
    stream: number of the random stream.
    position: int64 [], place of the example in the stream.
  """
  seed = tf.stack([tf.constant(stream, tf.int64), position])
  return tf.random.stateless_uniform([4], seed, alg='philox')


def augment(
  example: dict[str, tf.Tensor], random: tf.Tensor, config: InputConfig
) -> dict[str, tf.Tensor]:
  """Decodes, scales, crops, flips and normalises one example.

  Args:
    example: as `tfrecord.parse_example` returns it.
    random: float32 [4] in [0, 1): scale, vertical and horizontal place, flip.
    config: what to draw from.

  Returns:
    {'image': float32 [height, width, 3], 'label': int32 [height, width]}.
  """
  view = choose_view(example['size'], random, config)
  image = _decode_image_window(example['image'], view)
  label = _cut(_decode_label(example['label']), view)
  return {
    'image': normalize(render_image(image, view, config.crop_size)),
    'label': render_label(label, view, config.crop_size),
  }


def choose_view(
  size: tf.Tensor, random: tf.Tensor, config: InputConfig
) -> View:
  """Chooses what a crop shows.

  A crop at scale s shows crop_size / s pixels of the source, rounded to whole
  ones. So the crop equals the scaled picture's up to that rounding of s (less
  than half a source pixel a crop) and up to its outermost half source pixel,
  where resizing does not look beyond the window.

  Args:
    size: int32 [2], (height, width) of the source picture.
    random: float32 [4] in [0, 1): scale, vertical and horizontal place, flip.
    config: what to draw from.
  """
  crop_size = tf.constant(config.crop_size, tf.float32)
  scale = _choose_scale(random[0], config)
  wanted = tf.maximum(tf.round(crop_size / scale), 1)
  size = tf.cast(size, tf.float32)
  window = tf.minimum(wanted, size)
  slack = size - window
  # float32 may round up to slack + 1.
  offset = tf.minimum(tf.floor(random[1:3] * (slack + 1)), slack)
  scaled = tf.maximum(tf.round(window * crop_size / wanted), 1)
  return View(
    offset=tf.cast(offset, tf.int32),
    window=tf.cast(window, tf.int32),
    scaled=tf.cast(scaled, tf.int32),
    is_flipped=random[3] < config.flip_probability,
  )


def render_image(
  window: tf.Tensor, view: View, crop_size: tuple[int, int]
) -> tf.Tensor:
  """Resizes a window bilinearly and pads it with the mean.

  Args:
    window: uint8 [height, width, 3].
    view: what it is to show.
    crop_size: (height, width) of the crop.

  Returns:
    float32 [height, width, 3] in 0..255.
  """
  # Flipped and cut as bytes, padded only where need be: each pass over the
  # float32 crop costs as much as a tenth of the decoding.
  pixels = tf.image.resize(_flip(window, view), view.scaled)
  after = crop_size - view.scaled
  left = tf.where(view.is_flipped, after[1], 0)
  paddings = [[0, after[0]], [left, after[1] - left], [0, 0]]
  pixels = tf.cond(
    tf.reduce_any(after > 0),
    lambda: tf.pad(pixels, paddings, constant_values=MEAN_PIXEL),
    lambda: pixels,
  )
  return tf.ensure_shape(pixels, (*crop_size, 3))


def render_label(
  window: tf.Tensor, view: View, crop_size: tuple[int, int]
) -> tf.Tensor:
  """Resizes a window of labels to the nearest ones; pads with the ignore label.

  Args:
    window: uint8 [height, width].
    view: what it is to show.
    crop_size: (height, width) of the crop.

  Returns:
    int32 [height, width].
  """
  # By index, which is several times as fast as tf.image.resize, with the same
  # result. The indices of padding lead to a row and a column of ignore labels.
  window = tf.pad(
    window, [[0, 1], [0, 1]], constant_values=datasets.IGNORE_LABEL
  )
  rows = _nearest(view.window[0], view.scaled[0], crop_size[0])
  columns = _nearest(view.window[1], view.scaled[1], crop_size[1])
  columns = tf.where(view.is_flipped, columns[::-1], columns)
  label = tf.gather(tf.gather(window, rows), columns, axis=1)
  return tf.ensure_shape(tf.cast(label, tf.int32), crop_size)


def normalize(image: tf.Tensor) -> tf.Tensor:
  """Maps pixels in 0..255 to float32 in [-1, 1], as the published network."""
  return tf.cast(image, tf.float32) * 2 / 255 - 1


def _choose_scale(random: tf.Tensor, config: InputConfig) -> tf.Tensor:
  if config.scale_step == 0:
    return config.min_scale + random * (config.max_scale - config.min_scale)
  span = (config.max_scale - config.min_scale) / config.scale_step
  num_steps = int(span + 1e-6) + 1
  step = tf.minimum(tf.floor(random * num_steps), num_steps - 1)
  return config.min_scale + step * config.scale_step


def _nearest(source: tf.Tensor, target: tf.Tensor, size: int) -> tf.Tensor:
  """Returns the source pixel under the centre of each target pixel.

  Args:
    source: int32 [], number of source pixels.
    target: int32 [], number of target pixels.
    size: number of indices; those from `target` on are `source`.
  """
  ratio = tf.cast(source, tf.float32) / tf.cast(target, tf.float32)
  index = tf.range(size)
  nearest = tf.cast((tf.cast(index, tf.float32) + 0.5) * ratio, tf.int32)
  return tf.where(index < target, tf.minimum(nearest, source - 1), source)


def _flip(pixels: tf.Tensor, view: View) -> tf.Tensor:
  return tf.cond(
    view.is_flipped, lambda: tf.reverse(pixels, axis=[1]), lambda: pixels
  )


# Decoding --------------------------------------------------------------------


def _decode_image(encoded: tf.Tensor) -> tf.Tensor:
  """Returns uint8 [height, width, 3]."""
  # The accurate transform is the one of Pillow, hence of the client.
  return tf.cond(
    tf.io.is_jpeg(encoded),
    lambda: tf.io.decode_jpeg(encoded, 3, dct_method='INTEGER_ACCURATE'),
    lambda: tf.io.decode_png(encoded, 3),
  )


def _decode_image_window(encoded: tf.Tensor, view: View) -> tf.Tensor:
  """Returns the window of an image, uint8 [height, width, 3].

  Of a JPEG only the window is decoded; its outermost pixels may differ by a few
  units from those of the whole picture, as colours there are interpolated.
  """
  box = tf.concat([view.offset, view.window], axis=0)
  return tf.cond(
    tf.io.is_jpeg(encoded),
    lambda: tf.io.decode_and_crop_jpeg(
      encoded, box, 3, dct_method='INTEGER_ACCURATE'
    ),
    lambda: _cut(tf.io.decode_png(encoded, 3), view),
  )


def _decode_label(encoded: tf.Tensor) -> tf.Tensor:
  """Returns uint8 [height, width]."""
  return tf.io.decode_png(encoded, 1)[:, :, 0]


def _cut(pixels: tf.Tensor, view: View) -> tf.Tensor:
  top, left = tf.unstack(view.offset)
  bottom, right = tf.unstack(view.offset + view.window)
  return pixels[top:bottom, left:right]


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


def _numbered_records(
  shards: list[str],
  is_kept: np.ndarray,
  stream: int,
  shuffle_buffer: int,
  *,
  first: int,
) -> tf.data.Dataset:
  """Returns endless (position int64 [], record string []) from `first` on.

  Args:
    shards: files of the split.
    is_kept: bool [num_examples], by `image/index`.
    stream: number of the random stream.
    shuffle_buffer: records in the shuffle buffer.
    first: position of the first record.
  """

  def is_member(record: tf.Tensor) -> tf.Tensor:
    return tf.gather(tf.constant(is_kept), tfrecord.parse_index(record))

  def epoch(number: tf.Tensor) -> tf.data.Dataset:
    # tf.data mixes the global seed of the graph into its own seeds; the order
    # is to depend on `stream` alone.
    tf.compat.v1.set_random_seed(1)
    seed = tf.stack([tf.constant(stream, tf.int64), number])
    files = tf.random.experimental.stateless_shuffle(shards, seed, 'philox')
    records = tf.data.Dataset.from_tensor_slices(files).interleave(
      tf.data.TFRecordDataset,
      cycle_length=min(len(shards), _SHARDS_IN_TURN),
      num_parallel_calls=tf.data.AUTOTUNE,
    )
    if not is_kept.all():
      records = records.filter(is_member)
    order_seed = tf.random.stateless_uniform(
      [], seed, maxval=sys.maxsize, dtype=tf.int64, alg='philox'
    )
    return records.shuffle(
      shuffle_buffer, order_seed, reshuffle_each_iteration=False
    )

  first_epoch, num_skipped = divmod(first, np.count_nonzero(is_kept))
  epochs = tf.data.Dataset.range(first_epoch, sys.maxsize)
  records = epochs.flat_map(epoch).skip(num_skipped)
  positions = tf.data.Dataset.range(first, sys.maxsize)
  return tf.data.Dataset.zip((positions, records))


def _options() -> tf.data.Options:
  options = tf.data.Options()
  options.deterministic = True
  # `train_dataset` shares out the examples itself.
  options.experimental_distribute.auto_shard_policy = (
    tf.data.experimental.AutoShardPolicy.OFF
  )
  return options
