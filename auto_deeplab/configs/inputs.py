# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The training input."""

import dataclasses

from auto_deeplab.configs import rules


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
    rules.require_types(self)
    rules.require_size(self, 'crop_size')
    rules.require(
      min(self.crop_size) >= 4, self, 'crop_size', 'at least (4, 4)'
    )
    rules.require_positive(self, 'batch_size', 'min_scale', 'shuffle_buffer')
    rules.require(
      self.max_scale >= self.min_scale,
      self,
      'max_scale',
      f'at least `min_scale` ({self.min_scale})',
    )
    rules.require_non_negative(self, 'scale_step', 'long_side')
    for field in (
      'flip_probability',
      'saturation_jitter',
      'brightness_jitter',
      'class_balance',
    ):
      rules.require(0 <= getattr(self, field) <= 1, self, field, 'in [0, 1]')
    for field in ('hue_jitter', 'max_rotation'):
      rules.require(
        0 <= getattr(self, field) <= 180, self, field, 'in [0, 180]'
      )

  @property
  def has_color_jitter(self) -> bool:
    """Whether the colours of a crop change."""
    return any(
      (self.hue_jitter, self.saturation_jitter, self.brightness_jitter)
    )
