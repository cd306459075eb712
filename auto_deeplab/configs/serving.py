# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What an exported network takes."""

import dataclasses

from auto_deeplab.configs import rules


@dataclasses.dataclass(frozen=True)
class ServingConfig:
  """What an exported network takes.

  Attributes:
    max_pixels: of a picture, height times width, where a side of less than 33
      counts as 33. More is refused, of a file before it is decoded. By default
      those of 4096 x 4096.
  """

  max_pixels: int = 2**24

  def __post_init__(self):
    rules.require_types(self)
    rules.require_positive(self, 'max_pixels')
