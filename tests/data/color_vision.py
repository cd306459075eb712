# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How unlike colours are to people: with all cones, or without one kind.

Colours are arrays [..., 3] of red, green and blue in 0..255 (sRGB).
"""

import numpy as np

# Of linear RGB: normal vision, then protanopia, deuteranopia, tritanopia
# (Machado, Oliveira and Fernandes, IEEE TVCG 2009, severity 1).
_EYES = np.array(
  [
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    [
      [0.152286, 1.052583, -0.204868],
      [0.114503, 0.786281, 0.099216],
      [-0.003882, -0.048116, 1.051998],
    ],
    [
      [0.367322, 0.860646, -0.227968],
      [0.280085, 0.672501, 0.047413],
      [-0.011820, 0.042940, 0.968881],
    ],
    [
      [1.255528, -0.076749, -0.178779],
      [-0.078411, 0.930809, 0.147602],
      [0.004733, 0.691367, 0.303900],
    ],
  ]
)

# sRGB to XYZ, and the white D65 (IEC 61966-2-1).
_XYZ = np.array(
  [
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
  ]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])


def seen(colors) -> np.ndarray:
  """Returns what each of the four eyes sees, in CIELAB, [4, ..., 3]."""
  shares = np.asarray(colors, float) / 255
  linear = np.where(
    shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4
  )
  return np.stack([_lab((linear @ eye.T).clip(0, 1)) for eye in _EYES])


def _lab(linear: np.ndarray) -> np.ndarray:
  xyz = linear @ _XYZ.T / _WHITE
  x, y, z = np.moveaxis(
    np.where(
      xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29
    ),
    -1,
    0,
  )
  return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(first: np.ndarray, second: np.ndarray) -> np.ndarray:
  """Returns the difference of CIELAB colours (CIE 142-2001), [...]."""
  l1, a1, b1 = np.moveaxis(first, -1, 0)
  l2, a2, b2 = np.moveaxis(second, -1, 0)
  chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
  stretch = 1.5 - 0.5 * _root(chroma)
  (c1, h1), (c2, h2) = _polar(a1 * stretch, b1), _polar(a2 * stretch, b2)
  dc, dl = c2 - c1, l2 - l1
  turn = (h2 - h1 + 180) % 360 - 180
  dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
  lightness, chroma = (l1 + l2) / 2 - 50, (c1 + c2) / 2
  # Of a grey, whose hue is nothing, the other one's counts.
  hue = np.where(c1 * c2 == 0, h1 + h2, h1 + turn / 2) % 360
  t = (
    1
    - 0.17 * _cos(hue - 30)
    + 0.24 * _cos(2 * hue)
    + 0.32 * _cos(3 * hue + 6)
    - 0.20 * _cos(4 * hue - 63)
  )
  dl = dl / (1 + 0.015 * lightness**2 / np.sqrt(20 + lightness**2))
  dc = dc / (1 + 0.045 * chroma)
  dh = dh / (1 + 0.015 * chroma * t)
  angle = 60 * np.exp(-(((hue - 275) / 25) ** 2))
  rotation = -2 * np.sin(np.radians(angle)) * _root(chroma)
  return np.sqrt(dl**2 + dc**2 + dh**2 + rotation * dc * dh)


def _root(chroma: np.ndarray) -> np.ndarray:
  return np.sqrt(chroma**7 / (chroma**7 + 25.0**7))


def _polar(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  return np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360


def _cos(degrees: np.ndarray) -> np.ndarray:
  return np.cos(np.radians(degrees))


def smallest_difference(colors) -> float:
  """Returns the CIEDE2000 of the two colours that are most alike to any eye."""
  eyes = seen(colors)
  differences = ciede2000(eyes[:, :, np.newaxis], eyes[:, np.newaxis])
  first, second = np.triu_indices(len(eyes[0]), 1)
  return float(differences[:, first, second].min())
