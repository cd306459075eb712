# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Every knob of the project, as frozen dataclasses that gin binds.

A recipe (`gin_configs/*.gin`) binds fields of these classes; `load` parses it
into one `SearchExperiment`, `TrainExperiment` or `EvalExperiment`, and `to_gin`
writes that back as text which parses to an equal configuration. This is the
only module that imports gin: layers and models receive plain values.

Defaults are the paper's (Liu et al., CVPR 2019); where the paper is silent the
docstring says so.
"""

from collections.abc import Callable, Iterable, Sequence
import dataclasses
import difflib
import importlib.util  # noqa: F401  gin 0.5 needs it imported beforehand.
import os
import re
import tokenize
import typing
from typing import Any, TypeVar

import gin

PRECISIONS = ('float32', 'mixed_bfloat16', 'mixed_float16')
OPTIMIZERS = ('sgd', 'adam', 'adamw')
SCHEDULES = ('constant', 'cosine', 'poly')
CLASS_WEIGHTS = ('none', 'median_frequency')

# Of what a moving average began with, at the end of a run.
_MAX_INITIAL_SHARE = 0.01

# What gin raises for text that it cannot parse or bind, besides ValueError.
_UNREADABLE = (SyntaxError, TypeError, AttributeError, tokenize.TokenError)

# The drop-path schedule and the decoder need at least one cell, and the
# lattice reaches its coarsest level at layer 3.
_MIN_LAYERS = 2


def _require(condition: bool, config: Any, field: str, rule: str) -> None:
  """Raises a ValueError that names the field, its value and the rule."""
  if not condition:
    value = getattr(config, field)
    name = type(config).__name__
    raise ValueError(f'`{name}.{field}` ({value!r}) must be {rule}.')


def _require_types(config: Any) -> None:
  """Checks the plain fields; those of several parts have rules of their own."""
  for field in dataclasses.fields(config):
    value = getattr(config, field.name)
    # A whole number will do as a float; True is no whole number.
    allowed: Any = (int, float) if field.type is float else field.type
    if field.type in (bool, int, float, str):
      is_right = isinstance(value, allowed)
      is_right &= isinstance(value, bool) == (field.type is bool)
      rule = f'of type {field.type.__name__}'
      _require(is_right, config, field.name, rule)


def _require_size(config: Any, field: str) -> None:
  value = getattr(config, field)
  is_size = (
    isinstance(value, (tuple, list))
    and len(value) == 2
    and all(isinstance(v, int) and v > 0 for v in value)
  )
  _require(is_size, config, field, 'a (height, width) of positive integers')
  object.__setattr__(config, field, tuple(value))


def _require_positive(config: Any, *fields: str) -> None:
  for field in fields:
    _require(getattr(config, field) > 0, config, field, 'greater than 0')


def _require_non_negative(config: Any, *fields: str) -> None:
  for field in fields:
    _require(getattr(config, field) >= 0, config, field, 'at least 0')


@gin.configurable
@dataclasses.dataclass(frozen=True)
class RuntimeConfig:
  """How a run computes and what it leaves behind.

  Attributes:
    seed: integer; initial weights, data order, augmentation, the A/B halves
      and drop path all follow from it.
    precision: one of `PRECISIONS`, a Keras mixed-precision policy. Batch norm
      statistics, softmax and loss stay float32.
    steps_per_loop: steps between two host visits (logs, checks for NaN).
    checkpoint_interval: steps between two checkpoints; a multiple of
      `steps_per_loop`.
    checkpoints_to_keep: number of newest checkpoints kept.
    synchronized_batch_norm: whether batch norm sums statistics over replicas.
    use_xla: compile the network's forward and backward pass by XLA. Of no use
      on CPUs, where its convolutions are slower than TensorFlow's own, and
      untried on GPUs. A search is too large for it: of 4 layers (B=5, F=8) on
      two cores, its first step was not ready after 4 minutes, which takes 8 s
      without. Not together with `synchronized_batch_norm`.
    deterministic: have a search or a training compute the same bits each time,
      on GPUs as well (TensorFlow's op determinism). Needless on CPUs. It costs
      speed there, and an operation of which TensorFlow has no such kernel ends
      the run with an error, as XLA's gradient of max pooling does. It holds for
      the whole process, and overrides `InputConfig.deterministic`.
  """

  seed: int = 0
  precision: str = 'float32'
  steps_per_loop: int = 100
  checkpoint_interval: int = 1000
  checkpoints_to_keep: int = 3
  synchronized_batch_norm: bool = False
  use_xla: bool = False
  deterministic: bool = False

  def __post_init__(self):
    _require_types(self)
    _require_non_negative(self, 'seed')
    _require(
      self.precision in PRECISIONS, self, 'precision', f'one of {PRECISIONS}'
    )
    _require_positive(
      self, 'steps_per_loop', 'checkpoint_interval', 'checkpoints_to_keep'
    )
    _require(
      self.checkpoint_interval % self.steps_per_loop == 0,
      self,
      'checkpoint_interval',
      f'a multiple of `steps_per_loop` ({self.steps_per_loop})',
    )
    _require(
      not (self.use_xla and self.synchronized_batch_norm),
      self,
      'use_xla',
      'False where `synchronized_batch_norm` is True',
    )


@gin.configurable
@dataclasses.dataclass(frozen=True)
class InputConfig:
  """The training input: augmentation and batching.

  What follows `shuffle_buffer` is ours; its defaults leave all as it is in
  DeepLab.

  Attributes:
    crop_size: (height, width) in pixels; 321x321 in the paper's search.
    batch_size: examples a step, summed over all replicas; 2 in the search.
    min_scale: smallest random scale; 0.5 in DeepLab.
    max_scale: largest random scale; 2.0 in DeepLab.
    scale_step: spacing of the scales; 0 draws from the whole range.
    flip_probability: probability of a left-right flip, in [0, 1].
    shuffle_buffer: examples in the shuffle buffer.
    hue_jitter: largest random turn of the hue, in degrees.
    saturation_jitter: the saturation's random factor is in 1 +- this.
    brightness_jitter: the brightness' random factor is in 1 +- this.
    max_rotation: largest random rotation of a crop, in degrees. What comes in
      at the corners is padding.
    class_balance: probability, in [0, 1], that a crop is placed so as to show a
      random pixel of a random class of its picture, each class as likely.
    long_side: pixels of each picture's longer side before it is scaled and cut;
      513 in the paper on ADE20K. 0 leaves pictures as large as they are.
    deterministic: whether a crop waits for those before it. If not, a slow disk
      holds up less, but the order, and with it a resumed run, is not exact.
  """

  crop_size: tuple[int, int] = (321, 321)
  batch_size: int = 2
  min_scale: float = 0.5
  max_scale: float = 2.0
  scale_step: float = 0.25
  flip_probability: float = 0.5
  shuffle_buffer: int = 1000
  hue_jitter: float = 0.0
  saturation_jitter: float = 0.0
  brightness_jitter: float = 0.0
  max_rotation: float = 0.0
  class_balance: float = 0.0
  long_side: int = 0
  deterministic: bool = True

  def __post_init__(self):
    _require_types(self)
    _require_size(self, 'crop_size')
    _require(min(self.crop_size) >= 4, self, 'crop_size', 'at least (4, 4)')
    _require_positive(self, 'batch_size', 'min_scale', 'shuffle_buffer')
    _require(
      self.max_scale >= self.min_scale,
      self,
      'max_scale',
      f'at least `min_scale` ({self.min_scale})',
    )
    _require_non_negative(self, 'scale_step', 'long_side')
    for field in (
      'flip_probability',
      'saturation_jitter',
      'brightness_jitter',
      'class_balance',
    ):
      _require(0 <= getattr(self, field) <= 1, self, field, 'in [0, 1]')
    for field in ('hue_jitter', 'max_rotation'):
      _require(0 <= getattr(self, field) <= 180, self, field, 'in [0, 180]')

  @property
  def has_color_jitter(self) -> bool:
    """Whether the colours of a crop change."""
    return any(
      (self.hue_jitter, self.saturation_jitter, self.brightness_jitter)
    )


@gin.configurable
@dataclasses.dataclass(frozen=True)
class SupernetConfig:
  """The search space (method: L=12, B=5, F=8).

  Attributes:
    num_layers: L, cells from the stem to the head.
    num_blocks: B, blocks a cell.
    filter_multiplier: F; a cell at output stride s has B*F*s/4 channels.
    stem_filters: channels of the three stem convolutions; (64, 64, 128) is
      the published network's stem (the paper is silent on the search's).
    batch_norm_momentum: decay of the moving statistics (paper silent).
    batch_norm_epsilon: added to the variance.
    init_stddev: standard deviation of the initial alphas and betas; 1e-3.
    recompute: compute cells again in the backward pass instead of keeping what
      is inside them: equal results, less memory, more time.
    channel_divisor: k; 1/k of a state's channels go through the operations of
      an edge and the others past them, as in PC-DARTS (Xu et al., ICLR 2020),
      which takes 4. Divides `filter_multiplier`; 1, all, is the paper's.
    draw_primitives: whether each step draws one primitive an edge and computes
      it alone, as in GDAS (Dong and Yang, CVPR 2019); the paper mixes all.
    gumbel_temperature: of the softmax that the gradient of such a draw follows.
  """

  num_layers: int = 12
  num_blocks: int = 5
  filter_multiplier: int = 8
  stem_filters: tuple[int, int, int] = (64, 64, 128)
  batch_norm_momentum: float = 0.9
  batch_norm_epsilon: float = 1e-3
  init_stddev: float = 1e-3
  recompute: bool = False
  channel_divisor: int = 1
  draw_primitives: bool = False
  gumbel_temperature: float = 1.0

  def __post_init__(self):
    _require_types(self)
    _require(
      self.num_layers >= _MIN_LAYERS,
      self,
      'num_layers',
      f'at least {_MIN_LAYERS}',
    )
    _require_positive(
      self,
      'num_blocks',
      'filter_multiplier',
      'channel_divisor',
      'gumbel_temperature',
    )
    _require_stem(self)
    _require_batch_norm(self)
    _require_non_negative(self, 'init_stddev')
    _require(
      self.filter_multiplier % self.channel_divisor == 0,
      self,
      'channel_divisor',
      f'a divisor of `filter_multiplier` ({self.filter_multiplier})',
    )


@gin.configurable
@dataclasses.dataclass(frozen=True)
class SegmenterConfig:
  """The network that a genotype describes (method, section 2).

  Attributes:
    filter_multiplier: F; 20, 32, 48 for Auto-DeepLab-S, -M, -L.
    stem_filters: channels of the three stem convolutions.
    aspp_filters: channels of each ASPP branch and of its projection.
    low_level_filters: channels of the decoder's low-level projection.
    decoder_filters: channels of the decoder's two 3x3 convolutions.
    pooling_size: (height, width) in feature pixels of the image pooling's
      window at inference; None averages over the whole map, as training does.
      The paper uses the training crop's feature size (97x97 for 769), which
      is the largest allowed. A smaller picture is averaged as a whole.
    drop_path_keep_prob: keep probability of the last cell at the last step,
      in (0, 1]; 1 switches ScheduledDropPath off.
    dropout_rate: dropout before the logits' decoder, in [0, 1).
    batch_norm_momentum: decay of the backbone's and head's statistics; take
      less than 0.9997 for runs of less than 15,350 steps, after which 1 % of
      the initial statistics is left. More is refused of a training from
      scratch.
    batch_norm_epsilon: of the backbone.
    head_batch_norm_epsilon: of ASPP and decoder.
    freeze_batch_norm: whether training takes batch norm's moving statistics and
      leaves them, scales and offsets as they are. To fine-tune a trained
      network with batches too small for statistics of their own.
    recompute: compute stem, cells and head again in the backward pass instead
      of keeping what is inside them: equal results, less memory, more time.
  """

  filter_multiplier: int = 20
  stem_filters: tuple[int, int, int] = (64, 64, 128)
  aspp_filters: int = 256
  low_level_filters: int = 48
  decoder_filters: int = 256
  pooling_size: tuple[int, int] | None = None
  drop_path_keep_prob: float = 1.0
  dropout_rate: float = 0.1
  batch_norm_momentum: float = 0.9997
  batch_norm_epsilon: float = 1e-3
  head_batch_norm_epsilon: float = 1e-5
  freeze_batch_norm: bool = False
  recompute: bool = False

  def __post_init__(self):
    _require_types(self)
    _require_positive(
      self,
      'filter_multiplier',
      'aspp_filters',
      'low_level_filters',
      'decoder_filters',
      'head_batch_norm_epsilon',
    )
    _require_stem(self)
    _require_batch_norm(self)
    if self.pooling_size is not None:
      _require_size(self, 'pooling_size')
    _require(
      0 < self.drop_path_keep_prob <= 1,
      self,
      'drop_path_keep_prob',
      'in (0, 1]',
    )
    _require(0 <= self.dropout_rate < 1, self, 'dropout_rate', 'in [0, 1)')


def _require_stem(config: Any) -> None:
  filters = config.stem_filters
  is_triple = isinstance(filters, (tuple, list)) and len(filters) == 3
  _require(
    is_triple and all(isinstance(f, int) and f > 0 for f in filters),
    config,
    'stem_filters',
    'three positive integers',
  )
  object.__setattr__(config, 'stem_filters', tuple(filters))


def _require_batch_norm(config: Any) -> None:
  _require(
    0 < config.batch_norm_momentum < 1,
    config,
    'batch_norm_momentum',
    'in (0, 1)',
  )
  _require_positive(config, 'batch_norm_epsilon')


def _require_forgetting(
  config: Any, field: str, num_updates: int, beginning: str
) -> None:
  """Checks the momentum of a moving average that begins with something."""
  largest = _MAX_INITIAL_SHARE ** (1 / num_updates)
  _require(
    getattr(config, field) <= largest,
    config,
    field,
    f'at most {largest:.6g} in {num_updates} steps, so that no more than 1 % '
    f'of the {beginning} is left in the average',
  )


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
  """An optimizer and its schedule.

  Attributes:
    optimizer: one of `OPTIMIZERS`.
    learning_rate: the largest rate, after the warm-up.
    schedule: one of `SCHEDULES`, over the run's `train_steps`.
    end_learning_rate: the rate at the last step (cosine, poly).
    power: exponent of poly; 0.9 in DeepLab.
    warmup_steps: steps of linear rise from 0.
    momentum: of sgd.
    beta_1: of adam and adamw.
    beta_2: of adam and adamw.
    weight_decay: for sgd and adam wd/2 * sum(w^2) is part of the loss, for
      adamw it is decoupled. Batch norm and biases are left out.
    clip_norm: largest global norm of the gradient; 0 does not clip.
  """

  optimizer: str = 'sgd'
  learning_rate: float = 0.05
  schedule: str = 'constant'
  end_learning_rate: float = 0.0
  power: float = 0.9
  warmup_steps: int = 0
  momentum: float = 0.9
  beta_1: float = 0.9
  beta_2: float = 0.999
  weight_decay: float = 0.0
  clip_norm: float = 0.0

  def __post_init__(self):
    _require_types(self)
    _require(
      self.optimizer in OPTIMIZERS, self, 'optimizer', f'one of {OPTIMIZERS}'
    )
    _require(
      self.schedule in SCHEDULES, self, 'schedule', f'one of {SCHEDULES}'
    )
    _require_positive(self, 'learning_rate', 'power')
    _require_non_negative(
      self, 'end_learning_rate', 'warmup_steps', 'weight_decay', 'clip_norm'
    )
    for field in ('momentum', 'beta_1', 'beta_2'):
      _require(0 <= getattr(self, field) < 1, self, field, 'in [0, 1)')


@gin.configurable
@dataclasses.dataclass(frozen=True)
class WeightOptimizerConfig(OptimizerConfig):
  """Of the network's weights, in the search and in retraining.

  The defaults are the search's: SGD, momentum 0.9, cosine 0.025 -> 0.001,
  weight decay 3e-4.
  """

  learning_rate: float = 0.025
  schedule: str = 'cosine'
  end_learning_rate: float = 0.001
  weight_decay: float = 3e-4


@gin.configurable
@dataclasses.dataclass(frozen=True)
class ArchitectureOptimizerConfig(OptimizerConfig):
  """Of alphas and betas: Adam 0.003, weight decay 1e-3 (betas: our choice)."""

  optimizer: str = 'adam'
  learning_rate: float = 0.003
  weight_decay: float = 1e-3


@gin.configurable
@dataclasses.dataclass(frozen=True)
class SearchConfig:
  """The search's schedule.

  Attributes:
    train_steps: weight steps in all; 40 epochs of half A of Cityscapes'
      2975 images at batch 2 are 29,760.
    arch_start_step: weight steps before the first architecture step; 20
      epochs (14,880) in the paper, earlier leads to bad optima.
    snapshot_interval: steps between two snapshots of alphas and betas; a
      multiple of `RuntimeConfig.steps_per_loop`.
    unrolled: whether alphas and betas follow the second-order gradient of
      DARTS, which looks one weight step ahead; the paper's is of first order.
      An architecture step then costs four forward and backward passes. Only
      with sgd for the weights, and in float32: it takes differences of
      gradients at weights that differ by 0.01 in all.
  """

  train_steps: int = 29760
  arch_start_step: int = 14880
  snapshot_interval: int = 1000
  unrolled: bool = False

  def __post_init__(self):
    _require_types(self)
    _require_positive(self, 'train_steps', 'snapshot_interval')
    _require_non_negative(self, 'arch_start_step')
    _require(
      self.arch_start_step < self.train_steps,
      self,
      'arch_start_step',
      f'less than `train_steps` ({self.train_steps})',
    )


@gin.configurable
@dataclasses.dataclass(frozen=True)
class LossConfig:
  """Which pixels a retraining counts, and how much.

  The paper is silent; DeepLab's code has hard pixel mining, off by default.

  Attributes:
    hard_pixel_fraction: share, in (0, 1], of the valid pixels that counts:
      those of the greatest loss in each replica's batch; 1 takes all of them.
    hard_pixel_warmup_steps: steps in which that share falls from 1.
    class_weights: one of `CLASS_WEIGHTS`; 'median_frequency' weighs a class by
      the median of the classes' shares in the training split's pixels over its
      own (`data.input.class_weights`).
  """

  hard_pixel_fraction: float = 1.0
  hard_pixel_warmup_steps: int = 0
  class_weights: str = 'none'

  def __post_init__(self):
    _require_types(self)
    _require(
      0 < self.hard_pixel_fraction <= 1,
      self,
      'hard_pixel_fraction',
      'in (0, 1]',
    )
    _require_non_negative(self, 'hard_pixel_warmup_steps')
    _require(
      self.class_weights in CLASS_WEIGHTS,
      self,
      'class_weights',
      f'one of {CLASS_WEIGHTS}',
    )


@gin.configurable
@dataclasses.dataclass(frozen=True)
class TrainConfig:
  """The retraining's schedule.

  Attributes:
    train_steps: steps in all; 1.5 M on Cityscapes in the paper.
    eval_interval: steps between two evaluations; 0 evaluates at the end only.
    accumulation_steps: into how many micro-batches, one after the other, each
      replica divides its part of `InputConfig.batch_size`; the step moves the
      weights by the sum of their gradients. Batch norm takes the statistics of
      a micro-batch; all else is as for the whole batch, in less memory.
    ema_momentum: of an exponential moving average of the weights, in [0, 1),
      which then is what evaluation and export use; 0 keeps none. Moving
      statistics of batch norm are used as they are.
  """

  train_steps: int = 1_500_000
  eval_interval: int = 0
  accumulation_steps: int = 1
  ema_momentum: float = 0.0

  def __post_init__(self):
    _require_types(self)
    _require_positive(self, 'train_steps', 'accumulation_steps')
    _require_non_negative(self, 'eval_interval')
    _require(0 <= self.ema_momentum < 1, self, 'ema_momentum', 'in [0, 1)')
    _require_forgetting(
      self, 'ema_momentum', self.train_steps, 'initial weights'
    )


@gin.configurable
@dataclasses.dataclass(frozen=True)
class EvalConfig:
  """How an evaluation predicts, and what it measures.

  Attributes:
    scales: of the pictures; the probabilities at each are averaged. One scale
      is the default; `gin_configs/multi_scale.gin` has the paper's.
    use_flip: whether to predict each scale mirrored as well.
    long_side: pixels of every picture's longer side before the scales; 0 leaves
      pictures as large as they are. Labels keep their size in either case.
    window_size: (height, width) in pixels of a window that slides over the
      scaled picture, for those too large for the memory; None takes the picture
      as a whole.
    window_stride: (height, width) in pixels from one window to the next, at
      most `window_size`; where windows overlap, their probabilities are
      averaged.
    boundary_ratio: distance from a class's boundary up to which a pixel counts
      for the boundary IoU, as a share of the picture's diagonal; 0.02 in Cheng
      et al., CVPR 2021.
    patience_seconds: how long to wait for the next checkpoint of a training
      that is followed.
  """

  scales: tuple[float, ...] = (1.0,)
  use_flip: bool = False
  long_side: int = 0
  window_size: tuple[int, int] | None = None
  window_stride: tuple[int, int] | None = None
  boundary_ratio: float = 0.02
  patience_seconds: float = 3600.0

  def __post_init__(self):
    _require_types(self)
    is_list = isinstance(self.scales, (tuple, list)) and len(self.scales) > 0
    _require(
      is_list and all(_is_positive(scale) for scale in self.scales),
      self,
      'scales',
      'one or more positive numbers',
    )
    object.__setattr__(self, 'scales', tuple(map(float, self.scales)))
    _require_window(self)
    _require_non_negative(self, 'long_side')
    _require_positive(self, 'boundary_ratio', 'patience_seconds')


def _is_positive(value: Any) -> bool:
  is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
  return is_number and 0 < value < float('inf')


def _require_window(config: EvalConfig) -> None:
  window, stride = config.window_size, config.window_stride
  _require(
    (window is None) == (stride is None),
    config,
    'window_stride',
    'set where `window_size` is, and there only',
  )
  if window is None or stride is None:
    return
  _require_size(config, 'window_size')
  _require_size(config, 'window_stride')
  _require(min(window) >= 4, config, 'window_size', 'at least (4, 4)')
  _require(
    stride[0] <= window[0] and stride[1] <= window[1],
    config,
    'window_stride',
    f'at most `window_size` ({tuple(window)})',
  )


@dataclasses.dataclass(frozen=True)
class SearchExperiment:
  """All of a search's configuration."""

  runtime: RuntimeConfig
  input: InputConfig
  supernet: SupernetConfig
  weight_optimizer: WeightOptimizerConfig
  architecture_optimizer: ArchitectureOptimizerConfig
  schedule: SearchConfig

  def __post_init__(self):
    _require_snapshots(self.schedule, self.runtime)
    _require_crop(self.input, self.supernet)
    if self.schedule.unrolled:
      _require_unrollable(self.weight_optimizer, self.runtime)
    if self.supernet.draw_primitives:
      _require_drawable(self)


def _require_snapshots(schedule: SearchConfig, runtime: RuntimeConfig) -> None:
  _require(
    schedule.snapshot_interval % runtime.steps_per_loop == 0,
    schedule,
    'snapshot_interval',
    f'a multiple of `steps_per_loop` ({runtime.steps_per_loop})',
  )


def _require_crop(config: InputConfig, supernet: SupernetConfig) -> None:
  """A map of one pixel would leave batch norm nothing but the batch.

  Two pixels a side are four values of one picture, as many as it needs
  (`model.operations.MIN_NORM_VALUES`).
  """
  stride = 4 * 2 ** min(supernet.num_layers, 3)
  _require(
    min(config.crop_size) > stride,
    config,
    'crop_size',
    f'larger than {stride} in a search of {supernet.num_layers} layers, so '
    f'that the map of output stride {stride} has two pixels a side',
  )


def _require_unrollable(
  weights: WeightOptimizerConfig, runtime: RuntimeConfig
) -> None:
  rule = 'where `SearchConfig.unrolled` is True'
  _require(weights.optimizer == 'sgd', weights, 'optimizer', f"'sgd' {rule}")
  _require(
    runtime.precision == 'float32', runtime, 'precision', f"'float32' {rule}"
  )


def _require_drawable(config: SearchExperiment) -> None:
  """Refuses what a draw has no meaning for, or no branch can do."""
  rule = 'False where `SupernetConfig.draw_primitives` is True'
  _require(not config.schedule.unrolled, config.schedule, 'unrolled', rule)
  # Replicas cannot meet within a branch; XLA cannot keep what a branch computed
  # for the backward pass.
  for field in ('synchronized_batch_norm', 'use_xla'):
    _require(not getattr(config.runtime, field), config.runtime, field, rule)


@dataclasses.dataclass(frozen=True)
class TrainExperiment:
  """All of a retraining's configuration."""

  runtime: RuntimeConfig
  input: InputConfig
  segmenter: SegmenterConfig
  loss: LossConfig
  weight_optimizer: WeightOptimizerConfig
  schedule: TrainConfig

  def check_beginning(self) -> None:
    """Refuses moving statistics that would keep what they begin with.

    For a training from scratch, whose statistics begin with 0 and 1.

    Raises:
      ValueError: more than 1 % of that would be left at the end.
    """
    if not self.segmenter.freeze_batch_norm:
      _require_forgetting(
        self.segmenter,
        'batch_norm_momentum',
        # Each micro-batch moves the statistics.
        self.schedule.train_steps * self.schedule.accumulation_steps,
        'initial statistics',
      )


@dataclasses.dataclass(frozen=True)
class EvalExperiment:
  """All of an evaluation's configuration; the network has its training's."""

  evaluation: EvalConfig


Experiment = TypeVar(
  'Experiment', SearchExperiment, TrainExperiment, EvalExperiment
)

# What each is called, and the tool that takes its recipes.
_KINDS = {
  SearchExperiment: ('a search', 'tools/search.py'),
  TrainExperiment: ('a training', 'tools/train.py'),
  EvalExperiment: ('an evaluation', 'tools/evaluate.py'),
}


def load(
  experiment: type[Experiment],
  gin_files: Sequence[str] = (),
  gin_bindings: Iterable[str] = (),
  defaults: Iterable[str] = (),
) -> Experiment:
  """Parses recipes into one configuration.

  Args:
    experiment: `SearchExperiment`, `TrainExperiment` or `EvalExperiment`.
    gin_files: paths of recipes, later ones override earlier ones.
    gin_bindings: lines such as `'InputConfig.batch_size = 4'`, stronger than
      any file.
    defaults: such lines, weaker than any file.

  Returns:
    The experiment; fields that nothing binds keep their defaults.

  Raises:
    FileNotFoundError: a gin file does not exist.
    ValueError: a binding names no field, or none of this kind of experiment,
      does not parse, or breaks a rule.
  """
  for path in gin_files:
    _require_file(path)
  bindings: list[str] = list(gin_bindings)
  where = ', '.join([*gin_files, *(['--gin_bindings'] if bindings else [])])
  gin.clear_config()
  try:
    gin.parse_config(list(defaults))
    gin.parse_config_files_and_bindings(
      list(gin_files), bindings, print_includes_and_imports=False
    )
    # Before the rules, which would speak of what is not meant.
    _require_kind(experiment, where)
    parts = _parts(experiment)
    loaded = experiment(**{name: part() for name, part in parts.items()})
    _require_effect(where)
    return loaded
  except _UNREADABLE as e:
    raise ValueError(f'cannot read the gin configuration: {e}') from e
  except ValueError as e:
    raise ValueError(_explained(str(e))) from e
  finally:
    gin.clear_config()


def _parts(experiment: type) -> dict[str, type]:
  """Returns the classes of an experiment's parts, by their names in it."""
  return typing.get_type_hints(experiment)


def _require_file(path: str) -> None:
  if os.path.isfile(path):
    return
  folder, name = os.path.split(path)
  others = os.listdir(folder or '.') if os.path.isdir(folder or '.') else []
  proposal = _proposal(name, others, lambda other: os.path.join(folder, other))
  raise FileNotFoundError(f'gin file {path!r} does not exist{proposal}')


def _bound(text: str) -> list[str]:
  """Returns what gin's account of a configuration binds: `Class.field`."""
  return re.findall(r'^(\S+) =', text, re.MULTILINE)


def _require_kind(experiment: type, where: str) -> None:
  """Refuses the recipe of another kind, whose values would say nothing."""
  used = {part.__name__ for part in _parts(experiment).values()}
  names = (name.rpartition('/')[2] for name in _bound(gin.config_str()))
  bound = {name.partition('.')[0] for name in names if '.' in name}
  if bound <= used:
    return
  message = (
    f'{where} {"bind" if ", " in where else "binds"} '
    f'{", ".join(sorted(bound - used))}, which {_KINDS[experiment][0]} does '
    'not use'
  )
  for kind, (_, tool) in _KINDS.items():
    if bound <= {part.__name__ for part in _parts(kind).values()}:
      raise ValueError(f'{message}; is it a recipe for {tool}?')
  raise ValueError(f'{message}.')


def _require_effect(where: str) -> None:
  """Refuses what gin takes for a macro or a scope, and nothing has read."""
  has_effect = set(_bound(gin.operative_config_str()))
  for name in _bound(gin.config_str()):
    if name not in has_effect:
      raise ValueError(
        f'`{name}` of {where} sets nothing; a setting is written as '
        '`InputConfig.batch_size = 4`.'
      )


def _explained(message: str) -> str:
  """Returns what is wrong in one line, with the nearest name for a typo."""
  # gin appends the place and the statement.
  first, *more = message.strip().splitlines()
  is_unknown = re.match(
    r"No configurable matching '|Configurable '.*' doesn't have a parameter",
    first,
  )
  if not is_unknown or len(more) < 2:
    return first
  name = more[1].partition('=')[0].strip()
  fields = [
    f'{part.__name__}.{field.name}'
    for kind in _KINDS
    for part in _parts(kind).values()
    for field in dataclasses.fields(part)
  ]
  # Whoever knows the field may have the class wrong.
  ending = name[name.rfind('.') :]
  namesakes = [field for field in fields if field.endswith(ending)]
  file = re.match(r'\s*In file "(.*)", line (\d+)', more[0])
  place = f'{file[1]}, line {file[2]}: ' if file else ''
  proposal = _proposal(name, namesakes or fields, '`{}`'.format)
  return f'{place}`{name}` is no setting{proposal}'


def _proposal(
  name: str, others: Iterable[str], shown: Callable[[str], str]
) -> str:
  """Returns the end of a sentence: the nearest of other names, if one is."""
  nearest = difflib.get_close_matches(name, others, n=1, cutoff=0.75)
  return f'; did you mean {shown(nearest[0])}?' if nearest else '.'


def to_gin(
  experiment: SearchExperiment | TrainExperiment | EvalExperiment,
) -> str:
  """Returns every value as gin text; `load` of it gives an equal experiment."""
  lines = []
  for part in dataclasses.fields(experiment):
    config = getattr(experiment, part.name)
    for field in dataclasses.fields(config):
      value = getattr(config, field.name)
      lines.append(f'{type(config).__name__}.{field.name} = {value!r}')
    lines.append('')
  return '\n'.join(lines)
