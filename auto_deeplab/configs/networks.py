# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The supernet and the segmenter."""

import dataclasses
from typing import Any

from auto_deeplab.architecture import primitives as primitives_lib
from auto_deeplab.configs import rules

# The drop-path schedule and the decoder need at least one cell, and the
# lattice reaches its coarsest level at layer 3.
_MIN_LAYERS = 2


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
      is inside them: equal results, less memory, more time. With `draw_path`
      it is always done, and takes less of both at the paper's setting.
    channel_divisor: k; 1/k of a state's channels go through the operations of
      an edge and the others past them, as in PC-DARTS (Xu et al., ICLR 2020),
      which takes 4. Divides `filter_multiplier`; 1, all, is the paper's.
    draw_primitives: whether each step draws one primitive an edge and computes
      it alone, as in GDAS (Dong and Yang, CVPR 2019); the paper mixes all.
    draw_path: whether each step also draws one path through the lattice, a
      transition a node, and computes its cells alone. Only with
      `draw_primitives`. A cell then takes H[l-2] from the level where the path
      was, as a decoded network does, through a projection from each level.
    gumbel_temperature: of the softmax that the gradient of such a draw follows.
    primitives: names of those that an edge mixes, in the order of alphas; the
      paper's eight. `none` may be among them or not.
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
  draw_path: bool = False
  gumbel_temperature: float = 1.0
  primitives: tuple[str, ...] = primitives_lib.PAPER

  def __post_init__(self):
    rules.require_types(self)
    rules.require(
      self.num_layers >= _MIN_LAYERS,
      self,
      'num_layers',
      f'at least {_MIN_LAYERS}',
    )
    rules.require_positive(
      self,
      'num_blocks',
      'filter_multiplier',
      'channel_divisor',
      'gumbel_temperature',
    )
    rules.require(
      self.draw_primitives or not self.draw_path,
      self,
      'draw_path',
      'False where `draw_primitives` is',
    )
    _require_stem(self)
    _require_batch_norm(self)
    rules.require_non_negative(self, 'init_stddev')
    rules.require(
      self.filter_multiplier % self.channel_divisor == 0,
      self,
      'channel_divisor',
      f'a divisor of `filter_multiplier` ({self.filter_multiplier})',
    )
    _require_primitives(self)


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
    rules.require_types(self)
    rules.require_positive(
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
      rules.require_size(self, 'pooling_size')
    rules.require(
      0 < self.drop_path_keep_prob <= 1,
      self,
      'drop_path_keep_prob',
      'in (0, 1]',
    )
    rules.require(0 <= self.dropout_rate < 1, self, 'dropout_rate', 'in [0, 1)')


@dataclasses.dataclass(frozen=True)
class TargetNetworkConfig:
  """As what the result of a search is counted where a search has a target.

  What the genotype is to be trained as, and the size of a picture at inference.
  The defaults are Auto-DeepLab-S on Cityscapes, as random baselines are counted
  (`architecture.baseline`).

  Attributes:
    input_size: (height, width) of a picture in pixels.
    filter_multiplier: as the fields below, that of `SegmenterConfig`.
    stem_filters: channels of the three stem convolutions.
    aspp_filters: channels of each ASPP branch and of its projection.
    low_level_filters: channels of the decoder's low-level projection.
    decoder_filters: channels of the decoder's two 3x3 convolutions.
    milliseconds_file: JSON that `auto-deeplab cost --measure` wrote for these
      networks, where a search has `target_milliseconds`.
  """

  input_size: tuple[int, int] = (1025, 2049)
  filter_multiplier: int = 20
  stem_filters: tuple[int, int, int] = (64, 64, 128)
  aspp_filters: int = 256
  low_level_filters: int = 48
  decoder_filters: int = 256
  milliseconds_file: str = ''

  def __post_init__(self):
    rules.require_types(self)
    rules.require_size(self, 'input_size')
    rules.require_positive(
      self,
      'filter_multiplier',
      'aspp_filters',
      'low_level_filters',
      'decoder_filters',
    )
    _require_stem(self)


def _require_primitives(config: SupernetConfig) -> None:
  names = config.primitives
  rules.require(
    isinstance(names, (tuple, list))
    and all(isinstance(name, str) for name in names),
    config,
    'primitives',
    'a list of names',
  )
  known = primitives_lib.known()
  unknown = [name for name in names if name not in known]
  rules.require(
    not unknown,
    config,
    'primitives',
    f'of known ones, without {unknown}: {", ".join(known)}',
  )
  rules.require(
    len(set(names)) == len(names), config, 'primitives', 'without repetition'
  )
  rules.require(
    bool(primitives_lib.operations(names)),
    config,
    'primitives',
    'at least one other than none',
  )
  object.__setattr__(config, 'primitives', tuple(names))


def _require_stem(config: Any) -> None:
  filters = config.stem_filters
  is_triple = isinstance(filters, (tuple, list)) and len(filters) == 3
  rules.require(
    is_triple and all(isinstance(f, int) and f > 0 for f in filters),
    config,
    'stem_filters',
    'three positive integers',
  )
  object.__setattr__(config, 'stem_filters', tuple(filters))


def _require_batch_norm(config: Any) -> None:
  rules.require(
    0 < config.batch_norm_momentum < 1,
    config,
    'batch_norm_momentum',
    'in (0, 1)',
  )
  rules.require_positive(config, 'batch_norm_epsilon')
