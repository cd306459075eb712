# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Whether two of a network say the same, before one gets its name."""

from collections.abc import Callable, Sequence
import math

import numpy as np
from PIL import Image

from auto_deeplab.serving import client

# uint8 [height, width, 3] -> labels, uint8 [height, width].
Label = Callable[[np.ndarray], np.ndarray]

# Sums in another order move a pixel where two classes are as likely.
MIN_EQUAL_SHARE = 0.999
# Of mIoU, by 8-bit integers or bfloat16.
MAX_LOSS = 0.015
# Unlike, not nesting, and small: what they are for is to find what is wrong.
_SIZES = ((97, 129), (80, 120), (130, 70), (65, 65))
_SMOOTHNESS = 8


def equal_share(
  first: Label, second: Label, pictures: Sequence[np.ndarray]
) -> float:
  """Returns the share of the pixels of all pictures with equal labels."""
  are_equal = [np.equal(first(each), second(each)) for each in pictures]
  return float(np.mean(np.concatenate([each.ravel() for each in are_equal])))


def require_equal(
  name: str, label: Label, reference: Label, pictures: Sequence[np.ndarray]
) -> float:
  """Checks that labels are equal on nearly all pixels.

  Args:
    name: of what is checked, for the error.
    label: what is checked.
    reference: what it has to say.
    pictures: uint8 [height, width, 3] each; at least one.

  Returns:
    The share of equal pixels.

  Raises:
    ValueError: it is less than `MIN_EQUAL_SHARE`.
  """
  share = equal_share(label, reference, pictures)
  if share < MIN_EQUAL_SHARE:
    raise ValueError(
      f"{name} is refused: its labels are the same as the network's on "
      f'{share:.3%} of the pixels of {len(pictures)} pictures, and must be on '
      f'{MIN_EQUAL_SHARE:.1%}.'
    )
  return share


def require_no_worse(mean_iou: float, whole: float) -> None:
  """Checks what another precision costs.

  Args:
    mean_iou: in it.
    whole: in float32.

  Raises:
    ValueError: it is more than `MAX_LOSS`.
  """
  if whole - mean_iou > MAX_LOSS:
    raise ValueError(
      f'the mIoU {mean_iou:.4f} is more than {MAX_LOSS} below {whole:.4f}, '
      'that in float32; for int8 more --calibration_pictures may help.'
    )


def drawn_pictures() -> list[np.ndarray]:
  """Returns smooth random pictures, for want of real ones; always the same."""
  generator = np.random.default_rng(0)
  pictures = []
  for height, width in _SIZES:
    shape = [height // _SMOOTHNESS, width // _SMOOTHNESS, 3]
    pixels = generator.integers(0, 256, shape, np.uint8)
    pictures.append(resized(pixels, (height, width)))
  return pictures


def fitting(
  pictures: Sequence[np.ndarray], max_pixels: int
) -> list[np.ndarray]:
  """Returns the upper left of each picture, as large as it may be.

  Args:
    pictures: uint8 [height, width, 3] each.
    max_pixels: that a picture may have.

  Raises:
    ValueError: no picture may be.
  """
  side = math.isqrt(max_pixels)
  if side < client.MIN_SIDE:
    raise ValueError(
      f'`max_pixels` ({max_pixels}) must be at least {client.MIN_SIDE**2}, for '
      f'a side of less than {client.MIN_SIDE} counts as {client.MIN_SIDE}.'
    )
  return [
    picture
    if np.prod(np.maximum(picture.shape[:2], client.MIN_SIDE)) <= max_pixels
    else picture[:side, :side]
    for picture in pictures
  ]


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  """Returns a picture at a size, (height, width)."""
  return np.asarray(
    Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR)
  )


def at_size(label: Label, size: tuple[int, int]) -> Label:
  """Returns what takes pictures of any size by what takes those of one.

  Args:
    label: takes pictures of `size` alone.
    size: (height, width).
  """

  def resized_label(picture: np.ndarray) -> np.ndarray:
    labels = Image.fromarray(label(resized(picture, size)))
    height, width, _ = picture.shape
    shape = (width, height)
    return np.asarray(labels.resize(shape, Image.Resampling.NEAREST))

  return resized_label
