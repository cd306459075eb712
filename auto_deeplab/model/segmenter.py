# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The network that a genotype describes: stem, cells, ASPP, decoder."""

from collections.abc import Callable
import contextlib
import dataclasses
import functools
import itertools
from typing import Any, NamedTuple

import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import lattice
from auto_deeplab.model import cells, deeplab, pixels, regularization
from auto_deeplab.model.ops import canvas, normalization, recomputation, sizes

# Seeds of the two uses of randomness.
_DROP_PATH_USE, _DROPOUT_USE = 0, 1_000_000


class _Randomness(NamedTuple):
  """What drop path and dropout depend on in one step.

  Attributes:
    seed: int32 `[2]`.
    progress: float32 scalar, the step over drop path's steps.
  """

  seed: tf.Tensor
  progress: tf.Tensor | float


@tf.keras.saving.register_keras_serializable(package='auto_deeplab')
class Segmenter(pixels.PictureModel):
  """DeepLabv3+ on the backbone of a genotype.

  A Keras model as any other: `compile`, `fit`, `save`. It computes under the
  policy that is set when it is made, or loaded, as files keep none.

  Attributes:
    genotype: what it was built from.
    config: widths, head and regularisation.
    num_classes: channels of the logits.
  """

  def __init__(
    self,
    genotype: genotype_lib.Genotype,
    config: configs.SegmenterConfig,
    num_classes: int,
    *,
    synchronized_batch_norm: bool = False,
    seed: int = 0,
    drop_path_steps: int = 1,
    **kwargs,
  ):
    """Builds the layers; the weights follow with the first call.

    Args:
      genotype: the cell and the backbone.
      config: widths, head and regularisation.
      num_classes: classes of the logits.
      synchronized_batch_norm: whether statistics are taken over all replicas.
      seed: of drop path and dropout.
      drop_path_steps: T, the step at which drop path is at full strength.
      **kwargs: of the Keras model.
    """
    super().__init__(**kwargs)
    pixels.check_num_classes(num_classes)
    if drop_path_steps < 1:
      raise ValueError(
        f'`drop_path_steps` ({drop_path_steps}) must be at least 1.'
      )
    self.genotype = genotype
    self.config = config
    self.num_classes = num_classes
    self._synchronized_batch_norm = synchronized_batch_norm
    self._seed = seed
    self._drop_path_steps = drop_path_steps
    norm = normalization.NormSettings(
      config.batch_norm_momentum,
      config.batch_norm_epsilon,
      synchronized_batch_norm,
      config.freeze_batch_norm,
    )
    head_norm = dataclasses.replace(
      norm, epsilon=config.head_batch_norm_epsilon
    )
    self.stem = deeplab.Stem(config.stem_filters, norm)
    self.cells = _make_cells(genotype, config, norm)
    self.aspp = deeplab.Aspp(
      config.aspp_filters,
      lattice.aspp_rates(genotype.backbone[-1]),
      head_norm,
      config.pooling_size,
    )
    self.decoder = deeplab.Decoder(
      config.low_level_filters, config.decoder_filters, head_norm
    )
    self.logits = deeplab.logits_layer(num_classes)

  def get_config(self) -> dict[str, Any]:
    """Returns what it was made with, as JSON has it."""
    return {
      'genotype': self.genotype.to_json(),
      'config': dataclasses.asdict(self.config),
      'num_classes': self.num_classes,
      'synchronized_batch_norm': self._synchronized_batch_norm,
      'seed': self._seed,
      'drop_path_steps': self._drop_path_steps,
      'name': self.name,
    }

  @classmethod
  def from_config(cls, config, custom_objects=None) -> 'Segmenter':
    """Makes the model that `get_config` describes, without its weights."""
    del custom_objects
    return cls(
      **config
      | {
        'genotype': genotype_lib.Genotype.from_json(config['genotype']),
        'config': configs.SegmenterConfig(**config['config']),
      }
    )

  @property
  def every_operation(self) -> list[tf.keras.layers.Layer]:
    """The cells' operations in order: Keras' files keep no lists of lists."""
    blocks = (block for cell in self.cells for block in cell.operations)
    return list(itertools.chain(*blocks))

  def call(
    self,
    images: tf.Tensor,
    training=None,
    step: tf.Tensor | None = None,
    micro_batch: tf.Tensor | None = None,
    canvas_size=None,
    context: tf.Tensor | None = None,
  ) -> tf.Tensor:
    """Computes the logits.

    Maps nest at sizes of `coarsest_stride` * m + 1; elsewhere each resize moves
    what it resizes. So, but in training, pictures are padded to the next such
    size at the right and lower border, with 0, the mean pixel, and the logits
    cropped. What is padded is not pooled.

    Args:
      images: `[n, h, w, 3]`, uint8 or float in [-1, 1]; any h and w, in
        training of at least 4.
      training: whether batch norm takes the statistics of the batch, and drop
        path and dropout are on.
      step: integer scalar, the training step; it sets drop path's strength
        and, with the replica, all random numbers. Without it drop path is at
        full strength, and each call draws anew, by `tf.random.set_seed`.
      micro_batch: integer scalar, which part of the step's batch this is; None
        where it is the whole. Each draws random numbers of its own.
      canvas_size: (height, width) that pictures are padded to but in training,
        nesting, at least as large as the next such size. The logits are the
        same, and so are the maps' sizes for pictures of many.
      context: `[n, c]`, the mean of `features` over a whole picture of which
        the images are parts; but in training, and with `pools_all` only.

    Returns:
      float32 `[n, h, w, num_classes]`.

    Raises:
      ValueError: images too small, of another dtype, or beyond [-1, 1].
    """
    images = pixels.as_floats(images, self.compute_dtype)
    if training:
      outputs = self.endpoints(
        images, training=training, step=step, micro_batch=micro_batch
      )
      return outputs['logits_upsampled']
    height, width = sizes.spatial_size(images)
    outputs = self._on_canvas(images, canvas_size, training, context)
    return outputs['logits_upsampled'][:, :height, :width]

  def features(self, images: tf.Tensor, canvas_size=None) -> tf.Tensor:
    """Returns what image pooling takes the mean of, but in training.

    Args:
      images: as of `call`.
      canvas_size: as of `call`.

    Returns:
      float32 `[n, h', w', c]`, a place each `features_stride` pixels.
    """
    images = pixels.as_floats(images, self.compute_dtype)
    height, width = self._own_features(sizes.spatial_size(images))
    outputs = self._on_canvas(images, canvas_size, training=False)
    return tf.cast(outputs['features'], tf.float32)[:, :height, :width]

  def _on_canvas(
    self, images, canvas_size, training, context=None
  ) -> dict[str, tf.Tensor]:
    """Returns the endpoints of pictures that are padded until maps nest."""
    size = sizes.spatial_size(images)
    own_size = sizes.nesting(size, self.coarsest_stride)
    with contextlib.ExitStack() as stack:
      if canvas_size is not None:
        stack.enter_context(canvas.of(canvas_size, own_size))
      padded = sizes.pad_to(images, canvas_size or own_size)
      return self.endpoints(
        padded, training=training, picture_size=size, context=context
      )

  @property
  def coarsest_stride(self) -> int:
    """The largest output stride, in pixels, that the backbone reaches."""
    return lattice.OUTPUT_STRIDES[max(self.genotype.backbone)]

  @property
  def features_stride(self) -> int:
    """The output stride, in pixels, of the encoder."""
    return lattice.OUTPUT_STRIDES[self.genotype.backbone[-1]]

  @property
  def pools_all(self) -> bool:
    """Whether image pooling sees all of a picture, and no window of it."""
    return self.config.pooling_size is None

  @property
  def reach(self) -> int:
    """Pixels to either side that the widest operation of the ASPP sees."""
    return lattice.aspp_rates(self.genotype.backbone[-1])[-1] * (
      self.features_stride
    )

  def endpoints(
    self,
    images: tf.Tensor,
    training=None,
    step: tf.Tensor | None = None,
    micro_batch: tf.Tensor | None = None,
    picture_size=None,
    context: tf.Tensor | None = None,
  ) -> dict[str, tf.Tensor]:
    """Returns every endpoint by the authors' name, at the size as it is.

    `Stem` and `Cell_0`.. are before any ReLU that follows; `features` is the
    encoder's output; then the names of `deeplab.Aspp.branches` and
    `deeplab.Decoder.stages`, `logits` at stride 4 and `logits_upsampled`.

    Args:
      images: `[n, h, w, 3]`, uint8 or float in [-1, 1]; any h and w of at
        least 4.
      training: as of `call`.
      step: as of `call`.
      micro_batch: as of `call`.
      picture_size: (height, width) of the part, at the upper left, that is the
        picture; the rest is padding. All of it by default.
      context: as of `call`.
    """
    images = pixels.as_floats(images, self.compute_dtype)
    sizes.check_map_size(images)
    randomness = self._randomness(training, step, micro_batch)
    half, stem = self._caller(self.stem, training=training)(images)
    outputs = {'Stem': stem}
    low_level = self._backbone(half, stem, outputs, training, randomness)
    outputs['features'] = tf.nn.relu(outputs[f'Cell_{len(self.cells) - 1}'])
    outputs |= self._caller(
      self.aspp.branches,
      training=training,
      own_size=self._own_features(picture_size),
      mean=context,
    )(outputs['features'])
    encoded = outputs['concat_projection']
    if randomness is not None and self.config.dropout_rate:
      seed = regularization.fold_in(randomness.seed, _DROPOUT_USE)
      encoded = regularization.dropout(encoded, self.config.dropout_rate, seed)
    outputs |= self._caller(self.decoder.stages, training=training)(
      encoded, low_level
    )
    outputs['logits'] = self.logits(outputs['decoder/decoder_conv0_2'])
    outputs['logits_upsampled'] = sizes.resize_aligned(
      outputs['logits'], sizes.spatial_size(images)
    )
    return outputs

  def _own_features(self, picture_size):
    """Returns the size of the encoder's output that lies on the picture."""
    if picture_size is None:
      return None
    return tuple((n - 1) // self.features_stride + 1 for n in picture_size)

  def _backbone(self, half, stem, outputs, training, randomness) -> tf.Tensor:
    """Adds the cells' outputs to `outputs`; returns the low-level feature."""
    map_sizes = sizes.pyramid(sizes.spatial_size(stem), lattice.NUM_LEVELS)
    backbone = self.genotype.backbone
    low_level_layer = lattice.low_level_layer(backbone)
    low_level = stem
    drop_path = self._drop_path(stem, randomness)
    before, last = half, stem
    for layer, cell in enumerate(self.cells):
      inputs = last
      if cell.direction == lattice.UP:
        inputs = sizes.resize_aligned(last, map_sizes[backbone[layer]])
      y = self._caller(cell, training=training, **drop_path[layer])(
        inputs, before
      )
      outputs[f'Cell_{layer}'] = y
      if layer == low_level_layer:
        low_level = y
      before, last = last, y
    return low_level

  def _caller(
    self, compute: Callable[..., Any], **settings
  ) -> Callable[..., Any]:
    """Returns it with its settings, to be recomputed if configured so."""
    first = functools.partial(compute, **settings)
    if not self.config.recompute or not settings['training']:
      return first
    again = settings | {'training': normalization.Pass.AGAIN}
    return recomputation.recomputed(first, functools.partial(compute, **again))

  def _randomness(self, training, step, micro_batch) -> '_Randomness | None':
    """Returns this step's and replica's; None if nothing is random."""
    is_random = (
      self.config.dropout_rate > 0 or self.config.drop_path_keep_prob < 1
    )
    if not training or not is_random:
      return None
    if step is None:
      seed = tf.random.uniform([2], maxval=tf.int32.max, dtype=tf.int32)
      progress = 1.0
    else:
      seed = tf.stack([self._seed, tf.cast(step, tf.int32)])
      progress = tf.cast(step, tf.float32) / self._drop_path_steps
    context = tf.distribute.get_replica_context()
    replica = context.replica_id_in_sync_group if context else 0
    seed = regularization.fold_in(seed, replica)
    if micro_batch is not None:
      seed = regularization.fold_in(seed, micro_batch)
    return _Randomness(seed, progress)

  def _drop_path(
    self, stem: tf.Tensor, randomness
  ) -> list[dict[str, list[tf.Tensor]]]:
    """Returns each cell's arguments of drop path: all are drawn at once."""
    num_cells = len(self.cells)
    if randomness is None or self.config.drop_path_keep_prob == 1:
      return [{}] * num_cells
    keep_probs = regularization.schedule_keep_prob(
      self.config.drop_path_keep_prob, num_cells, randomness.progress
    )
    num_operations = sum(map(len, self.genotype.cell))
    num_samples = tf.shape(stem)[0] if stem.shape[0] is None else stem.shape[0]
    scales = regularization.drop_path_scales(
      keep_probs,
      num_operations,
      num_samples,
      regularization.fold_in(randomness.seed, _DROP_PATH_USE),
    )
    shape = [num_cells * num_operations, num_samples, 1, 1, 1]
    each = tf.unstack(tf.reshape(tf.cast(scales, stem.dtype), shape))
    return [
      {'scales': each[first : first + num_operations]}
      for first in range(0, len(each), num_operations)
    ]


def _make_cells(
  genotype: genotype_lib.Genotype,
  config: configs.SegmenterConfig,
  norm: normalization.NormSettings,
) -> list[cells.Cell]:
  """Builds the backbone's cells."""
  # Channels and levels of what the cells read, from the stem on; its second
  # convolution lies one level above the lattice.
  channels = [config.stem_filters[1], config.stem_filters[2]]
  levels = [-1, 0, *genotype.backbone]
  result = []
  for layer, level in enumerate(genotype.backbone):
    filters = lattice.block_filters(level, config.filter_multiplier)
    result.append(
      cells.Cell(
        genotype.cell,
        filters,
        level - levels[layer + 1] + lattice.SAME,
        norm,
        project_previous=channels[layer] != filters,
        resize_previous=levels[layer] != min(level, levels[layer + 1]),
        name=f'cell_{layer}',
      )
    )
    channels.append(filters * genotype.num_blocks)
  return result
