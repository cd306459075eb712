# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What an exported network takes."""

import dataclasses

from auto_deeplab.configs import rules

# The longest side of a canvas has 32 bits; so many steps are all that nest.
_LARGEST = {'max_pixels': 2**30, 'canvas_steps': 2**10}


@dataclasses.dataclass(frozen=True)
class ServingConfig:
  """What an exported network takes.

  Attributes:
    max_pixels: of a picture, height times width, where a side of less than 33
      counts as 33. More is refused, of a file before it is decoded. By default
      those of 4096 x 4096.
    canvas_steps: lengths that a side of a canvas may have from one to its
      double, so that pictures of many sizes lie on canvases of few, with the
      same labels; 0 allows every length at which maps nest. A model other than
      ours takes pictures as they are.
  """

  max_pixels: int = 2**24
  canvas_steps: int = 2

  def __post_init__(self):
    rules.require_types(self)
    rules.require_positive(self, 'max_pixels')
    rules.require_non_negative(self, 'canvas_steps')
    rules.require_at_most(self, _LARGEST)
