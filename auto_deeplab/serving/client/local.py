# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs a SavedModel that lies here."""

import os

import numpy as np

from . import contract


class SavedModelClient:
  """Runs an exported segmenter on pictures of any size.

  Attributes:
    metadata: all that `assets.extra/metadata.json` says.
    class_names: the name of each class, in the order of the labels.
    colors: an (r, g, b) a class, each in 0..255.
    max_pixels: that a picture may have.
    values: the value of each class in the labels that it was trained on.
  """

  def __init__(self, model_dir: str | os.PathLike):
    """Loads the model.

    Args:
      model_dir: what `tools/export.py` wrote.

    Raises:
      FileNotFoundError: there is no such folder.
      ValueError: the folder is not a SavedModel of this project, is damaged,
        or is of another version.
    """
    import tensorflow as tf

    self.metadata = contract.read_metadata(model_dir)
    self.class_names = tuple(self.metadata['class_names'])
    self.colors = tuple(tuple(color) for color in self.metadata['colors'])
    self.max_pixels = self.metadata['input']['max_pixels']
    classes = range(len(self.class_names))  # Older exports tell no values.
    self.values = tuple(self.metadata.get('values', classes))
    try:
      # Kept, for a signature does not keep its variables alive.
      self._saved_model = tf.saved_model.load(os.fspath(model_dir))
      self._signatures = self._saved_model.signatures
      _ = [self._signatures[name] for name in contract.INPUTS]
    # A damaged file shows as OSError, IndexError, DataLossError and others.
    except Exception as e:
      raise ValueError(
        f'the SavedModel in {os.fspath(model_dir)!r} is damaged: {e}'
      ) from e

  def predict(
    self, image: np.ndarray, *, probabilities: bool = False
  ) -> contract.Prediction:
    """Segments one picture.

    Args:
      image: uint8 [height, width, 3], RGB in 0..255.
      probabilities: whether to return them besides the labels; of 19 classes
        they are 76 times as large.

    Returns:
      Labels, and probabilities if asked for, at the size of `image`.

    Raises:
      ValueError: `image` has another dtype or shape, or is too large.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
      raise ValueError(
        f'`image` ({image.dtype} {list(image.shape)}) must be uint8 '
        '[height, width, 3].'
      )
    if image.size == 0:
      raise ValueError(f'`image` ({list(image.shape)}) has no pixels.')
    contract.require_pixels(image.shape[:2], self.max_pixels)
    if not probabilities:
      return contract.Prediction(
        self._call(contract.LABELS_SIGNATURE, image)['labels']
      )
    found = self._call(contract.PROBABILITIES_SIGNATURE, image)['probabilities']
    return contract.Prediction(
      np.argmax(found, axis=-1).astype(np.uint8), found
    )

  def _call(self, signature: str, image: np.ndarray) -> dict[str, np.ndarray]:
    outputs = self._signatures[signature](
      **{contract.IMAGES: image[np.newaxis]}
    )
    return {name: value[0].numpy() for name, value in outputs.items()}
