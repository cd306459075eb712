# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Arrays from lists of JSON, and lists from arrays."""

import base64
import binascii
import itertools
import json
from typing import Any

import numpy as np

from auto_deeplab.serving.server import errors

# As a number takes some 40 bytes as text and as an object of Python.
MAX_JSON_VALUES = 2**23
_MAX_RANK = 8
# By this end of an output's name TensorFlow Serving tells bytes from text.
BYTES_SUFFIX = '_bytes'


def load_json(body: bytes | bytearray) -> dict[str, Any]:
  """Returns the object that a request is.

  Raises:
    ServingError: it is no JSON, or no object.
  """
  try:
    found = json.loads(body)
  except (ValueError, RecursionError) as e:
    raise errors.invalid(f'the request is not JSON: {e}') from e
  if not isinstance(found, dict):
    raise errors.invalid('the request must be an object of JSON.')
  return found


def from_lists(name: str, value: Any, dtype: np.dtype) -> np.ndarray:
  """Returns an array of what is nested in lists.

  Args:
    name: of the input, for errors.
    value: lists of lists of whole numbers, of strings or of {"b64": "..."}.
    dtype: uint8, or object for strings, which become bytes.

  Raises:
    ServingError: the lists are of unlike lengths, or hold something else.
  """
  # Not NumPy's own way, which makes text of numbers and numbers of text, and
  # gives each of many short strings the room of a long one.
  shape: list[int] = []
  level = [value]
  while level and list in (kinds := set(map(type, level))):
    lengths = set(map(len, level)) if kinds == {list} else set()
    if len(lengths) != 1 or len(shape) == _MAX_RANK:
      raise errors.invalid(
        f'the input {name!r} must be lists of one length on each level, of at '
        f'most {_MAX_RANK} levels.'
      )
    shape.append(lengths.pop())
    level = list(itertools.chain.from_iterable(level))
  if dtype.hasobject:
    return of_strings([_as_bytes(name, leaf) for leaf in level], shape)
  return of_numbers(name, level).reshape(shape)


def of_strings(values: list[bytes], shape: list[int]) -> np.ndarray:
  """Returns an array of objects, which NumPy's constructor would guess at."""
  array = np.empty(len(values), object)
  array[:] = values
  return array.reshape(shape)


def of_numbers(name: str, numbers: list[Any]) -> np.ndarray:
  """Returns uint8 [n].

  Raises:
    ServingError: they are not whole numbers in 0..255.
  """
  try:
    if set(map(type, numbers)) <= {int}:
      return np.frombuffer(bytes(numbers), np.uint8)
  except ValueError:
    pass
  raise errors.invalid(f'the input {name!r} must be whole numbers in 0..255.')


def shaped(name: str, array: np.ndarray, shape: Any) -> np.ndarray:
  """Returns an array in another shape.

  Args:
    name: of the input, for errors.
    array: [n].
    shape: as a request tells it, whatever it is.

  Raises:
    ServingError: it is no shape of so many values.
  """
  # A side of more than all values is none, were another 0: TensorFlow
  # multiplies them.
  if isinstance(shape, list) and all(
    type(side) is int and 0 <= side <= array.size for side in shape
  ):
    try:
      return array.reshape(shape)
    except ValueError:
      pass
  raise errors.invalid(
    f'the shape of {name!r} ({shape!r}) is not that of its {array.size} values.'
  )


def _as_bytes(name: str, leaf: Any) -> bytes:
  if isinstance(leaf, str):
    return leaf.encode('utf-8', 'surrogatepass')
  if isinstance(leaf, dict) and set(leaf) == {'b64'}:
    return from_base64(name, leaf['b64'])
  raise errors.invalid(
    f'the input {name!r} must be strings, or {{"b64": "..."}} for bytes.'
  )


def from_base64(name: str, text: Any) -> bytes:
  """Returns the bytes that a text stands for.

  Raises:
    ServingError: it is not base64.
  """
  try:
    return base64.b64decode(text, validate=True)
  except (TypeError, ValueError, binascii.Error) as e:
    raise errors.invalid(f'the input {name!r} is not base64: {e}') from e


def require_few(outputs: dict[str, np.ndarray]) -> None:
  """Checks that an answer is not too long for JSON.

  Raises:
    ServingError: it is.
  """
  values = sum(array.size for array in outputs.values())
  if values > MAX_JSON_VALUES:
    raise errors.invalid(
      f'the answer has {values} values, too many for JSON, whose limit is '
      f'{MAX_JSON_VALUES}; take the signature `segment`, or gRPC.'
    )


def dump_json(value: Any) -> bytes:
  """Returns JSON without spaces."""
  return json.dumps(value, separators=(',', ':')).encode()
