# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs a SavedModel that lies here."""

from collections.abc import Mapping
import os
from types import MappingProxyType

import numpy as np

from . import contract, windows


class SavedModelClient:
  """Runs an exported segmenter on pictures of any size.

  Attributes:
    metadata: all that `assets.extra/metadata.json` says.
    class_names: the name of each class, in the order of the labels.
    colors: an (r, g, b) a class, each in 0..255.
    max_pixels: that a picture may have.
    values: the value of each class in the labels that it was trained on.
    parts: how a picture that is too large is to be parted; None where the model
      resizes each picture to a long side, which a part does not have.
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
    long_side = self.metadata.get('views', {}).get('long_side')
    self.parts = (
      None if long_side else windows.Rule(**self.metadata.get('parts', {}))
    )
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
    self,
    image: np.ndarray,
    *,
    probabilities: bool = False,
    context: np.ndarray | None = None,
  ) -> contract.Prediction:
    """Segments one picture.

    Args:
      image: uint8 [height, width, 3], RGB in 0..255.
      probabilities: whether to return them besides the labels; of 19 classes
        they are 76 times as large.
      context: of a part of a picture, the mean of the `features` of all of it,
        float32 [c]. Without probabilities.

    Returns:
      Labels, and probabilities if asked for, at the size of `image`.

    Raises:
      ValueError: `image` has another dtype or shape, or is too large.
    """
    image = contract.checked_image(image, self.max_pixels)
    if context is not None:
      found = self._call(
        contract.CONTEXT_SIGNATURE, image, {contract.CONTEXT: context}
      )
    elif probabilities:
      found = self._call(contract.PROBABILITIES_SIGNATURE, image)
      labels = np.argmax(found['probabilities'], axis=-1).astype(np.uint8)
      return contract.Prediction(labels, found['probabilities'])
    else:
      found = self._call(contract.LABELS_SIGNATURE, image)
    return contract.Prediction(found['labels'])

  def features(self, image: np.ndarray) -> np.ndarray:
    """Returns what the network pools over a picture.

    Args:
      image: uint8 [height, width, 3], a part of it.

    Returns:
      float32 [h', w', c], a place each `parts.features_stride` pixels, which
      must not be None.
    """
    image = contract.checked_image(image, self.max_pixels)
    return self._call(contract.FEATURES_SIGNATURE, image)['features']

  def _call(
    self,
    signature: str,
    image: np.ndarray,
    others: Mapping[str, np.ndarray] = MappingProxyType({}),
  ) -> dict[str, np.ndarray]:
    given = {contract.IMAGES: image, **others}
    outputs = self._signatures[signature](
      **{name: value[np.newaxis] for name, value in given.items()}
    )
    return {name: value[0].numpy() for name, value in outputs.items()}
