# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A model that a server has, called as one that lies here."""

from collections.abc import Callable, Iterator, Mapping, Sequence
import io

import numpy as np
from PIL import Image

from . import contract, grpc_server, http_servers, servers, windows

# Of a request, of TensorFlow Serving's limit and that of most proxies.
_MAX_BATCH_BYTES = 2**24
_LABELS, _NAMES, _COLORS, _ERROR = (
  'label_png_bytes',
  'class_names',
  'colors',
  'error',
)
# Bits of PASCAL VOC's colours, and what no label is beyond.
_NUM_LABELS = 256
_PATIENCE = servers.Patience()
_TRANSPORTS: Mapping[
  str, Callable[[servers.Address, float], servers.Transport]
] = {
  'http': http_servers.TensorFlowRest,
  'https': http_servers.TensorFlowRest,
  'kserve+http': http_servers.KServe,
  'kserve+https': http_servers.KServe,
  'grpc': grpc_server.TensorFlowGrpc,
  'grpcs': grpc_server.TensorFlowGrpc,
}


class RemoteModel:
  """What `local.SavedModelClient` is, at a server's.

  Pictures travel as PNG and labels come back as PNG, but where a server's model
  takes pixels alone. All else is as it is there.

  Attributes:
    class_names: the name of each class; empty where the server tells none.
    colors: an (r, g, b) a class; those of PASCAL VOC where it tells none.
    max_pixels: that a picture may have; a server may refuse fewer.
    values: the labels, for a server tells no others.
    parts: how a large picture is parted. Each part is pooled by itself.
  """

  def __init__(
    self,
    transport: servers.Transport,
    *,
    patience: servers.Patience = _PATIENCE,
    batch_size: int = 8,
  ):
    """Asks the server for the classes.

    Args:
      transport: how the server is asked.
      patience: how long it is waited for.
      batch_size: pictures of a request, at most.

    Raises:
      ServerError: it does not answer.
    """
    self._transport = transport
    self._patience = patience
    self._batch_size = batch_size
    self.max_pixels = contract.MAX_PIXELS
    self.parts = windows.Rule()
    self._takes_files = patience.try_again(transport.takes_files)
    self.class_names: tuple[str, ...] = ()
    self.colors = _voc_colors()
    if self._takes_files:
      found = self._call(
        contract.FILES_SIGNATURE,
        contract.FILES,
        _objects([_as_png(np.zeros([1, 1, 3], np.uint8))]),
        [_NAMES, _COLORS],
      )
      names = found[_NAMES][0].tolist()
      self.class_names = tuple(
        name.decode() if isinstance(name, bytes) else name for name in names
      )
      self.colors = tuple(map(tuple, found[_COLORS][0].tolist()))
    self.values = tuple(range(len(self.colors)))

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
      probabilities: whether to return them besides the labels. As JSON they are
        some hundred times as large as a PNG of labels.
      context: not known to servers; must be None.

    Raises:
      ValueError: `image` has another dtype or shape, or the server refuses it.
      ServerError: there was no answer.
    """
    assert context is None
    image = contract.checked_image(image, self.max_pixels)
    if not probabilities:
      return self.predict_batch([image])[0]
    found = self._call(
      contract.PROBABILITIES_SIGNATURE,
      contract.IMAGES,
      image[np.newaxis],
      ['probabilities'],
    )['probabilities'][0].astype(np.float32)
    return contract.Prediction(np.argmax(found, -1).astype(np.uint8), found)

  def predict_batch(
    self, images: Sequence[np.ndarray]
  ) -> list[contract.Prediction]:
    """Segments pictures of whatever sizes, several a request.

    Args:
      images: each uint8 [height, width, 3], RGB in 0..255.

    Raises:
      ValueError: one has another dtype or shape, or the server refuses it.
      ServerError: there was no answer.
    """
    images = [
      contract.checked_image(image, self.max_pixels) for image in images
    ]
    if not self._takes_files:
      return [
        contract.Prediction(
          self._call(
            contract.LABELS_SIGNATURE,
            contract.IMAGES,
            image[np.newaxis],
            ['labels'],
          )['labels'][0].astype(np.uint8)
        )
        for image in images
      ]
    return [
      prediction
      for batch in self._batches(images)
      for prediction in self._predict_files(batch)
    ]

  def _batches(self, images: Sequence[np.ndarray]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for image in images:
      data = _as_png(image)
      size = sum(map(len, batch)) + len(data)
      if batch and (len(batch) == self._batch_size or size > _MAX_BATCH_BYTES):
        yield batch
        batch = []
      batch.append(data)
    if batch:
      yield batch

  def _predict_files(
    self, batch: Sequence[bytes]
  ) -> Iterator[contract.Prediction]:
    found = self._call(
      contract.FILES_SIGNATURE,
      contract.FILES,
      _objects(batch),
      [_LABELS, _ERROR],
    )
    for data, error in zip(found[_LABELS], found[_ERROR], strict=True):
      if error:
        said = error.decode() if isinstance(error, bytes) else error
        raise ValueError(f'the server refuses a picture: {said}')
      with Image.open(io.BytesIO(data)) as labels:
        yield contract.Prediction(np.array(labels))

  def _call(
    self, signature: str, name: str, value: np.ndarray, outputs: Sequence[str]
  ) -> dict[str, np.ndarray]:
    try:
      return self._patience.try_again(
        lambda: self._transport.call(signature, {name: value}, outputs)
      )
    except servers.ServerError as e:
      if e.is_too_large:  # Of others it may be asked.
        raise ValueError(f'the server refuses a picture: {e}') from e
      raise


def connect(
  url: str,
  *,
  patience: servers.Patience = _PATIENCE,
  batch_size: int = 8,
) -> RemoteModel:
  """Returns a model that a server has.

  Args:
    url: SCHEME://HOST:PORT[/MODEL[/VERSION]]. The scheme is 'http' or 'https'
      for TensorFlow Serving's REST, 'grpc' or 'grpcs' for its gRPC,
      'kserve+http' or 'kserve+https' for KServe's version 2, as Triton and
      OpenVINO's server have it. A model without a name is 'default'.
    patience: how long it is waited for.
    batch_size: pictures of a request, at most.

  Raises:
    ValueError: the address is of another form, or a package is missing.
    ServerError: there was no answer.
  """
  address = servers.parse_address(url)
  transport = _TRANSPORTS[address.scheme](address, patience.seconds)
  return RemoteModel(transport, patience=patience, batch_size=batch_size)


def _as_png(image: np.ndarray) -> bytes:
  buffer = io.BytesIO()
  Image.fromarray(image).save(buffer, 'PNG', compress_level=1)
  return buffer.getvalue()


def _objects(values: Sequence[bytes]) -> np.ndarray:
  array = np.empty(len(values), object)
  array[:] = values
  return array


def _voc_colors() -> tuple[tuple[int, int, int], ...]:
  """Returns a colour a label, as PASCAL VOC has them: by the label's bits."""
  label = np.arange(_NUM_LABELS)
  colors = np.zeros([_NUM_LABELS, 3], int)
  for place in range(8):
    for channel in range(3):
      bit = label >> (3 * place + channel) & 1
      colors[:, channel] |= bit << (7 - place)
  return tuple((r, g, b) for r, g, b in colors.tolist())
