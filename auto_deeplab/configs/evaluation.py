# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How an evaluation predicts."""

import dataclasses
from typing import Any

from auto_deeplab.configs import rules


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
    rules.require_types(self)
    is_list = isinstance(self.scales, (tuple, list)) and len(self.scales) > 0
    rules.require(
      is_list and all(_is_positive(scale) for scale in self.scales),
      self,
      'scales',
      'one or more positive numbers',
    )
    object.__setattr__(self, 'scales', tuple(map(float, self.scales)))
    _require_window(self)
    rules.require_non_negative(self, 'long_side')
    rules.require_positive(self, 'boundary_ratio', 'patience_seconds')


def _is_positive(value: Any) -> bool:
  is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
  return is_number and 0 < value < float('inf')


def _require_window(config: EvalConfig) -> None:
  window, stride = config.window_size, config.window_stride
  rules.require(
    (window is None) == (stride is None),
    config,
    'window_stride',
    'set where `window_size` is, and there only',
  )
  if window is None or stride is None:
    return
  rules.require_size(config, 'window_size')
  rules.require_size(config, 'window_stride')
  rules.require(min(window) >= 4, config, 'window_size', 'at least (4, 4)')
  rules.require(
    stride[0] <= window[0] and stride[1] <= window[1],
    config,
    'window_stride',
    f'at most `window_size` ({tuple(window)})',
  )
