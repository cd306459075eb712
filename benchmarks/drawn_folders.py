# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Folders of drawn pictures that are unlike each other, to plan for.

Each is a ground of noise with objects on it, of a class each; objects of a
class have a colour, a shape and a size of their own.
"""

from collections.abc import Sequence
import dataclasses
import json
import pathlib

import numpy as np
from PIL import Image, ImageDraw


@dataclasses.dataclass(frozen=True)
class Kind:
  """What pictures there are.

  Attributes:
    name: of the kind.
    size: (height, width) in pixels.
    num_train: pictures to train on.
    num_val: pictures to evaluate on.
    num_classes: the ground and the objects.
    num_objects: a picture.
    object_side: of the usual one, in pixels.
    is_grey: whether pictures have one channel.
  """

  name: str
  size: tuple[int, int]
  num_train: int
  num_val: int
  num_classes: int
  num_objects: int
  object_side: int
  is_grey: bool = False


KINDS: Sequence[Kind] = (
  Kind('few', (240, 320), 10, 4, 2, 6, 40),
  Kind('microscopy', (256, 256), 60, 20, 2, 40, 18, is_grey=True),
  Kind('indoor', (480, 640), 300, 40, 20, 14, 110),
  Kind('icons', (64, 64), 2000, 200, 10, 3, 20),
  Kind('aerial', (2048, 1536), 40, 6, 6, 60, 120),
  Kind('many', (256, 320), 400, 50, 150, 30, 40),
)


def draw(kind: Kind, folder: pathlib.Path, seed: int = 0) -> None:
  """Draws a folder as build_tfrecords takes it."""
  rng = np.random.default_rng(seed)
  colors = rng.integers(30, 226, [kind.num_classes, 3])
  for split, number in (('train', kind.num_train), ('val', kind.num_val)):
    for sub in ('images', 'labels'):
      (folder / sub / split).mkdir(parents=True, exist_ok=True)
    for index in range(number):
      image, label = _picture(kind, colors, rng)
      image.save(folder / f'images/{split}/{index:04}.jpg', quality=92)
      label.save(folder / f'labels/{split}/{index:04}.png')
  names = ['ground'] + [f'thing_{i}' for i in range(1, kind.num_classes)]
  (folder / 'classes.json').write_text(json.dumps({'classes': names}))


def _picture(
  kind: Kind, colors: np.ndarray, rng: np.random.Generator
) -> tuple[Image.Image, Image.Image]:
  height, width = kind.size
  label = Image.new('L', (width, height), 0)
  pen = ImageDraw.Draw(label)
  for _ in range(kind.num_objects):
    value = int(rng.integers(1, kind.num_classes))
    # Classes differ in size by up to a factor of two, objects a little.
    side = kind.object_side * (0.7 + 0.7 * value / kind.num_classes)
    side *= rng.uniform(0.8, 1.25)
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    box = [x - side / 2, y - side / 2, x + side / 2, y + side / 2]
    (pen.ellipse if value % 2 else pen.rectangle)(box, fill=value)
  pixels = colors[np.asarray(label)] * rng.uniform(0.8, 1.2)
  pixels = pixels + rng.normal(0, 18, [height, width, 1])
  image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
  return (image.convert('L') if kind.is_grey else image), label


def by_name(name: str) -> Kind:
  """Returns a kind; raises a KeyError of one that is unknown."""
  return {kind.name: kind for kind in KINDS}[name]
