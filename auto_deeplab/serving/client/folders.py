# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Predicts files of any size into files, read and written beside it."""

from collections.abc import Iterator, Sequence
import dataclasses
import math
import time
from typing import Any

from . import contract, files, geotiff, painting, windows, work

# Of windows, in pixels: of this the demo's network takes half a GiB.
DEFAULT_WINDOW = 1537
# More pixels are decoded only once the picture before them is written.
_LARGE = 2**24


@dataclasses.dataclass(frozen=True)
class Settings:
  """How pictures are predicted, and what is written of them.

  Attributes:
    window: longest side of what the network is given at once; 0 cuts only
      what is beyond the limit of the model, to windows of `DEFAULT_WINDOW`.
    max_pixels: that a picture may have.
    probabilities: whether they are written. There are none of windows.
    alpha: share of the colours in the overlay, in [0, 1].
    own_values: whether label maps hold the values that the classes had in the
      labels that the network was trained on.
    is_geo: whether TIFFs are read as GeoTIFFs, and their label maps are some.
  """

  window: int = 0
  max_pixels: int = 2**28
  probabilities: bool = False
  alpha: float = 0.5
  own_values: bool = False
  is_geo: bool = False


class Predictor:
  """Predicts files into files.

  Attributes:
    network_seconds: that the model took so far.
  """

  def __init__(self, model: Any, settings: Settings):
    """Takes what is to be used.

    Args:
      model: as `local.SavedModelClient`.
      settings: of all pictures.
    """
    self._model = model
    self._settings = settings
    self.network_seconds = 0.0

  def run(self, jobs: Sequence[files.Job]) -> Iterator[ValueError | None]:
    """Predicts pictures.

    Args:
      jobs: which, and where to.

    Yields:
      Of each picture None, or why it was left out. At the end all are written.

    Raises:
      OSError: a file cannot be written; the message names it.
    """
    yield from work.in_turns(
      jobs, self._read, self._predict, self._write, self._is_large
    )

  def _read(self, job: files.Job) -> geotiff.AnyPicture:
    picture = geotiff.open_picture(
      job.path,
      max_pixels=self._settings.max_pixels,
      is_geo=self._settings.is_geo,
    )
    if not self._is_large(picture):
      picture.load()
    return picture

  def _is_large(self, picture: geotiff.AnyPicture) -> bool:
    return picture.num_pixels > _LARGE

  def _predict(
    self, job: files.Job, picture: geotiff.AnyPicture
  ) -> contract.Prediction:
    picture.load()
    start = time.perf_counter()
    try:
      window = self._window(picture)
      if window is None:
        return self._model.predict(
          picture.read_all(), probabilities=self._settings.probabilities
        )
      if self._settings.probabilities:
        raise ValueError(
          f'{job.path!r} is predicted in windows of {window} pixels, which '
          'give labels and no probabilities.'
        )
      return contract.Prediction(
        windows.predict_windows(self._model, picture, window)
      )
    except ValueError as e:
      if repr(job.path) in str(e):
        raise
      # A model does not know what its picture is called.
      raise ValueError(f'{job.path!r}: {e}') from e
    finally:
      self.network_seconds += time.perf_counter() - start

  def _window(self, picture: geotiff.AnyPicture) -> int | None:
    """Returns the side of the windows, None if the network takes all."""
    limit = self._model.max_pixels
    if window := self._settings.window:
      return window if max(picture.size) > window else None
    if contract.num_pixels(picture.size) <= limit:
      return None
    return min(math.isqrt(limit), DEFAULT_WINDOW)

  def _write(
    self,
    job: files.Job,
    picture: geotiff.AnyPicture,
    prediction: contract.Prediction,
  ) -> None:
    painting.write_prediction(
      job.stem,
      picture,
      prediction.labels,
      self._model.colors,
      alpha=self._settings.alpha,
      probabilities=prediction.probabilities,
      values=self._model.values if self._settings.own_values else None,
    )
