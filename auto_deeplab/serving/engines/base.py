# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the runtimes have in common: the shape of questions and answers."""

import abc
from collections.abc import Iterator, Mapping, Sequence
import contextlib
import importlib
import json
import os
import types
from typing import Any, Protocol

import numpy as np

from auto_deeplab.serving import client

# What files other than a SavedModel call their metadata's format.
FORMAT = 'auto_deeplab.network'
# What a file computes in.
FLOAT32, BFLOAT16, INT8 = 'float32', 'bfloat16', 'int8'


class Network(Protocol):
  """What is converted, a `tf.Module`; see `serving.module.PortableModule`.

  Attributes:
    function: a `tf.function` of images.
  """

  function: Any


class Engine(abc.ABC):
  """A network in a runtime.

  Attributes:
    metadata: what the file says of itself.
    class_names: the name of each class, in the order of the labels.
    colors: an (r, g, b) a class, each in 0..255.
    max_pixels: that a picture may have.
    parts: how a large picture is parted. Each part is pooled by itself.
    size: (height, width) that all pictures must have, or None.
    values: the value of each class in the labels that it was trained on.
  """

  def __init__(self, text: str | bytes, path: str | os.PathLike):
    """Reads the metadata.

    Args:
      text: JSON.
      path: of the file, for errors.

    Raises:
      ValueError: it is damaged, or of another format or version.
    """
    name = os.fspath(path)
    with naming_damage(name):
      metadata = json.loads(text)
    self.metadata = client.check_metadata(metadata, name, FORMAT)
    self.class_names = tuple(self.metadata['class_names'])
    self.colors = tuple(tuple(color) for color in self.metadata['colors'])
    self.max_pixels = self.metadata['input']['max_pixels']
    self.parts = client.Rule()
    size = self.metadata['input']['size']
    self.size = tuple(size) if isinstance(size, list) else None
    self.values = tuple(self.metadata['values'])

  @abc.abstractmethod
  def _run(
    self, images: np.ndarray, names: Sequence[str]
  ) -> Mapping[str, np.ndarray]:
    """Returns at least the named outputs, for images that are checked."""

  def run(
    self, images: np.ndarray, *, probabilities: bool = True
  ) -> Mapping[str, np.ndarray]:
    """Segments pictures of one size.

    Args:
      images: uint8 [batch, height, width, 3], RGB in 0..255.
      probabilities: whether to return them besides the labels.

    Returns:
      `labels`, uint8 [batch, height, width], and `probabilities`, float32
      [batch, height, width, num_classes].

    Raises:
      ValueError: images of another shape or dtype, or too large.
    """
    images = np.ascontiguousarray(images)
    if (
      images.dtype != np.uint8
      or images.ndim != 4
      or images.shape[-1] != 3
      or not images.size
    ):
      raise ValueError(
        f'`images` ({images.dtype} {list(images.shape)}) must be uint8 '
        '[batch, height, width, 3], with at least one pixel.'
      )
    size = images.shape[1:3]
    client.require_pixels(size, self.max_pixels)
    if self.size not in (None, size):
      raise ValueError(
        f'the pictures ({client.TIMES.join(map(str, size))}) must have the '
        f'size that the file was exported for: '
        f'{client.TIMES.join(map(str, self.size))} (height, width).'
      )
    names = [client.LABELS, *[client.PROBABILITIES] * probabilities]
    return self._run(images, names)

  def predict(
    self,
    image: np.ndarray,
    *,
    probabilities: bool = False,
    context: np.ndarray | None = None,
  ) -> client.Prediction:
    """Segments one picture, as `client.SavedModelClient` does.

    Args:
      image: uint8 [height, width, 3], RGB in 0..255.
      probabilities: whether to return them besides the labels.
      context: not known to files; must be None.

    Raises:
      ValueError: `image` has another dtype or shape, or is too large.
    """
    assert context is None
    images = np.asarray(image)[np.newaxis]
    found = self.run(images, probabilities=probabilities)
    return client.Prediction(
      found[client.LABELS][0],
      found[client.PROBABILITIES][0] if probabilities else None,
    )


def require(module: str, extra: str) -> types.ModuleType:
  """Imports what only some formats need.

  Args:
    module: its name.
    extra: of setup.cfg, which brings it.

  Raises:
    ValueError: it is not installed.
  """
  try:
    return importlib.import_module(module)
  except ImportError as e:
    raise ValueError(
      f'this needs {e.name or module}: pip install "auto_deeplab[{extra}]".'
    ) from e


def to_json(metadata: Mapping[str, Any]) -> str:
  """Returns metadata as the files hold it."""
  return json.dumps(metadata)


@contextlib.contextmanager
def naming_damage(path: str | os.PathLike) -> Iterator[None]:
  """Has what a runtime finds wrong with a file be an error that names it."""
  try:
    yield
  # Runtimes raise classes of their own, mostly of RuntimeError.
  except Exception as e:
    reason = ' '.join(str(e).split()) or repr(e)
    raise ValueError(
      f'{os.fspath(path)!r} is not a network that Auto-DeepLab exported, or is '
      f'damaged: {reason}'
    ) from e
