# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The model that is served: which folder it is, and a call of it."""

from collections.abc import Mapping
import dataclasses
import os
from pathlib import Path
import re

from absl import logging
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from auto_deeplab.serving import client
from auto_deeplab.serving.server import errors

_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.-]*')
# Of 64 bits with a sign, in TensorFlow Serving's protos.
_END_OF_VERSIONS = 2**63
_GRAPH_FILE = 'saved_model.pb'
# A request for warming up is to load and optimise the graph, not to work.
_WARMUP_SHAPE = (1, 65, 65, 3)


@dataclasses.dataclass(frozen=True)
class Place:
  """Where a model lies, and what requests call it.

  Attributes:
    folder: the SavedModel.
    name: of the model.
    version: a number; the larger, the newer.
  """

  folder: Path
  name: str
  version: int


def find(model_dir: str | os.PathLike, name: str | None = None) -> Place:
  """Finds the newest version of a model.

  Args:
    model_dir: a SavedModel, or a folder of them whose names are numbers, as
      TensorFlow Serving wants them. Those that are not whole are passed over.
    name: that requests use; by default the folder's.

  Raises:
    FileNotFoundError: there is no such folder.
    ValueError: there is no SavedModel in it, or the name is none.
  """
  folder = Path(model_dir).resolve()
  if not folder.is_dir():
    raise FileNotFoundError(
      f'the model folder {os.fspath(model_dir)!r} does not exist.'
    )
  versions = {
    number: path
    for path in folder.iterdir()
    if (number := _version(path)) is not None and _is_whole(path)
  }
  if not versions or _is_whole(folder):
    number = _version(folder)
    versions = {1 if number is None else number: folder}
    folder = folder if number is None else folder.parent
  name = folder.name if name is None else name
  if not _NAME.fullmatch(name):
    raise ValueError(
      f'the name of the model ({name!r}) must be letters, digits, "_", "." '
      'and "-", and begin with a letter or a digit.'
    )
  version = max(versions)
  return Place(versions[version], name, version)


def _version(path: Path) -> int | None:
  """Returns the number that a folder's name is, or None."""
  number = int(path.name) if path.name.isdecimal() else _END_OF_VERSIONS
  return number if number < _END_OF_VERSIONS else None


def _is_whole(path: Path) -> bool:
  names = (_GRAPH_FILE, client.METADATA_PATH)
  return all((path / name).is_file() for name in names)


class ServedModel:
  """A loaded model.

  Attributes:
    place: where it lies.
    signatures: TensorFlow's own account of each, by name.
  """

  def __init__(self, place: Place):
    """Loads the model, and calls each of its signatures once.

    Raises:
      ValueError: it is not a SavedModel of this project, or is damaged.
    """
    self.place = place
    client.read_metadata(place.folder)
    try:
      graph = (place.folder / _GRAPH_FILE).read_bytes()
      definitions = saved_model_pb2.SavedModel.FromString(graph)
      self._loaded = tf.saved_model.load(os.fspath(place.folder))
      # Not those of parts of a picture, which one program asks in its turn.
      self._calls = {
        name: self._loaded.signatures[name] for name in client.INPUTS
      }
    # A damaged file shows as OSError, IndexError, DecodeError and others.
    except Exception as e:
      raise ValueError(
        f'the SavedModel in {os.fspath(place.folder)!r} is damaged: {e}'
      ) from e
    self.signatures: dict[str, meta_graph_pb2.SignatureDef] = {
      name: definitions.meta_graphs[0].signature_def[name]
      for name in sorted(self._calls)
    }
    self._warm_up()

  def require(self, name: str, version: int | None = None) -> None:
    """Checks that a request means this model.

    Raises:
      ServingError: it does not.
    """
    # The only one, so it is also what clients ask for that name none.
    if name not in (self.place.name, client.DEFAULT_MODEL):
      wanted = f'model {name!r}'
    elif version not in (None, self.place.version):
      wanted = f'version {version} of the model {name!r}'
    else:
      return
    raise errors.ServingError(
      errors.Code.NOT_FOUND,
      f'there is no {wanted}; served is version {self.place.version} of '
      f'{self.place.name!r}.',
    )

  def inputs(self, signature: str) -> dict[str, np.dtype]:
    """Returns the inputs of a signature: uint8, or object for strings.

    Raises:
      ServingError: there is no such signature.
    """
    if signature not in self.signatures:
      raise errors.invalid(
        f'there is no signature {signature!r}; there are '
        f'{", ".join(self.signatures)}.'
      )
    inputs = self.signatures[signature].inputs
    return {name: numpy_dtype(info) for name, info in sorted(inputs.items())}

  def predict(
    self, signature: str, inputs: Mapping[str, np.ndarray]
  ) -> dict[str, np.ndarray]:
    """Calls a signature.

    Args:
      signature: its name.
      inputs: an array for each of its inputs.

    Returns:
      An array for each of its outputs.

    Raises:
      ServingError: the signature or an input is none, an input is of another
        dtype or shape, or the memory does not suffice.
    """
    expected = self.inputs(signature)
    if set(inputs) != set(expected):
      raise errors.invalid(
        f'the inputs are {_listed(inputs)}; the signature {signature!r} takes '
        f'{_listed(expected)}.'
      )
    for name, dtype in expected.items():
      if inputs[name].dtype != dtype:
        raise errors.invalid(
          f'the input {name!r} is {dtype_name(inputs[name].dtype)}; it must be '
          f'{dtype_name(dtype)}.'
        )
    try:
      outputs = self._calls[signature](
        **{name: tf.constant(value) for name, value in inputs.items()}
      )
      return {name: value.numpy() for name, value in sorted(outputs.items())}
    except tf.errors.InvalidArgumentError as e:
      raise errors.invalid(_told(e.message)) from e
    except (MemoryError, tf.errors.ResourceExhaustedError) as e:
      raise errors.ServingError(
        errors.Code.RESOURCE_EXHAUSTED,
        'the memory does not suffice for such pictures.',
      ) from e

  def _warm_up(self) -> None:
    image = np.zeros(_WARMUP_SHAPE, np.uint8)
    file = np.array([tf.io.encode_png(image[0]).numpy()], object)
    for signature in self.signatures:
      values = {
        name: file if dtype.hasobject else image
        for name, dtype in self.inputs(signature).items()
      }
      self.predict(signature, values)
    logging.info('Loaded %s.', self.place.folder)


def numpy_dtype(info: meta_graph_pb2.TensorInfo) -> np.dtype:
  """Returns what NumPy calls the dtype of a tensor: of strings, object."""
  return np.dtype(tf.as_dtype(info.dtype).as_numpy_dtype)


def dtype_name(dtype: np.dtype) -> str:
  """Returns 'string' for object, else NumPy's name."""
  return 'string' if dtype.hasobject else dtype.name


def _listed(names: Mapping) -> str:
  return ', '.join(map(repr, sorted(names))) or 'none'


def _told(message: str) -> str:
  """Returns what an error says, without the graph's nodes around it."""
  found = re.search(r'assertion failed: (.*?)\s*\[\[\{\{node', message, re.S)
  if not found:
    return message.partition('\n')[0]
  # Each part of what is told stands in brackets of its own.
  return re.sub(r'^\[(.*?)\](?= |$)', r'\1', found[1], count=1, flags=re.S)


def require_batch(
  inputs: Mapping[str, np.ndarray], max_batch_size: int
) -> None:
  """Checks how many pictures come at once.

  Raises:
    ServingError: they are too many.
  """
  for name, value in inputs.items():
    if value.ndim and len(value) > max_batch_size:
      raise errors.invalid(
        f'the batch of {name!r} ({len(value)}) is too large; the limit is '
        f'{max_batch_size}.'
      )
