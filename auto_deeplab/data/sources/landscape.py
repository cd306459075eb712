# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Paints a landscape and its label.

Shapes are painted at twice the final size, as one mask for picture and label:
the picture is then averaged over 2x2 blocks, the label takes one pixel of each
block, so that edges look smooth and labels stay exact.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from PIL import Image, ImageDraw

from auto_deeplab.data import datasets

# Label value = place in the table.
CLASSES: dict[str, datasets.Color] = {
  'sky': (112, 168, 220),
  'ground': (126, 166, 84),
  'water': (44, 92, 170),
  'path': (222, 190, 130),
  'tree': (30, 96, 52),
  'house': (190, 72, 60),
  'balloon': (236, 148, 44),
}
SKY, GROUND, WATER, PATH, TREE, HOUSE, BALLOON = range(len(CLASSES))

_OVERSAMPLING = 2

# A method of ImageDraw and the coordinates that it takes.
_Shape = tuple[str, Any]

# One depth or an array of them.
_Depth = TypeVar('_Depth', float, np.ndarray)


def paint(
  rng: np.random.Generator, image_size: tuple[int, int]
) -> tuple[Image.Image, Image.Image]:
  """Paints one picture and its label.

  Args:
    rng: draws all that is random.
    image_size: (height, width) in pixels.

  Returns:
    The picture (mode RGB) and its label (mode L, values of `CLASSES`).
  """
  scene = _Scene(rng, image_size)
  sky = _sky(scene)
  scene.paint(SKY, sky, ('rectangle', (0, 0, scene.width, scene.height)))
  _paint_ground(scene)
  if rng.random() < 0.8:
    _paint_lake(scene, sky)
  if rng.random() < 0.8:
    _paint_path(scene)
  for _ in range(rng.integers(0, 4)):
    _paint_balloon(scene)
  for depth in np.sort(rng.random(rng.integers(5, 12))):
    paint = _paint_tree if rng.random() < 0.6 else _paint_house
    paint(scene, depth)
  return scene.finish()


# The canvas ------------------------------------------------------------------


class _Scene:
  """A picture that is being painted, at `_OVERSAMPLING` times its final size.

  Lengths and positions are in pixels of this larger canvas, x to the right and
  y down. A depth is 0 at the horizon and 1 at the lower border.
  """

  def __init__(self, rng: np.random.Generator, image_size: tuple[int, int]):
    self.rng = rng
    self.height, self.width = (_OVERSAMPLING * size for size in image_size)
    self.horizon = self.height * rng.uniform(0.25, 0.5)
    # Planes come first: NumPy is slow on a last axis of three.
    self.pixels = np.zeros((3, self.height, self.width), np.uint8)
    self.labels = np.zeros((self.height, self.width), np.uint8)
    # Brightness around 1, float32 [height, width].
    self.grain = 0.85 + 0.3 * self.noise(self.height)
    self.foliage = 0.35 + 0.8 * self.noise(60) + 0.5 * self.noise(self.height)
    self.stone = self._stone() * self.grain
    self.stone_color = _color(rng, _STONES, 20)

  def noise(self, cells: int, stretch: float = 1) -> np.ndarray:
    """Returns smooth noise in [0, 1], float32 [height, width].

    Args:
      cells: spots from top to bottom.
      stretch: how many times wider than high a spot is.
    """
    columns = max(2, round(cells * self.width / self.height / stretch))
    spots = Image.fromarray(self.rng.random((cells, columns), np.float32))
    size = (self.width, self.height)
    return np.asarray(spots.resize(size, Image.Resampling.BILINEAR))

  def _stone(self) -> np.ndarray:
    """Returns the brightness of a wall of stones, each with its own."""
    high, wide = 10, 20
    y, x = np.ogrid[: self.height, : self.width]
    row = y // high
    x = x + row % 2 * (wide // 2)
    shades = self.rng.uniform(0.8, 1.1, (row.max() + 1, x.max() // wide + 1))
    is_joint = (y % high < 2) | (x % wide < 2)
    return np.where(is_joint, 0.66, shades[row, x // wide]).astype(np.float32)

  def size_at(self, depth: _Depth) -> _Depth:
    """Returns what is left of a length at that depth, as a share."""
    return 0.07 + 0.93 * depth**1.3

  def ground_at(self, depth: _Depth) -> _Depth:
    """Returns the y of the ground at that depth."""
    return self.horizon + depth * (self.height - self.horizon)

  def paint(
    self,
    label: int | None,
    color: Sequence[float] | np.ndarray,
    *shapes: _Shape,
    shade: np.ndarray | None = None,
  ) -> None:
    """Paints the union of shapes into picture and label alike.

    Args:
      label: the class; None leaves the label as it is.
      color: (r, g, b) or [3, height, width], in 0..255.
      *shapes: 'polygon', 'ellipse' or 'rectangle' and the coordinates that
        Pillow's ImageDraw takes for it.
      shade: brightness [height, width] that the colour is multiplied with.
    """
    mask_image = Image.new('L', (self.width, self.height))
    pen = ImageDraw.Draw(mask_image)
    for kind, coordinates in shapes:
      getattr(pen, kind)(coordinates, fill=1)
    box = mask_image.getbbox()
    if box is None:
      return
    area = (..., slice(box[1], box[3]), slice(box[0], box[2]))
    mask = np.asarray(mask_image)[area].astype(bool)
    values = np.asarray(color, np.float32)
    if values.ndim == 1:
      values = values[:, np.newaxis, np.newaxis]
    else:
      values = values[area]
    if shade is not None:
      values = np.minimum(values * shade[area], 255)
    np.copyto(self.pixels[area], values, where=mask, casting='unsafe')
    if label is not None:
      np.copyto(self.labels[area], np.uint8(label), where=mask)

  def darken(self, shape: _Shape) -> None:
    """Casts a shadow; labels stay."""
    self.paint(None, self.pixels, shape, shade=np.full_like(self.grain, 0.72))

  def finish(self) -> tuple[Image.Image, Image.Image]:
    """Returns picture and label at their final size."""
    n = _OVERSAMPLING
    pixels = np.ascontiguousarray(np.moveaxis(self.pixels, 0, -1))
    picture = Image.fromarray(pixels).reduce(n)
    return picture, Image.fromarray(self.labels[::n, ::n])


def _color(
  rng: np.random.Generator, palette: Sequence[datasets.Color], spread: float
) -> np.ndarray:
  """Returns a colour near one of the palette: brightness and hue both move."""
  color = np.asarray(palette[int(rng.integers(len(palette)))])
  shift = rng.uniform(-1, 1) + 0.5 * rng.uniform(-1, 1, 3)
  return np.clip(color + spread * shift, 0, 255)


# What stands in the landscape ------------------------------------------------

_ZENITHS = ((72, 128, 200), (110, 118, 178), (88, 152, 176))
_HAZES = ((204, 220, 232), (238, 200, 170), (216, 204, 222))
_MEADOWS = ((122, 160, 78), (168, 160, 88), (104, 148, 92))
_STONES = ((204, 180, 146),)
_LEAVES = ((58, 112, 52), (44, 96, 66), (98, 116, 44))
_ROOFS = ((158, 70, 54), (112, 76, 66), (92, 98, 112))
_FABRICS = (
  (214, 60, 52),
  (240, 190, 60),
  (240, 238, 228),
  (120, 64, 150),
  (36, 120, 130),
)
_WOOD = (96, 70, 48)
_GLASS = (70, 60, 62)
_DISTANCE = (150, 170, 196)
_CLOUD = 246


def _sky(scene: _Scene) -> np.ndarray:
  """Returns the colours of the sky, and below the horizon of its mirror."""
  zenith = _color(scene.rng, _ZENITHS, 18)[:, np.newaxis, np.newaxis]
  haze = _color(scene.rng, _HAZES, 14)[:, np.newaxis, np.newaxis]
  y = np.arange(scene.height, dtype=np.float32)
  # From 1 at the zenith to 0 at the horizon, and back in the mirror.
  share = np.abs(1 - y / scene.horizon).clip(0, 1)[:, np.newaxis]
  streaks = 0.6 * scene.noise(14, stretch=5) + 0.4 * scene.noise(48, stretch=8)
  clouds = (3 * (streaks - 0.5)).clip(0, 0.8)
  color = (share * zenith + (1 - share) * haze).astype(np.float32)
  return color + clouds * (_CLOUD - color)


def _paint_ground(scene: _Scene) -> None:
  """Paints two ridges of hills at the horizon and the meadow before them."""
  rng = scene.rng
  meadow = _color(rng, _MEADOWS, 16)
  x = np.linspace(0, 1, 65)
  for height, haze in (
    (rng.uniform(0.05, 0.16), 0.4),
    (rng.uniform(0.01, 0.07), 0.15),
  ):
    waves = sum(
      np.sin(2 * np.pi * (frequency * x + rng.random())) / frequency
      for frequency in rng.uniform(0.6, 6, 4)
    )
    waves = (waves - waves.min()) / np.ptp(waves)
    y = scene.horizon - scene.height * height * waves
    ridge = [*zip(x * scene.width, y, strict=True)]
    border = [(scene.width, scene.height), (0, scene.height)]
    color = (1 - haze) * meadow + haze * np.asarray(_DISTANCE)
    scene.paint(GROUND, color, ('polygon', ridge + border), shade=scene.grain)
  tufts = 0.75 + 0.3 * scene.noise(40, stretch=2.5)
  tufts += 0.2 * scene.noise(scene.height)
  floor = (0, scene.horizon, scene.width, scene.height)
  scene.paint(GROUND, meadow, ('rectangle', floor), shade=tufts)


def _paint_lake(scene: _Scene, sky: np.ndarray) -> None:
  """Paints a lake that mirrors the sky."""
  rng = scene.rng
  depth = rng.uniform(0.12, 0.75)
  center = scene.width * rng.uniform(0.1, 0.9), scene.ground_at(depth)
  radius_x = scene.width * rng.uniform(0.25, 0.6)
  radius_y = scene.ground_at(min(depth, 0.4)) - scene.horizon
  radius_y *= rng.uniform(0.35, 0.8)
  angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
  phase = rng.uniform(0, 2 * np.pi, 2)
  wobble = 1 + 0.12 * np.sin(3 * angle + phase[0])
  wobble += 0.06 * np.sin(7 * angle + phase[1])
  x = center[0] + radius_x * wobble * np.cos(angle)
  y = center[1] + radius_y * wobble * np.sin(angle)
  shore = [*zip(x, y.clip(scene.horizon + 2), strict=True)]
  scene.paint(WATER, sky, ('polygon', shore))


def _paint_path(scene: _Scene) -> None:
  """Paints a paved path that winds from the lower border to the horizon."""
  rng = scene.rng
  depth = np.linspace(1.05, 0, 48)
  ends = scene.width * rng.uniform(0, 1, 2)
  center = ends[0] * depth + ends[1] * (1 - depth)
  bend = scene.width * rng.uniform(0.05, 0.14) * rng.choice((-1, 1))
  center = center + bend * np.sin(2 * np.pi * rng.uniform(0.5, 1.1) * depth)
  half_width = scene.height * rng.uniform(0.07, 0.16) * scene.size_at(depth)
  y = scene.ground_at(depth)
  left = [*zip(center - half_width, y, strict=True)]
  right = [*zip(center + half_width, y, strict=True)]
  scene.paint(
    PATH, scene.stone_color, ('polygon', left + right[::-1]), shade=scene.stone
  )


def _paint_balloon(scene: _Scene) -> None:
  """Paints a hot-air balloon with stripes and a basket."""
  rng = scene.rng
  radius = scene.height * 0.022 * 8 ** rng.random()
  x = scene.width * rng.random()
  y = rng.uniform(0.6 * radius, max(radius, scene.horizon - radius))
  first, second = (_color(rng, _FABRICS, 12) for _ in range(2))
  for share, color in ((1, first), (0.66, second), (0.3, first)):
    half = share * radius
    top = ('ellipse', (x - half, y - radius, x + half, y + radius))
    skirt = [
      (x - 0.88 * half, y + 0.45 * radius),
      (x - 0.25 * half, y + 1.3 * radius),
      (x + 0.25 * half, y + 1.3 * radius),
      (x + 0.88 * half, y + 0.45 * radius),
    ]
    scene.paint(BALLOON, color, top, ('polygon', skirt), shade=scene.grain)
  bottom, half = y + 1.3 * radius, 0.2 * radius
  basket = (x - half, bottom, x + half, y + 1.55 * radius)
  scene.paint(BALLOON, _WOOD, ('rectangle', basket))


def _paint_tree(scene: _Scene, depth: float) -> None:
  """Paints a tree: round or a conifer, with trunk and shadow."""
  rng = scene.rng
  height = scene.height * rng.uniform(0.5, 0.8) * scene.size_at(depth)
  x, base = scene.width * rng.random(), scene.ground_at(depth)
  scene.darken(_shadow(x, base, 0.3 * height))
  half = 0.045 * height
  trunk = ('rectangle', (x - half, base - 0.45 * height, x + half, base))
  scene.paint(TREE, _WOOD, trunk, shade=scene.grain)
  leaves = _color(rng, _LEAVES, 14)
  if rng.random() < 0.4:
    crown = [
      _triangle(x, base - low * height, wide * height, 0.45 * height)
      for low, wide in ((0.12, 0.27), (0.34, 0.21), (0.55, 0.15))
    ]
  else:
    angles = 2 * np.pi * rng.random(8)
    crown = [
      _circle(
        x + 0.2 * height * np.cos(angle),
        base - (0.64 - 0.17 * np.sin(angle)) * height,
        height * rng.uniform(0.11, 0.18),
      )
      for angle in angles
    ]
    crown.append(_circle(x, base - 0.64 * height, 0.22 * height))
  scene.paint(TREE, leaves, *crown, shade=scene.foliage)


def _paint_house(scene: _Scene, depth: float) -> None:
  """Paints a stone house with roof, door and windows."""
  rng = scene.rng
  half = 0.5 * scene.height * rng.uniform(0.28, 0.62) * scene.size_at(depth)
  wall, roof = half * rng.uniform(0.8, 1.5), half * rng.uniform(0.5, 0.9)
  x, base = scene.width * rng.random(), scene.ground_at(depth)
  scene.darken(_shadow(x, base, 1.3 * half))
  front = ('rectangle', (x - half, base - wall, x + half, base))
  scene.paint(HOUSE, scene.stone_color, front, shade=scene.stone)
  tiles = _color(rng, _ROOFS, 14)
  gable = _triangle(x, base - wall + 1, 1.18 * half, roof)
  scene.paint(HOUSE, tiles, gable, shade=scene.stone)
  door = (x - 0.14 * half, base - 0.5 * wall, x + 0.14 * half, base)
  top, sill, pane = base - 0.75 * wall, base - 0.4 * wall, 0.16 * half
  windows = [
    (middle - pane, top, middle + pane, sill)
    for middle in (x - 0.58 * half, x + 0.58 * half)
  ]
  for opening in (door, *windows):
    scene.paint(HOUSE, _GLASS, ('rectangle', opening), shade=scene.grain)


def _circle(x: float, y: float, radius: float) -> _Shape:
  return 'ellipse', (x - radius, y - radius, x + radius, y + radius)


def _triangle(x: float, y: float, half_width: float, height: float) -> _Shape:
  """Returns a triangle that stands on its base."""
  return 'polygon', [(x - half_width, y), (x + half_width, y), (x, y - height)]


def _shadow(x: float, y: float, half_width: float) -> _Shape:
  flat = 0.16 * half_width
  return 'ellipse', (x - half_width, y - flat, x + half_width, y + flat)
