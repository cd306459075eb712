# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures that know where on Earth they are, read and written in parts.

By rasterio, which is imported when such a file is opened. Its GDAL caches what
it reads in a twentieth of the machine's memory, unless GDAL_CACHEMAX in the
environment says how many megabytes it may take.
"""

from collections.abc import Sequence
import functools
import os
from typing import Any

import numpy as np

from . import contract, files, painting, pictures

SUFFIXES = ('.tif', '.tiff')
# In a label map, where the picture has no data: no class has it.
NO_DATA = 255
_ROWS = 512
_BLOCKS = {'tiled': True, 'blockxsize': _ROWS, 'blockysize': _ROWS}


class GeoTiff:
  """A TIFF of 8 or 16 bits, of which parts are read as they are asked for.

  Of its bands red, green and blue are taken, or the first three where it does
  not tell; one band becomes three. 16 bits become 8 by the rule of
  `pictures.to_8_bit`, of the values of the whole picture. Rows and columns are
  as they lie in the file, where its georeference counts them: an EXIF
  orientation is not applied.

  Attributes:
    name: its path.
    size: (height, width).
    num_pixels: their product.
  """

  def __init__(
    self, path: str | os.PathLike, *, max_pixels: int = contract.MAX_PIXELS
  ):
    """Opens it, and reads none of its pixels.

    Args:
      path: of the file.
      max_pixels: that it may have.

    Raises:
      ValueError: it is missing, damaged, too large, or has other pixels; or
        rasterio is not installed.
    """
    self.name = os.fspath(path)
    rasterio = _rasterio()
    with pictures.reading(self.name):
      self._dataset = rasterio.open(self.name, driver='GTiff')
      self.size: tuple[int, int] = self._dataset.shape
      contract.require_pixels(self.size, max_pixels)
      kinds = sorted(set(self._dataset.dtypes))
      if kinds not in (['uint8'], ['uint16']):
        raise ValueError(
          f'its pixels are {", ".join(kinds)}; they must be uint8 or uint16.'
        )
      self._bands = _bands(self._dataset)
    self.num_pixels = self.size[0] * self.size[1]

  def load(self) -> None:
    """Finds out how 16 bits become 8.

    Raises:
      ValueError: it is damaged.
    """
    _ = self._table

  def read(self, top: int, left: int, bottom: int, right: int) -> np.ndarray:
    """Returns uint8 [bottom - top, right - left, 3], RGB."""
    with pictures.reading(self.name):
      window = ((top, bottom), (left, right))
      bands = self._dataset.read(self._bands, window=window)
    pixels = np.moveaxis(bands, 0, -1)
    if self._table is not None:
      pixels = self._table[pixels[..., 0] if self._has_colors else pixels]
    return np.ascontiguousarray(np.broadcast_to(pixels, [*pixels.shape[:2], 3]))

  def read_all(self) -> np.ndarray:
    """Returns uint8 [height, width, 3]."""
    return self.read(0, 0, *self.size)

  @property
  def _has_colors(self) -> bool:
    """Whether its values are the places of colours."""
    return self._dataset.colorinterp[0].name == 'palette'

  @functools.cached_property
  def _table(self) -> np.ndarray | None:
    """What each value becomes, uint8 [values] or [values, 3]; None: itself."""
    if self._has_colors:
      colors = self._dataset.colormap(1)
      return np.array([colors[n][:3] for n in sorted(colors)], np.uint8)
    if self._dataset.dtypes[0] == 'uint8':
      return None
    counts = np.zeros([2**16], np.int64)
    with pictures.reading(self.name):
      for top, bottom in self._strips():
        window = ((top, bottom), (0, self.size[1]))
        bands = self._dataset.read(self._bands, window=window)
        counts += pictures.count_16_bits(bands)
    return pictures.table_of_16_bits(counts)

  def _strips(self) -> list[tuple[int, int]]:
    height = self.size[0]
    return [(top, min(top + _ROWS, height)) for top in range(0, height, _ROWS)]

  def write_labels(
    self,
    path: str | os.PathLike,
    labels: np.ndarray,
    colors: Sequence[Sequence[int]],
    values: Sequence[int] | None = None,
  ) -> None:
    """Writes labels as a GeoTIFF that lies where the picture does.

    Where the picture has no data, by its mask, its alpha channel or the value
    that it names, so has the label map, and says that it is `NO_DATA`.

    Args:
      path: of the label map.
      labels: uint8 [height, width].
      colors: an (r, g, b) a class, each in 0..255.
      values: the pixel value of each class; None for its label.

    Raises:
      ValueError: a class has the value of no data.
      OSError: the file cannot be written; the message names it.
    """
    values = range(len(colors)) if values is None else values
    if NO_DATA in values:
      raise ValueError(
        f'{os.fspath(path)!r} cannot be written: a class has the value '
        f'{NO_DATA}, which in a GeoTIFF marks what has no data.'
      )
    table = np.full([2**8], NO_DATA, np.uint8)
    table[: len(values)] = values
    with (
      painting.written_aside(os.fspath(path)) as temporary,
      self._open_for_labels(temporary) as written,
    ):
      written.write_colormap(1, dict(zip(values, map(tuple, colors))))
      for top, bottom in self._strips():
        window = ((top, bottom), (0, self.size[1]))
        strip = table[labels[top:bottom]]
        strip[self._dataset.dataset_mask(window=window) == 0] = NO_DATA
        written.write(strip, 1, window=window)

  def _open_for_labels(self, path: str) -> Any:
    source = self._dataset
    points, crs_of_points = source.gcps
    return _rasterio().open(
      path,
      'w',
      driver='GTiff',
      height=self.size[0],
      width=self.size[1],
      count=1,
      dtype='uint8',
      nodata=NO_DATA,
      compress='deflate',
      crs=source.crs or crs_of_points,
      gcps=points or None,
      transform=None if points else source.transform,
      BIGTIFF='IF_SAFER',
      **(_BLOCKS if min(self.size) > _ROWS else {}),
    )


AnyPicture = pictures.PillowPicture | GeoTiff


def open_picture(
  path: str | os.PathLike,
  *,
  max_pixels: int = contract.MAX_PIXELS,
  is_geo: bool = False,
) -> AnyPicture:
  """Opens a picture of any kind.

  Args:
    path: of it.
    max_pixels: that it may have.
    is_geo: whether TIFFs are read as a `GeoTiff`.

  Raises:
    ValueError: it cannot be read; the message names it.
  """
  kind = GeoTiff if is_geo and _is_tiff(path) else pictures.PillowPicture
  return kind(path, max_pixels=max_pixels)


def is_written(job: files.Job, *, is_geo: bool = False) -> bool:
  """Returns whether all is there that `painting.write_prediction` writes.

  Args:
    job: which picture, and where to.
    is_geo: as of `open_picture`.
  """
  suffix = '.tif' if is_geo and _is_tiff(job.path) else '.png'
  return os.path.exists(job.stem + suffix)


def _is_tiff(path: str | os.PathLike) -> bool:
  return os.fspath(path).lower().endswith(SUFFIXES)


def _bands(dataset: Any) -> list[int]:
  """Returns the numbers of the bands that are red, green and blue, or grey."""
  names = [band.name for band in dataset.colorinterp]
  if {'red', 'green', 'blue'} <= set(names):
    return [names.index(name) + 1 for name in ('red', 'green', 'blue')]
  return [1, 2, 3] if dataset.count >= 3 else [1]


def _rasterio() -> Any:
  try:
    import rasterio
  except ImportError as e:
    raise ValueError(
      'GeoTIFFs need rasterio: pip install "auto_deeplab[geo]".'
    ) from e
  return rasterio
